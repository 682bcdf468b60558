"""Scores of a model while it is trained, in the Trainer's own logs. Needs transformers.

trainer.add_callback(NejumiCallback(trainer, when=500))
"""

from lm_eval_ja.callbacks._trainer import NejumiCallback, chosen_questions

__all__ = ["NejumiCallback", "chosen_questions"]
