"""Components, and the one text form that configures them everywhere.

``SGD(lr=0.1)`` in Python, ``--optimizer "SGD(lr=0.1)"`` on the command line and
``optimizer = "SGD(lr=0.1)"`` in TOML are the same thing: `resolve` reads the text without
executing it, and ``repr`` of a component writes it back.
"""

import ast
import difflib
import math
from abc import ABC
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, ClassVar, TypeVar

import numpy as np
from sklearn.base import BaseEstimator

from equipoise.errors import InputError
from equipoise.spaces import Space

ComponentT = TypeVar("ComponentT", bound="Component")


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """The values a component's field may take; kept in the field's metadata.

    Parameters
    ----------
    low, high : float
        Ends of the interval; infinity: no end. What is not finite is never inside.
    open_low, open_high : bool, default=False
        Whether that end is outside.
    integer : bool, default=False
        Whether only whole numbers are inside.
    optional : bool, default=False
        Whether None is inside.
    auto : bool, default=False
        Whether ``"auto"`` is inside: the component chooses for itself.
    choices : tuple, default=()
        If given, these values and no others are inside.
    """

    low: float = -math.inf
    high: float = math.inf
    open_low: bool = False
    open_high: bool = False
    integer: bool = False
    optional: bool = False
    auto: bool = False
    choices: tuple[Any, ...] = ()

    def __str__(self) -> str:
        if self.choices:
            return "one of " + ", ".join(map(repr, self.choices))
        kind = "a whole number" if self.integer else "a number"
        left = "(" if self.open_low or self.low == -math.inf else "["
        right = ")" if self.open_high or self.high == math.inf else "]"
        words = (" or None" if self.optional else "") + (" or 'auto'" if self.auto else "")
        return f"{kind} in {left}{self.low:g}, {self.high:g}{right}{words}"

    def __contains__(self, value: object) -> bool:
        if value is None:
            return self.optional or None in self.choices
        if isinstance(value, str) and value == "auto" and self.auto:
            return True
        if self.choices:
            return value in self.choices
        kinds = (int, np.integer) if self.integer else (int, float, np.integer, np.floating)
        if isinstance(value, bool) or not isinstance(value, kinds) or not _is_finite(value):
            return False
        above = value > self.low if self.open_low else value >= self.low
        below = value < self.high if self.open_high else value <= self.high
        return bool(above and below)


def bounded(default: Any, *, tune: Space | None = None, **bounds: Any) -> Any:
    """Return a dataclass field with a default and `Bounds` that `Component.validate` checks.

    Parameters
    ----------
    default : object
        The field's default.
    tune : Space or None, default=None
        What a search tries for the field; None: it keeps its value.
    **bounds
        See `Bounds`.
    """
    return field(default=default, metadata={"bounds": Bounds(**bounds), "tune": tune})


@dataclass(eq=False, repr=False, kw_only=True)
class Component(BaseEstimator, ABC):
    """Base of everything that can be set by name: backbones, optimizers, losses, ...

    A subclass is a ``@dataclass(eq=False, repr=False, kw_only=True)`` whose fields are
    literals (number, text, bool, None, or a tuple of these). Constructing one does no work
    and checks nothing, as scikit-learn requires; `validate` does. `tuned_for` names the kinds
    of data, ``"images"`` and ``"table"``, for which a search proposes the component.
    """

    tuned_for: ClassVar[tuple[str, ...]] = ()

    def __repr__(self, N_CHAR_MAX: int = 0) -> str:
        """Return the text that `resolve` reads back: fields that differ from their default."""
        given = [f"{name}={value!r}" for name, value in differing(self).items()]
        return f"{type(self).__name__}({', '.join(given)})"

    def validate(self) -> None:
        """Raise `InputError` if a field is outside its bounds."""
        for f in fields(self):
            bounds, value = f.metadata.get("bounds"), getattr(self, f.name)
            if bounds is not None and value not in bounds:
                raise InputError(
                    f"`{f.name}` of `{type(self).__name__}` must be {bounds}.",
                    f"It is {value!r}.",
                    f"The default is {f.default!r}.",
                )


def resolve(
    value: "Component | str | None",
    choices: Mapping[str, type[ComponentT]],
    role: str,
    join: type[ComponentT] | None = None,
) -> ComponentT:
    """Return the component that a text names, or check a component that is given as an object.

    Parameters
    ----------
    value : str or Component
        ``"Name"`` or ``"Name(key=literal, ...)"``, or a component.
    choices : mapping of str to type
        The components that may stand here.
    role : str
        What the component is for, used in messages: ``"optimizer"``.
    join : type or None, default=None
        If given, texts joined by ``|`` are read too, as ``join(parts=(first, second, ...))``.

    Returns
    -------
    Component
        A validated component. A given object is returned itself, not a copy.

    Raises
    ------
    InputError
        If the text is no such expression, or names an unknown component or field, or a
        value is out of bounds. Nothing in the text is ever executed.

    Examples
    --------
    >>> @dataclass(eq=False, repr=False, kw_only=True)
    ... class Cosine(Component):
    ...     warmup: float = bounded(0.05, low=0, high=1)
    >>> resolve("Cosine(warmup=0.1)", {"Cosine": Cosine}, "schedule")
    Cosine(warmup=0.1)
    >>> resolve("Cosin", {"Cosine": Cosine}, "schedule")
    Traceback (most recent call last):
    ...
    equipoise.errors.InputError: ... It is 'Cosin'. Did you mean 'Cosine'?
    """
    component = _read(value, choices, role, join) if isinstance(value, str) else value
    kinds = (*choices.values(), *(() if join is None else (join,)))
    if not isinstance(component, kinds):
        raise InputError(
            f"The {role} must be one of {', '.join(choices)}, as an object or as text.",
            f"It is {component!r}.",
            f'Write for example "{next(iter(choices))}()".',
        )
    component.validate()
    return component


