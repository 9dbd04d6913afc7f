"""Laws of components and of the text that configures them."""

import math
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone

from equipoise.errors import InputError
from equipoise.settings import COMPONENTS
from equipoise.spaces import Span
from equipoise.spec import Bounds, Component, bounded, parse, resolve


@dataclass(eq=False, repr=False, kw_only=True)
class Momentum(Component):
    """A component with a field of every kind."""

    lr: float = bounded(0.1, low=0, open_low=True)
    share: float | None = bounded(None, low=0, high=1, open_high=True, optional=True)
    steps: int = bounded(3, low=1, high=10, integer=True)
    rule: str = bounded("linear", choices=("linear", "root"))
    nesterov: bool = False
    name: str | None = None
    widths: tuple[int | float, ...] = (64, 32)


@dataclass(eq=False, repr=False, kw_only=True)
class Plain(Component):
    """A component without fields."""


@dataclass(eq=False, repr=False, kw_only=True)
class Timm(Component):
    """A component with a field that must be given."""

    model: str
    drop: float = bounded(0.0, low=0, high=1)


CHOICES: dict[str, type[Component]] = {"Momentum": Momentum, "Plain": Plain, "Timm": Timm}
finite = st.floats(allow_nan=False, allow_infinity=False)
momenta = st.builds(
    Momentum,
    lr=st.floats(min_value=0, exclude_min=True, allow_infinity=False) | st.integers(1, 10**9),
    share=st.none() | st.floats(0, 1, exclude_max=True),
    steps=st.integers(1, 10),
    rule=st.sampled_from(["linear", "root"]),
    nesterov=st.booleans(),
    name=st.none() | st.text(),
    widths=st.lists(st.integers() | finite, max_size=4).map(tuple),
)


def _resolve(value: object) -> Component:
    return resolve(value, CHOICES, "optimizer")  # pyright: ignore[reportArgumentType]


def _refusal(value: object) -> InputError:
    with pytest.raises(InputError) as caught:
        _resolve(value)
    return caught.value


@settings(deadline=None, derandomize=True)
@given(component=momenta | st.builds(Plain) | st.builds(Timm, model=st.text()))
def test_what_repr_writes_resolve_reads_back(component: Component) -> None:
    """The text of a component makes an equal component, which has the same text."""
    again = _resolve(repr(component))
    assert type(again) is type(component)
    assert again.get_params() == component.get_params()
    assert repr(again) == repr(component)


def test_repr_writes_only_what_differs_from_the_defaults() -> None:
    """Labels stay short, and a changed default is not frozen into old texts."""
    assert repr(Momentum()) == "Momentum()"
    assert repr(Momentum(lr=0.1, widths=(64, 32))) == "Momentum()"
    assert repr(Momentum(rule="root", lr=0.5)) == "Momentum(lr=0.5, rule='root')"
    assert repr(Momentum(widths=(64,))) == "Momentum(widths=(64,))"
    assert repr(Timm(model="resnet18")) == "Timm(model='resnet18')"


def test_numbers_of_numpy_are_written_as_numbers() -> None:
    """A value out of a grid or a search is read back, alone or in a tuple."""
    component = Momentum(
        lr=np.float64(0.5),  # pyright: ignore[reportArgumentType]
        steps=np.int64(7),  # pyright: ignore[reportArgumentType]
        widths=(np.int64(8), np.float32(0.25)),  # pyright: ignore[reportArgumentType]
    )
    assert repr(component) == "Momentum(lr=0.5, steps=7, widths=(8, 0.25))"
    assert _resolve(component) is component


@pytest.mark.parametrize("text", ["Momentum", "Momentum()", " Momentum ( ) ", "Momentum(lr=0.1,)"])
def test_parentheses_and_blanks_are_the_writers_choice(text: str) -> None:
    """A bare name is the component with its defaults."""
    assert repr(_resolve(text)) == "Momentum()"


