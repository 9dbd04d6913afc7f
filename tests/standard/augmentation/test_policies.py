"""Laws of policies: what they draw is torchvision's space, and only from the generator."""

from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import beta, binomtest, chisquare, kstest
from torch import Tensor
from torchvision.transforms import v2

from equipoise.errors import InputError
from equipoise.spec import resolve
from equipoise.standard.augmentation.geometry import GEOMETRIC
from equipoise.standard.augmentation.operations import CODES, OPERATIONS, perform
from equipoise.standard.augmentation.policies import (
    AugMix,
    AutoAugment,
    Policy,
    RandAugment,
    Step,
    TrivialAugment,
)
from equipoise.standard.augmentation.subpolicies import SUBPOLICIES

POLICIES: dict[str, type[Policy]] = {
    kind.__name__: kind for kind in (TrivialAugment, RandAugment, AutoAugment, AugMix)
}
TONES = {"Brightness", "Color", "Contrast", "Sharpness"}
SIGNED = {*GEOMETRIC, *TONES}

every_policy = pytest.mark.parametrize("kind", POLICIES.values(), ids=POLICIES.keys())


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _images(n: int, height: int = 12, width: int = 9, channels: int = 3) -> Tensor:
    pixels = torch.randint(0, 256, (n, height, width, channels), generator=_generator(5))
    return pixels.to(torch.uint8).permute(0, 3, 1, 2)


def _drawn(policy: Policy, n: int, strength: float = 1.0, seed: int = 0) -> list[Step]:
    return policy.draw((32, 32), torch.full((n,), strength), _generator(seed))


def _names(step: Step) -> list[str]:
    return [OPERATIONS[code] for code in step.operations.tolist()]


@every_policy
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_shape_type_and_memory_are_kept(
    kind: type[Policy], channels: int, dtype: torch.dtype
) -> None:
    """Images stay of their shape and type, channels last in memory."""
    images = _images(20, channels=channels).to(dtype)
    found = kind()(images, _generator())
    assert found.shape == images.shape
    assert found.dtype == dtype
    assert found.is_contiguous(memory_format=torch.channels_last)


@every_policy
def test_the_same_generator_gives_the_same_images(kind: type[Policy]) -> None:
    """The generator is the only source of randomness, and it is used."""
    images, state = _images(30), torch.get_rng_state()
    first, again, other = (kind()(images, _generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), state)


@every_policy
def test_the_input_is_left_alone(kind: type[Policy]) -> None:
    """Augmentation works on a copy, also of images that come out as they were."""
    images = _images(30)
    before = images.clone()
    kind()(images, _generator()).zero_()
    assert torch.equal(images, before)


@every_policy
def test_examples_are_drawn_apart(kind: type[Policy]) -> None:
    """Copies of one image in a batch come out different."""
    found = kind()(_images(1).expand(40, 3, 12, 9), _generator())
    assert len({image.numpy().tobytes() for image in found}) > 15


@every_policy
def test_floats_give_the_levels_of_bytes(kind: type[Policy]) -> None:
    """Floating-point images are rounded first, then treated as bytes."""
    images = _images(40)
    found = kind()(images.float() + 0.3, _generator())
    assert torch.equal(found, kind()(images, _generator()).float())


@every_policy
def test_a_tail_scale_of_one_changes_no_bit(kind: type[Policy]) -> None:
    """Rarity is without effect at tail_scale 1, and rarity 0 at any."""
    images, rarity = _images(40), torch.linspace(0, 1, 40)
    plain = kind()(images, _generator())
    assert torch.equal(kind(tail_scale=1.0)(images, _generator(), rarity), plain)
    assert torch.equal(kind(tail_scale=3.0)(images, _generator(), torch.zeros(40)), plain)
    assert not torch.equal(kind(tail_scale=3.0)(images, _generator(), rarity), plain)


@pytest.fixture(scope="module")
def photographs(assets: Path) -> Tensor:
    """Return 256 real images."""
    with np.load(assets / "cifar10.npz", allow_pickle=False) as stored:
        return torch.from_numpy(stored["train_images"][:256]).permute(0, 3, 1, 2)


@every_policy
def test_a_larger_tail_scale_changes_rare_classes_more(
    kind: type[Policy], photographs: Tensor
) -> None:
    """With the same draws, the mean change of real images grows with tail_scale."""
    rarity = torch.cat((torch.zeros(128), torch.ones(128)))
    changes = []
    for tail_scale in (0.0, 0.5, 1.0, 2.0):
        found = kind(tail_scale=tail_scale)(photographs, _generator(), rarity)
        changes.append((found.float() - photographs.float()).abs().flatten(1).mean(1))
    frequent, rare = torch.stack(changes).split(128, 1)
    assert torch.equal(frequent, frequent[:1].expand(4, -1))
    assert (rare.mean(1).diff() > 0.3).all()


