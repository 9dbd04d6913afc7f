"""Laws of translation: which images are translated, where steps lead, and which are taken."""

import numpy as np
import pytest
import torch
from scipy.special import softmax
from scipy.stats import chisquare
from torch import nn

from equipoise.specialized.translation import Translation

COUNTS = torch.tensor([40.0, 20.0, 5.0])


def _linear(seed: int, scale: float = 0.02) -> nn.Module:
    """Return a network that is linear in the 2 x 3 pixels of an image."""
    layer = nn.Linear(6, 3)
    weights = np.random.default_rng(seed).standard_normal((3, 7)) * scale
    layer.weight.data = torch.tensor(weights[:, :6], dtype=torch.float32)
    layer.bias.data = torch.tensor(weights[:, 6], dtype=torch.float32)
    return nn.Sequential(nn.Flatten(), layer).requires_grad_(False)


def test_chances_are_worked_by_hand() -> None:
    """Row by row the target, column by column the source; nothing from classes no larger."""
    found = Translation(beta=0.9).chances(COUNTS)
    expected = [[0, 0, 0], [1 - 0.9**20, 0, 0], [1 - 0.9**35, 1 - 0.9**15, 0]]
    torch.testing.assert_close(found, torch.tensor(expected))


def test_as_many_are_translated_as_a_balanced_set_lacks() -> None:
    """Over 30,000 labels: the numbers of each target and source, by chi-square."""
    translation, labels = Translation(beta=0.95), torch.arange(30_000) % 3
    rows, sources = translation.draw(labels, COUNTS, torch.Generator().manual_seed(0))
    assert (COUNTS[sources] > COUNTS[labels[rows]]).all()
    assert len(set(rows.tolist())) == len(rows)
    found = np.zeros((3, 3))
    np.add.at(found, (labels[rows].numpy(), sources.numpy()), 1)
    chance = 1 - 0.95 ** np.array([20, 35, 15])
    wanted = 10_000 * (1 - np.array([20, 5]) / 40)
    first, second = chance[1] ** 2, chance[2] ** 2
    expected = [wanted[0] * chance[0], *(wanted[1] * np.array([first, second]) / chance[1:].sum())]
    drawn = [found[1, 0], found[2, 0], found[2, 1]]
    rest = 30_000 - sum(expected)
    assert chisquare([*drawn, 30_000 - sum(drawn)], [*expected, rest]).pvalue > 1e-3


def test_the_largest_class_is_never_translated() -> None:
    """And nothing is where all classes are equally large."""
    translation, generator = Translation(beta=0.0), torch.Generator().manual_seed(0)
    rows, _ = translation.draw(torch.zeros(500, dtype=torch.int64), COUNTS, generator)
    assert len(rows) == 0
    rows, _ = translation.draw(torch.arange(500) % 3, torch.full((3,), 9.0), generator)
    assert len(rows) == 0


def test_a_step_is_that_of_numpy() -> None:
    """Of linear networks the gradient is known: the target's probability less 1, and the source's
    row; its direction is followed by the step, and pixels stay from 0 to 255.
    """
    guide, network = _linear(0), _linear(1)
    images = np.random.default_rng(2).uniform(0, 255, (4, 1, 2, 3)).astype(np.float32)
    images[0] = 0.0
    source, target = np.array([0, 0, 1, 0]), np.array([1, 2, 2, 2])
    translation = Translation(lam=0.7, steps=3, step_size=0.05, gamma=0.4)
    moved, accepted = translation.translated(
        torch.tensor(images),
        (torch.tensor(source), torch.tensor(target)),
        (guide, network),
    )
    w_g, w_f = guide[1].weight.double().numpy() * 255, network[1].weight.double().numpy() * 255
    x, bias = images.reshape(4, 6).astype(np.float64) / 255, guide[1].bias.double().numpy()
    for _ in range(3):
        slope = (softmax(x @ w_g.T + bias, axis=1) - np.eye(3)[target]) @ w_g + 0.7 * w_f[source]
        x = np.clip(x - 0.05 * slope / np.linalg.norm(slope, axis=1, keepdims=True), 0, 1)
    np.testing.assert_allclose(moved.flatten(1).numpy(), 255 * x, rtol=1e-3, atol=0.02)
    sure = softmax(x @ w_g.T + bias, axis=1)[np.arange(4), target]
    assert accepted.tolist() == (sure >= 0.4).tolist()
    assert 0 < accepted.sum() < 4


@pytest.mark.parametrize("lam", [0.0, 1.0])
def test_translation_goes_to_the_target_and_away_from_the_source(lam: float) -> None:
    """The guide is surer of the target after it; only with `lam` the network gives up its class."""
    guide, network = _linear(0), _linear(1)
    images = torch.full((8, 1, 2, 3), 128.0)
    source, target = torch.zeros(8, dtype=torch.int64), torch.ones(8, dtype=torch.int64)
    made, _ = Translation(lam=lam).translated(images, (source, target), (guide, network))
    sure = [guide(x).softmax(dim=1)[:, 1].mean() for x in (images, made)]
    assert sure[1] > sure[0] + 0.1
    left = [network(x)[:, 0].mean() for x in (images, made)]
    others, _ = Translation(lam=0.0).translated(images, (source, target), (guide, network))
    assert (left[1] < network(others)[:, 0].mean() - 0.1) == (lam > 0)


def test_networks_are_left_as_they_are() -> None:
    """No gradient is left in a network that is being trained."""
    guide, network = _linear(0), _linear(1).requires_grad_(True)
    codes = torch.zeros(2, dtype=torch.int64), torch.ones(2, dtype=torch.int64)
    made, _ = Translation().translated(torch.full((2, 1, 2, 3), 99.0), codes, (guide, network))
    assert not made.requires_grad
    assert all(p.grad is None for p in network.parameters())


def test_noise_has_half_the_length_of_all_steps() -> None:
    """In images from 0 to 1, where no border is near; another generator gives other noise."""
    images = torch.full((3, 1, 6, 6), 127.5)
    translation = Translation(steps=4, step_size=0.2)
    noisy = translation.disturbed(images, torch.Generator().manual_seed(0))
    lengths = ((noisy - images) / 255).flatten(1).norm(dim=1)
    torch.testing.assert_close(lengths, torch.full((3,), 0.4))
    other = translation.disturbed(images, torch.Generator().manual_seed(1))
    assert not torch.equal(noisy, other)
    assert translation.disturbed(torch.zeros(3, 1, 6, 6), torch.Generator()).min() == 0
