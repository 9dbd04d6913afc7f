"""Laws of mixing: who is mixed with whom, how much, and what the targets become."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor
from torch.nn import functional as F
from torchvision.transforms import v2

from equipoise.errors import InputError
from equipoise.spec import resolve
from equipoise.standard.mixing import (
    MIXINGS,
    CutMix,
    Mixing,
    Mixture,
    Mixup,
    beta_shares,
    outside_boxes,
)

BOTH = [Mixup, CutMix]


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _images(n: int, height: int = 6, width: int = 5, channels: int = 3) -> Tensor:
    pixels = torch.randint(256, (n, height, width, channels), generator=_generator(7))
    return pixels.to(torch.uint8).permute(0, 3, 1, 2)


def _rows(n: int, n_numeric: int = 3, n_categorical: int = 2) -> Tensor:
    numbers = torch.randn((n, n_numeric), generator=_generator(8))
    codes = torch.randint(5, (n, n_categorical), generator=_generator(9))
    return torch.cat([numbers, codes.float()], dim=1)


def _batch(kind: str, n: int) -> tuple[Tensor, int | None]:
    return (_images(n), None) if kind == "images" else (_rows(n), 3)


def _mixture(mixing: Mixing, share: float, inputs: Tensor, n_numeric: int | None) -> Mixture:
    """Return the mixture of a given share in which each example follows its partner."""
    drawn = torch.tensor([share], dtype=torch.float64)
    real, kept = mixing.pattern(drawn, inputs.shape, n_numeric, _generator())
    partners = torch.arange(len(inputs)).roll(1)
    return Mixture(partners=partners, share=real.float().expand(len(inputs)), kept=kept)


# Shares


@pytest.mark.parametrize("alpha", [0.1, 0.4, 1.0, 5.0])
def test_shares_follow_the_beta_distribution(alpha: float) -> None:
    """Below 1/2, where no rounding towards 1 hides the tail, Kolmogorov and Smirnov find no
    difference from scipy's distribution; above, the mirror image; and the halves are equal.
    """
    n, reference = 20_000, stats.beta(alpha, alpha)
    shares = beta_shares(alpha, n, _generator()).numpy()
    low = shares[shares < 0.5]
    assert stats.kstest(low, lambda share: 2 * reference.cdf(share)).pvalue > 1e-3
    assert stats.binomtest(len(low), n).pvalue > 1e-3
    edges = reference.ppf(np.linspace(0.5, 0.95, 10))
    upper = np.histogram(shares, bins=[*edges, 1.0])[0]
    assert stats.chisquare(upper).pvalue > 1e-3


@pytest.mark.parametrize("alpha", [1e-320, 1e-6, 1e6, 1e300])
def test_extreme_alphas_give_shares_from_0_to_1(alpha: float) -> None:
    """A tiny alpha decides for one of the two, a huge one for half and half; nothing is NaN."""
    shares = beta_shares(alpha, 2_000, _generator())
    assert ((shares >= 0) & (shares <= 1)).all()
    assert abs(shares.mean() - 0.5) < 0.06
    assert (shares - 0.5).abs().min() > 0.49 or (shares - 0.5).abs().max() < 0.01


@pytest.mark.parametrize("alpha", [0.4, 1.0])
def test_drawn_shares_of_examples_follow_alpha(alpha: float) -> None:
    """`draw` hands on the distribution of the shares, one for each example."""
    inputs = torch.zeros(5_000, 1)
    share = Mixup(alpha=alpha, per="sample").draw(inputs, _generator(), 1).share
    edges = stats.beta(alpha, alpha).ppf(np.linspace(0, 1, 11))
    seen = np.histogram(share.double().numpy(), bins=edges)[0]
    assert seen.sum() == 5_000
    assert stats.chisquare(seen).pvalue > 1e-3


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("modality", ["images", "table"])
def test_a_batch_has_one_share_and_examples_their_own(kind: type[Mixing], modality: str) -> None:
    """`per` says how many shares are drawn: one for the batch or one for each example."""
    inputs, n_numeric = _batch(modality, 40)
    together = kind(probability=1.0).draw(inputs, _generator(1), n_numeric)
    apart = kind(probability=1.0, per="sample").draw(inputs, _generator(1), n_numeric)
    assert len(together.share.unique()) == 1
    assert len(apart.share.unique()) > 4
    assert together.share.shape == apart.share.shape == (40,)


def test_probability_is_the_chance_to_be_mixed() -> None:
    """Of many examples, and of many batches, about this part gets a share below 1."""
    inputs = torch.zeros(4_000, 1)
    mixing = Mixup(probability=0.3, alpha=1.0, per="sample")
    mixed = int((mixing.draw(inputs, _generator(), 1).share < 1).sum())
    assert stats.binomtest(mixed, 4_000, 0.3).pvalue > 1e-3
    generator, mixing = _generator(), Mixup(probability=0.3, alpha=1.0)
    drawn = [mixing.draw(inputs[:2], generator, 1).share[0] < 1 for _ in range(300)]
    assert stats.binomtest(sum(map(int, drawn)), 300, 0.3).pvalue > 1e-3


def test_partners_are_a_uniform_permutation() -> None:
    """Each of the six permutations of three examples is equally likely."""
    generator, inputs = _generator(), torch.zeros(3, 1)
    drawn = [tuple(Mixup().draw(inputs, generator, 1).partners.tolist()) for _ in range(600)]
    seen = [drawn.count(each) for each in set(drawn)]
    assert len(seen) == 6
    assert stats.chisquare(seen).pvalue > 1e-3


@pytest.mark.parametrize("kind", BOTH)
def test_the_generator_is_the_only_source_of_randomness(kind: type[Mixing]) -> None:
    """The same seed gives the same mixture, another one another, and torch's own is untouched."""
    images, state = _images(20), torch.get_rng_state()
    mixing = kind(probability=1.0, per="sample")
    first, again, other = (mixing.draw(images, _generator(s), None) for s in (1, 1, 2))
    assert torch.equal(first.inputs(images), again.inputs(images))
    assert torch.equal(first.share, again.share)
    assert not torch.equal(first.share, other.share)
    assert torch.equal(torch.get_rng_state(), state)