@every_policy
def test_tail_scale_multiplies_the_position_on_the_scale(kind: type[Policy]) -> None:
    """Choices and signs do not depend on strength; linear magnitudes grow up to their end."""
    ends = {"TrivialAugment": 0.99, "RandAugment": 0.9, "AutoAugment": 0.9, "AugMix": 0.9}
    for plain, strong in zip(_drawn(kind(), 500), _drawn(kind(), 500, 1.7), strict=True):
        assert torch.equal(plain.operations, strong.operations)
        tones = torch.tensor([name in TONES for name in _names(plain)])
        before, after = plain.magnitudes[tones], strong.magnitudes[tones]
        expected = (1.7 * before).clamp(-ends[kind.__name__], ends[kind.__name__])
        torch.testing.assert_close(after, expected, atol=1e-6, rtol=0)


def test_magnitude_zero_leaves_signed_operations_without_effect() -> None:
    """At magnitude 0, images that drew a signed operation are unchanged."""
    images, policy = _images(200), RandAugment(n_ops=1, magnitude=0)
    found = policy(images, _generator())
    (step,) = policy.draw((12, 9), torch.ones(200), _generator())
    signed = torch.tensor([name in SIGNED for name in _names(step)])
    assert torch.equal(found[signed], images[signed])
    assert not torch.equal(found, images)


@pytest.mark.parametrize("bins", [31, 10])
def test_trivial_augment_draws_the_space_of_torchvision(bins: int) -> None:
    """Every operation, magnitude and sign of the table is drawn, nothing else, and uniformly."""
    expected: dict[tuple[str, float], float] = {}
    for name, (scale, signed) in v2.TrivialAugmentWide._AUGMENTATION_SPACE.items():
        values = scale(bins, 32, 32)
        for value in [0.0] * bins if values is None else values.tolist():
            for sign in (1, -1) if signed else (1, 1):
                key = (name, sign * value)
                expected[key] = expected.get(key, 0) + 1 / (14 * bins * 2)
    n = 40_000
    (step,) = _drawn(TrivialAugment(bins=bins), n)
    seen = Counter(zip(_names(step), step.magnitudes.tolist(), strict=True))
    assert set(seen) == set(expected)
    counts = [seen[key] for key in expected]
    assert chisquare(counts, [n * share for share in expected.values()]).pvalue > 1e-3


def test_rand_augment_draws_the_space_of_torchvision() -> None:
    """Operations are uniform over torchvision's, with its one magnitude of either sign."""
    n, space = 20_000, v2.RandAugment._AUGMENTATION_SPACE
    steps = _drawn(RandAugment(n_ops=3, magnitude=11, bins=20), n)
    assert len(steps) == 3
    for step in steps:
        seen = Counter(_names(step))
        assert set(seen) == set(space)
        assert chisquare(list(seen.values())).pvalue > 1e-3
        drawn = set(zip(_names(step), step.magnitudes.tolist(), strict=True))
        for name, (scale, signed) in space.items():
            values = scale(20, 32, 32)
            value = 0.0 if values is None else float(values[11])
            found = {m for other, m in drawn if other == name}
            assert found == ({value, -value} if signed else {value})
    pairs = Counter(zip(_names(steps[0]), _names(steps[1]), strict=True))
    assert chisquare([pairs[a, b] for a in space for b in space]).pvalue > 1e-3


@pytest.mark.parametrize("policy", SUBPOLICIES)
def test_sub_policies_are_those_of_torchvision(policy: str) -> None:
    """The 25 pairs, probabilities and magnitudes are the published ones."""
    reference = v2.AutoAugment(v2.AutoAugmentPolicy(policy))
    assert list(SUBPOLICIES[policy]) == reference._policies


@pytest.mark.parametrize("policy", SUBPOLICIES)
def test_auto_augment_applies_pairs_with_their_probability(policy: str) -> None:
    """The frequency of each operation and magnitude in each step is what the pairs imply."""
    n, space = 50_000, v2.AutoAugment._AUGMENTATION_SPACE
    for k, step in enumerate(_drawn(AutoAugment(policy=policy), n)):
        expected: defaultdict[tuple[str, float], float] = defaultdict(float)
        for pair in v2.AutoAugment(v2.AutoAugmentPolicy(policy))._policies:
            name, probability, position = pair[k]
            scale, signed = space[name]
            values = scale(10, 32, 32)
            value = 0.0 if values is None else float(values[position])
            expected["Identity", 0.0] += (1 - probability) / 25
            for sign in (1, -1) if signed else (1, 1):
                expected[name, sign * value] += probability / 50
        seen = Counter(zip(_names(step), step.magnitudes.tolist(), strict=True))
        assert set(seen) == {key for key, share in expected.items() if share > 0}
        shares = [expected[key] for key in seen]
        assert chisquare(list(seen.values()), [n * share for share in shares]).pvalue > 1e-3


