"""Going on with a run: what it must share with its start, and what is cleared when it is done."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from equipoise.configuration import configuration_fault
from equipoise.errors import InputError
from equipoise.runs import SEARCH, Run, leftovers, require_free

LOOKS = "looks.json"
"""File in the folder of a search: looks at the test set of runs that came before the last one."""


def open_or_create(
    folder: Path, config: Mapping[str, Any], *, resume: bool, after_search: bool = False
) -> Run:
    """Return the run to carry out: a new one, or the one in the folder if it is to be resumed.

    Parameters
    ----------
    folder : Path
        Where the run is, or shall be.
    config : mapping
        What determines the run now.
    resume : bool
        Whether a run that is there already may be gone on with.
    after_search : bool, default=False
        Whether the run is what follows from a search in the folder.

    Raises
    ------
    InputError
        If the folder is taken, holds a search that has not ended, or its run had other data,
        settings or device.
    """
    if not (resume and (folder / "config.toml").exists()):
        return Run.create(folder, config, after_search=after_search)
    require_free(folder, resume=resume, after_search=after_search)
    run = Run.open(folder)
    stored = run.config
    for section, keys in _compared(config, done=run.done).items():
        kept = stored.get(section)
        for key in keys:
            value = config[section][key]
            was = kept.get(key) if isinstance(kept, dict) else None
            if was != value:
                raise InputError(
                    "A run can only be resumed with the data, settings and device of its start.",
                    f"{section}.{key} was {was!r} and is now {value!r}.",
                    "Give the same again, or another --out for a new run.",
                )
    return run


def _compared(config: Mapping[str, Any], *, done: bool) -> dict[str, list[str]]:
    """Return the values that a resumed run shares with its start, or its numbers would differ."""
    keys = {section: list(config[section]) for section in ("data", "classifier", "seeds")}
    # The same data may lie elsewhere by now; its fingerprint is compared.
    keys["data"].remove("source")
    keys.update({"pretraining": ["unlabelled"]} if "pretraining" in config else {})
    return keys if done else {**keys, "environment": ["torch", "device"]}


def measured_choices(folder: Path) -> dict[str, tuple[Any, str, str]]:
    """Return what a run chose by its speed when it began, for it cannot be measured the same again.

    Parameters
    ----------
    folder : Path
        Where the run is, if it has begun.

    Returns
    -------
    dict of str to (value, str, str)
        Value, reason and source of epochs and backbone; empty if the run had no time budget.
    """
    if not (folder / "config.toml").exists():
        return {}
    config = Run.open(folder).config
    if "budget" not in config or configuration_fault(config):
        return {}
    told = {str(c.get("field")): c for c in config.get("choices", []) if isinstance(c, dict)}
    return {
        name: (config["classifier"].get(name), str(told[name].get("reason")), _source(told[name]))
        for name in ("epochs", "backbone")
        if name in told
    }


def _source(choice: Mapping[str, Any]) -> str:
    return str(choice.get("source", ""))


def checkpoint_of(folder: Path) -> Path:
    """Return where the checkpoint of a run in a folder is, if there is one."""
    return folder / "checkpoint" / "state.safetensors"


def clear(run: Run) -> None:
    """Remove the checkpoint, and what a killed process was in the middle of writing."""
    folder = run.path / "checkpoint"
    for path in (*folder.glob("*.safetensors"), *leftovers(folder)):
        path.unlink(missing_ok=True)
    if folder.exists() and not any(folder.iterdir()):
        folder.rmdir()
    for path in leftovers(run.path):
        path.unlink(missing_ok=True)


def discard_unfinished(folder: Path) -> None:
    """Remove the files of a run that has not finished; folders within stay.

    How often it has looked at the test set is kept, see `earlier_looks`.

    Parameters
    ----------
    folder : Path
        Where the run is; nothing happens if it has finished or never begun.
    """
    run = Run(folder)
    if (folder / "config.toml").exists() and not run.done:
        # At first, for a kill must not hide it.
        if looks := run.config["test"]["looks"]:
            Run(folder / SEARCH).write_json(LOOKS, {"looks": looks})
        clear(run)
        # The configuration last: as long as it is there, this is known to be a run.
        for path in sorted(folder.iterdir(), key=lambda path: path.name == "config.toml"):
            if path.is_file():
                path.unlink()


def earlier_looks(folder: Path) -> int:
    """Return how often runs that were discarded in a folder have looked at the test set."""
    search = Run(folder / SEARCH)
    return search.read_json(LOOKS)["looks"] if search.has(LOOKS) else 0
