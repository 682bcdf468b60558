"""How results look: printed, and written as one HTML file or to W&B.

runs = read_runs(["out"])
write_html(analyse_runs(runs), Path("report.html"))
"""

from lm_eval_ja.report._html import write_html

__all__ = ["write_html"]
