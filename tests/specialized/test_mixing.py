"""Laws of mixing by class size: who takes the target, who is a partner, and what stays."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare
from torch import Tensor
from torch.nn import functional as F

from equipoise.batches import Examples, Source
from equipoise.errors import InputError
from equipoise.spec import resolve
from equipoise.specialized.mixing import CMO, MIXINGS, Remix, mean_box
from equipoise.standard.mixing import CutMix, Mixture, Mixup

COUNTS = torch.tensor([1000.0, 300.0, 20.0])


def _mixture(share: Tensor, partners: Tensor) -> Mixture:
    return Mixture(partners=partners, share=share, kept=share.view(-1, 1, 1, 1))


def _by_the_paper(share: float, own: float, other: float, kappa: float, tau: float) -> float:
    """Return the label's share for one example, in the words of the paper's case distinction."""
    ratio = own / other
    if ratio >= kappa and share < tau:
        return 0.0
    if ratio <= 1 / kappa and 1 - share < tau:
        return 1.0
    return share


@settings(deadline=None, derandomize=True, max_examples=80)
@given(
    seed=st.integers(0, 10**6),
    kappa=st.sampled_from([1.0, 3.0, 4.0, 40.0]),
    tau=st.sampled_from([0.0, 0.3, 0.5, 0.8, 1.0]),
)
def test_shares_are_those_of_the_paper(seed: int, kappa: float, tau: float) -> None:
    """Example by example, of all pairs of classes, at either side of every bound."""
    generator = np.random.default_rng(seed)
    labels, partners = generator.integers(3, size=12), generator.permutation(12)
    share = generator.choice([0.0, 0.25, 0.5, 0.75, 0.875, 1.0], size=12)
    found = Remix(kappa=kappa, tau=tau).relabel(
        _mixture(torch.tensor(share, dtype=torch.float32), torch.tensor(partners)),
        torch.tensor(labels),
        COUNTS,
    )
    sizes = COUNTS.numpy()[labels]
    expected = [
        _by_the_paper(s, own, other, kappa, tau)
        for s, own, other in zip(share, sizes, sizes[partners], strict=True)
    ]
    torch.testing.assert_close(found.share, torch.tensor(expected, dtype=torch.float32))


def test_the_rare_class_takes_the_target_of_a_mostly_rare_mixture() -> None:
    """By hand: 40 % common and 60 % rare is all rare; 60 % common stays a blend."""
    labels, partners = torch.tensor([0, 2]), torch.tensor([1, 0])
    targets = F.one_hot(labels, 3).float()
    mostly_rare = _mixture(torch.tensor([0.4, 0.6]), partners)
    found = Remix().relabel(mostly_rare, labels, COUNTS).values(targets)
    torch.testing.assert_close(found, torch.tensor([[0.0, 0.0, 1.0], [0.0, 0.0, 1.0]]))
    mostly_common = _mixture(torch.tensor([0.6, 0.4]), partners)
    found = Remix().relabel(mostly_common, labels, COUNTS).values(targets)
    torch.testing.assert_close(found, torch.tensor([[0.6, 0.0, 0.4], [0.6, 0.0, 0.4]]))


def test_a_target_never_loses_to_a_commoner_class() -> None:
    """Over many batches, the rare class's mass rises and the common one's falls."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.multinomial(COUNTS, 200, replacement=True, generator=generator)
    targets, images = F.one_hot(labels, 3).float(), torch.zeros(200, 1, 2, 2)
    plain, moved = torch.zeros(3), torch.zeros(3)
    for _ in range(20):
        mixture = Remix().draw(images, generator, None)
        plain += mixture.values(targets).sum(dim=0)
        moved += Remix().relabel(mixture, labels, COUNTS).values(targets).sum(dim=0)
    assert moved[2] > 1.2 * plain[2]
    assert moved[0] < plain[0]


def test_inputs_are_mixed_as_in_mixup() -> None:
    """The same draw mixes the same inputs; relabelling does not touch them."""
    images = torch.arange(4 * 12).view(4, 3, 2, 2).to(torch.uint8)
    labels = torch.tensor([0, 2, 1, 2])
    mine = Remix(alpha=0.7).draw(images, torch.Generator().manual_seed(3), None)
    mixup = Mixup(alpha=0.7).draw(images, torch.Generator().manual_seed(3), None)
    relabelled = Remix(alpha=0.7).relabel(mine, labels, COUNTS)
    assert torch.equal(relabelled.inputs(images), mixup.inputs(images))
    assert torch.equal(relabelled.partners, mixup.partners)


@pytest.mark.parametrize(
    ("remix", "counts"),
    [(Remix(tau=0.0), COUNTS), (Remix(kappa=1e6), COUNTS), (Remix(), torch.full((3,), 50.0))],
)
def test_the_neutral_setting_is_mixup(remix: Remix, counts: Tensor) -> None:
    """No share is small enough, no class rare enough, or all are equally large."""
    images = torch.zeros(50, 1, 2, 2)
    for seed in range(10):
        mixture = remix.draw(images, torch.Generator().manual_seed(seed), None)
        found = remix.relabel(mixture, torch.arange(50) % 3, counts)
        assert torch.equal(found.share, mixture.share)


