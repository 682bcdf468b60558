"""What a model needs to be asked rightly: read from its directory, and known of its family.

``look`` reads a directory, ``recognize`` finds its families in the package's data, ``write_configs`` makes files for
``lm_eval run --config`` of both. Nothing here loads a model or needs torch.
"""

from lm_eval_ja.families._configs import BACKENDS, Config, is_chat, thoughts_of, write_configs
from lm_eval_ja.families._known import Family, Note, families, recognize
from lm_eval_ja.families._look import Model, look
from lm_eval_ja.families._template import ChatTemplate, read_template

__all__ = [
    "BACKENDS",
    "ChatTemplate",
    "Config",
    "Family",
    "Model",
    "Note",
    "families",
    "is_chat",
    "look",
    "read_template",
    "recognize",
    "thoughts_of",
    "write_configs",
]
