"""References of class weights, losses, samplers and mixings, written out by their formulas."""

from collections.abc import Iterator
from decimal import Decimal, localcontext
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from scipy import stats
from scipy.integrate import quad
from sklearn.utils.class_weight import compute_class_weight
from torch import nn
from torch.nn import functional as F
from torchvision.ops import sigmoid_focal_loss

from equipoise.specialized import losses, mixing, samplers, weighting
from equipoise.specialized.translation import Translation
from equipoise.standard.mixing import Mixture

Pairs = Iterator[tuple[Any, Any]]
"""What was found, and what it should be."""

COUNTS = np.array([5000, 387, 50, 4])
"""Training examples of each class."""

SIZES = torch.from_numpy(COUNTS).double()
EVERY = range(len(COUNTS))
random = np.random.default_rng(0)


def batch() -> tuple[np.ndarray, np.ndarray]:
    """Return logits and targets of 400 examples, half of them one-hot, half soft."""
    hot = np.eye(4)[random.integers(4, size=200)]
    targets = np.concatenate([hot, random.dirichlet(np.ones(4), size=200)])
    return 3 * random.standard_normal((400, 4)), targets


def called(loss: Any, logits: np.ndarray, targets: np.ndarray, **more: Any) -> np.ndarray:
    """Return the loss of each example as the package has it."""
    given = torch.from_numpy(logits), torch.from_numpy(targets)
    return loss(*given, given[1].argmax(dim=1), SIZES, **more).numpy()


def blended(costs: list[np.ndarray], targets: np.ndarray) -> np.ndarray:
    """Return the mean over labels, drawn from the targets, of what each label costs."""
    return (np.stack(costs, axis=1) * targets).sum(axis=1)


# Class weights: the mean weight of a training example is 1


def inverse() -> Pairs:
    labels = np.repeat(EVERY, COUNTS)
    expected = compute_class_weight("balanced", classes=np.array(EVERY), y=labels)
    yield weighting.Inverse().weights(SIZES).numpy(), expected


def inverse_root() -> Pairs:
    roots = 1 / np.sqrt(COUNTS)
    expected = roots * COUNTS.sum() / sum(n * root for n, root in zip(COUNTS, roots, strict=True))
    yield weighting.Inverse(power=0.5).weights(SIZES).numpy(), expected


def effective_number() -> Pairs:
    for beta in 0.9, 0.999, 0.9999, 1 - 1e-12:
        with localcontext() as context:
            context.prec, exact = 60, Decimal(beta)
            own = [(1 - exact) / (1 - exact ** int(n)) for n in COUNTS]
            total = sum(int(n) * weight for n, weight in zip(COUNTS, own, strict=True))
            expected = [float(weight * int(COUNTS.sum()) / total) for weight in own]
        yield weighting.EffectiveNumber(beta=beta).weights(SIZES).numpy(), expected


# Losses


def focal() -> Pairs:
    logits, targets = batch()
    proba = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    for gamma in 0.0, 0.5, 2.0, 5.0:
        expected = -(targets * (1 - proba) ** gamma * np.log(proba)).sum(axis=1)
        yield called(losses.Focal(gamma=gamma), logits, targets), expected
        two, label = torch.from_numpy(logits[:, :2]), torch.arange(400) % 2
        one = (two[:, 1] - two[:, 0], label.double())
        loss = losses.Focal(gamma=gamma)
        found = loss(two, F.one_hot(label, 2).double(), label, torch.ones(2))
        yield found.numpy(), sigmoid_focal_loss(*one, alpha=-1, gamma=gamma).numpy()


def ldam() -> Pairs:
    _, targets = batch()
    cosines = random.uniform(-1, 1, size=(400, 4))
    margins = 1 / np.sqrt(np.sqrt(COUNTS))
    margins *= 0.5 / margins.max()
    costs = []
    for k in EVERY:  # the authors' steps, for each label in turn
        moved = torch.from_numpy(cosines - margins[k] * (np.arange(4) == k))
        costs.append(F.cross_entropy(30 * moved, torch.full((400,), k), reduction="none").numpy())
    found = called(losses.LDAM(scale=30.0), 30 * cosines, targets)
    yield found, blended(costs, targets)


