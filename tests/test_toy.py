"""Laws of the problem in two dimensions."""

import numpy as np
import pytest

from equipoise.classifier import Classifier
from equipoise.errors import InputError
from equipoise.toy import COMMON, EDGE, METHODS, added, draw_points, make_toy, plane


def test_points_are_those_of_their_seed_and_lie_in_the_plane() -> None:
    """As many as wished; the two classes reach into each other but can be told apart."""
    X, codes = draw_points(300, 10, 3)
    assert np.bincount(codes).tolist() == [300, 10]
    assert np.array_equal(X, draw_points(300, 10, 3)[0])
    assert not np.array_equal(X, draw_points(300, 10, 4)[0])
    assert np.abs(X).max() < EDGE
    centres = [X[codes == code].mean(axis=0) for code in (0, 1)]
    assert centres[0][1] > centres[1][1] + 0.3


def test_methods_differ_in_what_they_add_alone() -> None:
    """Each trains, and none changes what all share."""
    X, codes = draw_points(30, 4, 0)
    for name, own in added(0.05).items():
        assert name in METHODS
        assert not own.keys() & COMMON.keys()
        Classifier(**{**COMMON, **own, "epochs": 1}).fit(X, codes)


def test_panels_are_what_the_classifier_says() -> None:
    """Probabilities over the plane from below, recall on new points, corrected for rarity."""
    watched: list[None] = []
    toy = make_toy(
        n_majority=60, n_minority=6, n_seeds=2, epochs=8, watch=lambda: watched.append(None)
    )
    assert len(watched) == 2 * len(METHODS)
    plain, corrected = toy.panels[:2]
    model = Classifier(**COMMON, epochs=8, random_state=0).fit(*draw_points(60, 6, 0))
    expected = model.predict_proba(plane())[:, 1]
    assert plain.proba.ravel() == pytest.approx(expected, abs=1e-6)
    assert plain.recall.shape == (2, 2)
    assert (corrected.proba >= plain.proba - 1e-9).all()
    assert (corrected.recall[:, 1] >= plain.recall[:, 1]).all()


@pytest.mark.parametrize("wrong", [{"n_minority": 1}, {"n_seeds": 0}, {"n_majority": 0}])
def test_numbers_that_are_too_small_are_refused(wrong: dict[str, int]) -> None:
    """In words."""
    with pytest.raises(InputError):
        make_toy(**{"n_majority": 20, "n_minority": 4, "n_seeds": 1, "epochs": 1, **wrong})
