"""A run of another library's learner: the same data, parts and files as a run of ours."""

import time
from pathlib import Path

import numpy as np

from equipoise.comparison.setup import Setup
from equipoise.experiment import Experiment
from equipoise.metrics import evaluate
from equipoise.opponents import OPPONENTS
from equipoise.opponents.contract import Answer, Rows
from equipoise.plan import Plan
from equipoise.resuming import open_or_create
from equipoise.runs import Run

KEPT = ("data", "seeds", "test", "environment")
"""What the configuration of such a run has in common with that of a network's."""


def oppose(experiment: Experiment, name: str, folder: Path, setup: Setup) -> Run:
    """Train a learner of another library, look at the test set once, and keep a run folder.

    A run that was stopped begins anew: such learners keep no checkpoints.

    Parameters
    ----------
    experiment : Experiment
        The data, how it is cut, and the seeds.
    name : str
        Of `equipoise.opponents.OPPONENTS`.
    folder : Path
        Where to keep it.
    setup : Setup
        Metric, budget, and whether numbers are searched.
    """
    begun = time.monotonic()
    plan = Plan.make(experiment)
    parts, task = plan.parts, plan.fit.task
    shared = plan.config()
    told = {"name": name, "searches": setup.searches}
    empty = {"classifier": {}, "choices": []}
    config = {**{part: shared[part] for part in KEPT}, **empty, "opponent": told}
    run = open_or_create(folder, config, resume=True)
    rows = Rows(
        X=task.X,  # type: ignore[arg-type]
        codes=task.codes,
        train=parts.train,
        validation=parts.validation,
        test=parts.test,
        n_classes=task.n_classes,
    )
    left = np.inf if setup.budget is None else setup.budget - (time.monotonic() - begun)
    answer = OPPONENTS[name].answer(
        rows, experiment.seed, seconds=left, metric=setup.metric, search=setup.searches
    )
    config["opponent"] |= answer.facts
    config["network"] = {"prior": answer.prior.tolist()}
    config["test"] = {"looks": 1}
    config["environment"]["seconds"] = round(time.monotonic() - begun, 1)
    run.write_config(config)
    _write(run, plan, answer)
    run.finish()
    return run


def _write(run: Run, plan: Plan, answer: Answer) -> None:
    """Write predictions and metrics as a run of a network has them."""
    parts, dataset = plan.parts, plan.parts.dataset
    logits = {"validation": answer.validation, "test": answer.test}
    index = {name: parts.index[name] for name in logits if len(parts.index[name])}
    arrays, metrics = {}, {}
    even = np.full(len(dataset.classes), 1 / len(dataset.classes))
    for name, positions in index.items():
        codes = dataset.codes[positions]
        arrays[f"{name}_ids"] = dataset.ids[positions].astype(np.str_)
        arrays[f"{name}_labels"] = codes
        arrays[f"{name}_logits"] = logits[name]
        metrics[name] = {
            key: evaluate(
                logits[name],
                codes,
                classes=dataset.classes,
                train_counts=plan.fit.task.counts,
                train_prior=answer.prior,
                prior=prior,
            )
            for key, prior in (("as_is", None), ("balanced", even))
        }
    run.write_arrays("predictions.npz", arrays)
    run.write_json("metrics.json", metrics)
