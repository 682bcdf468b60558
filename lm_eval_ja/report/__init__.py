"""How results look: printed, and written as one HTML file or to W&B.

```python
runs = read_runs(["out"])
write_html(analyse_runs(runs), Path("report.html"))
```
"""

from lm_eval_ja.report._data import as_csv, as_json, printable_json
from lm_eval_ja.report._export import export
from lm_eval_ja.report._given import given_csv, given_json, given_lines
from lm_eval_ja.report._grid import (
    Field,
    Grid,
    as_latex,
    as_markdown,
    escape_markdown,
    print_grid,
    terminal_width,
)
from lm_eval_ja.report._html import write_html
from lm_eval_ja.report._models import Facts, match_models, read_models
from lm_eval_ja.report._publish import Publisher, publish
from lm_eval_ja.report._tables import report_tables
from lm_eval_ja.report._wandb import log_to_wandb

__all__ = [
    "Facts",
    "Field",
    "Grid",
    "Publisher",
    "as_csv",
    "as_json",
    "as_latex",
    "as_markdown",
    "escape_markdown",
    "export",
    "given_csv",
    "given_json",
    "given_lines",
    "log_to_wandb",
    "match_models",
    "print_grid",
    "printable_json",
    "publish",
    "read_models",
    "report_tables",
    "terminal_width",
    "write_html",
]
