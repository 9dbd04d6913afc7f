"""Numbers and lists of names as a reader wants them."""

from collections.abc import Sequence

from equipoise.statistics.results import Estimate

METRIC_NAMES = {
    "balanced_accuracy": "balanced accuracy",
    "accuracy": "accuracy",
    "macro_f1": "macro-F1",
    "recall": "group recall",
    "log_loss": "log-loss",
    "balanced_log_loss": "balanced log-loss",
}
"""How a sentence calls each metric."""


def unit(metric: str) -> str:
    """Return the unit of differences: points are hundredths.

    >>> unit("balanced_accuracy"), unit("log_loss")
    ('points', 'nats')
    """
    return "nats" if metric.endswith("log_loss") else "points"


def number(value: float, metric: str) -> str:
    """Return a score or difference without its unit.

    >>> number(0.7123, "accuracy"), number(-0.00001, "accuracy"), number(0.7123, "log_loss")
    ('71.2', '0.0', '0.712')
    """
    text = f"{value:.3f}" if unit(metric) == "nats" else f"{100 * value:.1f}"
    return text.removeprefix("-") if float(text) == 0 else text


def amount(value: float, metric: str) -> str:
    """Return a difference with its unit.

    >>> amount(0.031, "accuracy"), amount(0.01, "accuracy"), amount(1.0, "log_loss")
    ('3.1 points', '1.0 point', '1.000 nat')
    """
    text = number(value, metric)
    one = abs(float(text)) == 1
    return f"{text} {unit(metric).removesuffix('s') if one else unit(metric)}"


def score(value: float, metric: str) -> str:
    """Return a score with its unit.

    >>> score(0.7123, "accuracy"), score(0.7123, "log_loss")
    ('71.2 %', '0.712 nats')
    """
    return amount(value, metric) if unit(metric) == "nats" else f"{number(value, metric)} %"


def interval(found: Estimate, metric: str, sign: int = 1) -> str:
    """Return the ends of an interval, of the negative if `sign` is -1.

    >>> interval(Estimate(value=0.2, low=0.1, high=0.3, error=0.05), "accuracy", -1)
    '-30.0 to -10.0'
    """
    low, high = sorted((sign * found.low, sign * found.high))
    return f"{number(low, metric)} to {number(high, metric)}"


def listed(names: Sequence[str]) -> str:
    """Return names as a sentence lists them; at least one.

    >>> listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"])
    ('a', 'a and b', 'a, b and c')
    """
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def counted(n: int, noun: str) -> str:
    """Return a number and what is counted.

    >>> counted(1, "seed"), counted(3, "seed")
    ('1 seed', '3 seeds')
    """
    return f"{n} {noun}{'' if n == 1 else 's'}"
