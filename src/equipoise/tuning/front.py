"""Which recipes are left to choose from where there are several objectives: the Pareto front."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from equipoise.selection import MONITORS
from equipoise.tuning.options import SECONDS
from equipoise.tuning.records import Record


def pareto_front(records: Sequence[Record], metrics: Sequence[str]) -> list[dict[str, Any]]:
    """Return the recipes that no other beats in one metric without losing in another.

    Parameters
    ----------
    records : sequence of Record
        What was tried; only what was trained in full counts.
    metrics : sequence of str
        What was searched for; `SECONDS` is the time of an epoch, and lower is better.

    Returns
    -------
    list of dict
        ``number`` of the trial and its ``values``, by metric, the best in the first metric
        first; empty where there is only one metric.

    Examples
    --------
    >>> fast, good, neither = (
    ...     Record(number=k, state="complete", pace=pace, scores={"accuracy": accuracy})
    ...     for k, (pace, accuracy) in enumerate([(1.0, 0.7), (3.0, 0.9), (3.0, 0.8)])
    ... )
    >>> [row["number"] for row in pareto_front([fast, good, neither], ["accuracy", "seconds"])]
    [1, 0]
    """
    complete = [record for record in records if record.state == "complete"]
    if len(metrics) < 2 or not complete:
        return []
    values = np.array([[_value(record, metric) for metric in metrics] for record in complete])
    gains = values * [1 if MONITORS.get(metric) else -1 for metric in metrics]
    left = [
        number
        for number, own in enumerate(gains)
        if not ((gains >= own).all(axis=1) & (gains > own).any(axis=1)).any()
    ]
    return [
        {
            "number": complete[number].number,
            "values": dict(zip(metrics, values[number].tolist(), strict=True)),
        }
        for number in sorted(left, key=lambda n: (-gains[n, 0], n))
    ]


def _value(record: Record, metric: str) -> float:
    return record.pace if metric == SECONDS else record.scores[metric]