def test_parse_splits_a_name_from_its_values() -> None:
    """Every kind of literal arrives as itself."""
    text = "A(a=1, b=-2.5e-3, c='x, y=(1)', d=True, e=None, f=(1, (2,)), g=\"it's\")"
    values = {"a": 1, "b": -0.0025, "c": "x, y=(1)", "d": True, "e": None, "f": (1, (2,))}
    assert parse(text) == ("A", {**values, "g": "it's"})


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "None",
        "1",
        "'Momentum'",
        "[Momentum]",
        "Momentum; Momentum",
        "Momentum\nMomentum",
        "Momentum(",
        "optim.Momentum()",
        "Momentum()()",
        "Momentum(*(0.1,))",
        "Momentum(0.1, lr=0.2)",
        "Momentum(1e999)",
        "Momentum(*x)",
        "Momentum(**{'lr': 0.1})",
        "Momentum(lr=0.1, 3)",
        "Momentum(lr=0.1, lr=0.2)",
        "Momentum(lr=1/3)",
        "Momentum(lr=lr)",
        "Momentum(lr:=0.1)",
        "Momentum(name=f'{1}')",
        "Momentum(name=Momentum())",
        "lambda: 0",
        "\0",
        "Momentum(name='\ud800')",
        "# Momentum",
    ],
)
def test_any_other_form_is_refused(text: str) -> None:
    """Values are given once, by key and as literals; the message says so and shows the text."""
    error = _refusal(text)
    assert error.requirement.startswith("The optimizer must be written as Name or Name(key=value")
    assert repr(text) in error.actual


def test_values_without_keys_are_refused_with_the_text_that_has_them() -> None:
    """What is advised reads."""
    error = _refusal("Momentum(0.1, steps=3)")
    assert error.requirement == "The values of the optimizer are given by their keys."
    advised = error.remedy.partition('"')[2].rpartition('"')[0]
    assert advised == "Momentum(lr=0.1, steps=3)"
    assert repr(_resolve(advised)) == repr(Momentum(lr=0.1, steps=3))


@pytest.mark.parametrize(
    "literal", ["[64, 32]", "{1, 2}", "{'a': 1}", "b'a'", "1j", "...", "set()"]
)
@pytest.mark.parametrize("form", ["Momentum(name={})", "Momentum(widths=(1, {}))"])
def test_a_literal_of_another_kind_is_refused(form: str, literal: str) -> None:
    """Fields are numbers, text, True, False, None and tuples of these: nothing can be changed."""
    assert "tuples are allowed" in _refusal(form.format(literal)).remedy


@pytest.mark.parametrize(
    "value", ["1e999", "-1e999", "nan", "inf", "9" * 400, "9" * 5000, "0x" + "f" * 5000]
)
def test_a_number_that_is_not_finite_is_refused(value: str) -> None:
    """What could not be written back, or would overflow later, is refused at once."""
    assert "literal values" in _refusal(f"Momentum(lr={value})").requirement


MARK = "touched"
ATTACKS = [
    f"__import__('pathlib').Path('{MARK}').touch()",
    f"Momentum(lr=__import__('pathlib').Path('{MARK}').touch())",
    f"Momentum(lr=(__import__('pathlib').Path('{MARK}').touch(), 1)[1])",
    f"Momentum(name=f\"{{open('{MARK}', 'w')}}\")",
    f"open('{MARK}', 'w')",
    f"(lambda: open('{MARK}', 'w'))()",
    f"[open('{MARK}', 'w') for _ in (1,)]",
    "__import__('os').system('x')",
    "().__class__.__base__.__subclasses__()",
    "eval('1')",
    'exec("import os")',
]


@pytest.mark.parametrize("text", ATTACKS)
def test_nothing_in_a_text_is_executed(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stranger's configuration can do no more than be refused."""
    monkeypatch.chdir(tmp_path)
    _refusal(text)
    assert not list(tmp_path.iterdir())


DEEP = 10_000


@pytest.mark.parametrize(
    "text",
    [
        "(" * DEEP + ")" * DEEP,
        "Momentum(lr=" + "(" * DEEP + "1" + ")" * DEEP + ")",
        "Momentum(widths=" + "(" * 150 + "1" + ",)" * 150 + "(" * DEEP,
        "Momentum(lr=" + "-" * DEEP + "1)",
        "Momentum(lr=" + "1+" * DEEP + "1)",
        "Momentum(lr=" + "not " * DEEP + "1)",
        "a" + ".a" * DEEP,
        "a" + "()" * DEEP,
    ],
)
def test_deep_nesting_is_refused_in_a_short_message(text: str) -> None:
    """The parser's limits are no crash, and the text is not printed at full length."""
    assert len(str(_refusal(text))) < 1000


@settings(deadline=None, derandomize=True, max_examples=300)
@given(
    text=st.text(max_size=30)
    | st.text("Momentum(lr=0.1,'x\"[]{}*+-\\ \n#:;\t", max_size=40)
    | st.text("()lr=0.1,'e-_", max_size=20).map("Momentum({})".format)
)
def test_any_text_is_a_component_or_is_refused(text: str) -> None:
    """No text whatsoever ends in another exception."""
    try:
        component = _resolve(text)
    except InputError:
        return
    assert repr(_resolve(repr(component))) == repr(component)


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("Momentm", "'Momentum'"),
        ("momentum()", "'Momentum'"),
        ("Momentum(stesp=3)", "'steps'"),
        ("Momentum(nestrov=True)", "'nesterov'"),
        ("Timm(modle='x')", "'model'"),
    ],
)
def test_a_misspelt_name_is_answered_with_the_nearest(text: str, near: str) -> None:
    """A typing error costs one look at the message."""
    assert _refusal(text).remedy == f"Did you mean {near}?"
    assert _refusal(text.upper() if "(" not in text else text).remedy == f"Did you mean {near}?"


