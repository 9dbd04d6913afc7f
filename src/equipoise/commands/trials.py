"""How a search is shown: a live bar while it runs, and what it found."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.markup import escape
from rich.progress import Progress, ProgressColumn, SpinnerColumn, TextColumn
from rich.progress import Task as Shown
from rich.progress_bar import ProgressBar
from rich.table import Table

from equipoise.commands import console
from equipoise.durations import format_duration
from equipoise.report.formats import brief
from equipoise.runs import Run
from equipoise.selection import MONITORS
from equipoise.tuning.clock import Clock
from equipoise.tuning.options import SECONDS
from equipoise.tuning.records import Record
from equipoise.tuning.search import MOST_FAILURES
from equipoise.tuning.tuner import Tuner

IN_WORDS = {
    "complete": "trained in full",
    "stopped": "stopped early",
    "unfinished": "ended by the clock",
    "failed": "failed",
    "interrupted": "interrupted",
    "running": "interrupted",  # by earlier versions
}
"""How trials end."""

IMPORTANCE = (
    "Importance is the share of the variation between scores that a part accounts for alone; "
    "gain on average compares trials with the two components, other parts being what they were; "
    "below 0 the prescribed component was the better one."
)
"""What the columns of the comparison mean."""

N_SHOWN = 8
"""At most so many trials are listed."""


class _Time(ProgressColumn):
    """A bar of the time that is used, which moves while a trial runs."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock

    def render(self, task: Shown) -> ProgressBar:  # noqa: ARG002 (rich passes it)
        """Return the bar."""
        return ProgressBar(self.clock.budget, min(self.clock.used, self.clock.budget), width=30)


@contextmanager
def search_bar(tuner: Tuner) -> Iterator[Callable[[Record], None]]:
    """Show the time that is used, the number of trials and the best score."""
    metric = tuner.layout.metrics[0]
    columns = (
        SpinnerColumn(),
        TextColumn("searching"),
        _Time(tuner.clock),
        TextColumn("{task.fields[facts]}"),
    )
    with Progress(*columns, console=console.errors, refresh_per_second=4) as progress:
        task = progress.add_task("", total=None, facts="first trial")
        # What a stop has interrupted is gone on with, and told of when it has ended.
        done = [record for record in tuner.records if record.state != "running"]

        def observe(record: Record) -> None:
            done.append(record)
            progress.update(task, facts=f"{len(done)} tried{_best(done, metric)}")

        yield observe


def _best(records: list[Record], metric: str) -> str:
    scores = [r.scores[metric] for r in records if r.state == "complete"]
    if not scores:
        return ""
    best = max(scores) if MONITORS[metric] else min(scores)
    return f", best {_named(metric)} {best:.4f}"


def _named(metric: str) -> str:
    """Return how a sentence calls a metric."""
    return console.OVERALL.get(metric, metric)


def show_search(run: Run, *, as_json: bool) -> None:
    """Print what a search has found, and what it says of the final run."""
    found = run.read_json("tuning.json")
    if as_json:
        metrics = run.read_json("metrics.json")
        console.print_json({"run": str(run.path), "tuning": found, **metrics})
    else:
        _print_trials(found)
        _print_front(found)
        _print_compared(found)
    mattered = found["mattered"]
    meaning = [IMPORTANCE] if mattered["roles"] else []
    for line in (*_told(found), *meaning, *mattered["said"]):
        console.say(line)


def _print_trials(found: Mapping[str, Any]) -> None:
    metric = found["metrics"][0]
    scored = [t for t in found["trials"] if t["state"] == "complete"]
    if not scored:
        return  # what is taken instead is told in words
    ranked = sorted(scored, key=lambda t: t["scores"][metric], reverse=MONITORS[metric])
    table = Table(title="Recipes that were trained in full", title_justify="left")
    numbers = ("epochs", "time of one")
    for name in ("trial", _named(metric), *numbers, "changes of the prescription"):
        table.add_column(name, justify="right" if name in numbers else "left", overflow="fold")
    start = found["trials"][0]["params"]
    for trial in ranked[:N_SHOWN]:
        mark = _marked(trial["number"], found)
        table.add_row(
            mark,
            f"{trial['scores'][metric]:.4f}",
            str(trial["epochs"]),
            format_duration(trial["pace"]),
            escape(brief(_changes(trial["params"], start))),
        )
    console.results.print(table)


def _marked(number: int, found: Mapping[str, Any]) -> str:
    ensemble = found["ensemble"] or {"weights": {found["taken"]: 1.0}}
    return f"{number} (taken)" if number in map(int, ensemble["weights"]) else str(number)


def _print_front(found: Mapping[str, Any]) -> None:
    """Print what there is to choose from where there are several metrics."""
    if not found["front"]:
        return
    table = Table(
        title="Recipes that none beats in one metric without losing in another",
        title_justify="left",
    )
    table.add_column("trial")
    for metric in found["metrics"]:
        name = "seconds an epoch" if metric == SECONDS else _named(metric)
        table.add_column(name, justify="right")
    table.add_column("changes of the prescription", overflow="fold")
    params = {trial["number"]: trial["params"] for trial in found["trials"]}
    for row in found["front"]:
        mark = _marked(row["number"], found)
        values = [f"{value:.4g}" for value in row["values"].values()]
        table.add_row(mark, *values, escape(brief(_changes(params[row["number"]], params[0]))))
    console.results.print(table)


def _changes(params: Mapping[str, Any], start: Mapping[str, Any]) -> str:
    changed = [f"{name}={value}" for name, value in params.items() if value != start.get(name)]
    return ", ".join(changed) or "none: the prescription"


