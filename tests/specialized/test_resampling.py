"""Laws of resampling: which rows there are afterwards, beside those of imbalanced-learn."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from imblearn.over_sampling import SMOTE as LIBRARY_SMOTE
from imblearn.over_sampling import SMOTEN, SMOTENC, RandomOverSampler
from imblearn.under_sampling import RandomUnderSampler

from equipoise import packages
from equipoise.errors import InputError
from equipoise.spec import resolve
from equipoise.specialized.resampling import (
    RESAMPLINGS,
    SMOTE,
    RandomOverSampling,
    RandomUnderSampling,
    Resampled,
    Resampling,
)
from equipoise.specialized.resampling import base as base_module
from equipoise.specialized.resampling import smote as smote_module

ALL = [RandomOverSampling(ratio=3.0), RandomUnderSampling(ratio=3.0), SMOTE(ratio=3.0)]
COUNTS = [70, 30, 12, 8]
N_NUMERIC = 3
few_counts = st.lists(st.integers(1, 40), min_size=2, max_size=5)
ratios = st.one_of(st.just(1.0), st.floats(1.0, 50.0))


def _table(
    counts: list[int], n_numeric: int = N_NUMERIC, n_categories: int = 2, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Return encoded rows, numbers and then codes of categories, and shuffled classes."""
    random = np.random.default_rng(seed)
    codes = random.permutation(np.repeat(np.arange(len(counts)), counts))
    numbers = random.normal(size=(len(codes), n_numeric)) + codes[:, None]
    categories = (random.integers(0, 4, size=(len(codes), n_categories)) + codes[:, None]) % 6
    return np.hstack([numbers, categories]).astype(np.float32), codes