def _read(
    text: str,
    choices: Mapping[str, type[ComponentT]],
    role: str,
    join: type[ComponentT] | None,
) -> ComponentT:
    texts = [text] if join is None else split_joined(text)
    parts = tuple(_build(each, choices, role) for each in texts)
    return parts[0] if join is None or len(parts) == 1 else join(parts=parts)  # type: ignore[call-arg]


def split_joined(text: str) -> list[str]:
    """Split ``"A(x=1) | B()"`` at each ``|`` outside brackets and quotes.

    >>> split_joined("CropFlip(padding=2) | Cutout()")
    ['CropFlip(padding=2)', 'Cutout()']
    """
    parts: list[str] = []
    try:
        node = ast.parse(text.strip(), mode="eval").body
        while isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            parts.append(ast.unparse(node.right))
            node = node.left
        return [ast.unparse(node), *reversed(parts)] if parts else [text]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return [text]  # `parse` explains what a text must look like


def _build(text: str, choices: Mapping[str, type[ComponentT]], role: str) -> ComponentT:
    if (keyed := _keyed(text, choices)) is not None:
        raise InputError(
            f"The values of the {role} are given by their keys.",
            f"The text is {_shortened(text)}.",
            f'Write "{keyed}".',
        )
    name, arguments = parse(text, role)
    if name not in choices:
        raise InputError(
            f"The {role} must be one of {', '.join(choices)}.",
            f"It is {name!r}.",
            _suggestion(name, choices),
        )
    kind = choices[name]
    known = [f.name for f in fields(kind)]
    for key in arguments:
        if key not in known:
            raise InputError(
                f"`{name}` takes {', '.join(f'`{k}`' for k in known) or 'no fields'}.",
                f"It has no `{key}`.",
                _suggestion(key, known),
            )
    required = [f.name for f in fields(kind) if f.default is MISSING and f.name not in arguments]
    if required:
        raise InputError(
            f"`{name}` needs {', '.join(f'`{k}`' for k in required)}.",
            f"The text is {_shortened(text)}.",
            f'Write "{name}({required[0]}=...)".',
        )
    return kind(**arguments)


SHOWN = 200
"""Characters of a text that a message shows at most."""


def _keyed(text: str, choices: Mapping[str, type]) -> str | None:
    """Return a text whose values lack keys with them; None where it is not such a text."""
    try:
        node = ast.parse(text.strip(), mode="eval").body
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args):
            return None
        values = [ast.literal_eval(arg) for arg in node.args]
        keys = [f.name for f in fields(choices[node.func.id])]
        arguments = dict(zip(keys, values, strict=False))
        is_plain = len(values) <= len(keys) and all(map(_is_literal, values))
        if not is_plain or arguments.keys() & _arguments(node).keys():
            return None
    except (SyntaxError, ValueError, TypeError, KeyError, RecursionError, MemoryError):
        return None  # `parse` explains what a text must look like
    given = [f"{key}={value!r}" for key, value in {**arguments, **_arguments(node)}.items()]
    keyed = f"{node.func.id}({', '.join(given)})"
    return keyed if len(keyed) <= SHOWN else None


def parse(text: str, role: str = "component") -> tuple[str, dict[str, Any]]:
    """Split ``"Name(key=literal, ...)"`` into its name and its keyword arguments.

    >>> parse("SGD(lr=0.1, nesterov=True)")
    ('SGD', {'lr': 0.1, 'nesterov': True})
    """
    try:
        node = ast.parse(text.strip(), mode="eval").body
        if isinstance(node, ast.Name):
            return node.id, {}
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.args:
            return node.func.id, _arguments(node)
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        pass  # what the parser says of the text is no help: the form is too simple
    raise InputError(
        f"The {role} must be written as Name or Name(key=value, ...) with literal values.",
        f"The text is {_shortened(text)}.",
        "Give every value once, by its key; numbers, quoted text, True, False, None and tuples "
        "are allowed.",
    )


def _arguments(node: ast.Call) -> dict[str, Any]:
    arguments: dict[str, Any] = {}
    for keyword in node.keywords:
        value = ast.literal_eval(keyword.value)
        if keyword.arg is None or keyword.arg in arguments or not _is_literal(value):
            raise ValueError(keyword.arg)
        arguments[keyword.arg] = value
    return arguments


def _is_literal(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(map(_is_literal, value))
    return value is None or isinstance(value, str) or _is_finite(value)


def _is_finite(value: Any) -> bool:
    try:
        return math.isfinite(value)
    except (OverflowError, TypeError):  # a whole number too large for a float; no real number
        return False


def _shortened(text: str) -> str:
    return repr(text) if len(text) <= SHOWN else f"{text[:SHOWN]!r} and goes on"


def _suggestion(name: str, known: Mapping[str, Any] | list[str]) -> str:
    by_small = {each.lower(): each for each in known}
    near = difflib.get_close_matches(name.lower(), by_small, n=1, cutoff=0.5)
    return f"Did you mean {by_small[near[0]]!r}?" if near else "Choose one of these."


def _literal(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(map(_literal, value))
    return value.item() if isinstance(value, np.generic) else value


def differing(item: Any) -> dict[str, Any]:
    """Return the fields of a dataclass that differ from their defaults, with their values."""
    values = {f.name: (getattr(item, f.name), f.default) for f in fields(item)}
    return {k: _literal(v) for k, (v, default) in values.items() if not _same(v, default)}


def _same(value: Any, default: Any) -> bool:
    return type(_literal(value)) is type(default) and value == default
