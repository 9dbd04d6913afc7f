"""Laws of training with methods made for imbalanced classes."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn import functional as F

from equipoise.batches import Examples, Source
from equipoise.classifier import Classifier
from equipoise.fitting import Fit
from equipoise.specialized.mixing import Remix
from equipoise.specialized.samplers import ClassBalanced
from equipoise.standard.losses import CrossEntropy

CODES = np.repeat([0, 1, 2], [160, 30, 10])
"""Classes of rows that nothing tells apart: half of each class is 0, half is 1."""

FRAME = pd.DataFrame({"a": np.arange(200.0) % 2})

METHODS: dict[str, dict[str, Any]] = {
    "plain": {},
    "inverse": {"weighting": "Inverse()"},
    "square root of inverse": {"weighting": "Inverse(power=0.5)"},
    "effective number": {"weighting": "EffectiveNumber(beta=0.99)"},
    "balanced sampling": {"sampler": "ClassBalanced()"},
    "square-root sampling": {"sampler": "SquareRoot()"},
    "sampling, weights and smoothing": {
        "sampler": "Mixed(balanced=0.3)",
        "weighting": "Inverse(power=0.3)",
        "smoothing": "ClassConditional(head=0.0, tail=0.3)",
    },
    "balanced softmax": {"loss": "BalancedSoftmax()"},
    "balanced softmax, smoothed": {"loss": "BalancedSoftmax()", "smoothing": "Uniform(eps=0.2)"},
    "adjusted logits": {"loss": "LogitAdjusted(tau=0.5)"},
    "adjusted logits, weighted": {"loss": "LogitAdjusted()", "weighting": "Inverse(power=0.5)"},
    "mixed and weighted": {"mixing": "Mixup()", "weighting": "Inverse(power=0.5)"},
    "Remix": {"mixing": "Remix(kappa=2.0)"},
    "Remix, weighted": {"mixing": "Remix(alpha=0.5, tau=0.3)", "weighting": "Inverse(power=0.5)"},
    "CMO": {"mixing": "CMO(per='sample')"},
    "CMO, weighted": {"mixing": "CMO(alpha=0.5, per='sample')", "weighting": "Inverse(power=0.5)"},
    "scaled rows": {"stages": "LWS(start=0.5)"},
    "mixed and smoothed": {"stages": "MiSLAS(start=0.5)"},
    "a loss that begins late": {"loss": "LogitAdjusted(tau=0.8)", "stages": "DeferredLoss()"},
}


def _fit(epochs: int = 1, **params: Any) -> Fit:
    """Return a fit of the rows."""
    given = {
        "backbone": "MLP(numeric=None, layers=1, width=8, dropout=0.0)",
        "optimizer": "AdamW(lr=0.03, weight_decay=0.0)",
        "batch_size": 50,
        "validation": 0.0,
        "average": "EMA()",
        "device": "cpu",
        "epochs": epochs,
        **params,
    }
    return Classifier(**given).prepare(FRAME, CODES)[1]


@pytest.mark.parametrize("name", METHODS)
def test_what_knows_nothing_predicts_the_prior_that_is_told(name: str) -> None:
    """With inputs that say nothing, the trained network's probabilities are the prior."""
    fit = _fit(epochs=150, **METHODS[name])
    fit.run()
    logits = torch.from_numpy(fit.model.logits(FRAME.iloc[:2]))
    np.testing.assert_allclose(logits.softmax(dim=1).mean(dim=0), fit.prior, atol=0.02)


def test_methods_are_told_apart_by_their_priors() -> None:
    """Balanced classes come out where both are meant to balance; all others differ."""
    priors = {name: tuple(_fit(**params).prior.round(6)) for name, params in METHODS.items()}
    even = {name for name, prior in priors.items() if len(set(prior)) == 1}
    assert even == {"inverse", "balanced sampling", "balanced softmax", "scaled rows"}
    halfway = {"square root of inverse", "square-root sampling", "adjusted logits"} | {
        "mixed and weighted"
    }
    assert len({priors[name] for name in halfway}) == 1
    assert len(set(priors.values())) == len(METHODS) - 6


