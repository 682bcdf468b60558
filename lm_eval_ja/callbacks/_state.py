"""What an evaluation in the middle of a training must leave as it was."""

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np


@contextmanager
def left_as_it_was(model: Any) -> Iterator[None]:
    """Put every module's training mode and all random generators back, whatever happens within.

    Args:
        model: A torch module.
    """
    torch: Any = sys.modules["torch"]  # the model brought it
    modes = [(module, module.training) for module in model.modules()]
    python, numpy, torch_cpu = random.getstate(), np.random.get_state(), torch.get_rng_state()
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else None
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
        random.setstate(python)
        np.random.set_state(numpy)
        torch.set_rng_state(torch_cpu)
        if cuda is not None:
            torch.cuda.set_rng_state_all(cuda)