def test_what_is_not_mixed_keeps_its_target() -> None:
    """With probability 0 all targets stay as they are."""
    images, labels = torch.zeros(6, 1, 2, 2), torch.tensor([0, 2, 0, 2, 1, 1])
    remix = Remix(probability=0.0)
    mixture = remix.draw(images, torch.Generator().manual_seed(0), None)
    targets = F.one_hot(labels, 3).float()
    assert torch.equal(remix.relabel(mixture, labels, COUNTS).values(targets), targets)


@pytest.mark.parametrize("text", ["Remix(kappa=0.5)", "Remix(tau=1.5)", "Remix(alpha=0.0)"])
def test_values_without_a_meaning_are_refused(text: str) -> None:
    """A ratio below 1 would call the common class rare."""
    with pytest.raises(InputError, match="must be"):
        resolve(text, MIXINGS, "mixing")


def test_every_mixing_is_listed_under_its_name() -> None:
    """The name in a configuration is the name of the class."""
    assert {name: kind.__name__ for name, kind in MIXINGS.items()} == {
        "Remix": "Remix",
        "CMO": "CMO",
    }


BATCHES = {"images": torch.zeros(8, 1, 9, 6), "table": torch.zeros(8, 5)}


@pytest.mark.parametrize("kind", BATCHES)
def test_cmo_cuts_as_cutmix_does(kind: str) -> None:
    """The same draw takes the same box or columns of the same share; only partners differ."""
    inputs, n_numeric = BATCHES[kind], None if kind == "images" else 3
    for seed in range(5):
        mine, cutmix = (
            each.draw(inputs, torch.Generator().manual_seed(seed), n_numeric)
            for each in (CMO(alpha=0.7, per="sample"), CutMix(alpha=0.7, per="sample"))
        )
        assert torch.equal(mine.share, cutmix.share)
        others = torch.ones_like(inputs) + torch.arange(8.0).view(8, *[1] * (inputs.ndim - 1))
        pasted = mine.inputs(inputs, others)
        if mine.kept is not None:
            kept = mine.kept.expand_as(inputs)
            assert torch.equal(pasted[kept], inputs[kept])
            assert torch.equal(pasted[~kept], others[mine.partners][~kept])


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 2.0])
def test_partners_are_drawn_as_often_as_their_weights_say(power: float) -> None:
    """Classes and, within each, examples: 40,000 draws against n to the power -r, by chi-square."""
    codes = np.repeat([0, 1, 2], [60, 30, 10])[np.random.default_rng(0).permutation(100)]
    examples = Examples(Source(np.zeros((100, 1), np.float32), np.arange(100)), codes)
    shares = CMO(power=power).partner_shares(torch.tensor([60.0, 30.0, 10.0]))
    drawn = examples.draw(shares, 40_000, torch.Generator().manual_seed(1))
    weights = np.array([60.0, 30.0, 10.0])[codes] ** -power
    expected = 40_000 * weights / weights.sum()
    assert chisquare(np.bincount(drawn, minlength=100), expected).pvalue > 1e-3
    classes = np.bincount(codes, weights=expected)
    assert chisquare(np.bincount(codes[drawn]), classes).pvalue > 1e-3


def test_classes_without_examples_are_never_partners() -> None:
    """Their share is 0 whatever the power, also where the weight of none would be infinite."""
    for power in 0.0, 1.0, 3.0:
        shares = CMO(power=power).partner_shares(torch.tensor([90.0, 0.0, 10.0]))
        assert shares[1] == 0
        assert shares.sum() == pytest.approx(1)
    examples = Examples(Source(np.zeros((3, 1), np.float32), np.arange(3)), np.array([2, 0, 2]))
    drawn = examples.draw(shares, 500, torch.Generator().manual_seed(0))
    assert set(drawn.tolist()) == {0, 1, 2}


@pytest.mark.parametrize("size", [(8, 8), (9, 6), (1, 7), (32, 32)])
@pytest.mark.parametrize("alpha", [0.3, 1.0, 4.0])
def test_the_mean_box_is_that_of_many_boxes(size: tuple[int, int], alpha: float) -> None:
    """Even and odd sides, and sides so short that no box fits."""
    cutmix = CutMix(alpha=alpha, probability=1.0, per="sample")
    shares = cutmix.draw(torch.zeros(20_000, 1, *size), torch.Generator().manual_seed(0), None)
    parts = 1 - shares.share.double()
    error = 4 * parts.std() / len(parts) ** 0.5
    assert mean_box(alpha, size) == pytest.approx(parts.mean().item(), abs=float(error) + 1e-9)


def test_the_mean_box_of_two_pixels_is_worked_by_hand() -> None:
    """Of 2 x 2 pixels no box reaches a pixel from its centre; of 4 x 4 one does from 1/4 on."""
    assert mean_box(1.0, (2, 2)) == 0
    # Half a side of 1 pixel has probability 3/4 and covers (2 * 4 - 1) / 16 of an axis.
    assert mean_box(1.0, (4, 4)) == pytest.approx(0.75 * (7 / 16) ** 2)


@pytest.mark.parametrize("text", ["CMO(power=-1.0)", "CMO(alpha=0.0)", "CMO(probability=1.5)"])
def test_partners_cannot_be_drawn_by_any_weight(text: str) -> None:
    """A negative power would draw common classes more often still."""
    with pytest.raises(InputError, match="must be"):
        resolve(text, MIXINGS, "mixing")
