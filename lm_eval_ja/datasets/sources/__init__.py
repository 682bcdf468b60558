"""One module per source: its raw files, its datasets' digests and answer forms, and its converter.

A module is found by lying here: adding a source is adding a module. Its sample data lies in ``../sample``, laid out
as a mirror. Names that begin with an underscore are shared by the modules. Importing all of them is cheap; parsers
are imported by the conversion that needs them.
"""

import pkgutil
from importlib import import_module

from lm_eval_ja.datasets.sources._provides import AnswerForm, Dataset, Provides, Variant, certified

__all__ = ["AnswerForm", "Dataset", "Provides", "Variant", "certified", "every_source"]


def every_source() -> tuple[Provides, ...]:
    """Import the modules of this folder and collect what they provide, in the order of their names."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name[0] != "_")
    return tuple(import_module(f"{__name__}.{name}").PROVIDES for name in names)
