"""What commands that train share: the experiment that their options describe, a bar, a stop."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from equipoise.adjustment import PREFIX
from equipoise.checkpoints import read_checkpoint
from equipoise.commands import console
from equipoise.commands.options import Imbalance, Reading
from equipoise.commands.settings import classifier_params
from equipoise.experiment import Experiment
from equipoise.plan import Plan
from equipoise.resuming import checkpoint_of
from equipoise.runs import Run


@contextmanager
def read_in(
    data: str, reading: Reading, imbalance: Imbalance, classifier: Any, *, seed: int
) -> Iterator[Experiment]:
    """Give the experiment that a command's options describe; a bar shows how its data is read.

    Parameters
    ----------
    data : str
        What is read.
    reading, imbalance, classifier : Reading, Imbalance, and options of a classifier
        The groups of options that commands which train have in common.
    seed : int
        Seed of training.
    """
    with console.reading_bar("reading") as progress:
        yield Experiment(
            source=data,
            options=reading.options(progress),
            download=reading.download,
            seed=seed,
            params=classifier_params(classifier),
            **vars(imbalance),
        )


def watched(plan: Plan, folder: Path, *, resume: bool = False) -> Run:
    """Carry out a plan under a live bar, and say how it ended if not as planned.

    A stop by Ctrl-C says how to go on.
    """
    try:
        with console.training_bar() as bar:
            run = plan.run(folder, resume=resume, observers=[bar])
    except KeyboardInterrupt:
        place = resumed_at(folder, plan.fit.training.epochs)
        console.say(f"Go on {place} with the same command and --out {folder} --resume.")
        raise
    tell_end(run)
    tell_adjustment(run)
    return run


def tell_end(run: Run) -> None:
    """Print how training has ended, if not as planned."""
    config = run.config
    if ended := config["environment"].get("ended"):
        which = "best" if sum(config["data"]["counts_validation"]) else "last"
        console.say(f"Training was ended {ended}; the {which} of these epochs is kept.")


def tell_adjustment(run: Run) -> None:
    """Print what a method after training has chosen, which no one knew before."""
    for choice in run.config.get("choices", []):
        if choice["field"].startswith(PREFIX):
            console.say(f"{choice['field']} = {choice['value']}: {choice['reason']}")


def resumed_at(folder: Path, epochs: int) -> str:
    """Return where an unfinished run of so many epochs would go on, as a phrase."""
    saved = read_checkpoint(checkpoint_of(folder))
    kept = len(saved.facts["history"]) if saved else 0
    return f"from epoch {kept + 1} of {epochs}" if kept < epochs else "after the last epoch"