def _print_compared(found: Mapping[str, Any]) -> None:
    """Print the prescription against the recipe that is taken, part by part."""
    is_known = bool(found["mattered"]["roles"])
    if not is_known and all(row["prescribed"] == row["taken"] for row in found["compared"]):
        return
    what = "the recipe that is taken" if found["ensemble"] is None else "the first of the ensemble"
    table = Table(title=f"The prescription and {what}", title_justify="left")
    for name in ("part", "prescribed", "taken"):
        table.add_column(name, overflow="fold")
    for name in ("importance", "gain on average") if is_known else ():
        table.add_column(name, justify="right")
    for row in found["compared"]:
        before, after = ("none" if row[k] is None else row[k] for k in ("prescribed", "taken"))
        cells = [row["role"], brief(before), "the same" if before == after else brief(after)]
        if is_known:
            cells += [
                _with_error(row["importance"], row["error"], 2),
                _with_error(row["difference"], row["difference_error"], 4, sign="+"),
            ]
        table.add_row(*map(escape, cells))
    console.results.print(table)


def _with_error(value: float | None, error: float | None, digits: int, sign: str = "") -> str:
    if value is None:
        return ""
    known = f"{value:{sign}.{digits}f}"
    return known if error is None else f"{known} \N{PLUS-MINUS SIGN} {error:.{digits}f}"


def _told(found: Mapping[str, Any]) -> Iterator[str]:
    states = [trial["state"] for trial in found["trials"]]
    counts = [f"{states.count(s)} {words}" for s, words in IN_WORDS.items() if s in states]
    tried = "1 recipe was" if len(states) == 1 else f"{len(states)} recipes were"
    yield f"{tried} tried: {', '.join(counts)}."
    for trial in found["trials"]:
        if trial["state"] == "failed":
            yield f"Trial {trial['number']} failed: {trial['message']}"
    yield from _chosen(found)
    if states[-MOST_FAILURES:] == ["failed"] * MOST_FAILURES:
        yield f"The search ended before its time, for the last {MOST_FAILURES} recipes failed."
    yield from _cautions(found)
    yield _judged(found)


def _chosen(found: Mapping[str, Any]) -> Iterator[str]:
    """Say which recipe is taken, and how it compares with the prescription."""
    metric = _named(found["metrics"][0])
    over, error = found["over_prescription"], found["over_prescription_error"]
    if (combined := found["ensemble"]) is not None:
        yield _combined(combined, metric)
    elif sum(t["state"] == "complete" for t in found["trials"]) < 2:
        yield _alone(found)
    elif found["taken"] == 0:
        yield f"The prescription is taken: nothing cheaper or surely better was found ({metric})."
    elif over is None:
        yield (
            f"Trial {found['taken']} is taken; the prescription was not trained in full, so that "
            "there is nothing to compare it with."
        )
    else:
        verb = "better" if over >= 0 else "worse"
        known = f"a standard error of {error:.4f}" if error is not None else "an unknown error"
        yield (
            f"Trial {found['taken']} is taken: on held-out examples its {metric} is {verb} than "
            f"the prescription's by {abs(over):.4f}, with {known}."
        )


def _cautions(found: Mapping[str, Any]) -> Iterator[str]:
    """Say what held-out examples do not show."""
    guess = found.get("guess")
    if guess is not None and not guess["is_beaten"]:
        yield (
            f"On held-out examples this is at chance level: a guess that looks at nothing has "
            f"{guess['score']:.4f} there, and {found['validation']:.4f} is not surely better."
        )
    if found.get("unjudged"):
        yield (
            f"No recipe was judged by {', '.join(found['unjudged'])}: no example of these classes "
            "was held out."
        )


def _alone(found: Mapping[str, Any]) -> str:
    """Say that a recipe is taken because there was none to compare it with."""
    which = "The prescription" if found["taken"] == 0 else f"Trial {found['taken']}"
    [trial] = [row for row in found["trials"] if row["number"] == found["taken"]]
    if trial["state"] == "complete":
        return (
            f"{which} is taken: nothing else was trained far enough to be compared with it. More "
            "time would be needed."
        )
    return (
        f"{which} is taken, which was trained longest: on {len(trial['best_epochs'])} of "
        f"{found['n_folds']} folds, and not to its end. Nothing was trained far enough to be "
        "compared with it; more time would be needed."
    )


def _combined(ensemble: Mapping[str, Any], metric: str) -> str:
    weights = [f"{number} ({weight:.2f})" for number, weight in ensemble["weights"].items()]
    if len(weights) == 1:
        return (
            f"Trial {next(iter(ensemble['weights']))} predicts alone, as it was trained in the "
            f"search: with no other one the {metric} on held-out examples got better."
        )
    return (
        f"Trials {', '.join(weights)} predict together, weights in brackets, as they were trained "
        f"in the search: on held-out examples the {metric} is {ensemble['score']:.4f}, that of the "
        f"best alone {ensemble['alone']:.4f}. They were chosen on these, so the gain is smaller "
        "elsewhere."
    )


def _judged(found: Mapping[str, Any]) -> str:
    """Return what held-out examples and the test set say of the recipe that is taken."""
    both = (
        f"Of {_named(found['metrics'][0])}, held-out examples said {found['validation']:.4f}, the "
        f"test set {found['test']:.4f}"
    )
    if (optimism := found["optimism"]) is None:
        return f"{both}; the two have other class shares, so these cannot be compared."
    verb = "better" if optimism >= 0 else "worse"
    if alike := found.get("alike_classes"):
        both = (
            f"{both}; over the classes that both have, {alike['validation']:.4f} and "
            f"{alike['test']:.4f}"
        )
    return f"{both}: the choice looked {verb} by {abs(optimism):.4f} than it is there."
