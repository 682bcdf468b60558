"""How much two models' scores on one question differ: measured on real models, three numbers a dataset.

Standard deviation of a question's difference between two models, at the quartiles of all 465 pairs of 31 models (7 to
70 billion parameters, 2023; public evaluation logs, Apache-2.0), on the first 100 test questions of nine jaster
datasets, four shots, by this package's metrics. Pairing is in it: where two models tend to be right on the same
questions, it is smaller than their two spreads together. ``benchmarks/power.py`` computes the table from the
per-question scores and checks what is predicted with it.
"""

SPREADS: dict[str, tuple[float, float, float]] = {
    "jamp": (0.496, 0.615, 0.706),
    "janli": (0.362, 0.500, 0.551),
    "jnli": (0.468, 0.532, 0.579),
    "jsem": (0.376, 0.455, 0.500),
    "jsick": (0.456, 0.521, 0.621),
    "jcommonsenseqa": (0.400, 0.474, 0.542),
    "jemhopqa": (0.425, 0.475, 0.544),
    "niilc": (0.327, 0.354, 0.382),
    "jsquad": (0.242, 0.282, 0.332),
}
"""By dataset: first quartile, median and third quartile of the pairs."""

BORROWED: dict[str, tuple[str, ...]] = {
    "exact_match": ("jamp", "janli", "jnli", "jsem", "jsick", "jcommonsenseqa"),
    "char_f1": ("jemhopqa", "niilc", "jsquad"),
    "set_f1": ("jemhopqa", "niilc", "jsquad"),
}
"""Datasets whose mean stands in for a dataset that was not measured, by its metric; set_f1 was not measured at all."""
