"""The classifier's fields as options of the command line."""

import ast
from collections.abc import Mapping
from dataclasses import field, fields, make_dataclass
from typing import Any

from equipoise.classifier import Classifier
from equipoise.pretraining import DEFAULTS

SETTINGS = [f for f in fields(Classifier) if f.name != "random_state"]
"""The classifier's fields; each is an option of ``fit``, written as in Python."""


class _Default(str):
    """The text of a default, which can be told from the same text given by the user."""

    __slots__ = ()


def _options(name: str, defaults: Mapping[str, Any]) -> type[Any]:
    # The options, their defaults and their help come from the classifier itself, so that a
    # field stands in one place only.
    values = {f.name: _Default(defaults.get(f.name, f.default)) for f in SETTINGS}
    rows = [(field_name, str, field(default=value)) for field_name, value in values.items()]
    options = make_dataclass(name, rows, kw_only=True)
    options.__doc__ = Classifier.__doc__
    # Under the module name "types", which it gets otherwise, it is taken for a built-in type.
    options.__module__ = __name__
    return options


ClassifierOptions = _options("ClassifierOptions", {})
# Those of `pretrain`, of which some have another default.
PretrainingOptions = _options("PretrainingOptions", DEFAULTS)


def classifier_params(options: Any) -> dict[str, Any]:
    """Return the classifier's parameters that were given, from the texts of `ClassifierOptions`."""
    texts = {f.name: getattr(options, f.name) for f in SETTINGS}
    return {name: value_of(text) for name, text in texts.items() if not isinstance(text, _Default)}


def value_of(text: str) -> Any:
    """Return a parameter's value from its text: a number or None where it is one."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text
    return value if value is None or isinstance(value, int | float) else text
