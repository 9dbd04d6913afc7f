"""``equipoise rank``: methods over several data sets."""

from pathlib import Path
from typing import Any, Literal

from rich.markup import escape
from rich.table import Table

from equipoise.commands import console
from equipoise.commands.options import Flag, require_page
from equipoise.comparison.ranking import rank_comparisons
from equipoise.report import write_report


def rank(
    comparison: Path,
    /,
    *comparisons: Path,
    metric: str = "balanced_accuracy",
    prior: Literal["balanced", "as_trained"] | None = None,
    control: str | None = None,
    out: Path | None = None,
    json: Flag = False,
) -> int:
    """Rank methods over the data sets of several comparisons, and say which ranks differ.

    Parameters
    ----------
    comparison : Path
        Folder of a comparison.
    comparisons : Path
        Folders of more comparisons, on other data; the same data at other ratios counts once.
    metric : str
        balanced_accuracy, accuracy, macro_f1, log_loss or balanced_log_loss.
    prior : {"balanced", "as_trained"}
        Predictions corrected to equal class frequencies, or as they were trained; by default
        corrected where all classes count alike in the metric.
    control : str
        Method that wins and losses are counted against, comparison by comparison; by default
        the control of the comparisons.
    out : Path
        An HTML file to write, with the critical-difference diagram and every comparison.
    json : bool
        Print the result as JSON.
    """
    folders = [comparison, *comparisons]
    if out is not None:
        require_page(out)
    found = rank_comparisons(folders, metric=metric, prior=prior, control=control)
    if out is not None:
        write_report(folders, out, ranking=found)
    if json:
        console.print_json(found)
        return 0
    console.results.print(_table(found))
    for sentence in found["sentences"]:
        console.results.print(sentence, markup=False)
    for line in found["cautions"]:
        console.say(line)
    if out is not None:
        console.say(f"The page is {out}.")
    return 0


def _table(found: dict[str, Any]) -> Table:
    title = f"{found['title']}, {found['n_sets']} data sets"
    table = Table(title=title, title_justify="left")
    for name in ("method", "average rank", "wins", "ties", "losses"):
        table.add_column(name, justify="left" if name == "method" else "right")
    for name, row in found["methods"].items():
        against = [str(row.get(k, "")) for k in ("wins", "ties", "losses")]
        table.add_row(escape(name), f"{row['rank']:.2f}", *against)
    return table
