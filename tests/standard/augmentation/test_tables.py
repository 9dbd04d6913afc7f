"""Laws of the augmentation of tables: what changes, how much, and what stays a valid row."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor

from equipoise.data.encoding import TableEncoder
from equipoise.errors import InputError
from equipoise.standard.augmentation import Pipeline
from equipoise.standard.augmentation.tables import (
    FeatureMasking,
    FeatureNoise,
    FeatureSwap,
    QuantileJitter,
    Ranks,
    TableAugmentation,
)
from equipoise.standard.backbones.base import ImageInput, TableInput

INPUTS = TableInput(3, (4, 6))
STRONG = [
    FeatureNoise(std=0.3),
    FeatureMasking(rate=0.4),
    FeatureSwap(rate=0.4),
    QuantileJitter(width=0.3),
]
OFF = [
    FeatureNoise(std=0.0),
    FeatureMasking(rate=0.0),
    FeatureSwap(rate=0.0),
    QuantileJitter(width=0.0),
    QuantileJitter(rate=0.0),
]
KINDS = [type(each) for each in STRONG]


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _rows(n: int, seed: int = 7) -> Tensor:
    """Return two columns of numbers, one of flags, and two of category codes from 1."""
    generator = _generator(seed)
    numbers = torch.randn((n, 2), generator=generator)
    flags = torch.randint(2, (n, 1), generator=generator)
    codes = torch.randint(1, 4, (n, 2), generator=generator)
    return torch.cat([numbers, flags.float(), codes.float()], dim=1)


def _changed(
    augmentation: TableAugmentation, rows: Tensor, rarity: Tensor | None = None, seed: int = 0
) -> Tensor:
    """Return which entries an augmentation of these columns changes."""
    transform = augmentation.bind(INPUTS, _rows(200))
    return transform(rows, _generator(seed), rarity) != rows


def _jitter(values: Tensor, examples: Tensor, width: float, seed: int = 0) -> Tensor:
    """Return one column, moved."""
    transform = QuantileJitter(width=width).bind(TableInput(1), examples.view(-1, 1))
    return transform(values.view(-1, 1), _generator(seed), None)[:, 0]


def _frame(path: Path) -> pd.DataFrame:
    return pd.read_csv(path).drop(columns="target")


# All of them


@pytest.mark.parametrize("augmentation", OFF, ids=repr)
def test_no_strength_changes_no_bit(augmentation: TableAugmentation) -> None:
    """Switched off, even minus zero stays, and a tail scale makes no difference."""
    rows = _rows(50)
    rows[0] = -0.0
    for tail_scale in 1.0, 3.0:
        augmentation.tail_scale = tail_scale
        transform = augmentation.bind(INPUTS, _rows(200))
        found = transform(rows, _generator(), torch.linspace(0, 1, 50))
        assert torch.equal(found.view(torch.int32), rows.view(torch.int32))


@pytest.mark.parametrize("augmentation", STRONG, ids=repr)
def test_the_input_is_left_alone(augmentation: TableAugmentation) -> None:
    """Augmentation works on a copy, of the rows and of the examples."""
    rows, examples = _rows(30), _rows(40, seed=8)
    kept = rows.clone(), examples.clone()
    augmentation.bind(INPUTS, examples)(rows, _generator(), None).zero_()
    assert torch.equal(rows, kept[0])
    assert torch.equal(examples, kept[1])


@pytest.mark.parametrize("augmentation", STRONG, ids=repr)
def test_rows_stay_valid(augmentation: TableAugmentation) -> None:
    """Rows stay finite float32; flags stay 0 or 1 and codes whole and within range."""
    rows, examples = _rows(300), _rows(200, seed=8)
    found = augmentation.bind(INPUTS, examples)(rows, _generator(), None)
    assert found.dtype == torch.float32
    assert found.shape == rows.shape
    assert found.isfinite().all()
    assert not torch.equal(found, rows)
    assert set(found[:, 2].tolist()) == {0.0, 1.0}
    codes = found[:, 3:]
    assert torch.equal(codes, codes.round())
    assert codes.min() >= 0
    assert codes.max() <= 3


@pytest.mark.parametrize("augmentation", STRONG, ids=repr)
def test_the_generator_is_the_only_source_of_randomness(augmentation: TableAugmentation) -> None:
    """The same seed gives the same rows, another one others, and torch's own is untouched."""
    transform, state = augmentation.bind(INPUTS, _rows(40)), torch.get_rng_state()
    first, again, other = (transform(_rows(20), _generator(s), None) for s in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("kind", [FeatureMasking, FeatureSwap])
def test_the_tail_scale_multiplies_the_rate(
    kind: type[FeatureMasking] | type[FeatureSwap],
) -> None:
    """Common rows change at the rate, the rarest at the multiple, half-way ones between."""
    rows = torch.full((3_000, 5), 9.0)  # no example holds a 9: every chosen entry is seen
    rarity = torch.tensor([0.0, 0.5, 1.0]).repeat_interleave(1_000)
    changed = _changed(kind(rate=0.1, tail_scale=4.0), rows, rarity).view(3, -1)
    for number, rate in zip(changed.sum(1).tolist(), (0.1, 0.25, 0.4), strict=True):
        assert stats.binomtest(number, 5_000, rate).pvalue > 1e-3


@pytest.mark.parametrize("kind", [FeatureMasking, FeatureSwap])
def test_a_rate_beyond_1_is_1(kind: type[FeatureMasking] | type[FeatureSwap]) -> None:
    """A rate that the tail scale takes past 1 changes every entry of the rarest rows."""
    rows = torch.full((50, 5), 9.0)
    assert _changed(kind(rate=0.5, tail_scale=5.0), rows, torch.ones(50)).all()


def test_the_tail_scale_multiplies_noise_and_width() -> None:
    """Rare rows move further: noise in its deviation, jitter in its width."""
    rows, rarity = torch.zeros(8_000, 5), torch.tensor([0.0, 1.0]).repeat_interleave(4_000)
    noise = FeatureNoise(std=0.2, tail_scale=3.0).bind(INPUTS)(rows, _generator(), rarity)
    common, rare = noise[:, :3].reshape(2, -1).std(dim=1).tolist()
    assert common == pytest.approx(0.2, rel=0.03)
    assert rare == pytest.approx(0.6, rel=0.03)
    even, rows = torch.linspace(0, 1, 101).view(-1, 1), torch.full((8_000, 1), 0.5)
    jitter = QuantileJitter(width=0.1, tail_scale=3.0).bind(TableInput(1), even)
    common, rare = (jitter(rows, _generator(), rarity) - 0.5).abs().view(2, -1).amax(1).tolist()
    assert common == pytest.approx(0.1, rel=0.01)
    assert rare == pytest.approx(0.3, rel=0.01)


@pytest.mark.parametrize("kind", KINDS)
def test_unbound_use_is_refused_with_the_remedy(kind: type[TableAugmentation]) -> None:
    """Without `bind` the columns are unknown."""
    with pytest.raises(InputError, match="bind") as caught:
        kind()(_rows(2), _generator())
    assert "Call `bind(inputs, examples)` first" in caught.value.remedy


def test_wrong_inputs_are_refused() -> None:
    """Images, examples of other columns, no examples, and jitter without any are told apart."""
    images = ImageInput(4, 4, 1, (0.5,), (0.5,))
    with pytest.raises(InputError, match="for tables"):
        FeatureNoise().bind(images)
    for examples in torch.zeros(3, 4), torch.zeros(0, 5):
        with pytest.raises(InputError, match="5 columns"):
            FeatureSwap().bind(INPUTS, examples)
    with pytest.raises(InputError, match="needs the training rows"):
        QuantileJitter().bind(INPUTS)
    with pytest.raises(InputError, match="rate"):
        FeatureMasking(rate=1.5).validate()
    with pytest.raises(InputError, match="std"):
        FeatureNoise(std=-0.1).validate()


def test_augmentations_of_tables_can_be_joined() -> None:
    """A pipeline binds its parts and applies them from left to right."""
    parts = FeatureMasking(rate=1.0) | FeatureNoise(std=0.5)
    assert isinstance(parts, Pipeline)
    parts.validate()
    assert parts.modality == "table"
    found = parts.bind(INPUTS)(_rows(1_000), _generator(), None)
    assert found[:, :3].std().item() == pytest.approx(0.5, rel=0.05)
    assert torch.equal(found[:, 3:], torch.zeros(1_000, 2))


def test_columns_of_one_kind_are_enough() -> None:
    """Tables of numbers only, and of categories only, are augmented too."""
    for augmentation in STRONG:
        for inputs, columns in (TableInput(2), slice(0, 2)), (TableInput(0, (4, 6)), slice(3, 5)):
            rows = _rows(20)[:, columns]
            assert augmentation.bind(inputs, rows)(rows, _generator(), None).shape == rows.shape


# Noise and masking


def test_noise_is_gaussian_on_numbers_only() -> None:
    """Scaled numbers get noise of the standard deviation, nothing else is touched."""
    rows = _rows(4_000)
    found = FeatureNoise(std=0.25).bind(INPUTS, rows)(rows, _generator(), None)
    noise = (found - rows)[:, :2].double().numpy().ravel()
    assert stats.kstest(noise, stats.norm(scale=0.25).cdf).pvalue > 1e-3
    assert torch.equal(found[:, 2:], rows[:, 2:])


def test_flags_are_known_from_the_examples() -> None:
    """A column of zeros and ones is a flag if the examples say so, else a number."""
    rows = _rows(50)
    with_examples = FeatureNoise().bind(INPUTS, _rows(200))(rows, _generator(), None)
    without = FeatureNoise().bind(INPUTS)(rows, _generator(), None)
    assert torch.equal(with_examples[:, 2], rows[:, 2])
    assert (without[:, 2] != rows[:, 2]).all()
    assert torch.equal(with_examples[:, :2], without[:, :2])


def test_masked_entries_are_0_and_the_others_stay() -> None:
    """Each entry, of numbers and categories alike, is blanked with the rate, apart."""
    rows = torch.full((4_000, 5), 2.0)
    found = FeatureMasking(rate=0.3).bind(INPUTS)(rows, _generator(), None)
    masked = found == 0
    assert torch.equal(found[~masked], rows[~masked])
    for column in masked.T:
        assert stats.binomtest(int(column.sum()), 4_000, 0.3).pvalue > 1e-3
    assert stats.binomtest(int(masked[:, :2].all(1).sum()), 4_000, 0.09).pvalue > 1e-3


# Swap


def test_swapped_columns_keep_the_training_marginals(assets: Path) -> None:
    """On yeast with a made category, swapped entries follow each column's training values."""
    frame = _frame(assets / "yeast.csv")
    frame["site"] = np.where(frame["mcg"] > 0.5, "high", np.where(frame["gvh"] > 0.5, "mid", "low"))
    encoder = TableEncoder().fit(frame)
    examples = torch.from_numpy(encoder.transform(frame))
    inputs = TableInput(encoder.n_numeric, encoder.cardinalities)
    rows = torch.full((5_000, examples.shape[1]), 99.0)
    found = FeatureSwap(rate=1.0).bind(inputs, examples)(rows, _generator(), None)
    for swapped, trained in zip(found.T.numpy(), examples.T.numpy(), strict=True):
        values, expected = np.unique(trained, return_counts=True)
        assert np.isin(swapped, values).all()
        common = expected >= 20
        seen = np.array([(swapped == value).sum() for value in values])
        seen, expected = ([*n[common], n[~common].sum()] for n in (seen, expected))
        few = expected[-1] == 0
        seen, expected = (np.array(n[:-1] if few else n, dtype=float) for n in (seen, expected))
        assert stats.chisquare(seen, expected * 5_000 / len(trained)).pvalue > 1e-3


def test_entries_of_a_row_are_swapped_from_rows_of_their_own() -> None:
    """Columns that go together in training are drawn apart."""
    examples = torch.arange(10.0).view(-1, 1).expand(-1, 2)
    found = FeatureSwap(rate=1.0).bind(TableInput(2), examples)(
        torch.zeros(4_000, 2), _generator(), None
    )
    same = int((found[:, 0] == found[:, 1]).sum())
    assert stats.binomtest(same, 4_000, 0.1).pvalue > 1e-3


def test_without_examples_entries_come_from_the_batch() -> None:
    """Each column keeps to the values that the batch holds in it."""
    rows = torch.arange(5.0) + 10 * torch.arange(40.0).view(-1, 1)
    found = FeatureSwap(rate=0.5).bind(INPUTS)(rows, _generator(), None)
    assert torch.equal(found % 10, rows % 10)
    assert found.max() <= rows.max()
    assert not torch.equal(found, rows)


# Jitter


def _expected_move(value: float, examples: np.ndarray, shift: float) -> float:
    """Return the jittered value of a column without ties, by numpy."""
    rank = np.interp(value, np.sort(examples), np.linspace(0, 1, len(examples)))
    moved = np.quantile(examples, np.clip(rank + shift, 0, 1))
    return float(moved + value - np.clip(value, examples.min(), examples.max()))


@settings(deadline=None, derandomize=True, max_examples=40)
@given(seed=st.integers(0, 10**6), n=st.integers(2, 300), width=st.floats(0.01, 1))
def test_jitter_moves_along_the_empirical_quantiles(seed: int, n: int, width: float) -> None:
    """In columns without ties, in the range and out of it, moves are those of numpy's ranks."""
    generator = _generator(seed)
    examples = torch.randn(n, generator=generator).exp()
    values = torch.cat([examples[:5], 3 * torch.randn(15, generator=generator)])
    found = _jitter(values, examples, width, seed).double().numpy()
    shifts = width * (2 * torch.rand((len(values), 1), generator=_generator(seed))[:, 0] - 1)
    reference = examples.double().numpy()
    expected = [
        _expected_move(value, reference, shift)
        for value, shift in zip(values.double().tolist(), shifts.double().tolist(), strict=True)
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


def test_jitter_by_hand() -> None:
    """From rank 1/4, moves of at most 1/4 end between the neighbours, and reach them."""
    examples = torch.tensor([0.0, 1.0, 10.0, 100.0, 1000.0])
    found = _jitter(torch.ones(4_000), examples, 0.25)
    assert 0 <= found.min() < 0.01
    assert 9.9 < found.max() <= 10
    assert stats.binomtest(int((found > 1).sum()), 4_000).pvalue > 1e-3
    assert stats.kstest(found[found < 1].numpy(), "uniform").pvalue > 1e-3
    assert stats.kstest((found[found > 1].numpy() - 1) / 9, "uniform").pvalue > 1e-3


@settings(deadline=None, derandomize=True, max_examples=40)
@given(
    seed=st.integers(0, 10**6),
    shift=st.floats(-1, 1),
    examples=st.lists(st.integers(-5, 5).map(float), min_size=1, max_size=40),
)
def test_a_common_move_keeps_the_order(seed: int, shift: float, examples: list[float]) -> None:
    """Numbers moved by the same rank never change places, whatever the ties and the range."""
    column = torch.tensor(examples)
    values = torch.cat([column, 12 * torch.rand(30, generator=_generator(seed)) - 6])
    values = values.sort().values
    moved = Ranks(column.view(-1, 1)).shifted(values.view(1, -1), torch.tensor(shift))[0]
    assert (moved.diff() >= -1e-5).all()
    assert ((moved - values) * np.sign(shift) >= -1e-5).all()


def test_spikes_stay_and_ranges_are_kept() -> None:
    """A value that most rows share does not move; the others stay in the range and may join it."""
    examples = torch.cat([torch.zeros(60), torch.linspace(1, 5, 40)])
    assert torch.equal(_jitter(torch.zeros(500), examples, 0.05), torch.zeros(500))
    found = _jitter(torch.linspace(1, 5, 2_000), examples, 0.05)
    assert found.min() == 0
    assert found.max() == 5
    out = _jitter(torch.full((1_000,), 7.0), examples, 0.05)
    assert out.max() == 7
    assert 6.4 < out.min() < 7


def test_ties_have_the_rank_in_their_middle() -> None:
    """Five equal values of nine have the middle rank: the same way down and up to their ends."""
    ranks = Ranks(torch.tensor([0.0, 1.0, 2.0, 2.0, 2.0, 2.0, 2.0, 3.0, 4.0]).view(-1, 1))
    moves = torch.tensor([[-4.0, -3.0, -2.0, -1.0, 1.0, 2.0, 2.5, 3.0, 4.0]]) / 8
    found = ranks.shifted(torch.full((1, 9), 2.0), moves)[0].tolist()
    assert found == [0.0, 1.0, 2.0, 2.0, 2.0, 2.0, 2.5, 3.0, 4.0]


def test_a_column_of_one_value_stays() -> None:
    """Training values that are all the same give no move, in place or away from it."""
    values = torch.tensor([2.5, 2.0, 3.0])
    for n in 1, 7:
        assert torch.equal(_jitter(values, torch.full((n,), 2.5), 0.5), values)


def test_the_rate_of_jitter_is_a_chance_of_each_number() -> None:
    """Numbers that are not chosen stay exactly."""
    rows = _rows(3_000)
    changed = QuantileJitter(rate=0.25).bind(INPUTS, rows)(rows, _generator(), None) != rows
    assert stats.binomtest(int(changed[:, :2].sum()), 6_000, 0.25).pvalue > 1e-3
    assert not changed[:, 2:].any()


def test_jitter_of_a_large_table_is_bounded_in_rank(assets: Path) -> None:
    """On shuttle (58,000 rows, many ties), kept quantiles do for the ranks of all rows."""
    frame = _frame(assets / "shuttle.csv")
    encoder = TableEncoder().fit(frame)
    examples = torch.from_numpy(encoder.transform(frame))
    inputs = TableInput(encoder.n_numeric, encoder.cardinalities)
    rows = examples[::29]
    found = QuantileJitter(width=0.05).bind(inputs, examples)(rows, _generator(), None)
    assert (found != rows).float().mean() > 0.3
    for moved, column, trained in zip(found.T, rows.T, examples.T, strict=True):
        ordered = trained.sort().values.numpy()
        low, high, least, most = (
            np.searchsorted(ordered, values.numpy(), side=side) / len(ordered)
            for values in (column, moved)
            for side in ("left", "right")
        )
        # Between the ends of ties, a move of 0.05 and two steps of the kept quantiles.
        assert ((least <= high + 0.052) & (most >= low - 0.052)).all()
        assert ordered[0] <= moved.min()
        assert moved.max() <= ordered[-1]
