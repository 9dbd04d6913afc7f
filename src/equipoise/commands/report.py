"""``equipoise report``: one HTML file about one or more runs."""

from pathlib import Path

from equipoise.commands import console
from equipoise.commands.options import Flag, require_page
from equipoise.report import write_report


def report(run: Path, /, *runs: Path, out: Path | None = None, json: Flag = False) -> int:
    """Write one HTML file about RUN and RUNS; it needs no network and opens by double click.

    Instead of runs, folders of comparisons can be named, or folders of studies, or a diagnosis.

    Parameters
    ----------
    run : Path
        Folder of a run, finished or not.
    runs : Path
        Folders of more runs, to be set side by side.
    out : Path
        The file to write; by default report.html in the first run's folder.
    json : bool
        Print the path as JSON.
    """
    if out is not None:
        require_page(out)
    target = out or run / "report.html"
    write_report([run, *runs], target)
    if json:
        console.print_json({"report": str(target)})
    else:
        console.say(f"The report is in {target}.")
    return 0
