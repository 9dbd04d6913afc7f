"""Laws of the probe: what it finds is not chosen on the examples that judge it."""

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from equipoise.diagnosis.probe import STRENGTHS, cross_chosen, probe_predictions


def _features(n: int, gap: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    codes = np.repeat([0, 1, 2], [n, n // 4, n // 10])
    return random.normal(size=(len(codes), 6)) + gap * np.eye(6)[codes], codes


def test_the_best_of_candidates_that_guess_looks_no_better_than_guessing() -> None:
    """Eight random guesses: chosen and judged on the same examples they seem to know something."""
    codes = np.repeat([0, 1, 2], [60, 20, 8])
    chosen, best = [], []
    for seed in range(200):
        random = np.random.default_rng(seed)
        guesses = [random.integers(0, 3, len(codes)) for _ in range(8)]
        chosen.append(balanced_accuracy_score(codes, cross_chosen(guesses, codes, 3)))
        best.append(max(balanced_accuracy_score(codes, each) for each in guesses))
    error = np.std(chosen) / np.sqrt(len(chosen))
    assert abs(np.mean(chosen) - 1 / 3) < 3 * error
    assert np.mean(best) > 1 / 3 + 0.05


def test_a_candidate_that_is_clearly_best_is_chosen_by_both_halves() -> None:
    """Then it is that candidate's predictions as they are."""
    codes = np.repeat([0, 1, 2], [40, 9, 2])
    wrong = (codes + 1) % 3
    assert np.array_equal(cross_chosen([wrong, codes, wrong], codes, 3), codes)


@pytest.mark.parametrize("sizes", [(1, 1, 1), (5, 1, 0)])
def test_classes_of_one_example_or_none_are_no_obstacle(sizes: tuple[int, ...]) -> None:
    """One half may lack classes, or be empty; every example is predicted all the same."""
    codes = np.repeat([0, 1, 2], sizes)
    found = cross_chosen([codes, (codes + 1) % 3], codes, 3)
    assert found.shape == codes.shape
    assert set(found) <= {0, 1, 2}


def test_the_probe_counts_every_class_alike() -> None:
    """On classes that overlap, ten to one, the rarest is found as often as the largest."""
    learnt, own = _features(2000, 1.5, 0)
    other, codes = _features(2000, 1.5, 1)
    for (predicted,) in probe_predictions(learnt, own, other)[1:]:
        recall = [np.mean(predicted[codes == code] == code) for code in range(3)]
        assert max(recall) - min(recall) < 0.1
    assert len(STRENGTHS) == 3
