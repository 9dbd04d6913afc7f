"""Laws of batches as a step sees them: views, mixtures and targets do not disturb each other."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from equipoise.assembly import Assembly, Batch, rarity, view_transforms
from equipoise.batches import Examples, Source
from equipoise.errors import InputError
from equipoise.seeds import derive_seed
from equipoise.specialized.mixing import CMO
from equipoise.standard.augmentation import CropFlip
from equipoise.standard.augmentation.tables import FeatureSwap
from equipoise.standard.backbones import ImageInput, TableInput
from equipoise.standard.mixing import CutMix, Mixing, Mixup
from equipoise.standard.self_supervision import SCARF, VICReg
from equipoise.standard.smoothing import ClassConditional

N, CLASSES = 12, 3
RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(256, size=(N, 8, 8, 3), dtype=np.uint8)
ROWS = RANDOM.standard_normal((N, 5)).astype(np.float32)
CODES = np.arange(N) % CLASSES
COUNTS = torch.tensor([100.0, 10.0, 1.0])
RATES = ClassConditional(head=0.0, tail=0.3).rates(COUNTS)
ALL = np.arange(N)

IMAGE_INPUT = ImageInput(8, 8, 3, (0.5,) * 3, (0.25,) * 3)
TABLE_INPUT = TableInput(5, ())


def _assembly(*transforms: Any, mixing: Mixing | None = None, **others: Any) -> Assembly:
    given = {
        "transforms": transforms or (None,),
        "mixing": mixing,
        "n_numeric": None,
        "rates": RATES,
        "counts": COUNTS,
        "seed": 3,
        "device": "cpu",
    }
    return Assembly(**{**given, **others})


def _images(weights: np.ndarray | None = None) -> Examples:
    return Examples(Source(IMAGES, ALL), CODES, weights)


def _rows() -> Examples:
    return Examples(Source(ROWS, ALL), CODES)


def test_rarity_is_the_place_between_the_largest_and_the_smallest_class() -> None:
    """Along the logarithm of the count; classes of equal size are all common."""
    counts = torch.tensor([500.0, 20.0, 3.0, 47.0])
    by_hand = [math.log(500 / n) / math.log(500 / 3) for n in (500, 20, 3, 47)]
    assert rarity(counts).tolist() == pytest.approx(by_hand)
    assert rarity(torch.full((3,), 7.0)).tolist() == [0, 0, 0]


@dataclass(eq=False, repr=False, kw_only=True)
class Notes(CropFlip):
    """An augmentation that notes what it is given."""

    def __call__(
        self, images: Tensor, generator: torch.Generator, rarity: Tensor | None = None
    ) -> Tensor:
        """Return augmented images."""
        self.__dict__.setdefault("seen", []).append((generator.initial_seed(), rarity))
        return super().__call__(images, generator, rarity)


def test_each_view_has_a_stream_of_its_own_and_the_rarity_of_each_example() -> None:
    """Views draw by the name of their number and step; rarity goes by the example's class."""
    notes = Notes(padding=2)
    positions = np.array([2, 0, 7, 1])
    batch = _assembly(notes, notes).batch(_images(), positions, 5)
    seen = vars(notes)["seen"]
    assert [seed for seed, _ in seen] == [derive_seed(3, "augmentation", i, 5) for i in (0, 1)]
    for _, given in seen:
        assert given.tolist() == [1.0, 0.0, 0.5, 0.5]
    assert not torch.equal(*batch.views)


def test_steps_and_seeds_draw_anew_and_the_same_again() -> None:
    """A batch is told by seed, step and rank alone."""
    crop = CropFlip(padding=2)

    def view(*names: int, seed: int = 3) -> Tensor:
        return _assembly(crop, seed=seed).batch(_images(), ALL, *names).views[0]

    assert torch.equal(view(1), view(1))
    others = [view(2), view(1, 1), view(1, seed=4)]
    assert not any(torch.equal(view(1), other) for other in others)


