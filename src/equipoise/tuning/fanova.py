"""Shares of the variation between scores that single choices account for, and their errors."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import optuna
from optuna.distributions import FloatDistribution
from optuna.importance import FanovaImportanceEvaluator
from optuna.trial import create_trial

from equipoise.seeds import derive_seed
from equipoise.tuning.effort import FULL, Effort

TREES = 64
"""Trees of the forest that an estimate comes from."""

FEWER_TREES = 16
"""Trees of those for the error, which are many; fewer trees make it larger."""

DEPTH = 6
"""Depth of the trees: what would split few trials further is noise, and takes most of the time."""


@dataclass(frozen=True, eq=False)
class Column:
    """What each trial had of one choice.

    Parameters
    ----------
    values : ndarray of str or float, shape (trials,)
        Names of candidates, or numbers on the scale on which equal steps count alike.
    margin : float, default=0.0
        How far the range of numbers reaches beyond the outermost; half a step for whole ones.
    """

    values: np.ndarray
    margin: float = 0.0

    def at(self, rows: np.ndarray) -> "Column":
        """Return the column for some of the trials."""
        return Column(self.values[rows], self.margin)


Columns = Mapping[str, Column]
"""Columns by name."""


def importances(
    columns: Columns,
    gains: np.ndarray,
    told: Sequence[str],
    *,
    seed: int,
    effort: Effort = FULL,
) -> dict[str, tuple[float, float]]:
    r"""Return the importances of choices with their standard errors.

    Parameters
    ----------
    columns : mapping of str to Column
        Everything that trials differ in.
    gains : ndarray of float, shape (trials,)
        Their scores.
    told : sequence of str
        Names of the columns that importances are wanted of.
    seed : int
        Seed of forests and halves.
    effort : Effort
        How many trees and halves there are; by default as many as with time enough.

    Returns
    -------
    dict of str to (float, float)
        Importance, see `main_effects`, and its standard error: with :math:`\hat\theta_b` the
        importance in random half :math:`b` of the trials, the standard deviation of
        :math:`\hat\theta_b`, a delete-d jackknife, whose factor is 1 for halves [1]_. A
        bootstrap would show trees the same trial twice, and take its noise for knowledge.

    References
    ----------
    .. [1] J. Shao and C. F. J. Wu, "A general theory for jackknife variance estimation",
       Annals of Statistics, 1989.
    """
    random = np.random.default_rng(derive_seed(seed, "importances"))
    estimate = main_effects(columns, gains, seed=seed, n_trees=effort.of(TREES))
    halves = []
    for _ in range(effort.halves):
        rows, forest = (
            np.sort(random.permutation(len(gains))[: len(gains) // 2]),
            int(random.integers(2**31)),
        )
        part = {name: column.at(rows) for name, column in columns.items()}
        halves.append(main_effects(part, gains[rows], seed=forest, n_trees=effort.of(FEWER_TREES)))
    return {
        name: (estimate[name], float(np.std([half[name] for half in halves], ddof=1)))
        for name in told
    }


def main_effects(
    columns: Columns, gains: np.ndarray, *, seed: int, n_trees: int = TREES
) -> dict[str, float]:
    r"""Return the share of the variance of a forest that each column alone accounts for.

    Parameters
    ----------
    columns : mapping of str to Column
        Everything that trials differ in.
    gains : ndarray of float, shape (trials,)
        Their scores.
    seed : int
        Seed of the forest.
    n_trees : int, default=64
        Its number of trees.

    Returns
    -------
    dict of str to float
        With :math:`f` the prediction of a tree, :math:`f_j(x_j) = \mathbb{E}[f \mid x_j]` over
        all other columns, each uniform on what was tried: the mean over trees of
        :math:`\operatorname{Var} f_j(x_j) / \operatorname{Var} f` [1]_, by Optuna's evaluator.
        What is missing from a sum of 1 belongs to combinations of columns, and to noise that
        the trees have learnt. 0 for all, where scores or choices do not differ.

    Notes
    -----
    Candidates become places on a line, one apart, in the order of their mean scores, each with
    the same share of it. Optuna's own encoding of categories, a column for each, averages over
    trials that have none or several of them: on a full factorial with effects of 78, 10 and 12
    per cent it finds 79, 6 and 9, and this one the truth.

    References
    ----------
    .. [1] F. Hutter, H. Hoos and K. Leyton-Brown, "An efficient approach for assessing
       hyperparameter importance", ICML 2014.

    Examples
    --------
    >>> columns = {"a": Column(np.array(["x", "y"] * 20)), "b": Column(np.arange(40.0) // 2 % 2)}
    >>> found = main_effects(columns, np.array([0.0, 1.0] * 20), seed=0)
    >>> round(found["a"], 2), round(found["b"], 2)
    (1.0, 0.0)
    """
    encoded = {name: _encoded(column, gains) for name, column in columns.items()}
    spaces = {name: FloatDistribution(low, high) for name, (_, low, high) in encoded.items()}
    trials = [
        create_trial(
            params={name: float(places[k]) for name, (places, _, _) in encoded.items()},
            distributions=dict(spaces),
            value=float(gain),
        )
        for k, gain in enumerate(gains)
    ]
    if np.ptp(gains) == 0:
        return dict.fromkeys(columns, 0.0)
    with _quietly():
        study = optuna.create_study(direction="maximize")
    study.add_trials(trials)
    evaluator = FanovaImportanceEvaluator(n_trees=n_trees, max_depth=DEPTH, seed=seed % 2**32)
    try:
        found = evaluator.evaluate(study)
    except RuntimeError:  # "zero total variance": trials that differ in scores differ in nothing
        return dict.fromkeys(columns, 0.0)
    return {name: float(found[name]) for name in columns}


def foreseen(columns: Columns, gains: np.ndarray, *, seed: int, n_trees: int = 4 * TREES) -> float:
    """Return the share of the variation that a forest foresees in trials it has not seen.

    Parameters
    ----------
    columns : mapping of str to Column
        Everything that trials differ in.
    gains : ndarray of float, shape (trials,)
        Their scores.
    seed : int
        Seed of the forest.
    n_trees : int, default=256
        Its number of trees.

    Returns
    -------
    float
        The out-of-bag coefficient of determination: 1 is perfect, 0 and below is no better than
        the mean.
    """
    from sklearn.ensemble import RandomForestRegressor  # noqa: PLC0415 (takes half a second)

    # Candidates one by one here: to order them by their scores would tell the forest too much.
    parts = []
    for column in columns.values():
        names = column.values
        is_named = names.dtype.kind == "U"
        parts.append(names[:, None] == np.unique(names) if is_named else names[:, None])
    forest = RandomForestRegressor(n_estimators=n_trees, oob_score=True, random_state=seed % 2**32)
    return float(forest.fit(np.hstack(parts).astype(float), gains).oob_score_)


def _encoded(column: Column, gains: np.ndarray) -> tuple[np.ndarray, float, float]:
    """Return places on a line, and the ends of the line."""
    values = column.values
    if values.dtype.kind != "U":
        return values, values.min() - column.margin, values.max() + column.margin
    _, codes = np.unique(values, return_inverse=True)
    means = np.bincount(codes, gains) / np.bincount(codes)
    places = means.argsort().argsort()
    return places[codes].astype(float), -0.5, len(means) - 0.5


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Keep Optuna from telling of a study that only it sees."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(level)