# Images


@settings(deadline=None, derandomize=True, max_examples=40)
@given(seed=st.integers(0, 10**6), height=st.integers(1, 9), width=st.integers(1, 9))
def test_cutmix_is_that_of_torchvision(seed: int, height: int, width: int) -> None:
    """With the share and the centre that torchvision draws, images and targets are the same."""
    images, labels = _images(4, height, width), torch.tensor([0, 1, 2, 0])
    reference = v2.CutMix(num_classes=3)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        expected, targets = reference(images, labels)
        torch.manual_seed(seed)
        share = torch.distributions.Dirichlet(torch.ones(2)).sample()[:1]
        column, row = torch.randint(width, (1,)), torch.randint(height, (1,))
    kept = outside_boxes(share.double(), row, column, (height, width))
    real = kept.float().mean().expand(4)
    mixture = Mixture(partners=torch.arange(4).roll(1), share=real, kept=kept)
    assert torch.equal(mixture.inputs(images), expected)
    torch.testing.assert_close(mixture.values(F.one_hot(labels, 3).float()), targets)


@settings(deadline=None, derandomize=True, max_examples=20)
@given(seed=st.integers(0, 10**6))
def test_mixup_is_that_of_torchvision(seed: int) -> None:
    """With the share that torchvision draws, images and targets are the same."""
    images, labels = _images(4).float(), torch.tensor([0, 1, 2, 0])
    reference = v2.MixUp(alpha=0.4, num_classes=3)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        share = reference.make_params([])["lam"]
        torch.manual_seed(seed)
        expected, targets = reference(images, labels)
    mixture = _mixture(Mixup(), share, images, None)
    torch.testing.assert_close(mixture.inputs(images), expected)
    torch.testing.assert_close(mixture.values(F.one_hot(labels, 3).float()), targets)


@pytest.fixture(scope="module")
def photographs(assets: Path) -> np.ndarray:
    """Thirty-two images of CIFAR-10."""
    with np.load(assets / "cifar10.npz", allow_pickle=False) as archive:
        return archive["test_images"][:32]


@pytest.mark.parametrize("per", ["batch", "sample"])
def test_mixup_of_photographs_is_the_formula(photographs: np.ndarray, per: str) -> None:
    """On CIFAR-10, bytes become the float32 sums that numpy computes, from 0 to 255."""
    pixels = photographs
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2)
    mixture = Mixup(per=per).draw(images, _generator(), None)
    share = mixture.share.double().numpy()[:, None, None, None]
    partners = pixels[mixture.partners.numpy()].astype(float)
    found = mixture.inputs(images)
    assert found.dtype == torch.float32
    assert 0 <= found.min() <= found.max() <= 255
    expected = share * pixels + (1 - share) * partners
    np.testing.assert_allclose(found.permute(0, 2, 3, 1), expected, atol=1e-3)


