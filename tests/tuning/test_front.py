"""Laws of the Pareto front."""

import numpy as np
import optuna
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise.tuning.front import pareto_front
from equipoise.tuning.records import Record, State

METRICS = ("balanced_accuracy", "balanced_log_loss", "seconds")


def _record(number: int, values: tuple[float, float, float], state: State = "complete") -> Record:
    scores = {"balanced_accuracy": values[0], "balanced_log_loss": values[1]}
    return Record(number=number, state=state, scores=scores, pace=values[2])


@given(seed=st.integers(0, 500), n=st.integers(1, 12))
@settings(deadline=None, derandomize=True, max_examples=40)
def test_the_front_is_that_of_optuna(seed: int, n: int) -> None:
    """Beside the best trials of a study; few values, so that many are equal."""
    values = np.random.default_rng(seed).integers(0, 4, (n, 3)).astype(float)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(directions=["maximize", "minimize", "minimize"])
    for row in values:
        study.add_trial(optuna.trial.create_trial(values=row.tolist()))
    expected = {trial.number for trial in study.best_trials}
    records = [_record(number, tuple(row)) for number, row in enumerate(values)]
    found = pareto_front(records, METRICS)
    assert {row["number"] for row in found} == expected
    first = [row["values"]["balanced_accuracy"] for row in found]
    assert first == sorted(first, reverse=True)


def test_only_full_trainings_count() -> None:
    """A score at a stop cannot be compared with others."""
    records = [_record(0, (0.9, 0.1, 1.0), "stopped"), _record(1, (0.5, 1.0, 2.0))]
    assert [row["number"] for row in pareto_front(records, METRICS)] == [1]


def test_one_metric_has_no_front() -> None:
    """There the winner is all there is to choose."""
    assert pareto_front([_record(0, (0.9, 0.1, 1.0))], METRICS[:1]) == []
