"""``equipoise demo``: the main job on embedded data, in about half a minute on two cores."""

import tempfile
from pathlib import Path

from equipoise.commands import console
from equipoise.commands.fit import show
from equipoise.commands.options import Flag
from equipoise.commands.training import watched
from equipoise.experiment import Experiment
from equipoise.plan import Plan
from equipoise.report import write_report
from equipoise.runs import require_free


def demo(*, out: Path | None = None, json: Flag = False) -> int:
    """Make the embedded digits imbalanced, train, measure and report.

    Parameters
    ----------
    out : Path
        Folder of the run; by default a new folder under runs.
    json : bool
        Print the result as JSON.
    """
    if out is not None:
        require_free(out)
    console.say("The digits of scikit-learn, thinned so that the rarest has few examples.")
    plan = Plan.make(Experiment(source="digits", ratio=20, split_seed=0, params={}))
    for line in plan.choices:
        console.say(line)
    folder = out or _new_folder()
    run = watched(plan, folder)
    write_report([run.path], run.path / "report.html")
    show(run, as_json=json)
    console.say(f"The report is in {run.path / 'report.html'}.")
    return 0


def _new_folder() -> Path:
    Path("runs").mkdir(exist_ok=True)
    return Path(tempfile.mkdtemp(prefix="demo-", dir="runs"))