@pytest.mark.parametrize("per", ["batch", "sample"])
def test_the_share_of_cutmix_is_the_part_of_the_pixels_that_stay(per: str) -> None:
    """Each image of one colour keeps as much of it as the share says; bytes stay bytes."""
    images = torch.arange(50, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 3, 7, 8)
    mixture = CutMix(probability=1.0, per=per).draw(images, _generator(1), None)
    found = mixture.inputs(images)
    stays = found == images
    others = mixture.partners != torch.arange(50)
    assert found.dtype == torch.uint8
    assert torch.equal(found[~stays], images[mixture.partners][~stays])
    torch.testing.assert_close(stays.float().mean((1, 2, 3))[others], mixture.share[others])
    assert mixture.share.min() < 1


def test_centres_of_boxes_are_uniform() -> None:
    """Each of the 36 pixels is equally likely to be the centre, corners too."""
    n, share = 7_200, 1 - (2.5 / 6) ** 2  # boxes of two by two pixels
    shares = torch.full((n,), share, dtype=torch.float64)
    kept = CutMix().pattern(shares, torch.Size((n, 3, 6, 6)), None, _generator())[1][:, 0]
    positions = torch.arange(6)
    bottom = ((~kept).any(2) * positions).amax(1)
    right = ((~kept).any(1) * positions).amax(1)
    seen = torch.bincount(6 * bottom + right, minlength=36)
    assert stats.chisquare(seen.numpy()).pvalue > 1e-3


@pytest.mark.parametrize("kind", BOTH)
def test_memory_stays_channels_last(kind: type[Mixing]) -> None:
    """Mixed images lie in memory as the network wants them."""
    images = _images(4)
    found = kind(probability=1.0).draw(images, _generator(), None).inputs(images)
    assert found.is_contiguous(memory_format=torch.channels_last)


# Tables


def test_mixup_of_rows_by_hand() -> None:
    """Numbers are interpolated; codes are one of the two, and the share of the target stays."""
    rows = torch.tensor([[0.0, 8.0, 1.0, 2.0], [4.0, 0.0, 3.0, 4.0]])
    mixture = _mixture(Mixup(), 0.75, rows, 2)
    found = mixture.inputs(rows)
    assert torch.equal(found[:, :2], torch.tensor([[1.0, 6.0], [3.0, 2.0]]))
    assert ((found == rows) | (found == rows.flip(0)))[:, 2:].all()
    assert mixture.values(torch.eye(2)).tolist() == [[0.75, 0.25], [0.25, 0.75]]
    assert mixture.values(torch.tensor([1.0, 3.0])).tolist() == [1.5, 2.5]


def test_mixup_keeps_a_category_as_often_as_the_share_says() -> None:
    """The chance of the own code is the share, in every column and example apart."""
    rows = torch.arange(2_000.0)[:, None].expand(-1, 3)
    mixture = _mixture(Mixup(), 0.8, rows, 1)
    own = mixture.inputs(rows)[:, 1:] == rows[:, 1:]
    for column in own.T:
        assert stats.binomtest(int(column.sum()), 2_000, 0.8).pvalue > 1e-3
    both = int(own.all(1).sum())
    assert stats.binomtest(both, 2_000, 0.8**2).pvalue > 1e-3


@pytest.mark.parametrize("per", ["batch", "sample"])
def test_cutmix_of_rows_takes_whole_columns(per: str) -> None:
    """Each entry is the own or the partner's, and the share counts the own ones."""
    rows = torch.arange(30.0)[:, None] + torch.arange(8) / 8
    mixture = CutMix(probability=1.0, per=per).draw(rows, _generator(3), 5)
    found, others = mixture.inputs(rows), rows[mixture.partners]
    own = found == rows
    assert torch.equal(found[~own], others[~own])
    apart = mixture.partners != torch.arange(30)
    torch.testing.assert_close(own.float().mean(1)[apart], mixture.share[apart])
    patterns = len({tuple(row.tolist()) for row in own[apart]})
    assert patterns == 1 if per == "batch" else patterns > 10


def test_cutmix_takes_a_column_as_often_as_the_share_leaves() -> None:
    """The chance of the partner's column is one less the drawn share."""
    rows = torch.zeros(1, 5_000)
    kept = CutMix().pattern(torch.tensor([0.7]).double(), rows.shape, 10, _generator())[1]
    assert stats.binomtest(int((~kept).sum()), 5_000, 0.3).pvalue > 1e-3