def test_an_unknown_name_is_answered_with_all_that_are_known() -> None:
    """Names that resemble nothing get the list."""
    error = _refusal("Xyzzy()")
    assert error.requirement == "The optimizer must be one of Momentum, Plain, Timm."
    assert error.actual == "It is 'Xyzzy'."
    error = _refusal("Timm(qqqq=1)")
    assert error.requirement == "`Timm` takes `model`, `drop`."
    assert error.actual == "It has no `qqqq`."
    assert _refusal("Plain(a=1)").requirement == "`Plain` takes no fields."


def test_a_field_without_default_must_be_given() -> None:
    """What cannot be guessed is asked for by name."""
    error = _refusal("Timm(drop=0.5)")
    assert error.requirement == "`Timm` needs `model`."
    assert "'Timm(drop=0.5)'" in error.actual


def test_a_given_object_is_returned_itself() -> None:
    """No copy is made, so what a user holds is what is used."""
    component = Momentum(lr=0.2)
    assert _resolve(component) is component


@pytest.mark.parametrize("value", [None, 0.1, Momentum, {"lr": 0.1}, ("Momentum",), b"Momentum"])
def test_an_object_of_another_kind_is_refused(value: object) -> None:
    """Only text and components of the listed classes can stand here."""
    error = _refusal(value)
    assert error.requirement == (
        "The optimizer must be one of Momentum, Plain, Timm, as an object or as text."
    )
    assert error.actual == f"It is {value!r}."


def test_a_component_of_another_role_is_refused() -> None:
    """A loss is not taken where an optimizer belongs."""
    with pytest.raises(InputError, match=r"The loss must be one of Plain"):
        resolve(Momentum(), {"Plain": Plain}, "loss")


@pytest.mark.parametrize("value", ["Momentum(lr=0)", Momentum(lr=0)])
def test_bounds_are_checked_when_a_component_is_resolved(value: object) -> None:
    """Text and objects are held to the same bounds, with the same message."""
    assert str(_refusal(value)) == (
        "`lr` of `Momentum` must be a number in (0, inf). It is 0. The default is 0.1."
    )


def test_constructing_checks_nothing() -> None:
    """scikit-learn constructs with odd values on purpose; only `validate` judges."""
    component = Momentum(steps=0)
    with pytest.raises(InputError, match=r"`steps` .* a whole number in \[1, 10\]. It is 0."):
        component.validate()
    Momentum().validate()


HUGE = 10**400
CASES = [
    (Bounds(low=0, high=1), [0, 1, 0.5, np.float32(1), np.int8(0)], [-1e-300, 1.0001]),
    (Bounds(low=0, high=1, open_low=True), [5e-324, 1], [0, 0.0, -0.0]),
    (Bounds(low=0, high=1, open_high=True), [0, math.nextafter(1, 0)], [1, 1.0]),
    (Bounds(low=1, high=3, integer=True), [1, 3, np.int64(2)], [0, 4, 2.0, np.float64(2)]),
    (Bounds(), [0, -1e308, 1e308], [math.inf, -math.inf, math.nan, np.inf, HUGE, -HUGE]),
    (Bounds(low=0), [], [True, False, np.True_, None, "1", (1,), [1], 1j, b"1", object()]),
    (Bounds(low=0, high=1, optional=True), [None, 0.5], [2, "None"]),
    (Bounds(choices=("a", "b")), ["a"], ["c", None, 1, "A", ""]),
    (Bounds(choices=("a", None)), ["a", None], ["None"]),
]


@pytest.mark.parametrize(("bounds", "inside", "outside"), CASES)
def test_bounds_hold_exactly_what_they_say(
    bounds: Bounds, inside: list[object], outside: list[object]
) -> None:
    """Ends are in or out as declared; truth values, text and what is not finite are no numbers."""
    assert [value for value in inside if value not in bounds] == []
    assert [value for value in outside if value in bounds] == []