@pytest.mark.parametrize("mixing", [Mixup(), CutMix(probability=1.0)])
def test_mixing_and_a_second_view_leave_the_first_view_alone(mixing: Mixing) -> None:
    """The first view, before mixing, is the same to the bit with and without them."""
    crop = CropFlip(padding=2)
    alone = _assembly(crop).batch(_images(), ALL, 0)
    both = _assembly(crop, crop).batch(_images(), ALL, 0)
    assert torch.equal(alone.views[0], both.views[0])
    mixed = _assembly(crop, crop, mixing=mixing).batch(_images(), ALL, 0)
    generator = torch.Generator().manual_seed(derive_seed(3, "mixing", 0))
    mixture = mixing.draw(alone.views[0], generator, None)
    for found, plain in zip(mixed.views, both.views, strict=True):
        assert torch.equal(found, mixture.inputs(plain))
    assert not torch.equal(mixed.views[0], alone.views[0])
    assert torch.equal(mixed.labels, alone.labels)


@pytest.mark.parametrize("per", ["batch", "sample"])
def test_mixed_targets_and_shares_are_distributions(per: str) -> None:
    """Rows sum to one; shares are one-hot where nothing is mixed."""
    plain = _assembly().batch(_images(), ALL, 0)
    assert torch.equal(plain.shares, F.one_hot(torch.from_numpy(CODES), CLASSES).float())
    batch = _assembly(mixing=Mixup(alpha=1.0, per=per)).batch(_images(), ALL, 0)
    for values in batch.targets, batch.shares:
        torch.testing.assert_close(values.sum(dim=1), torch.ones(N))
        assert values.min() >= 0
    assert ((batch.shares > 0).sum(dim=1) == 2).any()


def test_weights_are_mixed_like_targets() -> None:
    """A blend weighs as its halves do, and each half counts in its target by its own weight."""
    weights = np.linspace(0.5, 1.5, N)
    mixing = Mixup(alpha=1.0, per="sample")
    batch = _assembly(mixing=mixing).batch(_images(weights), ALL, 0)
    generator = torch.Generator().manual_seed(derive_seed(3, "mixing", 0))
    mixture = mixing.draw(batch.views[0], generator, None)
    share, partners = mixture.share.double().numpy(), mixture.partners.numpy()
    by_hand = share * weights + (1 - share) * weights[partners]
    assert batch.weights is not None
    assert batch.weights.numpy() == pytest.approx(by_hand, rel=1e-6)
    codes = np.eye(CLASSES)[CODES]
    own, other = share * weights, (1 - share) * weights[partners]
    weighted = own[:, None] * codes + other[:, None] * codes[partners]
    assert (batch.weights[:, None] * batch.shares).numpy() == pytest.approx(weighted, abs=1e-6)
    torch.testing.assert_close(batch.shares.sum(dim=1), torch.ones(N))


def test_mixed_targets_are_the_mean_of_smoothed_ones() -> None:
    """Each of the two is smoothed by the rate of its own class, then they are blended."""
    mixing = Mixup(alpha=1.0)
    batch = _assembly(mixing=mixing).batch(_images(), ALL, 0)
    generator = torch.Generator().manual_seed(derive_seed(3, "mixing", 0))
    mixture = mixing.draw(batch.views[0], generator, None)
    rates = np.array([0.0, 0.15, 0.3])
    smooth = (1 - rates[CODES, None]) * np.eye(CLASSES)[CODES] + rates[CODES, None] / CLASSES
    share = mixture.share.double().numpy()[:, None]
    by_hand = share * smooth + (1 - share) * smooth[mixture.partners.numpy()]
    assert batch.targets.numpy() == pytest.approx(by_hand, abs=1e-6)
    assert 0.05 < share[0, 0] < 0.95