def balanced_softmax() -> Pairs:
    logits, targets = batch()
    powers = COUNTS * np.exp(logits)
    expected = blended([np.log(powers.sum(axis=1) / powers[:, k]) for k in EVERY], targets)
    yield called(losses.BalancedSoftmax(), logits, targets), expected


def logit_adjusted() -> Pairs:
    logits, targets = batch()
    for tau in 0.3, 1.0, 1.7:
        costs = []
        for k in EVERY:
            others = [j for j in EVERY if j != k]
            terms = (COUNTS[others] / COUNTS[k]) ** tau * np.exp(logits[:, others] - logits[:, [k]])
            costs.append(np.log1p(terms.sum(axis=1)))
        found = called(losses.LogitAdjusted(tau=tau), logits, targets)
        yield found, blended(costs, targets)


def vector_scaling() -> Pairs:
    logits, targets = batch()
    for gamma, tau in (0.2, 1.0), (0.5, 0.3):
        scaled = logits * (COUNTS / COUNTS.max()) ** gamma
        powers = np.exp(scaled) * (COUNTS / COUNTS.sum()) ** tau
        expected = blended([-np.log(powers[:, k] / powers.sum(axis=1)) for k in EVERY], targets)
        yield called(losses.VectorScaling(gamma=gamma, tau=tau), logits, targets), expected


def influence_balanced() -> Pairs:
    logits, targets = batch()
    features = torch.from_numpy(random.standard_normal((400, 6)))
    expected = []
    for z, t, h in zip(*map(torch.from_numpy, (logits, targets)), features, strict=True):
        weight = torch.zeros(4, 6, dtype=torch.float64, requires_grad=True)
        value = F.cross_entropy((z + weight @ h)[None], t[None])
        (slope,) = torch.autograd.grad(value, weight)
        expected.append(float(value.detach() / (slope.abs().sum() + 1e-3)))
    loss = losses.InfluenceBalanced(alpha=1.0)
    yield called(loss, logits, targets, features=features), expected
    given = torch.from_numpy(logits).requires_grad_()
    hot, one = torch.from_numpy(targets), torch.ones(4)
    influence = (given.softmax(dim=1) - hot).abs().sum(dim=1) * features.abs().sum(dim=1)
    written = F.cross_entropy(given, hot, reduction="none") / (influence + 1e-3)
    own = loss(given, hot, hot.argmax(dim=1), one, features=features)
    found, slopes = (torch.autograd.grad(each.sum(), given)[0] for each in (own, written))
    yield found.numpy(), slopes.numpy()


# Samplers


def shares_of(sampler: samplers.Sampler, expected: np.ndarray, progress: float = 0.0) -> Pairs:
    yield sampler.shares(SIZES, progress).numpy(), expected


def class_balanced() -> Pairs:
    yield from shares_of(samplers.ClassBalanced(), np.full(4, 1 / 4))


def powers_of_counts() -> Pairs:
    for power in 0.0, 0.3, 0.5, 1.0:
        expected = COUNTS**power / (COUNTS**power).sum()
        yield from shares_of(samplers.PowerSampling(power=power), expected)
    yield from shares_of(samplers.SquareRoot(), np.sqrt(COUNTS) / np.sqrt(COUNTS).sum())


def progressive() -> Pairs:
    for epoch in range(10):
        part = epoch / 9
        expected = (1 - part) * COUNTS / COUNTS.sum() + part / 4
        yield from shares_of(samplers.Progressive(), expected, part)


def mixed() -> Pairs:
    for part in 0.0, 0.25, 1.0:
        expected = [(1 - part) * n / COUNTS.sum() + part / 4 for n in COUNTS]
        yield from shares_of(samplers.Mixed(balanced=part), np.array(expected))


def shown() -> Pairs:
    codes = random.permutation(np.repeat(EVERY, COUNTS))
    for sampler in samplers.ClassBalanced(), samplers.SquareRoot(), samplers.Mixed():
        due = len(codes) * sampler.shares(SIZES, 0.0).numpy()
        for seed in range(20):
            order = sampler.order(codes, 0, 1, torch.Generator().manual_seed(seed))
            yield np.bincount(codes[order], minlength=4), due


# Mixing and translation


