"""What a run's config.toml must hold before a model is rebuilt from it."""

from collections.abc import Callable, Mapping
from math import inf
from typing import Any

import numpy as np

Config = Mapping[str, Any]


def _all(values: object, kind: type) -> bool:
    return isinstance(values, list) and all(type(value) is kind for value in values)


def are_margins(values: object, n_classes: int) -> bool:
    """Return whether these are margins of a loss by class, at least zero; None: there are none.

    >>> are_margins(None, 2), are_margins([0.0, 15.0], 2), are_margins([-1.0, 15.0], 2)
    (True, True, False)
    """
    if values is None:
        return True
    if not isinstance(values, list) or len(values) != n_classes:
        return False
    return all(type(value) is float and 0 <= value < inf for value in values)


_RULES: tuple[tuple[str, Callable[[Config], bool]], ...] = (
    (
        "there must be no opponent: of another library's learner only predictions are kept",
        lambda c: "opponent" not in c,
    ),
    ("data.classes must be a list of text", lambda c: _all(c["data"]["classes"], str)),
    (
        "data.counts_train must be a list of whole numbers above zero, one for each class",
        lambda c: (
            _all(counts := c["data"]["counts_train"], int)
            and min(counts) > 0
            and len(counts) == len(c["data"]["classes"])
        ),
    ),
    (
        "classifier.norm must be batch, group or frozen",
        lambda c: c["classifier"].get("norm", "batch") in ("batch", "group", "frozen"),
    ),
    (
        "network.prior must be a list of probabilities above zero, one for each class",
        lambda c: (
            (prior := c.get("network", {}).get("prior")) is None
            or (
                _all(prior, float)
                and min(prior) > 0
                and abs(sum(prior) - 1) < 1e-6
                and len(prior) == len(c["data"]["classes"])
            )
        ),
    ),
    (
        "network.margins must be a list of numbers of at least zero, one for each class",
        lambda c: are_margins(c.get("network", {}).get("margins"), len(c["data"]["classes"])),
    ),
    (
        "network.loss must be text",
        lambda c: isinstance(c.get("network", {}).get("loss", ""), str),
    ),
    (
        "network.members must be a whole number above zero",
        lambda c: (
            (members := c.get("network", {}).get("members")) is None
            or (_all([members], int) and members > 0)
        ),
    ),
    (
        "data.kind must be images, with data.shape, or table, with data.columns",
        lambda c: (
            _all(c["data"]["shape"], int)
            if c["data"]["kind"] == "images"
            else c["data"]["kind"] == "table" and _all(c["data"]["columns"], str)
        ),
    ),
    (
        "data.fingerprint and classifier.backbone must be text",
        lambda c: _all([c["data"]["fingerprint"], c["classifier"]["backbone"]], str),
    ),
    (
        "environment.precision must be fp32 or bf16",
        lambda c: c["environment"]["precision"] in ("fp32", "bf16"),
    ),
    (
        "recipe.name must be text",
        lambda c: isinstance(c.get("recipe", {"name": ""})["name"], str),
    ),
    (
        "test.looks and seeds.seed must be whole numbers",
        lambda c: _all([c["test"]["looks"], c["seeds"]["seed"]], int),
    ),
)


def configuration_fault(config: Config) -> str | None:
    """Return the first rule that a run's configuration breaks, or None.

    A run may come from a stranger or may have been changed by hand; what is rebuilt from it
    relies on these values.

    Examples
    --------
    >>> configuration_fault({"data": {"classes": ["cat", 3]}})
    'data.classes must be a list of text'
    """
    for words, holds in _RULES:
        try:
            if not holds(config):
                return words
        except (KeyError, TypeError, ValueError, AttributeError):
            return words
    return None


def trained_prior(config: Mapping[str, Any]) -> list[float]:
    """Return the class probabilities that a run's logits contain.

    Parameters
    ----------
    config : mapping
        The run's ``config.toml``. Where it does not say, they are the class shares in training.
    """
    counts = config["data"]["counts_train"]
    return config.get("network", {}).get("prior") or [n / sum(counts) for n in counts]


def trained_margins(config: Mapping[str, Any]) -> np.ndarray | None:
    """Return the margins that a run's logits contain, in nats, by class; None: none.

    Parameters
    ----------
    config : mapping
        The run's ``config.toml``.
    """
    margins = config.get("network", {}).get("margins")
    return None if margins is None else np.asarray(margins, dtype=float)
