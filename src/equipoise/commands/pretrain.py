"""``equipoise pretrain``: train a backbone without labels, to start a fit from."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from equipoise.commands import console
from equipoise.commands.explanation import show_choices
from equipoise.commands.fit import name_of
from equipoise.commands.options import Flag, Imbalance, ImbalanceOptions, Reading, ReadingOptions
from equipoise.commands.settings import PretrainingOptions
from equipoise.commands.training import read_in, watched
from equipoise.pretraining import Pretraining
from equipoise.runs import require_free


def pretrain(  # noqa: PLR0913 (each is an option)
    data: str,
    /,
    *,
    objective: str = "SimCLR()",
    unlabelled: str | None = None,
    out: Path | None = None,
    seed: int = 0,
    resume: Flag = False,
    dry_run: Flag = False,
    json: Flag = False,
    reading: ReadingOptions = Reading(),  # noqa: B008 (never changed)
    imbalance: ImbalanceOptions = Imbalance(),  # noqa: B008
    classifier: Annotated[
        PretrainingOptions,  # pyright: ignore[reportInvalidTypeForm] (made from the classifier)
        Parameter(name="*"),
    ] = PretrainingOptions(),  # noqa: B008
) -> int:
    """Train a backbone on DATA without its labels; `fit --initial` then starts from it.

    Give the same --ratio, --test and --split-seed as to the fit, so that no test example is
    learnt from.

    Parameters
    ----------
    data : str
        As for `fit`; only the training part is used.
    objective : str
        The self-supervised loss: SimCLR(), VICReg(), or SCARF() for tables.
    unlabelled : str
        Further examples to learn from, with or without labels, which are not used.
    out : Path
        Folder of the run; by default runs/NAME-pretrained-seedN.
    seed : int
        Seed of training.
    resume : bool
        Go on with the run in --out.
    dry_run : bool
        Print every choice that would be made, and stop before training.
    json : bool
        Print the result, or what --dry-run says, as JSON.
    """
    if not dry_run:
        # Before the data is read, which may take long.
        require_free(out or _default_folder(name_of(data), seed), resume=resume)
    with read_in(data, reading, imbalance, classifier, seed=seed) as experiment:
        plan = Pretraining.make(experiment, objective, unlabelled)
    for line in plan.choices:
        console.say(line)
    if dry_run:
        if json:
            show_choices(plan)
        return 0
    folder = out or _default_folder(plan.parts.dataset.name, seed)
    run = watched(plan, folder, resume=resume)
    loss = run.history[-1]["train_loss"]
    if json:
        console.print_json({"run": str(run.path), "loss": loss, "epochs": len(run.history)})
    else:
        console.say(f"The loss is {loss:.3f} after epoch {len(run.history)}.")
        console.say(f"The run is in {run.path}. Next: equipoise fit {data} --initial {run.path}")
    return 0


def _default_folder(name: str, seed: int) -> Path:
    """Return where the run goes without --out."""
    return Path("runs") / f"{name}-pretrained-seed{seed}"
