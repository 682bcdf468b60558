"""``lm_eval`` as one of several data-parallel ranks on CPU, for torchrun: the arguments are lm_eval's own.

``HFLM`` takes its rank from its accelerator only where it sees several GPUs; here it is told to on CPU, too. Everything
that the ranks send each other is also written to files under ``RANK_OUT``, for the test to look at.
"""

import os
import pickle
from pathlib import Path

import torch.distributed
from lm_eval.__main__ import cli_evaluate
from lm_eval.models.huggingface import HFLM

construct = HFLM.__init__
gather = torch.distributed.gather_object


def as_rank(self: HFLM, *args: object, **kwargs: object) -> None:
    construct(self, *args, **kwargs)
    self._rank = self.accelerator.local_process_index
    self._world_size = self.accelerator.num_processes


def recorded(obj: object, *args: object, **kwargs: object) -> None:
    folder = Path(os.environ["RANK_OUT"])
    number = len(list(folder.glob(f"rank{os.environ['RANK']}-*.pickle")))
    (folder / f"rank{os.environ['RANK']}-{number}.pickle").write_bytes(pickle.dumps(obj))
    gather(obj, *args, **kwargs)


HFLM.__init__ = as_rank
torch.distributed.gather_object = recorded
cli_evaluate()