def _rows(found: Resampled, inputs: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return all rows to learn from, and their classes."""
    rows = np.concatenate([inputs[found.kept], found.made])
    return rows, np.concatenate([codes[found.kept], found.made_codes])


def _sorted(rows: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Return rows with their class in front, in an order of their own."""
    whole = np.column_stack([codes, rows])
    return whole[np.lexsort(whole.T)]


# Numbers of rows


@pytest.mark.parametrize(
    ("resampling", "expected"),
    [
        (RandomOverSampling(), [100, 100, 100, 100]),
        (RandomOverSampling(ratio=3.0), [100, 40, 34, 34]),
        (RandomOverSampling(ratio=200.0), [100, 40, 5, 1]),
        (RandomUnderSampling(), [1, 1, 1, 1]),
        (RandomUnderSampling(ratio=7.5), [7, 7, 5, 1]),
        (RandomUnderSampling(ratio=200.0), [100, 40, 5, 1]),
        (SMOTE(), [100, 100, 100, 100]),
        (SMOTE(ratio=20.0), [100, 40, 5, 5]),
    ],
    ids=repr,
)
def test_targets_by_hand(resampling: Resampling, expected: list[int]) -> None:
    """Of 100, 40, 5 and 1 rows; a class without rows stays without."""
    assert resampling.targets(np.array([100, 40, 5, 1])).tolist() == expected
    assert resampling.targets(np.array([100, 0, 40, 5, 1])).tolist() == [
        expected[0],
        0,
        *expected[1:],
    ]


@settings(deadline=None, derandomize=True, max_examples=200)
@given(
    counts=st.lists(st.integers(1, 10**6), min_size=2, max_size=8),
    ratio=ratios,
    kind=st.sampled_from(list(RESAMPLINGS.values())),
)
def test_no_more_than_the_ratio_is_left(
    counts: list[int], ratio: float, kind: type[Resampling]
) -> None:
    """And no more is done than that takes: with one row more or less the ratio would be passed."""
    before = np.array(counts)
    after = kind(ratio=ratio).targets(before)  # type: ignore[call-arg]
    assert after.min() >= 1
    assert after.max() / after.min() <= ratio * (1 + 1e-8)
    changed = after[after != before]
    if kind is RandomUnderSampling:
        assert (after <= before).all()
        assert ((changed + 1) / before.min() > ratio).all()
    else:
        assert (after >= before).all()
        assert (before.max() / np.maximum(changed - 1, 1e-9) > ratio * (1 - 1e-8)).all()


@pytest.mark.parametrize("n_numeric", [5, 3, 0])
@pytest.mark.parametrize("resampling", ALL, ids=repr)
def test_there_are_as_many_rows_as_targets_say(resampling: Resampling, n_numeric: int) -> None:
    """Of numbers, of both, and of categories alone; rows that are made are finite float32."""
    inputs, codes = _table(COUNTS, n_numeric, 5 - n_numeric)
    found = resampling.resample(inputs, codes, n_numeric, seed=1)
    rows, classes = _rows(found, inputs, codes)
    assert np.bincount(classes).tolist() == resampling.targets(np.array(COUNTS)).tolist()
    assert rows.dtype == np.float32
    assert found.kept.dtype == np.int64
    assert np.isfinite(rows).all()


@settings(deadline=None, derandomize=True, max_examples=40)
@given(counts=few_counts, ratio=ratios, n_numeric=st.sampled_from([4, 2, 0]))
def test_no_class_is_too_small(counts: list[int], ratio: float, n_numeric: int) -> None:
    """Whatever the sizes, one row included, every resampling gives what it says."""
    inputs, codes = _table(counts, n_numeric, 4 - n_numeric)
    for kind in RESAMPLINGS.values():
        resampling = kind(ratio=ratio)  # type: ignore[call-arg]
        _, classes = _rows(resampling.resample(inputs, codes, n_numeric, 3), inputs, codes)
        expected = resampling.targets(np.array(counts))
        assert (np.bincount(classes, minlength=len(counts)) == expected).all()


# Beside imbalanced-learn


def test_rows_are_repeated_as_by_the_library() -> None:
    """All classes in one call of it, to the same numbers of rows, with the same seed."""
    inputs, codes = _table(COUNTS)
    found = RandomOverSampling(ratio=2.0).resample(inputs, codes, N_NUMERIC, seed=5)
    wanted = {0: 70, 1: 35, 2: 35, 3: 35}
    rows, classes = RandomOverSampler(sampling_strategy=wanted, random_state=5).fit_resample(
        inputs, codes
    )
    assert np.array_equal(inputs[found.kept], rows)
    assert np.array_equal(codes[found.kept], classes)


def test_rows_are_left_out_as_by_the_library() -> None:
    """All classes in one call of it, to the same numbers of rows, with the same seed."""
    inputs, codes = _table(COUNTS)
    found = RandomUnderSampling(ratio=2.0).resample(inputs, codes, N_NUMERIC, seed=5)
    wanted = {0: 16, 1: 16, 2: 12, 3: 8}
    rows, classes = RandomUnderSampler(sampling_strategy=wanted, random_state=5).fit_resample(
        inputs, codes
    )
    assert np.array_equal(inputs[found.kept], rows)
    assert np.array_equal(codes[found.kept], classes)


@pytest.mark.parametrize("neighbours", [1, 5])
@pytest.mark.parametrize(
    ("n_numeric", "library"),
    [
        (5, LIBRARY_SMOTE),
        (3, lambda **given: SMOTENC(categorical_features=[3, 4], **given)),
        (0, SMOTEN),
    ],
    ids=["numbers", "both", "categories"],
)
def test_rows_are_made_as_by_the_library(n_numeric: int, library: Any, neighbours: int) -> None:
    """One call with all rows and all classes, each of which has enough of its own."""
    inputs, codes = _table(COUNTS, n_numeric, 5 - n_numeric)
    smote = SMOTE(ratio=2.0, neighbours=neighbours)
    found = smote.resample(inputs, codes, n_numeric, seed=7)
    wanted = {0: 70, 1: 35, 2: 35, 3: 35}
    rows, classes = library(
        sampling_strategy=wanted, random_state=7, k_neighbors=neighbours
    ).fit_resample(inputs, codes)
    assert np.array_equal(found.made, rows[len(inputs) :])
    assert np.array_equal(found.made_codes, classes[len(inputs) :])
    assert len(found.made) == 55


def test_a_small_class_takes_the_neighbours_that_it_has() -> None:
    """Four rows have three neighbours; larger classes keep their five, and one row is repeated."""
    inputs, codes = _table([40, 9, 4, 1], 5, 0)
    found = SMOTE().resample(inputs, codes, 5, seed=7)
    for code, near, n in ((1, 5, 9), (2, 3, 4)):
        rows, _ = LIBRARY_SMOTE(
            sampling_strategy={code: 40}, random_state=7, k_neighbors=near
        ).fit_resample(inputs, codes)
        made = found.made[found.made_codes == code]
        assert len(made) == 40 - n
        assert np.array_equal(made, rows[len(inputs) :])
    assert (found.kept[:54] == np.arange(54)).all()
    assert (codes[found.kept[54:]] == 3).all()
    assert len(found.kept) == 54 + 39


# Rows


@pytest.mark.parametrize("n_numeric", [5, 3, 0])
@pytest.mark.parametrize("kind", [RandomOverSampling, SMOTE])
def test_over_sampling_keeps_every_row(kind: type[Resampling], n_numeric: int) -> None:
    """First all rows in their order, then further ones."""
    inputs, codes = _table([30, 9, 1], n_numeric, 5 - n_numeric)
    found = kind().resample(inputs, codes, n_numeric, seed=0)
    assert (found.kept[:40] == np.arange(40)).all()


def test_under_sampling_repeats_no_row() -> None:
    """A smallest class keeps all of its own."""
    inputs, codes = _table([30, 9, 4])
    found = RandomUnderSampling(ratio=2.0).resample(inputs, codes, N_NUMERIC, seed=0)
    assert len(np.unique(found.kept)) == len(found.kept) == 8 + 8 + 4
    assert set(np.flatnonzero(codes == 2)) <= set(found.kept)


@pytest.mark.parametrize("resampling", ALL, ids=repr)
def test_what_is_small_enough_already_is_left_alone(resampling: Resampling) -> None:
    """With a ratio that the data have, the rows are those of the data."""
    inputs, codes = _table([9, 6, 3])
    found = resampling.resample(inputs, codes, N_NUMERIC, seed=0)
    assert np.array_equal(np.sort(found.kept), np.arange(18))
    assert len(found.made) == len(found.made_codes) == 0


def _off_segments(row: np.ndarray, own: np.ndarray, near: int) -> float:
    """Return how far a row is from any line between another one and one of its nearest."""
    distances = ((own[:, None] - own[None]) ** 2).sum(-1)
    nearest = np.argsort(distances, axis=1)[:, 1 : near + 1]
    start = np.repeat(own, nearest.shape[1], axis=0)
    along = own[nearest.ravel()] - start
    u = np.clip(((row - start) * along).sum(-1) / (along**2).sum(-1), 0, 1)
    return float(np.abs(start + u[:, None] * along - row).max(-1).min())


def test_what_is_made_lies_between_a_row_and_one_of_its_nearest_of_the_same_class() -> None:
    """On one of the segments of its own class, and far from those of another."""
    inputs, codes = _table([60, 20, 9], 4, 0)
    found = SMOTE(neighbours=2).resample(inputs, codes, 4, seed=0)
    places = [inputs[codes == code].astype(float) for code in range(3)]
    made = list(zip(found.made.astype(float), found.made_codes, strict=True))
    assert max(_off_segments(row, places[code], 2) for row, code in made) < 1e-5
    assert np.median([_off_segments(row, places[(code + 1) % 3], 2) for row, code in made]) > 0.1


@pytest.mark.parametrize("n_numeric", [3, 0])
def test_categories_that_are_made_occur_in_the_class(n_numeric: int) -> None:
    """Codes stay whole, and are of the same class and column; the numbers are within its range."""
    inputs, codes = _table(COUNTS, n_numeric, 5 - n_numeric)
    found = SMOTE().resample(inputs, codes, n_numeric, seed=0)
    for code in np.unique(found.made_codes):
        made, own = found.made[found.made_codes == code], inputs[codes == code]
        for column in range(n_numeric, 5):
            assert set(made[:, column]) <= set(own[:, column])
        for column in range(n_numeric):
            assert own[:, column].min() <= made[:, column].min()
            assert made[:, column].max() <= own[:, column].max()


@pytest.mark.parametrize("resampling", ALL, ids=repr)
def test_the_same_seed_gives_the_same_rows(resampling: Resampling) -> None:
    """Another one gives others; seeds of 63 bits are taken."""
    inputs, codes = _table(COUNTS)
    first, again, other = (
        _rows(resampling.resample(inputs, codes, N_NUMERIC, seed), inputs, codes)
        for seed in (2**62 + 1, 2**62 + 1, 2**62 + 2)
    )
    assert np.array_equal(first[0], again[0])
    assert np.array_equal(first[1], again[1])
    assert not np.array_equal(_sorted(*first), _sorted(*other))


def test_large_classes_are_made_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many rows, no piece twice, and every one on a segment of its class."""
    inputs, codes = _table([90, 20], 4, 0)
    monkeypatch.setattr(smote_module, "PIECE_VALUES", 4 * 6 * 15)
    found = SMOTE().resample(inputs, codes, 4, seed=0)
    assert found.made.shape == (70, 4)
    assert len(np.unique(found.made, axis=0)) == 70
    own = inputs[codes == 1].astype(float)
    assert max(_off_segments(row, own, 5) for row in found.made.astype(float)) < 1e-5
    monkeypatch.undo()
    whole = SMOTE().resample(inputs, codes, 4, seed=0)
    assert not np.array_equal(found.made, whole.made)
    assert len(found.kept) == len(whole.kept)


# The contract


def test_large_classes_of_categories_alone_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only where they are to be raised: all pairs of their rows would be compared."""
    monkeypatch.setattr(smote_module, "NOMINAL_ROWS", 20)
    inputs, codes = _table([40, 30, 9], 0, 4)
    with pytest.raises(InputError, match="class with code 1 has 30"):
        SMOTE().resample(inputs, codes, 0, seed=0)
    found = SMOTE(ratio=2.0).resample(inputs, codes, 0, seed=0)
    assert len(found.made) == 11


@pytest.mark.parametrize(
    "text",
    ["SMOTE(ratio=0.5)", "SMOTE(neighbours=0)", "SMOTE(neighbours=2.5)"]
    + [f"Random{way}Sampling(ratio=0.99)" for way in ("Over", "Under")],
)
def test_values_without_a_meaning_are_refused(text: str) -> None:
    """No ratio is below 1, and neighbours are counted."""
    with pytest.raises(InputError, match="must be"):
        resolve(text, RESAMPLINGS, "resampling")


@pytest.mark.parametrize("name", RESAMPLINGS)
def test_without_the_library_the_remedy_is_said(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As soon as the settings are read, not once training has begun."""
    assert base_module.require is packages.require
    monkeypatch.setattr(packages.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(InputError, match=r'pip install "equipoise\[opponents\]"'):
        resolve(f"{name}()", RESAMPLINGS, "resampling")


def test_every_resampling_is_listed_under_its_name() -> None:
    """The name in a configuration is the name of the class."""
    names = {name: kind.__name__ for name, kind in RESAMPLINGS.items()}
    assert names == {name: name for name in RESAMPLINGS}
    assert {type(resampling).__name__ for resampling in ALL} == set(RESAMPLINGS)