def test_weights_act_as_those_of_torch() -> None:
    """The gradient is that of torch's weighted cross-entropy, summed and over the batch's size."""
    fit = _fit(weighting="EffectiveNumber(beta=0.99)")
    training, positions = fit.training, np.arange(0, 200, 5)
    batch = training.learning.assembly.batch(fit.examples[0], positions, 0)
    value, (found,) = training.learning.objective.gradients(batch, len(positions), 0, [None])
    effective = 1 - 0.99 ** np.array([160, 30, 10])
    weights = torch.tensor(1 / effective * (200 / (np.array([160, 30, 10]) / effective).sum()))
    logits = training.network(batch.views[0])
    expected = F.cross_entropy(logits, batch.labels, weights.float(), reduction="sum") / 40
    torch.testing.assert_close(value, expected)
    own = torch.autograd.grad(expected, list(training.network.parameters()), allow_unused=True)
    for gradient, reference in zip(found, own, strict=True):
        torch.testing.assert_close(gradient, reference)


@pytest.mark.parametrize(
    ("sampler", "expected"),
    [(None, [160, 30, 10]), ("ClassBalanced()", [66, 66, 66]), ("Progressive()", [160, 30, 10])],
)
def test_an_epoch_shows_classes_as_the_sampler_says(
    sampler: str | None, expected: list[int]
) -> None:
    """Codes of the positions of all steps; plain training shows every example once."""
    training = (fit := _fit(sampler=sampler)).training
    seen: list[np.ndarray] = []
    step = training.learning.step

    def watched(examples: Examples, positions: np.ndarray, done: int, steps: int) -> Any:
        seen.append(positions)
        assert len(positions) == 50
        return step(examples, positions, done, steps)

    training.learning.step = watched  # type: ignore[method-assign]
    fit.run()
    counts = np.bincount(CODES[np.concatenate(seen)])
    assert counts.sum() == 200
    assert (np.abs(counts - expected) <= 1).all() if sampler else counts.tolist() == expected


def test_epochs_and_seeds_are_sampled_anew_and_the_same_again() -> None:
    """The order is drawn by seed and epoch, as that of plain training is."""
    first, again, other = (
        _fit(epochs=2, sampler="SquareRoot()", random_state=s) for s in (0, 0, 1)
    )
    for fit in (first, again, other):
        fit.run()
    states = [fit.training.network.state_dict() for fit in (first, again, other)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert any(not torch.equal(states[0][name], states[2][name]) for name in states[0])


@pytest.mark.parametrize("backbone", ["MLP(numeric=None)", "TabM(numeric=None)"])
def test_a_loss_that_needs_features_gets_those_of_the_logits(backbone: str) -> None:
    """The head makes the logits of the very features, also of each member of an ensemble."""
    fit = _fit(backbone=backbone, loss="InfluenceBalanced()")
    given: list[tuple[torch.Tensor, torch.Tensor]] = []

    class Spy(CrossEntropy):
        needs_features = True

        def __call__(self, logits, targets, labels, counts, *, features):  # type: ignore[no-untyped-def]
            given.append((logits, features))
            return super().__call__(logits, targets, labels, counts)

    training = fit.training
    batch = training.learning.assembly.batch(fit.examples[0], np.arange(6), 0)
    object.__setattr__(training.learning.objective, "loss", Spy())
    training.learning.objective.gradients(batch, 6, 0, [None])
    [(logits, features)] = given
    members = len(logits) // 6
    assert features.shape == (len(logits), fit.training.network.backbone.n_features)  # type: ignore[union-attr]
    shaped = features if members == 1 else features.view(6, members, -1)
    remade = fit.training.network.head(shaped)  # type: ignore[operator]
    torch.testing.assert_close(remade.flatten(0, -2), logits)


def test_remix_labels_mixtures_by_class_size() -> None:
    """In a batch mixtures of a common and a rare class are of the rare one more often."""
    fit = _fit(mixing="Remix(kappa=2.0)")
    examples = Examples(Source(np.zeros((200, 1), np.float32), np.arange(200)), CODES)
    shares = [
        fit.training.learning.assembly.batch(examples, np.arange(200), step).shares.mean(dim=0)
        for step in range(200)
    ]
    found = torch.stack(shares).mean(dim=0)
    even = torch.tensor([160.0, 30.0, 10.0], dtype=torch.float64) / 200
    expected = Remix(kappa=2.0).mean_shares(even, even)
    np.testing.assert_allclose(found, expected, atol=0.005)
    assert found[2] > 0.06


def test_a_sampler_of_weighted_examples_keeps_their_weights() -> None:
    """Classes are shown alike, and an example counts as before within its class and over all."""
    weights = np.where(CODES == 2, 3.0, 1.0)
    model = Classifier(sampler=ClassBalanced(), validation=0.0, device="cpu", epochs=1)
    fit = model.prepare(FRAME, CODES, weights)[1]
    np.testing.assert_allclose(fit.prior, np.array([1, 1, 3]) / 5, rtol=1e-6)
