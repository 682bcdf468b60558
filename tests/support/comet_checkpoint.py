"""Make a tiny checkpoint in COMET's format: random weights, an XLM-R encoder that knows letters and kana.

Run it where COMET is installed:

    python tests/support/comet_checkpoint.py FOLDER

Its scores mean nothing; it is loaded, batched and run like Unbabel/wmt22-comet-da, which has the same class.
"""

import sys
from pathlib import Path

import torch
import yaml
from comet.models import RegressionMetric
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import XLMRobertaConfig, XLMRobertaTokenizerFast

SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]


def make(folder: Path) -> None:
    encoder = folder / "encoder"
    # Unigram with Metaspace, as the real one: transformers 5 builds nothing else for XLM-R.
    pieces = ["▁", *map(chr, range(0x21, 0x7F)), *map(chr, range(0x3041, 0x30FF))]
    names = [*SPECIAL, *pieces]
    tokenizer = Tokenizer(models.Unigram([(name, -float(i)) for i, name in enumerate(names)], unk_id=3))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    tokenizer.save(str(folder / "tokenizer.json"))
    XLMRobertaTokenizerFast(
        tokenizer_file=str(folder / "tokenizer.json"), model_max_length=512
    ).save_pretrained(encoder)
    XLMRobertaConfig(
        vocab_size=len(names) + 1,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=514,
    ).save_pretrained(encoder)
    torch.manual_seed(0)
    hyper_parameters = {
        "encoder_model": "XLM-RoBERTa",
        "pretrained_model": str(encoder),
        "hidden_sizes": [16],
        "layer": "mix",
        "layer_transformation": "sparsemax",
        "pool": "avg",
        "load_pretrained_weights": False,
        "class_identifier": "regression_metric",
    }
    given = {key: value for key, value in hyper_parameters.items() if key != "class_identifier"}
    model = RegressionMetric(**given)
    (folder / "checkpoints").mkdir(parents=True)
    torch.save(
        {
            "state_dict": model.state_dict(),
            "hyper_parameters": dict(model.hparams),
            "pytorch-lightning_version": "2.0.0",
        },
        folder / "checkpoints" / "model.ckpt",
    )
    (folder / "hparams.yaml").write_text(yaml.safe_dump(hyper_parameters), encoding="utf-8")


if __name__ == "__main__":
    target = Path(sys.argv[1]).resolve()  # the checkpoint names its encoder
    target.mkdir(parents=True, exist_ok=True)
    make(target)
