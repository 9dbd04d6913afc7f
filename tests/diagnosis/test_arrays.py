"""Laws of the smaller measures on arrays: deviation, margins, gradients, temperature."""

import tracemalloc

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from torch.nn import functional as F

from equipoise.diagnosis.calibration import errors
from equipoise.diagnosis.collapse import ClassMeans, normalized_variances
from equipoise.diagnosis.deviation import feature_deviation
from equipoise.diagnosis.gradients import gradient_shares, slope_with_counts
from equipoise.diagnosis.margins import boundary_distances, by_class, margins
from equipoise.diagnosis.temperature import fit_temperature


def test_without_deviation_none_is_seen_however_few_examples() -> None:
    """Squared deviations of equal distributions are about zero for 3 examples as for 300."""
    random = np.random.default_rng(0)
    new, codes = random.normal(size=(4000, 5)), np.zeros(4000, int)
    for n in (3, 300):
        found = [
            feature_deviation(random.normal(size=(n, 5)), np.zeros(n, int), new, codes, 1)[0]
            for _ in range(200)
        ]
        assert np.mean(np.square(found)) < 0.6 / n  # the distance alone would have 1 / n


def test_deviation_is_the_distance_in_class_spreads() -> None:
    """Means moved by a known distance are found to be that far apart."""
    random = np.random.default_rng(1)
    learnt, new = random.normal(size=(2, 20_000, 4))
    codes = np.zeros(20_000, int)
    found = feature_deviation(learnt + np.array([3.0, 0, 0, 0]), codes, new, codes, 1)
    assert found[0] == pytest.approx(3 / 2, rel=0.02)  # the spread is the root of four variances


def test_a_boundary_is_where_the_decision_turns() -> None:
    """Moved by a little less than the distance an example keeps its class, by more it loses it."""
    random = np.random.default_rng(2)
    rows, features = random.normal(size=(5, 8)), random.normal(size=(50, 8))
    logits = features @ rows.T
    codes = logits.argmax(axis=1)
    apart = boundary_distances(logits, codes, rows)
    for i in range(50):
        kept, lost = [], []
        for j in set(range(5)) - {codes[i]}:
            step = rows[j] - rows[codes[i]]
            for factor, where in ((0.999, kept), (1.001, lost)):
                moved = features[i] + factor * apart[i] * step / np.linalg.norm(step)
                where.append((moved @ rows.T).argmax() == codes[i])
        assert all(kept)
        assert not all(lost)


def test_many_classes_need_no_array_of_all_pairs_and_features() -> None:
    """Of 200 classes with 1,000 features pairs of differences would take 320 MB."""
    rows = np.random.default_rng(0).normal(size=(200, 1000))
    tracemalloc.start()
    boundary_distances(rows @ rows.T, np.arange(200), rows)
    normalized_variances(np.ones(200), ClassMeans(rows))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 50e6


def test_margins_tell_right_from_wrong() -> None:
    """Above 0 exactly where the true class is chosen."""
    random = np.random.default_rng(3)
    logits, codes = random.normal(size=(200, 4)), random.integers(0, 4, 200)
    assert ((margins(logits, codes) > 0) == (logits.argmax(axis=1) == codes)).all()
    assert by_class(np.arange(4.0), np.array([0, 0, 0, 1]), 2).tolist() == [1.0, 3.0]


def test_shares_are_those_of_gradients_by_autograd() -> None:
    """Sizes of each example's gradient for the head's rows, by torch."""
    random = np.random.default_rng(4)
    features, codes = random.normal(size=(30, 6)), np.repeat([0, 1, 2], (15, 10, 5))
    rows = random.normal(size=(3, 6))
    sizes = np.zeros(3)
    for h, k in zip(features, codes, strict=True):
        weight = torch.tensor(rows, requires_grad=True)
        logits = torch.tensor(h) @ weight.T
        F.cross_entropy(logits[None], torch.tensor([k])).backward()
        assert weight.grad is not None
        sizes[k] += float(weight.grad.norm())
    counts = np.bincount(codes)
    found = gradient_shares(features @ rows.T, codes, features, counts)
    assert found == pytest.approx(sizes / sizes.sum(), rel=1e-9)
    # A sample of a class stands for all of it.
    tenfold = gradient_shares(features @ rows.T, codes, features, 10 * counts)
    assert tenfold == pytest.approx(found, rel=1e-12)


def test_the_slope_is_that_of_a_fitted_line() -> None:
    """`numpy.polyfit` on logarithms."""
    random = np.random.default_rng(5)
    counts, values = random.integers(5, 500, 12), random.uniform(1, 2, 12)
    wanted = np.polyfit(np.log(counts), np.log(values), 1)[0]
    assert slope_with_counts(values, counts) == pytest.approx(wanted, rel=1e-9)
    assert np.isnan(slope_with_counts(values, np.full(12, 7)))


def test_the_temperature_is_a_general_optimisers() -> None:
    """BFGS on the same loss; and logits made too sure by a factor have it taken back."""
    random = np.random.default_rng(6)
    logits = 2 * random.normal(size=(3000, 4))
    proba = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    codes = (proba.cumsum(axis=1) > random.uniform(size=(3000, 1))).argmax(axis=1)
    weights = random.uniform(0.1, 3, 3000)

    def loss(t: np.ndarray) -> float:
        z = torch.tensor(3 * logits / np.exp(t[0]))
        each = F.cross_entropy(z, torch.tensor(codes), reduction="none").numpy()
        return float((weights * each).sum() / weights.sum())

    wanted = np.exp(minimize(loss, [0.0]).x[0])
    found = fit_temperature(3 * logits, codes, weights)
    assert found == pytest.approx(wanted, rel=1e-3)
    assert found == pytest.approx(3.0, rel=0.1)


def test_errors_are_the_ones_that_runs_report() -> None:
    """`equipoise.metrics.evaluate` measures the same on examples that count alike."""
    from equipoise.metrics import evaluate  # noqa: PLC0415

    random = np.random.default_rng(7)
    logits, codes = random.normal(size=(400, 3)), random.integers(0, 3, 400)
    found = errors(logits, codes, np.ones(400))
    told = evaluate(logits, codes, classes=list("abc"), train_counts=[9, 9, 9])["overall"]
    names = {"top_label": "top_label_ece", "class_wise": "class_wise_ece"}
    for name, value in found.items():
        assert value == pytest.approx(told[names.get(name, name)]["value"], rel=1e-9), name