def test_auto_augment_takes_both_operations_from_one_pair() -> None:
    """In the policy for digits, a shear along x is only ever followed by partners of its pairs."""
    first, second = map(_names, _drawn(AutoAugment(policy="svhn"), 5_000))
    followers = {b for a, b in zip(first, second, strict=True) if a == "ShearX"}
    partners = {pair[1][0] for pair in SUBPOLICIES["svhn"] if pair[0][0] == "ShearX"}
    assert followers == partners | {"Identity"}


def test_aug_mix_draws_the_space_of_torchvision() -> None:
    """Operations are uniform over 13, magnitudes over the first `severity` bins, depths 1 to 3."""
    n, space = 30_000, v2.AugMix._AUGMENTATION_SPACE
    steps = _drawn(AugMix(severity=4), n)
    active = torch.stack([step.operations != CODES["Identity"] for step in steps])
    assert (active.int().diff(dim=0) <= 0).all()
    assert chisquare(torch.bincount(active.sum(0), minlength=4)[1:].numpy()).pvalue > 1e-3
    assert chisquare(list(Counter(_names(steps[0])).values())).pvalue > 1e-3
    drawn = set(zip(_names(steps[0]), steps[0].magnitudes.tolist(), strict=True))
    expected = set()
    for name, (scale, signed) in space.items():
        values = scale(10, 32, 32)
        for value in [0.0] if values is None else values[:4].tolist():
            expected |= {(name, value), (name, -value)} if signed else {(name, value)}
    assert drawn == expected


def test_a_given_depth_is_the_depth_of_every_chain() -> None:
    """Nothing is the identity when the depth is fixed."""
    steps = _drawn(AugMix(depth=2), 300)
    assert len(steps) == 2
    assert all((step.operations != CODES["Identity"]).all() for step in steps)


@pytest.mark.parametrize("alpha", [0.3, 1.0, 4.0])
def test_weights_of_chains_are_beta_times_dirichlet(alpha: float) -> None:
    """Weights sum to one; that of the image is Beta, the share of a chain a Dirichlet marginal."""
    weights = AugMix(alpha=alpha, width=4).weights(4_000, _generator()).double()
    torch.testing.assert_close(weights.sum(1), torch.ones(4_000).double())
    assert kstest(weights[:, 0].numpy(), beta(alpha, alpha).cdf).pvalue > 1e-3
    shares = weights[:, 1] / weights[:, 1:].sum(1)
    assert kstest(shares.numpy(), beta(alpha, 3 * alpha).cdf).pvalue > 1e-3
    assert binomtest(int((weights[:, 2] > weights[:, 3]).sum()), 4_000).pvalue > 1e-3


def test_aug_mix_is_the_weighted_mean_of_its_chains() -> None:
    """The result is the image and its chains, blended with the drawn weights and cut off."""
    images, policy, generator = _images(30), AugMix(width=2), _generator(3)
    weights = policy.weights(30, generator).double()
    pixels = images.permute(0, 2, 3, 1).contiguous()
    blend = weights[:, 0, None, None, None] * pixels
    for chain in (1, 2):
        changed = pixels
        for step in policy.draw((12, 9), torch.ones(30), generator):
            changed = perform(changed, *step, interpolation="bilinear")
        blend += weights[:, chain, None, None, None] * changed
    found = policy(images, _generator(3)).permute(0, 2, 3, 1)
    assert (found - blend).abs().max() < 1 + 1e-3
    assert (found <= blend + 1e-3).all()


def test_steps_are_applied_in_turn() -> None:
    """RandAugment of two operations is the second one applied to the result of the first."""
    images, policy = _images(50), RandAugment()
    pixels = images.permute(0, 2, 3, 1).contiguous()
    for step in policy.draw((12, 9), torch.ones(50), _generator(4)):
        pixels = perform(pixels, *step)
    assert torch.equal(policy(images, _generator(4)).permute(0, 2, 3, 1), pixels)


@pytest.mark.parametrize(
    "text",
    [
        "TrivialAugment(tail_scale=2.0, bins=11)",
        "RandAugment(n_ops=3, magnitude=5, bins=11)",
        "AutoAugment(policy='svhn')",
        "AugMix(severity=5, width=2, depth=1, alpha=0.5)",
    ],
)
def test_text_and_object_are_the_same(text: str) -> None:
    """What is written in a configuration is what `repr` writes back."""
    assert repr(resolve(text, POLICIES, "augmentation")) == text


@pytest.mark.parametrize(
    "text",
    [
        "TrivialAugment(bins=1)",
        "TrivialAugment(tail_scale=-1)",
        "RandAugment(magnitude=31)",
        "RandAugment(n_ops=0)",
        "AutoAugment(policy='mnist')",
        "AugMix(severity=11)",
        "AugMix(depth=0)",
        "AugMix(width=0)",
        "AugMix(alpha=0)",
    ],
)
def test_fields_out_of_bounds_are_refused(text: str) -> None:
    """Validation tells the requirement, the value and the remedy."""
    with pytest.raises(InputError):
        resolve(text, POLICIES, "augmentation")
