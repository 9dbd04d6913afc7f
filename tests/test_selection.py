"""Laws of choosing the epoch: real gains win, noise does not, and the loss decides between."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, log_loss

from equipoise.errors import InputError
from equipoise.selection import MONITORS, Selection, recall_noise, validation_scores

SHARE = st.floats(0, 1)
EPOCHS = st.lists(st.tuples(SHARE, st.floats(0, 5), st.floats(0, 0.3)), min_size=1, max_size=30)


def _scores(score: float, loss: float = 1.0, noise: float = 0.0) -> dict[str, float]:
    return {"balanced_accuracy": score, "balanced_log_loss": loss, "noise": noise}


def _selection(patience: int | None = None) -> Selection:
    return Selection("balanced_accuracy", patience)


def test_a_gain_beyond_the_noise_wins_whatever_the_loss() -> None:
    """0.80 is replaced by 0.90 at a noise of 0.05, although its loss is worse."""
    selection = _selection()
    assert selection.update(0, _scores(0.80, loss=1.0, noise=0.05))
    assert selection.update(1, _scores(0.90, loss=9.0, noise=0.05))
    assert selection.best_epoch == 1


@pytest.mark.parametrize("score", [0.76, 0.80, 0.84])
def test_within_the_noise_the_lower_loss_wins(score: float) -> None:
    """Scores that noise cannot tell apart, above or below, leave the choice to the loss."""
    for loss, is_better in (0.9, True), (1.1, False), (1.0, False):
        selection = _selection()
        selection.update(0, _scores(0.80, loss=1.0, noise=0.05))
        assert selection.update(1, _scores(score, loss=loss, noise=0.05)) == is_better
        assert selection.best_epoch == int(is_better)


def test_a_loss_beyond_the_noise_does_not_win_by_its_loss() -> None:
    """0.70 is no rival of 0.80 at a noise of 0.05, however low its loss."""
    selection = _selection()
    selection.update(0, _scores(0.80, loss=1.0, noise=0.05))
    assert not selection.update(1, _scores(0.70, loss=0.1, noise=0.05))


def test_the_noise_is_that_of_the_best_score_seen() -> None:
    """A choice by loss cannot slide downhill: each rival is held against the best of all."""
    selection = _selection()
    selection.update(0, _scores(0.80, loss=1.0, noise=0.05))
    assert selection.update(1, _scores(0.76, loss=0.9, noise=0.05))
    assert not selection.update(2, _scores(0.72, loss=0.8, noise=0.05))
    assert selection.best_epoch == 1


@settings(deadline=None, derandomize=True)
@given(epochs=EPOCHS)
def test_what_is_kept_is_never_below_the_best_by_more_than_its_noise(
    epochs: list[tuple[float, float, float]],
) -> None:
    """Whatever the scores, losses and noises were, and in whatever order."""
    selection = _selection()
    for i, (score, loss, noise) in enumerate(epochs):
        selection.update(i, _scores(score, loss, noise))
        top = max(range(i + 1), key=lambda j: (epochs[j][0], -j))
        kept = epochs[selection.best_epoch]
        assert kept[0] >= epochs[top][0] - epochs[top][2]


@settings(deadline=None, derandomize=True)
@given(epochs=EPOCHS)
def test_the_rule_as_it_is_told(epochs: list[tuple[float, float, float]]) -> None:
    """Replaced if and only if beaten beyond the noise, or within it with a lower loss."""
    selection, kept = _selection(), None
    for i, (score, loss, noise) in enumerate(epochs):
        top, top_noise = max(((s, n) for s, _, n in epochs[: i + 1]), key=lambda pair: pair[0])
        beaten = kept is None or kept[0] < top - top_noise
        rival = score >= top - top_noise and kept is not None and loss < kept[1]
        assert selection.update(i, _scores(score, loss, noise)) == (beaten or rival)
        kept = (score, loss) if beaten or rival else kept


@settings(deadline=None, derandomize=True)
@given(epochs=EPOCHS, cut=st.integers(1, 29), patience=st.integers(1, 5))
def test_a_restored_selection_goes_on_alike(
    epochs: list[tuple[float, float, float]], cut: int, patience: int
) -> None:
    """The state passes through JSON, and every later decision is the same."""
    first, second = _selection(patience), _selection(patience)
    for i, epoch in enumerate(epochs[:cut]):
        first.update(i, _scores(*epoch))
    second.restore(json.loads(json.dumps(first.state(), allow_nan=False)))
    for i, epoch in enumerate(epochs[cut:], start=cut):
        assert first.update(i, _scores(*epoch)) == second.update(i, _scores(*epoch))
        assert first.exhausted(i + 1) == second.exhausted(i + 1)
    assert first.state() == second.state()


def test_patience_counts_epochs_since_the_best() -> None:
    """With patience 2, two epochs in a row without a better one end training."""
    selection = _selection(patience=2)
    found = []
    for i, score in enumerate([0.5, 0.4, 0.6, 0.5, 0.5]):
        selection.update(i, _scores(score))
        found.append(selection.exhausted(i + 1))
    assert found == [False, False, False, False, True]


def test_without_patience_training_goes_on() -> None:
    """Nothing is ever enough."""
    selection = _selection()
    selection.update(0, _scores(0.9))
    assert not selection.exhausted(10**6)


@pytest.mark.parametrize(("monitor", "higher"), MONITORS.items())
def test_each_monitor_prefers_its_better_end(monitor: str, higher: bool) -> None:
    """Accuracies are better when higher, losses when lower; the noise is not theirs."""
    worse, better = (0.4, 0.6) if higher else (0.6, 0.4)
    base = {"balanced_log_loss": 1.0, "noise": 0.0}
    selection = Selection(monitor)
    for epoch, (value, is_better) in enumerate([(worse, True), (better, True), (worse, False)]):
        assert selection.update(epoch, {**base, monitor: value}) == is_better
    assert selection.best_epoch == 1


def test_noise_of_balanced_accuracy_blurs_no_other_score() -> None:
    """Another monitor is taken as exact: a small gain wins against the loss."""
    selection = Selection("accuracy")
    selection.update(0, {"accuracy": 0.80, "balanced_log_loss": 1.0, "noise": 0.5})
    assert selection.update(1, {"accuracy": 0.81, "balanced_log_loss": 2.0, "noise": 0.5})


@pytest.mark.parametrize("monitor", MONITORS)
def test_without_scores_the_last_epoch_is_kept(monitor: str) -> None:
    """Where nothing is validated, training ends with its last weights, patience or not."""
    selection = Selection(monitor, patience=1)
    for epoch in range(5):
        assert selection.update(epoch, {})
        assert not selection.exhausted(epoch + 1)
    assert selection.best_epoch == 4


def test_an_unknown_monitor_is_refused() -> None:
    """The message lists what there is."""
    with pytest.raises(InputError, match=r"macro_f1.*'auc'"):
        Selection("auc")


def test_noise_hand_worked() -> None:
    """Recalls 50/100 and 1/2: p = 50.5/101 and 1.5/3, so sqrt(1/400 + 1/8) / 2."""
    found = recall_noise(np.array([50, 1]), np.array([100, 2]))
    assert found == pytest.approx(math.sqrt(0.25 / 100 + 0.25 / 2) / 2)


def test_a_perfect_score_of_few_examples_is_noisy() -> None:
    """Three of three right is no proof of a perfect class, and 3000 of 3000 nearly is."""
    few, many = (recall_noise(np.array([n, n]), np.array([n, n])) for n in (3, 3000))
    assert few > 0.1
    assert 0 < many < 1e-3


def test_the_noise_is_the_spread_of_balanced_accuracy() -> None:
    """Redrawn validation sets scatter by about what one set of them tells."""
    generator = np.random.default_rng(0)
    totals, recalls = np.array([400, 100, 50]), np.array([0.9, 0.6, 0.5])
    hits = generator.binomial(totals, recalls, size=(20_000, 3))
    spread = (hits / totals).mean(axis=1).std()
    assert np.mean([recall_noise(h, totals) for h in hits[:500]]) == pytest.approx(spread, rel=0.03)


def _draw(seed: int, n: int = 60, classes: int = 4) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    codes = generator.integers(classes, size=n)
    logits = 2 * generator.standard_normal((n, classes)) + 2 * np.eye(classes)[codes]
    return logits.astype(np.float32), codes


@pytest.mark.parametrize("seed", range(5))
def test_scores_are_those_of_scikit_learn(seed: int) -> None:
    """Every score that has a counterpart there equals it."""
    logits, codes = _draw(seed)
    scores, predicted = validation_scores(logits, codes), logits.argmax(axis=1)
    exp = np.exp(logits.astype(float))
    proba = exp / exp.sum(axis=1, keepdims=True)
    balanced = 1 / np.bincount(codes)[codes]
    recalls = [np.mean(predicted[codes == k] == k) for k in range(4)]
    assert scores == pytest.approx(
        {
            "balanced_accuracy": balanced_accuracy_score(codes, predicted),
            "accuracy": accuracy_score(codes, predicted),
            "macro_f1": f1_score(codes, predicted, average="macro"),
            "g_mean": np.prod(recalls) ** 0.25,
            "worst_class_recall": min(recalls),
            "log_loss": log_loss(codes, proba),
            "balanced_log_loss": log_loss(codes, proba, sample_weight=balanced),
            "noise": recall_noise(
                np.array([np.sum(predicted[codes == k] == k) for k in range(4)]),
                np.bincount(codes),
            ),
        }
    )
    assert scores.keys() == MONITORS.keys() | {"noise"}


def test_classes_without_validation_examples_do_not_count() -> None:
    """Recalls, F1 and losses are means over the classes that occur."""
    logits = np.array([[2.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 2.0]], dtype=np.float32)
    scores = validation_scores(logits, np.array([0, 0, 2]))
    assert scores["balanced_accuracy"] == pytest.approx(0.75)
    assert scores["g_mean"] == pytest.approx(math.sqrt(0.5))
    assert scores["worst_class_recall"] == pytest.approx(0.5)
    assert scores["macro_f1"] == pytest.approx((2 / 3 + 1) / 2)


def test_scores_of_extreme_logits_are_finite() -> None:
    """A network that is very sure, and wrong, has a large loss and not an infinite one."""
    logits = np.array([[3e38, -3e38], [-3e38, 3e38]], dtype=np.float32)
    scores = validation_scores(logits, np.array([0, 0]))
    assert all(map(math.isfinite, scores.values()))
    assert scores["log_loss"] == pytest.approx(3e38, rel=1e-6)


def test_the_geometric_mean_of_many_classes_does_not_vanish() -> None:
    """2000 recalls of 1/2 have the geometric mean 1/2, although their product is 1e-602."""
    codes = np.repeat(np.arange(2000), 2)
    logits = np.zeros((4000, 2001), np.float32)
    logits[np.arange(4000), np.where(np.arange(4000) % 2, codes, 2000)] = 1
    assert validation_scores(logits, codes)["g_mean"] == pytest.approx(0.5)


def test_a_class_that_is_never_right_gives_a_geometric_mean_of_zero() -> None:
    """Zero, without a warning about its logarithm."""
    scores = validation_scores(np.array([[1.0, 0.0], [1.0, 0.0]], np.float32), np.array([0, 1]))
    assert scores["g_mean"] == 0.0
