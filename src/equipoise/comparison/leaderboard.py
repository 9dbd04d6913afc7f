"""The leaderboard: one row a method, with an interval beside every figure; CSV and LaTeX."""

import csv
import io
from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np

from equipoise.comparison.results import Entry, Results
from equipoise.durations import format_duration
from equipoise.statistics.paired import differences
from equipoise.statistics.results import Estimate
from equipoise.statistics.wording import METRIC_NAMES, number

COLUMNS: Mapping[str, tuple[str, str]] = {
    "balanced_accuracy": ("balanced_accuracy", "as_trained"),
    "balanced_accuracy_corrected": ("balanced_accuracy", "balanced"),
    "rarest_recall": ("recall", "as_trained"),
    "rarest_recall_corrected": ("recall", "balanced"),
    "macro_f1": ("macro_f1", "as_trained"),
    "log_loss": ("log_loss", "as_trained"),
    "balanced_log_loss_corrected": ("balanced_log_loss", "balanced"),
}
"""Figures of the leaderboard: metric and prior of each; recall is that of each run's rarest."""


def columns_of(metric: str) -> dict[str, tuple[str, str]]:
    """Return the figures of a leaderboard, with one for what everything was chosen by.

    Examples
    --------
    >>> set(columns_of("accuracy")) - set(COLUMNS), columns_of("macro_f1") == COLUMNS
    ({'accuracy'}, True)
    """
    found: dict[str, tuple[str, str]] = {}
    for name, column in COLUMNS.items():
        if column == (metric, "balanced"):
            found.setdefault(metric, (metric, "as_trained"))
        found[name] = column
    return {**found, metric: (metric, "as_trained")}


def column_of(metric: str) -> str:
    """Return the name of the figure that shows a metric, corrected where there is such a figure.

    Examples
    --------
    >>> column_of("macro_f1"), column_of("balanced_log_loss")
    ('macro_f1', 'balanced_log_loss_corrected')
    """
    return [name for name, (own, _) in columns_of(metric).items() if own == metric][-1]


def leaderboard(results: Results, level: float = 0.95) -> list[dict[str, Any]]:
    """Return one row a method, the best first.

    Parameters
    ----------
    results : Results
        Of the comparison; seeds that a method lacks are left out for all.
    level : float, default=0.95
        Confidence level of the intervals.

    Returns
    -------
    list of dict
        ``method``, each of `columns_of` with ``value``, ``low`` and ``high``, ``n`` (runs), and
        means over these of ``seconds``, ``epochs``, ``trials``, ``parameters`` and
        ``multiply_adds`` (None where there are none), the sum of ``looks``, and ``exact_prior``
        (whether corrected figures rest on an exact correction). Ordered by balanced accuracy
        after correction.
    """
    columns = columns_of(results.metric)
    found = {name: _column(results, *column, level) for name, column in columns.items()}
    rows = [
        {
            "method": method,
            **{name: vars_of(means[method]) for name, means in found.items()},
            **_costs([results.entries[method][each] for each in results.repeats]),
        }
        for method in results.methods
    ]
    return sorted(rows, key=lambda row: -row["balanced_accuracy_corrected"]["value"])


def _column(results: Results, metric: str, prior: str, level: float) -> dict[str, Estimate]:
    found = differences(
        results.predictions(prior),
        metric,
        pairs=[],
        classes=results.rarest() if metric == "recall" else None,
        seeds=results.seeds,
        level=level,
    )
    return found.means


def vars_of(estimate: Estimate) -> dict[str, float]:
    """Return value, low and high."""
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high}


def _costs(entries: Sequence[Entry]) -> dict[str, Any]:
    names = ("epochs", "trials", "parameters", "multiply_adds")
    facts = {name: _mean([entry.facts[name] for entry in entries]) for name in names}
    return {
        "n": len(entries),
        "seconds": float(np.mean([entry.seconds for entry in entries])),
        **facts,
        "looks": sum(entry.looks for entry in entries),
        "exact_prior": all(entry.facts["exact_prior"] for entry in entries),
    }


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if len(known) == len(values) else None


def as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the leaderboard as CSV, with low and high of each figure in columns of their own."""
    flat = [_flat(row) for row in rows]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(flat[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    return text.getvalue()


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, Mapping):
            found |= {f"{name}{_ENDS[k]}": v for k, v in value.items()}
        else:
            found[name] = value
    return found


_ENDS = {"value": "", "low": "_low", "high": "_high"}


def as_latex(rows: Sequence[Mapping[str, Any]], level: float = 0.95) -> str:
    r"""Return the leaderboard as a LaTeX table for the package ``booktabs``.

    Every figure of the rows has a column, as has the time of a run. A method whose correction is
    a heuristic has a star.

    Examples
    --------
    >>> figure = {"value": 0.9, "low": 0.85, "high": 0.94}
    >>> more = {"seconds": 61.2, "n": 3, "exact_prior": False}
    >>> row = {"method": "a_b", "balanced_accuracy": figure, "log_loss": figure, **more}
    >>> print(as_latex([row]), end="")  # doctest: +NORMALIZE_WHITESPACE
    % 95 % intervals in brackets; scores in percent, log-losses in nats; n = 3
    \begin{tabular}{lrrr}
    \toprule
     & balanced accuracy & log-loss & time \\
    method & as trained & as trained &  \\
    \midrule
    a\_b\textsuperscript{*} & 90.0 (85.0 to 94.0) & 0.900 (0.850 to 0.940) & 1m1s \\
    \bottomrule
    \multicolumn{4}{l}{\textsuperscript{*} Corrected figures rest on a heuristic.} \\
    \end{tabular}
    """
    shown = [name for name, value in rows[0].items() if isinstance(value, Mapping)]
    columns = [COLUMNS.get(name, (name, "as_trained")) for name in shown]
    above = [_heading(metric, len(list(own))) for metric, own in groupby(columns, itemgetter(0))]
    below = ["corrected" if prior == "balanced" else "as trained" for _, prior in columns]
    note = (
        rf"\multicolumn{{{len(shown) + 2}}}{{l}}{{{_STAR} Corrected figures rest on a heuristic.}}"
    )
    lines = [
        rf"% {100 * level:g} % intervals in brackets; scores in percent, log-losses in nats; "
        f"n = {rows[0]['n']}",
        rf"\begin{{tabular}}{{l{'r' * (len(shown) + 1)}}}",
        r"\toprule",
        _line(["", *above, "time"]),
        _line(["method", *below, ""]),
        r"\midrule",
        *(_line(_cells(row, shown)) for row in rows),
        r"\bottomrule",
        *([] if all(row["exact_prior"] for row in rows) else [_line([note])]),
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


_STAR = r"\textsuperscript{*}"


def _heading(metric: str, n: int) -> str:
    title = "recall, rarest classes" if metric == "recall" else METRIC_NAMES[metric]
    return title if n == 1 else rf"\multicolumn{{{n}}}{{c}}{{{title}}}"


def _cells(row: Mapping[str, Any], shown: Sequence[str]) -> list[str]:
    name = _escaped(row["method"]) + ("" if row["exact_prior"] else _STAR)
    return [name, *(_cell(row[k], k) for k in shown), format_duration(row["seconds"])]


def _line(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"


def _cell(figure: Mapping[str, float], name: str) -> str:
    metric, _ = COLUMNS.get(name, (name, ""))
    value, low, high = (number(figure[k], metric) for k in ("value", "low", "high"))
    return f"{value} ({low} to {high})"


_LATEX = {
    **{c: f"\\{c}" for c in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}


def _escaped(text: str) -> str:
    return "".join(_LATEX.get(c, c) for c in text)
