"""A run of another library's learner: the same data, parts and files as a run of ours."""

import math
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from equipoise.comparison.setup import Setup
from equipoise.experiment import Experiment
from equipoise.metrics import evaluate
from equipoise.opponents import OPPONENTS
from equipoise.opponents.contract import Answer, Limits, Rows
from equipoise.plan import Plan
from equipoise.resuming import open_or_create
from equipoise.runs import Run

KEPT = ("data", "seeds", "test", "environment")
"""What the configuration of such a run has in common with that of a network's."""


def oppose(
    experiment: Experiment,
    name: str,
    folder: Path,
    setup: Setup,
    conclude: Callable[[Run], None] | None = None,
) -> Run:
    """Train a learner of another library, look at the test set once, and keep a run folder.

    A run that was stopped begins anew: such learners keep no checkpoints. It computes with as many
    threads as a network would, in the same time.

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
    conclude : callable or None, default=None
        Called last, when all is written but that the run is finished; may write more.
    """
    begun = time.monotonic()
    plan = Plan.make(experiment)
    shared = plan.config()
    told = {"name": name, "searches": setup.searches}
    empty = {"classifier": {}, "choices": []}
    config = {**{part: shared[part] for part in KEPT}, **empty, "opponent": told}
    run = open_or_create(folder, config, resume=True)
    answer = OPPONENTS[name].answer(
        _rows(plan),
        experiment.seed,
        limits=Limits(
            ends=math.inf if setup.budget is None else begun + setup.budget,
            n_trials=setup.n_trials,
            threads=torch.get_num_threads(),
        ),
        metric=setup.metric,
        search=setup.searches,
        look=lambda: _count_look(run),
    )
    config["opponent"] |= answer.facts
    config["network"] = {"prior": answer.prior.tolist(), "exact_prior": answer.exact_prior}
    config["test"] = run.config["test"]
    config["environment"]["seconds"] = round(time.monotonic() - begun, 1)
    run.write_config(config)
    _write(run, plan, answer)
    if conclude is not None:
        conclude(run)
    run.finish()
    return run


def _count_look(run: Run) -> None:
    """Count a look at the test set before it is taken, so that a kill cannot hide it.

    A run that is begun anew learns anew, so its look is another one.
    """
    config = run.config
    config["test"]["looks"] += 1
    run.write_config(config)


def _rows(plan: Plan) -> Rows:
    parts, task = plan.parts, plan.fit.task
    return Rows(
        X=task.X,  # type: ignore[arg-type]
        codes=task.codes,
        train=parts.train,
        validation=parts.validation,
        test=parts.test,
        n_classes=task.n_classes,
    )


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