def label_share(share: float, own: int, other: int) -> float:
    """Return the share of the target by Remix, with kappa 3 and tau 1/2."""
    if own / other >= 3 and share < 0.5:
        return 0.0
    return 1.0 if own / other <= 1 / 3 and 1 - share < 0.5 else share


def remix() -> Pairs:
    labels, partners = random.integers(4, size=400), random.permutation(400)
    share = random.random(400)
    pair = torch.from_numpy(partners), torch.from_numpy(share)
    mixture = Mixture(partners=pair[0], share=pair[1], kept=pair[1].view(-1, 1))
    found = mixing.Remix().relabel(mixture, torch.from_numpy(labels), SIZES).share.numpy()
    sizes = COUNTS[labels]
    yield found, [label_share(*each) for each in zip(share, sizes, sizes[partners], strict=True)]
    prior, expected = COUNTS / COUNTS.sum(), np.zeros(4)
    for i in EVERY:
        for j in EVERY:  # the integral over Beta(1, 1), in the two halves where it is smooth
            halves = [
                quad(label_share, *part, args=(COUNTS[i], COUNTS[j]))[0]
                for part in ((0, 0.5), (0.5, 1))
            ]
            expected[i] += prior[i] * prior[j] * sum(halves)
            expected[j] += prior[i] * prior[j] * (1 - sum(halves))
    yield mixing.Remix().mean_shares(torch.from_numpy(prior), SIZES).numpy(), expected


def mean_box(alpha: float, height: int, width: int) -> float:
    """Return the mean part of an image in CutMix's box: all centres, and all reaches by chance."""
    turns = {(2 * h / n) ** 2 for n in (height, width) for h in range(n // 2 + 1)}
    edges, mean = sorted(turns | {0.0, 1.0}), 0.0
    for low, high in pairwise(edges):
        chance = np.diff(stats.beta(alpha, alpha).cdf([low, high]))[0]
        lengths = []
        for n in (height, width):
            reach = int(np.sqrt((low + high) / 2) * n / 2)
            lengths.append([min(n, c + reach) - max(0, c - reach) for c in range(n)])
        mean += chance * np.outer(*lengths).mean() / (height * width)
    return mean


def cmo() -> Pairs:
    codes = np.repeat(EVERY, COUNTS)
    for power in 0.5, 1.0, 2.0:  # every example has a weight of its own, as in the authors' code
        drawn = np.bincount(codes, weights=(1.0 / COUNTS[codes]) ** power)
        yield mixing.CMO(power=power).partner_shares(SIZES).numpy(), drawn / drawn.sum()
    for alpha, size in (1.0, (32, 32)), (0.3, (9, 6)), (4.0, (5, 8)):
        yield mixing.mean_box(alpha, size), mean_box(alpha, *size)


def m2m() -> Pairs:
    """Yield the chances of sources, and translated images, float32 with pixels from 0 to 255."""
    expected = [[1 - 0.99 ** max(0, int(j) - int(k)) for j in COUNTS] for k in COUNTS]
    yield Translation(beta=0.99).chances(SIZES).numpy(), expected
    guide, network = (nn.Sequential(nn.Flatten(), nn.Linear(12, 3)) for _ in range(2))
    weights = 0.02 * random.standard_normal((2, 3, 12)).astype(np.float32)
    for each, own in zip((guide, network), weights, strict=True):
        each[1].weight.data, each[1].bias.data = torch.from_numpy(own), torch.zeros(3)
    images = random.uniform(0, 255, (40, 1, 3, 4)).astype(np.float32)
    source, target = np.zeros(40, int), random.integers(1, 3, 40)
    codes = torch.from_numpy(source), torch.from_numpy(target)
    found, _ = Translation(lam=0.7).translated(torch.from_numpy(images), codes, (guide, network))
    first, second = 255 * weights.astype(float)
    x = images.reshape(40, 12).astype(float) / 255
    for _ in range(10):
        told = np.exp(x @ first.T)
        told /= told.sum(axis=1, keepdims=True)
        slope = (told - np.eye(3)[target]) @ first + 0.7 * second[source]
        x = np.clip(x - 0.1 * slope / np.sqrt((slope**2).sum(axis=1, keepdims=True)), 0, 1)
    yield found.flatten(1).numpy(), 255 * x