# Both


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("per", ["batch", "sample"])
@pytest.mark.parametrize("modality", ["images", "table"])
def test_all_views_of_a_batch_are_mixed_alike(kind: type[Mixing], per: str, modality: str) -> None:
    """Mixing commutes with a change that all examples share: same boxes, codes and parts."""
    inputs, n_numeric = _batch(modality, 12)
    view = inputs.float() + 1_000
    mixture = kind(probability=1.0, per=per).draw(inputs, _generator(5), n_numeric)
    expected = mixture.inputs(inputs).float() + 1_000
    torch.testing.assert_close(mixture.inputs(view), expected, atol=1e-3, rtol=0)


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("per", ["batch", "sample"])
@pytest.mark.parametrize("modality", ["images", "table"])
def test_no_probability_changes_no_bit(kind: type[Mixing], per: str, modality: str) -> None:
    """Switched off, inputs, targets and weights are as they were, and of the same type."""
    inputs, n_numeric = _batch(modality, 9)
    mixture = kind(probability=0.0, per=per).draw(inputs, _generator(), n_numeric)
    targets, weights = torch.rand(9, 4, generator=_generator()), torch.rand(9)
    assert mixture.inputs(inputs).dtype == inputs.dtype
    assert torch.equal(mixture.inputs(inputs), inputs)
    assert torch.equal(mixture.values(targets), targets)
    assert torch.equal(mixture.values(weights), weights)
    assert torch.equal(mixture.share, torch.ones(9))


@pytest.mark.parametrize("kind", BOTH)
def test_a_share_of_1_changes_no_bit_whatever_the_partner(kind: type[Mixing]) -> None:
    """Rows that keep everything keep even minus zero, and beside a partner of NaN."""
    rows = torch.full((60, 3), float("nan"))
    rows[::2] = -0.0
    mixture = kind(alpha=1e-320, probability=1.0, per="sample").draw(rows, _generator(), 2)
    kept = mixture.share == 1
    assert 10 < int(kept.sum()) < 50
    found = mixture.inputs(rows)
    assert torch.equal(found[kept].view(torch.int32), rows[kept].view(torch.int32))
    targets = torch.rand(60, 4, generator=_generator())
    assert torch.equal(mixture.values(targets)[kept], targets[kept])


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("modality", ["images", "table"])
def test_a_batch_of_one_is_mixed_with_itself(kind: type[Mixing], modality: str) -> None:
    """The only possible partner is the example itself, so nothing changes but rounding."""
    inputs, n_numeric = _batch(modality, 1)
    mixture = kind(probability=1.0).draw(inputs, _generator(), n_numeric)
    assert mixture.partners.tolist() == [0]
    torch.testing.assert_close(mixture.inputs(inputs).float(), inputs.float())
    torch.testing.assert_close(mixture.values(torch.tensor([[0.2, 0.8]])).sum(), torch.tensor(1.0))


@settings(deadline=None, derandomize=True, max_examples=60)
@given(
    seed=st.integers(0, 10**6),
    alpha=st.floats(1e-3, 1e3),
    n=st.integers(1, 9),
    kind=st.sampled_from(BOTH),
    per=st.sampled_from(["batch", "sample"]),
    modality=st.sampled_from(["images", "table"]),
)
def test_mixed_targets_sum_to_1(
    seed: int, alpha: float, n: int, kind: type[Mixing], per: str, modality: str
) -> None:
    """Targets stay probabilities, and each is that of the example and its partner only."""
    inputs, n_numeric = _batch(modality, n)
    mixture = kind(alpha=alpha, per=per).draw(inputs, _generator(seed), n_numeric)
    targets = torch.rand((n, 4), generator=_generator(seed)).softmax(dim=1)
    mixed = mixture.values(targets)
    assert (mixed >= 0).all()
    torch.testing.assert_close(mixed.sum(1), torch.ones(n))
    first, second = mixture.values(torch.eye(n)), torch.eye(n)[mixture.partners]
    expected = mixture.share[:, None] * torch.eye(n) + (1 - mixture.share[:, None]) * second
    torch.testing.assert_close(first, expected)


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("modality", ["images", "table"])
def test_the_input_is_left_alone(kind: type[Mixing], modality: str) -> None:
    """Mixing works on a copy."""
    inputs, n_numeric = _batch(modality, 8)
    before = inputs.clone()
    mixture = kind(probability=1.0, per="sample").draw(inputs, _generator(), n_numeric)
    mixture.inputs(inputs).zero_()
    assert torch.equal(inputs, before)


@pytest.mark.parametrize("bad", [{"alpha": 0.0}, {"probability": 1.5}, {"per": "class"}])
@pytest.mark.parametrize("kind", BOTH)
def test_values_out_of_bounds_are_refused(kind: type[Mixing], bad: dict) -> None:
    """No share can be drawn with an alpha of 0, a chance is at most 1, and `per` is one of two."""
    with pytest.raises(InputError, match=next(iter(bad))):
        kind(**bad).validate()


def test_every_mixing_is_read_from_its_text() -> None:
    """The name in a configuration is the name of the class, and its text is read back."""
    for name, kind in MIXINGS.items():
        text = repr(kind(alpha=0.25, per="sample"))
        assert text == f"{name}(alpha=0.25, per='sample')"
        assert repr(resolve(text, MIXINGS, "mixing")) == text
