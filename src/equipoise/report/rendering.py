"""From plain data to one HTML file that needs nothing else: no network, no second file."""

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from equipoise.errors import InputError
from equipoise.report import formats
from equipoise.report.cautions import incomparable
from equipoise.report.comparisons import is_comparison, require_alike, summarise_comparison
from equipoise.report.diagnoses import is_diagnosis, summarise_diagnosis
from equipoise.report.provenance import provenance, settings
from equipoise.report.search import STATES
from equipoise.report.search_reading import search_aloud, written, written_difference
from equipoise.report.studies import is_study, summarise_study
from equipoise.report.summaries import Summary, summarise
from equipoise.report.vocabulary import GROUPS, METRICS, Metric, metric
from equipoise.runs import write_text

_CONTENTS = (
    ("reading", "In plain words"),
    ("training", "Data and training"),
    ("classes", "Class by class"),
    ("confusions", "Confusions"),
    ("metrics", "All measures"),
    ("search", "Search"),
    ("settings", "How it was made"),
)


def write_report(
    folders: Sequence[Path | str], out: Path | str, *, ranking: dict[str, Any] | None = None
) -> None:
    """Write one page about one or more runs, comparisons or studies, or a diagnosis.

    Parameters
    ----------
    folders : sequence of Path or str
        Run folders, or folders of comparisons, or of studies, or of one diagnosis; they may be
        unfinished.
    out : Path or str
        The HTML file. It appears, or is replaced, only when it is whole.
    ranking : dict or None, default=None
        Of comparisons, as `equipoise.comparison.ranking` returns it, to stand before them.

    Raises
    ------
    InputError
        If no folder is given, one is no run folder, or `out` is a folder.

    Examples
    --------
    >>> write_report(["runs/digits"], Path("report.html"))
    Traceback (most recent call last):
    ...
    equipoise.errors.InputError: A run is a folder ... `runs/digits` has no config.toml. ...
    """
    if Path(out).is_dir():
        raise InputError(
            "A report is one HTML file.",
            f"`{out}` is a folder.",
            f"Write for example --out {Path(out) / 'report.html'}.",
        )
    paths = [Path(folder) for folder in folders]
    kinds = {"comparison": is_comparison, "study": is_study, "diagnosis": is_diagnosis}
    kind = require_alike(paths, kinds)
    if kind == "comparison":
        summaries = [summarise_comparison(path) for path in paths]
        write_text(Path(out), render_comparisons(summaries, ranking))
    elif kind == "study":
        write_text(Path(out), render_studies([summarise_study(path) for path in paths]))
    elif kind == "diagnosis":
        write_text(Path(out), render_diagnosis(_the_one(paths)))
    else:
        write_text(Path(out), render([summarise(path) for path in paths]))


def _the_one(paths: Sequence[Path]) -> Summary:
    if len(paths) > 1:
        raise InputError(
            "A page is about one diagnosis.",
            f"There are {len(paths)}.",
            "Diagnose all runs together: equipoise diagnose RUN RUN ...",
        )
    return summarise_diagnosis(paths[0])


def render(runs: Sequence[Summary]) -> str:
    """Return the page as text.

    Parameters
    ----------
    runs : sequence of dict
        Summaries as `summarise` returns them, in the order of the page.

    Returns
    -------
    str
        A whole HTML document. Equal summaries give equal text.

    Raises
    ------
    InputError
        If there are no runs.

    Notes
    -----
    Every text of the data is escaped by Jinja2. Besides, the page's content security policy
    lets only the one script run whose SHA-256 it names, and nothing load.
    """
    if not runs:
        raise InputError("A report needs at least one run.", "There is none.", "Name a run folder.")
    # Matplotlib takes most of a second to import, which summaries alone do not need.
    from equipoise.report.plots import confusion, counts, draw, recall  # noqa: PLC0415

    return _page(
        "page.html.j2",
        "runs",
        [run["title"] for run in runs],
        runs=runs,
        drawn=[draw(run, f"run-{k}") for k, run in enumerate(runs, start=1)],
        cautions=incomparable(runs),
        contents=[c for c in _CONTENTS if _has(runs[0], c[0])],
        level=_level(runs),
        named=counts.NAMED,
        recall_named=recall.NAMED,
        counted=confusion.COUNTED,
        key=confusion.key,
        groups=GROUPS,
        states=STATES,
    )


