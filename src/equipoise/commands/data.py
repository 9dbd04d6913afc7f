"""``equipoise data``: list, describe and subsample data sets."""

from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter
from rich.markup import escape
from rich.table import Table

from equipoise.commands import console
from equipoise.commands.options import Flag, Reading
from equipoise.data.dataset import Dataset
from equipoise.data.sources import load


def _load(data: str, reading: Reading) -> Dataset:
    with console.reading_bar("reading") as progress:
        return load(data, reading.options(progress), download=reading.download)


def list_(*, json: Flag = False) -> int:
    """List the named data sets and where they are on this machine.

    Parameters
    ----------
    json : bool
        Print the list as JSON.
    """
    entries = catalog_entries()
    if json:
        console.print_json(entries)
        return 0
    table = Table("name", "what it is", "where it is")
    for entry in entries:
        table.add_row(entry["name"], entry["description"], escape(entry["found"] or "not here"))
    console.results.print(table)
    return 0


def describe(
    data: str,
    /,
    *,
    json: Flag = False,
    reading: Annotated[Reading, Parameter(name="*")] = Reading(),  # noqa: B008 (never changed)
) -> int:
    """Print what is in DATA: classes, counts, imbalance, duplicates, and what is wrong.

    Parameters
    ----------
    data : str
        A class folder, .npz, .csv, .parquet or idx folder, or a name from `data list`.
    json : bool
        Print the description as JSON.
    """
    found = describe_dataset(_load(data, reading))
    if json:
        console.print_json(found)
    else:
        _print_description(found)
    return 0


def subsample(
    data: str,
    /,
    *,
    ratio: float,
    out: Path,
    profile: Literal["exp", "step", "binary"] = "exp",
    order: Literal["label", "random"] = "label",
    seed: int = 0,
    part: Literal["train", "test", "all"] = "train",
    json: Flag = False,
    reading: Annotated[Reading, Parameter(name="*")] = Reading(),  # noqa: B008 (never changed)
) -> int:
    """Choose examples of DATA so that its classes become imbalanced; save their index.

    Parameters
    ----------
    data : str
        A class folder, .npz, .csv, .parquet or idx folder, or a name from `data list`.
    ratio : float
        Largest over smallest class, at least 1; 0.01 is read as 100.
    out : Path
        JSON file for the index.
    profile : {"exp", "step", "binary"}
        Shape of the imbalance.
    order : {"label", "random"}
        Which classes become rare: the last in label order, or an order drawn from the seed.
    seed : int
        Seed of the order and of the choice of examples.
    part : {"train", "test", "all"}
        Part of DATA to thin; data without parts is taken as a whole.
    json : bool
        Print a summary as JSON.
    """
    return 0