@pytest.mark.parametrize("n", [1, 2, 5, 12, 40])
@pytest.mark.parametrize("weights", [None, np.arange(1.0, N + 1)])
def test_pieces_cover_the_batch(n: int, weights: np.ndarray | None) -> None:
    """Joined they are the batch, in order; sizes differ by one at most; none is empty."""
    crop = CropFlip(padding=2)
    batch = _assembly(crop, crop, mixing=Mixup()).batch(_images(weights), ALL, 0)
    pieces = list(batch.split(n))
    sizes = [len(piece) for piece in pieces]
    assert len(pieces) == min(n, N)
    assert max(sizes) - min(sizes) <= 1
    assert min(sizes) >= 1
    for name in "targets", "labels", "shares":
        joined = torch.cat([getattr(piece, name) for piece in pieces])
        assert torch.equal(joined, getattr(batch, name))
    for i in 0, 1:
        assert torch.equal(torch.cat([piece.views[i] for piece in pieces]), batch.views[i])
    if weights is not None:
        joined = torch.cat([_weights(piece) for piece in pieces])
        assert torch.equal(joined, _weights(batch))


def _weights(batch: Batch) -> Tensor:
    assert batch.weights is not None
    return batch.weights


def test_the_second_view_of_a_table_is_corrupted_and_the_first_is_not() -> None:
    """Without an augmentation the first view is the row itself; each value of the second is one
    of its column.
    """
    shown = torch.from_numpy(ROWS)
    transforms = view_transforms(None, SCARF(corruption=0.5), TABLE_INPUT, shown)
    first, second = _assembly(*transforms, n_numeric=5).batch(_rows(), ALL, 0).views
    assert np.array_equal(first.numpy(), ROWS)
    changed = (second != first).numpy()
    assert 0.3 < changed.mean() < 0.7
    for column in range(5):
        assert np.isin(second[:, column].numpy(), ROWS[:, column]).all()


def test_the_first_view_of_a_table_is_augmented_as_without_a_second() -> None:
    """The run's own augmentation acts on the first view; the second is made from the row."""
    shown, swap = torch.from_numpy(ROWS), FeatureSwap(rate=0.5)
    alone = view_transforms(swap, None, TABLE_INPUT, shown)
    both = view_transforms(swap, VICReg(corruption=0.5), TABLE_INPUT, shown)
    assert (len(alone), len(both)) == (1, 2)
    views = [_assembly(*each, n_numeric=5).batch(_rows(), ALL, 0).views for each in (alone, both)]
    assert torch.equal(views[0][0], views[1][0])
    assert not torch.equal(views[1][0], views[1][1])


def test_views_of_images_need_an_augmentation() -> None:
    """Without one both views would be the same picture; the message says what to give."""
    with pytest.raises(InputError, match="--augmentation"):
        view_transforms(None, VICReg(), IMAGE_INPUT, None)
    found = view_transforms(CropFlip(), VICReg(), IMAGE_INPUT, None)
    assert found[0] is found[1]
    assert view_transforms(None, None, IMAGE_INPUT, None) == (None,)


def test_a_loss_for_tables_is_refused_for_images() -> None:
    """SCARF swaps columns, which images have not."""
    with pytest.raises(InputError, match="images"):
        view_transforms(CropFlip(), SCARF(), IMAGE_INPUT, None)


def test_mixing_that_never_mixes_changes_nothing() -> None:
    """With probability 0 the batch is that without mixing, to the bit and the type."""
    crop, examples = CropFlip(padding=2), _images(np.linspace(0.5, 1.5, N))
    plain = _assembly(crop).batch(examples, ALL, 0)
    for mixing in Mixup(probability=0.0), CutMix(probability=0.0):
        mixed = replace(_assembly(crop), mixing=mixing).batch(examples, ALL, 0)
        assert mixed.views[0].dtype == torch.uint8
        assert torch.equal(mixed.views[0], plain.views[0])
        assert torch.equal(mixed.targets, plain.targets)
        assert torch.equal(_weights(mixed), _weights(plain))


