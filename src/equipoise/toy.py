"""A problem in two dimensions with few minority points, for eyes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from equipoise._typing import CodeArray
from equipoise.classifier import Classifier
from equipoise.errors import InputError
from equipoise.seeds import derive_seed

Points = Float[np.ndarray, "examples 2"]
"""Places in the plane."""

COMMON = {
    "backbone": "MLP(layers=3, width=64, dropout=0.0, numeric=None)",
    "optimizer": "AdamW(lr=0.005, weight_decay=0.0)",
    "schedule": "Cosine()",
    "average": None,
    "batch_size": 32,
    "validation": 0.0,
    "scaling": "standard",
    "device": "cpu",
}
"""What all methods share: a network that is large enough to learn every point by heart."""

METHODS = ("plain", "prior correction", "re-weighted", "over-sampled", "SAM", "SAM-A")
"""What is compared."""


def added(rho: float) -> dict[str, dict[str, Any]]:
    """Return what each of `METHODS` adds to `COMMON`, with a radius for SAM and SAM-A."""
    each: tuple[dict[str, Any], ...] = (
        {},
        {"prior": "balanced"},
        {"weighting": "Inverse()"},
        {"sampler": "ClassBalanced()"},
        {"sharpness": f"SAM(rho={rho})"},
        {"sharpness": f"SAMA(rho={rho}, gamma=1.0)"},
    )
    return dict(zip(METHODS, each, strict=True))


EDGE = 3.2
"""The plane is drawn from minus this to this."""

FINE = 120
"""Points along each side of the drawn plane."""

N_TEST = 2000
"""Test points of each class."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Panel:
    """What one method makes of the plane.

    Parameters
    ----------
    name : str
        The method.
    proba : ndarray of float, shape (rows, columns)
        Probability of the minority over the plane, from below and from the left.
    recall : ndarray of float, shape (seeds, 2)
        Of majority and minority, on test points of each seed.
    """

    name: str
    proba: np.ndarray
    recall: np.ndarray


@dataclass(frozen=True, kw_only=True, eq=False)
class Toy:
    """Training points, and what methods make of them.

    Parameters
    ----------
    X : ndarray of float, shape (examples, 2)
        Training points of the first seed.
    codes : ndarray of int, shape (examples,)
        0: majority, 1: minority.
    panels : tuple of Panel
        One a method.
    """

    X: Points
    codes: CodeArray
    panels: tuple[Panel, ...]


def draw_points(n_majority: int, n_minority: int, seed: int) -> tuple[Points, CodeArray]:
    """Return points of two half moons that reach into each other, the second with few points.

    Parameters
    ----------
    n_majority, n_minority : int
        Points of each, at least 2.
    seed : int
        Seed of the draw.

    Examples
    --------
    >>> X, codes = draw_points(300, 10, seed=0)
    >>> X.shape, np.bincount(codes)
    ((310, 2), array([300,  10]))
    """
    for name, n in (("majority", n_majority), ("minority", n_minority)):
        if n < 2:
            raise InputError(
                f"The {name} needs at least two points.", f"It has {n}.", "Give for example 10."
            )
    random = np.random.default_rng(derive_seed(seed, "toy"))
    angle = np.pi * random.random(n_majority + n_minority)
    codes = np.repeat([0, 1], [n_majority, n_minority])
    upper = np.stack([np.cos(angle) - 0.5, np.sin(angle) - 0.25], axis=1)
    lower = np.stack([0.5 - np.cos(angle), 0.25 - np.sin(angle)], axis=1)
    X = np.where(codes[:, None] == 0, upper, lower)
    return 1.5 * (X + random.normal(scale=0.22, size=X.shape)), codes


def make_toy(
    *,
    n_majority: int = 300,
    n_minority: int = 10,
    n_seeds: int = 3,
    epochs: int = 60,
    rho: float = 0.05,
    watch: Callable[[], None] = lambda: None,
) -> Toy:
    """Train every method on a few minority points, and measure it on many.

    Use it to see what re-weighting, over-sampling and sharpness-aware training do to the boundary
    around the points of a rare class; it proves nothing about other data.

    Parameters
    ----------
    n_majority : int, default=300
        Training points of the frequent class.
    n_minority : int, default=10
        Training points of the rare class.
    n_seeds : int, default=3
        Draws of points, each with a training of its own; the first is drawn.
    epochs : int, default=60
        Passes over the points.
    rho : float, default=0.05
        Radius of SAM and SAM-A, above 0.
    watch : callable, optional
        Called after each training.

    Returns
    -------
    Toy
        The points of the first seed, and a panel for each of `METHODS`.

    Raises
    ------
    InputError
        If a number is too small.

    Examples
    --------
    >>> toy = make_toy(n_majority=40, n_minority=4, n_seeds=1, epochs=1)
    >>> [panel.name for panel in toy.panels][:2], toy.panels[0].proba.shape
    (['plain', 'prior correction'], (120, 120))
    """
    if n_seeds < 1:
        raise InputError("A toy needs a seed.", f"It has {n_seeds}.", "Give 1 or more.")
    panels = [
        _panel(name, {**COMMON, **own, "epochs": epochs}, (n_majority, n_minority), n_seeds, watch)
        for name, own in added(rho).items()
    ]
    X, codes = draw_points(n_majority, n_minority, 0)
    return Toy(X=X, codes=codes, panels=tuple(panels))


def plane() -> Points:
    """Return the points of the plane that is drawn, row by row from below."""
    side = np.linspace(-EDGE, EDGE, FINE)
    return np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)


def _panel(
    name: str,
    params: Mapping[str, Any],
    sizes: tuple[int, int],
    n_seeds: int,
    watch: Callable[[], None],
) -> Panel:
    recall, proba = [], np.empty(0)
    for seed in range(n_seeds):
        model = Classifier(**params, random_state=seed).fit(*draw_points(*sizes, seed))
        X, codes = draw_points(N_TEST, N_TEST, 10_000 + seed)
        right = model.predict(X) == codes
        recall.append([right[codes == 0].mean(), right[codes == 1].mean()])
        if seed == 0:
            proba = model.predict_proba(plane())[:, 1].reshape(FINE, FINE)
        watch()
    return Panel(name=name, proba=proba, recall=np.array(recall))