@settings(deadline=None, derandomize=True)
@given(low=finite, high=finite, value=finite)
def test_opening_an_end_takes_away_that_end_alone(low: float, high: float, value: float) -> None:
    """Open and closed bounds differ at their ends and nowhere else."""
    closed = value in Bounds(low=low, high=high)
    opened = value in Bounds(low=low, high=high, open_low=True, open_high=True)
    assert closed == (min(low, value) == low and max(high, value) == high)
    assert opened == (closed and value not in (low, high))


@pytest.mark.parametrize(
    ("bounds", "text"),
    [
        (Bounds(low=0, high=1), "a number in [0, 1]"),
        (Bounds(low=0.5, high=1, open_low=True, open_high=True), "a number in (0.5, 1)"),
        (Bounds(low=1, integer=True), "a whole number in [1, inf)"),
        (Bounds(), "a number in (-inf, inf)"),
        (Bounds(low=0, high=1, optional=True), "a number in [0, 1] or None"),
        (Bounds(choices=("a", None)), "one of 'a', None"),
    ],
)
def test_bounds_are_told_as_intervals(bounds: Bounds, text: str) -> None:
    """Round brackets exclude an end, square ones include it; infinity is never included."""
    assert str(bounds) == text


def test_a_field_says_what_may_be_tuned_besides_what_it_may_be() -> None:
    """The space is kept beside the bounds and changes neither them nor the default."""
    tuned: Any = bounded(0.1, low=0, tune=Span(0.01, 1.0, log=True))
    plain: Any = bounded(0.1, low=0)
    assert tuned.metadata["tune"] == Span(0.01, 1.0, log=True)
    assert plain.metadata["tune"] is None
    assert tuned.metadata["bounds"] == plain.metadata["bounds"] == Bounds(low=0)
    assert tuned.default == plain.default == 0.1


def test_a_space_is_inherited_with_its_field() -> None:
    """A subclass that declares the field anew says itself what is tried."""

    @dataclass(eq=False, repr=False, kw_only=True)
    class Base(Component):
        rate: float = bounded(0.1, low=0, tune=Span(0.01, 1.0))

    @dataclass(eq=False, repr=False, kw_only=True)
    class Same(Base):
        other: int = bounded(1, low=1, integer=True)

    @dataclass(eq=False, repr=False, kw_only=True)
    class Anew(Base):
        rate: float = bounded(0.2, low=0)

    spaces = [{f.name: f.metadata["tune"] for f in fields(kind)} for kind in (Base, Same, Anew)]
    assert spaces == [
        {"rate": Span(0.01, 1.0)},
        {"rate": Span(0.01, 1.0), "other": None},
        {"rate": None},
    ]


def test_a_value_outside_of_what_is_tuned_is_valid() -> None:
    """A search tries less than a user may give."""

    @dataclass(eq=False, repr=False, kw_only=True)
    class Tuned(Component):
        rate: float = bounded(0.1, low=0, tune=Span(0.01, 1.0))

    Tuned(rate=5.0).validate()
    with pytest.raises(InputError, match=r"a number in \[0, inf\)"):
        Tuned(rate=-5.0).validate()


def test_no_component_is_proposed_unless_it_says_so() -> None:
    """Of itself a component is for no search."""
    assert Component.tuned_for == ()
    assert not any(kind.tuned_for for kind in CHOICES.values())


@settings(deadline=None, derandomize=True, max_examples=30)
@given(component=momenta)
def test_components_obey_scikit_learn(component: Momentum) -> None:
    """`clone` copies every parameter, and `set_params` changes one and returns the component."""
    twin: Any = clone(component)
    assert twin is not component
    assert twin.get_params() == component.get_params()
    assert list(twin.get_params()) == sorted(vars(Momentum()))
    assert twin.set_params(lr=0.75) is twin
    assert twin.lr == 0.75
    with pytest.raises(ValueError, match="Invalid parameter 'tau'"):
        twin.set_params(tau=1)


def test_components_are_equal_only_to_themselves() -> None:
    """Identity keeps them hashable, as `GridSearchCV` and sets need."""
    first, second = Momentum(), Momentum()
    assert first != second
    assert len({first, second, first}) == 2


@pytest.mark.parametrize("role", COMPONENTS)
def test_every_component_can_be_had_by_its_own_name(role: str) -> None:
    """Names in the tables are the names that `repr` writes, and defaults are within bounds."""
    choices = COMPONENTS[role]
    for name in choices:
        component = resolve(name, choices, role)
        assert repr(component) == f"{name}()"
        assert type(resolve(repr(component), choices, role)) is choices[name]
