"""Methods of a comparison that a file or a run describes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from equipoise.commands.config import options_in
from equipoise.commands.settings import SETTINGS, value_of
from equipoise.comparison.methods import OF_THE_METRIC, Method, make_method
from equipoise.errors import InputError
from equipoise.recipes import PRESCRIBED
from equipoise.runs import Run

SHARED = ("epochs", "validation", "device", "precision", "devices", *OF_THE_METRIC)
"""Parameters that belong to a comparison, not to one of its methods."""

CONFIG = "config.toml"


def methods_in(text: str) -> list[str | Method]:
    """Return what ``--methods`` names: names as they are, files and runs as methods.

    Parameters
    ----------
    text : str
        Names with commas between; what ends with ``.toml`` is a file of options, and a folder
        is that of a run.

    Raises
    ------
    InputError
        If a file cannot be used.

    Examples
    --------
    >>> methods_in("focal, tuned")
    ['focal', 'tuned']
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    return [_own(Path(name)) if _is_path(name) else name for name in names]


def searched_on(text: str, fingerprint: str) -> list[str]:
    """Return cautions about runs in ``--methods`` that were searched for on the same data.

    Parameters
    ----------
    text : str
        As for `methods_in`.
    fingerprint : str
        Of the data that methods are compared on.
    """
    folders = [Path(name.strip()) for name in text.split(",") if name.strip()]
    return [
        f"{folder.resolve().name} is a run whose numbers a search has chosen on one split of this "
        "data: it has seen examples that other splits are tested by, so its scores may be too high."
        for folder in folders
        if (folder / CONFIG).is_file()
        and Run(folder).has("tuning.json")
        and Run.open(folder).config["data"].get("fingerprint") == fingerprint
    ]


def _is_path(name: str) -> bool:
    return name.endswith(".toml") or Path(name, CONFIG).is_file()


def _own(path: Path) -> Method:
    """Return the method that a file of options, or a run, describes; named after it."""
    is_run = path.is_dir()
    file = path / CONFIG if is_run else path
    if not file.is_file():
        raise InputError(
            "A method that ends in .toml is a file of options.",
            f"There is no `{file}`.",
            "Check the path in --methods.",
        )
    tables = options_in(file, {"fit": (), "pretrain": ()})
    options = tables.get("fit")
    if options is None:
        raise InputError(
            "A method is what the table [fit] of a file sets, or what `equipoise fit` has trained.",
            f"`{file}` has no such table.",
            'Write for example [fit] and below it loss = "Focal(gamma=1)".',
        )
    known = {field.name for field in SETTINGS}
    if not is_run:
        _refuse(file, sorted(options.keys() - known - {"recipe"}), "is no setting of a classifier")
        _refuse(file, sorted(options.keys() & set(SHARED)), "is the same for all methods")
    params = {k: _read(v) for k, v in options.items() if k in known and k not in SHARED}
    name = path.resolve().name if is_run else path.stem
    return make_method(name, params, over=_recipe(file, options.get("recipe", PRESCRIBED.name)))


def _recipe(file: Path, given: Any) -> str:
    if isinstance(given, str):
        return given
    raise InputError(
        "A method goes over a recipe, whose name is text.",
        f"In `{file}`, recipe is {given!r}.",
        'Write for example recipe = "plain", or leave it out.',
    )


def _read(value: Any) -> Any:
    return value_of(value) if isinstance(value, str) else value


def _refuse(file: Path, names: Sequence[str], why: str) -> None:
    if names:
        name = "--metric" if names[0] in OF_THE_METRIC else "it"
        raise InputError(
            "The file of a method sets what the method is made of: components and their numbers.",
            f"In `{file}`, {names[0]} {why}.",
            f"Leave out {names[0]}, or give {name} to `equipoise compare` itself.",
        )