@pytest.mark.parametrize("kind", ["images", "table"])
def test_foreign_partners_are_whole_training_examples(kind: str) -> None:
    """By hand, from the streams by name: inputs, targets, shares and weights of partners that
    were drawn from all examples, smoothed and augmented like those of the batch, but anew.
    """
    weights, positions = np.linspace(0.5, 1.5, N), np.array([0, 3, 6, 9])
    images = kind == "images"
    crop = (CropFlip(padding=2),) if images else ()
    examples = _images(weights) if images else Examples(Source(ROWS, ALL), CODES, weights)
    mixing = CMO(probability=1.0, per="sample", power=1.5)
    assembly = _assembly(*crop, mixing=mixing, n_numeric=None if images else 5)
    batch = assembly.batch(examples, positions, 4)

    def stream(*names: str | int) -> torch.Generator:
        return torch.Generator().manual_seed(derive_seed(3, *names))

    plain = _assembly(*crop, n_numeric=assembly.n_numeric)
    own = plain.batch(examples, positions, 4)
    drawn = examples.draw(mixing.partner_shares(COUNTS), 4, stream("partners", 4))
    mixture = mixing.draw(own.views[0], stream("mixing", 4), assembly.n_numeric)
    foreign = drawn[mixture.partners.numpy()]
    views = examples.source.take(drawn)
    if images:
        rarities = rarity(COUNTS)[CODES[drawn]]
        views = CropFlip(padding=2)(views, stream("augmentation of partners", 0, 4), rarities)
    assert mixture.kept is not None
    expected = torch.where(mixture.kept, own.views[0], views[mixture.partners])
    assert torch.equal(batch.views[0], expected)
    share = mixture.share.double().numpy()
    mine, theirs = share * weights[positions], (1 - share) * weights[foreign]
    assert _weights(batch).numpy() == pytest.approx(mine + theirs, rel=1e-6)
    codes = np.eye(CLASSES)
    blended = mine[:, None] * codes[CODES[positions]] + theirs[:, None] * codes[CODES[foreign]]
    assert (_weights(batch)[:, None] * batch.shares).numpy() == pytest.approx(blended, abs=1e-6)
    torch.testing.assert_close(batch.targets.sum(dim=1), torch.ones(4))
    assert torch.equal(batch.labels, own.labels)
    assert set(foreign.tolist()) - set(positions.tolist())


def test_nobody_is_drawn_where_nothing_is_mixed() -> None:
    """With probability 0 a batch with foreign partners is that without mixing, to the bit."""
    crop, examples = CropFlip(padding=2), _images(np.linspace(0.5, 1.5, N))
    plain = _assembly(crop).batch(examples, ALL, 0)
    mixed = _assembly(crop, mixing=CMO(probability=0.0)).batch(examples, ALL, 0)
    assert torch.equal(mixed.views[0], plain.views[0])
    assert torch.equal(mixed.targets, plain.targets)
    assert torch.equal(_weights(mixed), _weights(plain))


@pytest.mark.parametrize("kind", ["images", "table"])
def test_targets_have_the_shares_that_the_mixing_tells(kind: str) -> None:
    """The mean over many batches of classes of 8, 3 and 1 examples."""
    codes = np.repeat([0, 1, 2], [8, 3, 1])
    counts, images = torch.tensor([8.0, 3.0, 1.0]), kind == "images"
    examples = Examples(Source(IMAGES if images else ROWS, ALL), codes)
    mixing = CMO(probability=0.8, per="sample", power=1.5)
    assembly = _assembly(mixing=mixing, counts=counts, n_numeric=None if images else 5)
    shares = [assembly.batch(examples, ALL, step).shares.double() for step in range(1500)]
    before, inputs = counts.double() / 12, IMAGE_INPUT if images else TABLE_INPUT
    expected = mixing.mean_shares(before, counts, inputs)
    found = torch.cat(shares).mean(dim=0)
    assert found.numpy() == pytest.approx(expected.numpy(), abs=0.008)
    assert expected[2] > 1.5 * before[2]
    assert abs(expected - mixing.mean_shares(before, counts, None)).max() > 0.02 or not images