def render_comparisons(
    comparisons: Sequence[Summary], ranking: dict[str, Any] | None = None
) -> str:
    """Return the page of one or more comparisons as text.

    Parameters
    ----------
    comparisons : sequence of dict
        As `summarise_comparison` returns them.
    ranking : dict or None, default=None
        Over all of them, as `equipoise.comparison.ranking` returns it.

    Returns
    -------
    str
        A whole HTML document, as closed and as safe as that of `render`.
    """
    from equipoise.report.plots import draw_comparison, draw_ranking  # noqa: PLC0415 (as above)

    return _page(
        "comparison.html.j2",
        "comparisons",
        [each["name"] for each in comparisons],
        comparisons=comparisons,
        ranking=ranking,
        ranked=None if ranking is None else draw_ranking(ranking),
        drawn=[draw_comparison(each, f"comparison-{k}") for k, each in enumerate(comparisons)],
        level=formats.percent(comparisons[0]["balanced"]["facts"]["level"], 0),
    )


def render_studies(studies: Sequence[Summary]) -> str:
    """Return the page of one or more studies as text.

    Parameters
    ----------
    studies : sequence of dict
        As `summarise_study` returns them.

    Returns
    -------
    str
        A whole HTML document, as closed and as safe as that of `render`.
    """
    from equipoise.report.plots import draw_study  # noqa: PLC0415 (as above)

    return _page(
        "study.html.j2",
        "studies",
        [f"{each['component']} on {each['data']}" for each in studies],
        studies=studies,
        drawn=[draw_study(each, f"study-{k}") for k, each in enumerate(studies)],
    )


def render_diagnosis(diagnosis: Summary) -> str:
    """Return the page of a diagnosis as text.

    Parameters
    ----------
    diagnosis : dict
        As `summarise_diagnosis` returns it.

    Returns
    -------
    str
        A whole HTML document, as closed and as safe as that of `render`.
    """
    from equipoise.report.plots import draw_diagnosis, draw_order  # noqa: PLC0415 (as above)

    runs = diagnosis["runs"]
    return _page(
        "diagnosis.html.j2",
        "runs",
        [run["name"] for run in runs],
        **{name: diagnosis[name] for name in ("runs", "order", "beside")},
        ordered=draw_order(diagnosis["order"]),
        drawn=[draw_diagnosis(run, f"diagnosis-{k}") for k, run in enumerate(runs)],
    )


_WRITERS = (
    formats.percent,
    formats.decimal,
    formats.significant,
    formats.whole,
    formats.rounded,
    formats.interval,
    formats.duration,
    formats.shorten,
    formats.quoted,
    formats.counted,
    formats.brief,
    written,
    written_difference,
    search_aloud,
)

TRIALS = 200
"""Most trials of a search that are listed."""

_MEASURED = {"classes", "confusions", "metrics"}
"""Sections that need test results."""


def _has(run: Summary, section: str) -> bool:
    if section == "search":
        return run["search"] is not None
    return bool(run["results"]) or section not in _MEASURED


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("equipoise.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for write in _WRITERS:
        environment.filters[write.__name__] = write
    environment.filters |= {
        "settings": settings,
        "provenance": provenance,
        "paired_classes": _paired_classes,
        "measures": _measures,
        "listed": _listed,
    }
    return environment


def _page(template: str, things: str, names: Sequence[str], **parts: Any) -> str:
    """Return a page, with what each holds so that it needs nothing else: style and one script."""
    environment = _environment()
    scripts = ("sort.js.j2", "explore.js.j2")
    script = "".join(environment.get_template(name).render() for name in scripts)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    return environment.get_template(template).render(
        title=names[0] if len(names) == 1 else f"{len(names)} {things}",
        style=Markup(environment.get_template("style.css.j2").render()),
        script=Markup(script),
        script_hash=Markup(f"sha256-{digest}"),
        dash=formats.DASH,
        **parts,
    )


def _paired_classes(results: dict[str, Any]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return the rows of each class for both priors, most frequent class first."""
    pairs = zip(results["as_is"]["per_class"], results["balanced"]["per_class"], strict=True)
    return sorted(pairs, key=lambda pair: -pair[1]["n_train"])


def _listed(search: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the trials of a search that the page lists: the best, then the others by number."""
    better = -1 if metric(search["metric"]).higher_is_better else 1

    def rank(trial: dict[str, Any]) -> tuple[bool, float, int]:
        known = trial["score"] if trial["state"] == "complete" else None
        return known is None, better * (known or 0.0), trial["number"]

    return sorted(search["trials"], key=rank)[:TRIALS]


def _measures(run: Summary) -> list[tuple[Metric, dict[str, Any], dict[str, Any]]]:
    """Return each overall metric for both priors, the known ones first, in the page's order."""
    before, after = (
        run["results"][prior]["overall"] | {"counted_accuracy": run["counted_accuracy"][prior]}
        for prior in ("as_is", "balanced")
    )
    known = [name for name in METRICS if name in after]
    names = known + [name for name in after if name not in METRICS]
    return [(metric(name), before[name], after[name]) for name in names]


def _level(runs: Sequence[Summary]) -> str:
    levels = {run["results"]["balanced"]["level"] for run in runs if run["results"]}
    return " and ".join(formats.percent(level, 0) for level in sorted(levels)) or "95 %"
