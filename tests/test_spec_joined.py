"""Laws of texts that join several components by bars."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise.errors import InputError
from equipoise.spec import Component, bounded, resolve, split_joined


@dataclass(eq=False, repr=False, kw_only=True)
class Momentum(Component):
    """A component with fields of several kinds."""

    lr: float = bounded(0.1, low=0, open_low=True)
    name: str | None = None
    widths: tuple[int | float, ...] = (64, 32)


@dataclass(eq=False, repr=False, kw_only=True)
class Plain(Component):
    """A component without fields."""


@dataclass(eq=False, repr=False, kw_only=True)
class Timm(Component):
    """A component with a field that must be given."""

    model: str


@dataclass(eq=False, repr=False, kw_only=True)
class Chain(Component):
    """Components one after the other."""

    parts: tuple[Component, ...] = ()

    def __repr__(self, N_CHAR_MAX: int = 0) -> str:
        return " | ".join(map(repr, self.parts))

    def validate(self) -> None:
        for part in self.parts:
            part.validate()


CHOICES: dict[str, type[Component]] = {"Momentum": Momentum, "Plain": Plain, "Timm": Timm}
MARK = "touched"
ATTACKS = [
    f"__import__('pathlib').Path('{MARK}').touch()",
    f"Momentum(lr=__import__('pathlib').Path('{MARK}').touch())",
    f"Momentum(name=f\"{{open('{MARK}', 'w')}}\")",
    f"(lambda: open('{MARK}', 'w'))()",
]
finite = st.floats(allow_nan=False, allow_infinity=False)
steps = st.builds(
    Momentum,
    lr=st.floats(min_value=0, exclude_min=True, allow_infinity=False) | st.integers(1, 10**9),
    name=st.none() | st.text(),
    widths=st.lists(st.integers() | finite, max_size=4).map(tuple),
)


def _resolve(value: object) -> Component:
    return resolve(value, CHOICES, "optimizer", Chain)  # pyright: ignore[reportArgumentType]


@settings(deadline=None, derandomize=True)
@given(
    parts=st.lists(steps | st.builds(Plain) | st.builds(Timm, model=st.text()), min_size=2).map(
        tuple
    )
)
def test_what_repr_writes_of_joined_components_is_read_back(parts: tuple[Component, ...]) -> None:
    """Parts come back in their order with equal values, whatever their texts hold."""
    again = _resolve(repr(Chain(parts=parts)))
    assert isinstance(again, Chain)
    assert [type(part) for part in again.parts] == [type(part) for part in parts]
    assert [part.get_params() for part in again.parts] == [part.get_params() for part in parts]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("A", ["A"]),
        (" A( x = 1 ) ", [" A( x = 1 ) "]),
        ("A|B|C", ["A", "B", "C"]),
        ("(A | B) | C", ["A", "B", "C"]),
        ("A(x='1 | 2', y=(3,)) | B()", ["A(x='1 | 2', y=(3,))", "B()"]),
        ('A(x="it\'s | b") | B', ['A(x="it\'s | b")', "B"]),
        ("A(x=1 | 2)", ["A(x=1 | 2)"]),
        ("A(x='|')", ["A(x='|')"]),
        ("A || B", ["A || B"]),
        ("A |", ["A |"]),
        ("", [""]),
    ],
)
def test_texts_are_split_at_bars_outside_brackets_and_quotes(text: str, parts: list[str]) -> None:
    """A bar in a value belongs to the value; what is no such text is left whole."""
    assert split_joined(text) == parts


def test_a_text_without_a_bar_is_no_chain() -> None:
    """One component is itself, whether or not it could be joined."""
    assert type(_resolve("Plain")) is Plain
    assert repr(_resolve("Plain | Momentum(lr=0.5)")) == "Plain() | Momentum(lr=0.5)"


def test_bars_are_refused_where_nothing_is_joined() -> None:
    """Without `join` a text names one component."""
    with pytest.raises(InputError, match=r"must be written as Name or Name\(key=value"):
        resolve("Plain | Plain", CHOICES, "optimizer")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Plain | Momentm", "Did you mean 'Momentum'?"),
        ("Momentm | Plain", "Did you mean 'Momentum'?"),
        ("Plain | Momentum(lr=0)", "`lr` of `Momentum` must be"),
        ("Plain | Timm()", "`Timm` needs `model`"),
        ("Plain | Chain()", "must be one of Momentum, Plain, Timm."),
        ("Plain | (Plain | Plain)", "must be written as Name"),
        ("Plain | 1", "must be written as Name"),
        ("Plain |", "must be written as Name"),
        ("| Plain", "must be written as Name"),
        ("Plain || Plain", "must be written as Name"),
        ("Plain | Plain; Plain", "must be written as Name"),
        (" | ".join(["Plain"] * 10_000), "must be written as Name"),
    ],
)
def test_every_joined_text_is_held_to_the_same_rules(text: str, words: str) -> None:
    """A mistake in any part is told as if it stood alone."""
    with pytest.raises(InputError) as caught:
        _resolve(text)
    assert words in str(caught.value)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("text", ATTACKS)
@pytest.mark.parametrize("form", ["{} | Plain()", "Plain() | {}"])
def test_nothing_in_a_joined_text_is_executed(
    text: str, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each part is read as literals, like a single one."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError):
        _resolve(form.format(text))
    assert not list(tmp_path.iterdir())


def test_a_joined_object_is_checked_and_returned_itself() -> None:
    """Objects of the joining class stand where it may be written, and their parts are checked."""
    chain = Chain(parts=(Plain(), Momentum()))
    assert _resolve(chain) is chain
    with pytest.raises(InputError, match="`lr` of `Momentum`"):
        _resolve(Chain(parts=(Plain(), Momentum(lr=0))))
    with pytest.raises(InputError, match="must be one of"):
        resolve(chain, CHOICES, "optimizer")
