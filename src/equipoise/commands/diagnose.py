"""``equipoise diagnose``: why a run succeeds or fails."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Table

from equipoise.commands import console
from equipoise.commands.options import Flag, Reading, ReadingOptions
from equipoise.errors import InputError
from equipoise.runs import Run, require_writable

if TYPE_CHECKING:
    from equipoise.data.dataset import Dataset

SHOWN = {
    "prior_bias": ("prior bias", True),
    "recall_train": ("recall, training", True),
    "recall_test": ("recall, test", True),
    "nc1_train": ("NC1, training", False),
    "nc1_test": ("NC1, test", False),
    "nc3": ("NC3", False),
    "deviation": ("feature deviation", False),
    "margin_test": ("margin, test", False),
    "row_slope": ("slope of row lengths", False),
    "rise": ("rise of the loss", False),
    "eigenvalue_all": ("top eigenvalue", False),
    "top_label_corrected": ("top-label error", True),
    "top_label_tempered": ("top-label error, after a temperature", True),
}
"""Measures that stand side by side, with their names, and whether they are in per cent."""


def diagnose(  # noqa: PLR0913 (each is an option)
    run: Path,
    /,
    *runs: Path,
    data: str | None = None,
    out: Path | None = None,
    examples: int = 500,
    fast: Flag = False,
    device: str = "auto",
    seed: int = 0,
    overwrite: Flag = False,
    json: Flag = False,
    reading: ReadingOptions = Reading(),  # noqa: B008 (never changed)
) -> int:
    """Say why RUN, or each of several RUNS on the same data, succeeds or fails, and what to try.

    The networks are run over training, validation and test examples. Advice rests on training
    and validation examples; a run without any that are held out, such as one of `tune`, is judged
    by its test examples instead. What is said about the test set counts as a look at it.

    Parameters
    ----------
    run : Path
        Folder of a finished run of a network.
    runs : Path
        Folders of more runs on the same data, such as those of a comparison.
    data : str
        The data that the runs were made from, if it has moved.
    out : Path
        Folder of the diagnosis; by default diagnoses/NAME.
    examples : int
        At most so many examples of each class and part are looked at.
    fast : bool
        Leave out the top eigenvalue of the Hessian, which takes longest.
    device : str
        Where the networks run.
    seed : int
        Seed of which examples are looked at.
    overwrite : bool
        Replace the diagnosis in --out.
    json : bool
        Print everything as JSON.
    """
    # What follows needs torch, which `--help` need not wait for.
    from equipoise.diagnosis.diagnose import STEPS, side_by_side  # noqa: PLC0415
    from equipoise.diagnosis.evidence import require_one_network  # noqa: PLC0415
    from equipoise.diagnosis.storage import store, unique_names  # noqa: PLC0415

    folders = [run, *runs]
    names = unique_names(folders)
    _check(folders, examples)
    more = "" if len(folders) == 1 else f"-and-{len(folders) - 1}-more"
    target = out or Path("diagnoses") / f"{names[0].replace('/', '-')}{more}"
    _require_new(target, overwrite=overwrite)
    opened = [Run.open(folder) for folder in folders]
    for each in opened:
        each.require_classifier()
        require_one_network(each)
    _check_alike(opened)
    datasets: dict[str, Dataset] = {}
    found, pictures = [], []
    with console.counting_bar("measures", len(opened) * (STEPS + 1)) as advance:
        for name, each in zip(names, opened, strict=True):
            kept = _data(each, data, reading, datasets)
            settings = {"per_class": examples, "device": device, "seed": seed}
            told, images = _looked_at(each, kept, settings, hessian=not fast, watch=advance)
            found.append({**told, "name": name})
            pictures.append(images)
    order = side_by_side(found)
    store(target, found, order, pictures)
    if json:
        console.print_json({"diagnosis": str(target), "runs": found, "order": order})
        return 0
    for told in found:
        _show(told)
    if len(found) > 1:
        _show_beside(found, order)
    console.say(f"All of it is in {target}. Next: equipoise report {target}")
    return 0


def _looked_at(
    run: Run, dataset: "Dataset", settings: Mapping[str, Any], *, hessian: bool, watch: Any
) -> tuple[dict[str, Any], Any]:
    """Return the diagnosis of one run, and pictures of its suspects."""
    from equipoise.diagnosis.diagnose import diagnose as diagnosed  # noqa: PLC0415 (as above)
    from equipoise.diagnosis.diagnose import suspect_images  # noqa: PLC0415
    from equipoise.diagnosis.evidence import observe  # noqa: PLC0415

    evidence = observe(run, dataset, **settings)
    watch()
    looks = run.config["test"]["looks"]
    console.say(f"{run.path}: this is look {looks} at the sealed test set.")
    told = diagnosed(evidence, hessian=hessian, watch=watch)
    return told, suspect_images(evidence, told)


def _data(run: Run, source: str | None, reading: Reading, known: dict[str, "Dataset"]) -> "Dataset":
    """Return the data that a run was made from, each read once."""
    from equipoise.data.sources import load  # noqa: PLC0415 (as above)

    own = run.config["data"]
    key = own["fingerprint"] + str(own.get("reading")) + str(own.get("rare"))
    if key not in known:
        where = source or own["source"]
        console.say(f"Reading {where}{'' if source else ', as the run was made from it'}.")
        with console.reading_bar("reading") as progress:
            options = reading.as_trained(run, progress)
            known[key] = load(where, options, download=reading.download)
    return known[key]


def _check(folders: Sequence[Path], examples: int) -> None:
    if len({folder.expanduser().resolve() for folder in folders}) < len(folders):
        raise InputError(
            "Each run can be diagnosed once.", "One is named twice.", "Leave out one of them."
        )
    if examples < 2:
        raise InputError(
            "--examples must be at least 2, for a class to have a spread.",
            f"It is {examples}.",
            "Give 500, the default.",
        )


def _require_new(target: Path, *, overwrite: bool) -> None:
    from equipoise.diagnosis.storage import NAME  # noqa: PLC0415 (as above)

    holds = (target / NAME).exists()
    if target.exists() and not (target.is_dir() and (holds or not any(target.iterdir()))):
        raise InputError(
            "A diagnosis has a folder of its own.",
            f"`{target}` holds something else.",
            "Give another --out.",
        )
    if holds and not overwrite:
        raise InputError(
            "A diagnosis is written to a new folder.",
            f"`{target}` already holds one.",
            "Give another --out, or --overwrite to replace it.",
        )
    require_writable(target)


def _check_alike(runs: Sequence[Run]) -> None:
    first = runs[0].config["data"]
    for run in runs[1:]:
        own = run.config["data"]
        if (own["fingerprint"], own["classes"]) != (first["fingerprint"], first["classes"]):
            raise InputError(
                "Runs that are diagnosed side by side must be on the same data.",
                f"`{run.path}` was made from {own['name']}, `{runs[0].path}` from {first['name']}, "
                "or from another state of it.",
                "Diagnose them one by one.",
            )


def _show(told: Mapping[str, Any]) -> None:
    """Print the diagnosis of one run."""
    console.results.print(f"\n[bold]{escape(told['name'])}[/bold]: {escape(told['headline'])}")
    table = Table(title="Where balanced accuracy on the test set goes", title_justify="left")
    table.add_column("")
    table.add_column("points", justify="right")
    table.add_row("right as trained", console.interval(told["right"]).replace(" %", ""))
    for loss in told["ledger"]:
        table.add_row(loss["cause"], console.interval(loss).replace(" %", ""))
    console.results.print(table)
    for sentence in [*told["notes"], *told["readings"].values()]:
        console.results.print(f"  {sentence}", markup=False)
    for rank, advice in enumerate(told["advice"], start=1):
        told_ = f"  {rank}. {advice['cause']}: {advice['evidence']} {advice['remedy']}"
        console.results.print(told_, markup=False)


def _show_beside(found: Sequence[Mapping[str, Any]], order: Mapping[str, Any]) -> None:
    """Print the main measures of several runs, and which goes with their success."""
    table = Table(title="Side by side", title_justify="left")
    table.add_column("")
    for told in found:
        table.add_column(escape(told["name"]), justify="right")
    for name, (text, per_cent) in SHOWN.items():
        values = [told["overall"].get(name) for told in found]
        if any(value is not None for value in values):
            table.add_row(text, *(_cell(value, per_cent=per_cent) for value in values))
    console.results.print(table)
    if order["orders"]:
        console.results.print(f"Rank correlation with {order['score']}, strongest first:")
    for each in order["orders"][:8]:
        console.results.print(
            f"  {each['measure']}: {each['correlation']:+.2f} ({each['low']:+.2f} to "
            f"{each['high']:+.2f}), {each['n']} runs",
            markup=False,
        )


def _cell(value: float | None, *, per_cent: bool) -> str:
    if value is None:
        return "-"
    return f"{100 * value:.1f}" if per_cent else f"{value:.3g}"
