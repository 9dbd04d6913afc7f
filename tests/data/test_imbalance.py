"""Laws of making classes unequal."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise.data.imbalance import (
    Order,
    Profile,
    imbalance_ratio,
    load_index,
    parse_ratio,
    save_index,
    subsample,
)
from equipoise.errors import InputError

BALANCED = np.random.default_rng(0).permutation(np.repeat(np.arange(5), 200))
PROFILES: tuple[Profile, ...] = ("exp", "step", "binary")
ORDERS: tuple[Order, ...] = ("label", "random", "size")


def test_the_ratio_is_largest_over_smallest() -> None:
    """It is 1 for equal classes and infinite beside an empty one."""
    assert imbalance_ratio([30, 300, 60]) == 10
    assert imbalance_ratio([7, 7]) == 1
    assert imbalance_ratio([7, 0]) == math.inf


def test_a_ratio_below_one_is_taken_upside_down() -> None:
    """0.01 means 100, and the note says so; 100 needs no note."""
    ratio, note = parse_ratio(0.01)
    assert ratio == pytest.approx(100)
    assert note is not None
    assert "is 100 " in note
    assert parse_ratio(100) == (100.0, None)
    assert parse_ratio("2.5") == (2.5, None)
    assert parse_ratio(1) == (1.0, None)


@pytest.mark.parametrize("value", [0, -3, "nan", "inf", "many", math.inf])
def test_other_ratios_are_refused(value: float | str) -> None:
    """Nothing but positive finite numbers is a ratio."""
    with pytest.raises(InputError, match="at least 1"):
        parse_ratio(value)


@settings(deadline=None, derandomize=True, max_examples=50)
@given(
    ratio=st.floats(1, 150),
    profile=st.sampled_from(PROFILES),
    order=st.sampled_from(ORDERS),
    seed=st.integers(0, 5),
)
def test_the_index_has_the_counts_that_it_states(
    ratio: float, profile: Profile, order: Order, seed: int
) -> None:
    """Positions are distinct, ascending and in range, and their classes count as stated."""
    chosen = subsample(BALANCED, ratio, profile=profile, order=order, seed=seed)
    assert (np.diff(chosen.index) > 0).all()
    assert chosen.index.min() >= 0
    assert chosen.index.max() < len(BALANCED)
    assert np.bincount(BALANCED[chosen.index]).tolist() == chosen.counts.tolist()
    assert (np.diff(chosen.counts[chosen.order]) <= 0).all()
    assert chosen.counts.max() == 200
    assert chosen.counts.min() == int(200 / ratio + 1e-6)


@settings(deadline=None, derandomize=True, max_examples=50)
@given(
    ratios=st.tuples(st.floats(1, 150), st.floats(1, 150)),
    order=st.sampled_from(ORDERS),
    profile=st.sampled_from(PROFILES),
    seed=st.integers(0, 5),
)
def test_larger_ratios_choose_among_the_examples_of_smaller_ones(
    ratios: tuple[float, float], order: Order, profile: Profile, seed: int
) -> None:
    """For one seed and order, the subsets of balanced data are nested across ratios."""
    small, large = (
        set(subsample(BALANCED, ratio, profile=profile, order=order, seed=seed).index.tolist())
        for ratio in sorted(ratios)
    )
    assert large <= small


def test_seeds_choose_other_examples_in_equal_numbers() -> None:
    """The seed decides which examples stay, not how many."""
    first, second = (subsample(BALANCED, 10, seed=seed) for seed in (0, 1))
    assert first.counts.tolist() == second.counts.tolist()
    assert set(first.index) != set(second.index)
    assert subsample(BALANCED, 10, seed=0).index.tolist() == first.index.tolist()


def test_examples_of_rare_classes_are_drawn_not_the_first_ones() -> None:
    """Over seeds, every example of the rarest class is chosen equally often."""
    codes = np.repeat([0, 1], 20)
    times = np.zeros(40)
    for seed in range(400):
        times[subsample(codes, 4, seed=seed).index] += 1
    expected, deviation = 400 / 4, math.sqrt(400 * 0.25 * 0.75)
    assert (np.abs(times[20:] - expected) < 4.5 * deviation).all()
    assert (times[:20] == 400).all()


def test_only_examples_within_are_chosen() -> None:
    """Subsampling the training part leaves test examples alone, and knows its own counts."""
    within = np.arange(0, 1000, 2)
    chosen = subsample(BALANCED, 10, within=within)
    assert np.isin(chosen.index, within).all()
    available = np.bincount(BALANCED[within])
    assert chosen.counts.max() <= available.max()
    everything = subsample(BALANCED, 10, within=np.arange(1000)).index
    assert everything.tolist() == subsample(BALANCED, 10).index.tolist()


def test_a_short_class_shrinks_all_so_that_the_ratio_holds() -> None:
    """When a rare class has too few examples, the largest gives up some, with a note."""
    codes = np.repeat([0, 1], [1000, 40])
    chosen = subsample(codes, 10)
    assert chosen.counts.tolist() == [400, 40]
    assert any("keeps 400 of 1,000 examples" in note for note in chosen.notes)
    larger = subsample(codes, 20)
    assert larger.counts.tolist() == [800, 40]
    assert set(chosen.index) <= set(larger.index)


def test_a_ratio_that_whole_examples_can_hold_is_held() -> None:
    """Beside two examples of the rarest class, 20 stay of 341, and no other ratio is told."""
    chosen = subsample(np.repeat([0, 1, 2, 3], [341, 112, 25, 2]), 10)
    assert chosen.counts.tolist() == [20, 9, 4, 2]
    assert any("keeps 20 of 341 examples" in note for note in chosen.notes)
    assert not any("the ratio is" in note for note in chosen.notes)


def test_whole_examples_that_miss_the_ratio_are_noted() -> None:
    """If rounding moves the ratio, the one reached is stated."""
    notes = subsample(np.repeat([0, 1], 55), 10).notes
    assert any("the ratio is 11" in note for note in notes)
    assert not any("the ratio is" in note for note in subsample(BALANCED, 100).notes)
    odd = subsample(BALANCED, 10, profile="step").notes
    assert any("odd number" in note for note in odd)


def test_an_index_file_gives_the_subsample_back(tmp_path: Path) -> None:
    """Everything that was saved is read again, and the file is JSON for other programs."""
    chosen = subsample(BALANCED, 12, profile="step", order="random", seed=3)
    path = tmp_path / "sub" / "index.json"
    save_index(path, chosen, "abc")
    again = load_index(path, "abc")
    for name in ("index", "counts", "order"):
        np.testing.assert_array_equal(getattr(again, name), getattr(chosen, name))
    for name in ("ratio", "profile", "seed", "notes"):
        assert getattr(again, name) == getattr(chosen, name)
    content = json.loads(path.read_text())
    assert content["fingerprint"] == "abc"
    assert content["index"] == chosen.index.tolist()


def test_an_index_of_other_data_is_refused(tmp_path: Path) -> None:
    """The fingerprint guards against using positions on data that they do not belong to."""
    save_index(tmp_path / "index.json", subsample(BALANCED, 12), "abc")
    with pytest.raises(InputError, match="fingerprints differ"):
        load_index(tmp_path / "index.json", "abd")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (None, "cannot be read"),
        ("{", "damaged"),
        ("[]", "damaged"),
        ("{}", "damaged"),
        ({"format": "x"}, "format is 'x'"),
        ({"index": [1]}, "counts are not those"),
    ],
)
def test_damaged_index_files_are_refused(
    tmp_path: Path, change: str | dict[str, object] | None, match: str
) -> None:
    """A missing, foreign or inconsistent file is an input error."""
    path = tmp_path / "index.json"
    if change is not None:
        save_index(path, subsample(BALANCED, 12), "abc")
        text = change
        if isinstance(change, dict):
            text = json.dumps({**json.loads(path.read_text()), **change})
        path.write_text(str(text))
    with pytest.raises(InputError, match=match):
        load_index(path, "abc")
