"""Laws of the batch size: what follows from it is arithmetic that can be done by hand."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise.errors import InputError
from equipoise.standard.batch_size import BatchSize, resolve_batch_size

SIZES = st.integers(1, 4096)


@settings(deadline=None, derandomize=True)
@given(size=SIZES, reference=SIZES)
def test_the_rate_follows_by_its_rule(size: int, reference: int) -> None:
    """None leaves the rate alone, linear takes the ratio, sqrt its square root."""
    factors = {
        rule: BatchSize(size=size, reference=reference, rule=rule).rate
        for rule in ("none", "linear", "sqrt")
    }
    assert factors["none"] == 1
    assert factors["linear"] * reference == pytest.approx(size)
    assert factors["sqrt"] ** 2 * reference == pytest.approx(size)


@pytest.mark.parametrize(
    ("size", "linear", "sqrt"), [(16, 0.25, 0.5), (64, 1.0, 1.0), (256, 4.0, 2.0)]
)
def test_rates_worked_by_hand(size: int, linear: float, sqrt: float) -> None:
    """With the reference of 64 a quarter of the size is a quarter, or half, of the rate."""
    assert BatchSize(size=size, rule="linear", reference=64).rate == linear
    assert BatchSize(size=size, rule="sqrt", reference=64).rate == sqrt
    assert BatchSize(size=size).rate == 1.0


@settings(deadline=None, derandomize=True)
@given(size=SIZES, reference=SIZES, epochs=st.integers(1, 300), n=st.integers(10**5, 10**6))
def test_a_budget_of_steps_holds_the_steps(size: int, reference: int, epochs: int, n: int) -> None:
    """Epochs change as the size does, so steps stay as many, up to the rounding of an epoch."""
    found = BatchSize(size=size, reference=reference, budget="steps").epochs(epochs)
    assert found >= 1
    assert isinstance(found, int)
    steps, wanted = found * n / size, epochs * n / reference
    passes = epochs * size / reference
    assert abs(steps - wanted) <= max(0.5, 1 - passes) * n / size * (1 + 1e-9)
    assert BatchSize(size=size, reference=reference).epochs(epochs) == epochs


@settings(deadline=None, derandomize=True)
@given(size=SIZES, accumulate=st.integers(1, 64))
def test_pieces_cover_the_batch_and_are_as_small_as_can_be(size: int, accumulate: int) -> None:
    """So many pieces of that many examples hold the batch, and one example fewer would not."""
    if accumulate > size:
        with pytest.raises(InputError, match=f"size is {size} and `accumulate` {accumulate}"):
            BatchSize(size=size, accumulate=accumulate).validate()
        return
    piece = BatchSize(size=size, accumulate=accumulate).piece
    assert piece * accumulate >= size
    assert (piece - 1) * accumulate < size


@pytest.mark.parametrize("given_size", [32, "BatchSize(size=32)", BatchSize(size=32), np.int64(32)])
def test_number_text_and_component_are_the_same(given_size: BatchSize | str | int) -> None:
    """Each stands for the component of that size; a whole number of numpy too."""
    assert repr(resolve_batch_size(given_size)) == "BatchSize(size=32)"


def test_every_field_is_read_from_text() -> None:
    """The text that the component writes is read back."""
    text = "BatchSize(size=8, rule='sqrt', reference=32, accumulate=2, budget='steps')"
    found = resolve_batch_size(text)
    assert repr(found) == text
    assert (found.rate, found.epochs(10), found.piece) == (math.sqrt(0.25), 2, 4)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0, r"`size` of `BatchSize` must be a whole number in \[1, inf\)"),
        (-3, "whole number"),
        (2.5, "whole number"),
        (math.nan, "whole number"),
        (True, "as an object or as text"),
        (None, "as an object or as text"),
        ("32 examples", "Name or Name"),
        ("BatchSiz(size=3)", "Did you mean 'BatchSize'"),
        ("BatchSize(sise=3)", "Did you mean 'size'"),
        ("BatchSize(rule='cubic')", "'none', 'linear', 'sqrt'"),
        ("BatchSize(budget='days')", "'epochs', 'steps'"),
        ("BatchSize(size=4, accumulate=5)", "fewer pieces"),
        ("BatchSize(reference=0)", "whole number"),
    ],
)
def test_what_is_no_batch_size_is_refused_in_words(value: object, words: str) -> None:
    """The message names the field and what it may be."""
    with pytest.raises(InputError, match=words):
        resolve_batch_size(value)  # type: ignore[arg-type]
