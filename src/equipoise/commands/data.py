"""``equipoise data``: list, describe and subsample data sets."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from rich.markup import escape
from rich.table import Table

from equipoise.commands import console
from equipoise.commands.options import Flag, Reading, ReadingOptions, require_new
from equipoise.data.catalog import catalog_entries
from equipoise.data.dataset import Dataset
from equipoise.data.description import describe as describe_dataset
from equipoise.data.imbalance import parse_ratio, save_index
from equipoise.data.imbalance import subsample as choose
from equipoise.data.profiles import Limits
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
    reading: ReadingOptions = Reading(),  # noqa: B008 (never changed)
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


def subsample(  # noqa: PLR0913 (each is an option)
    data: str,
    /,
    *,
    ratio: float,
    out: Path,
    profile: Literal["exp", "step", "binary"] = "exp",
    order: Literal["label", "random", "size"] = "label",
    largest: int | None = None,
    examples: int | None = None,
    seed: int = 0,
    part: Literal["train", "test", "all"] = "train",
    overwrite: Flag = False,
    json: Flag = False,
    reading: ReadingOptions = Reading(),  # noqa: B008 (never changed)
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
    order : {"label", "random", "size"}
        Which classes become rare: the last in label order, an order drawn from the seed,
        or the smallest.
    largest : int
        How many examples of the largest class are kept at most.
    examples : int
        How many examples are kept at most, of all classes together.
    seed : int
        Seed of the order and of the choice of examples.
    part : {"train", "test", "all"}
        Part of DATA to thin; data without parts is taken as a whole.
    overwrite : bool
        Replace --out if it exists.
    json : bool
        Print a summary as JSON.
    """
    require_new(out, "The index is", overwrite=overwrite)
    dataset = _load(data, reading)
    within = None if part == "all" or dataset.parts is None else dataset.part(part)
    exact, note = parse_ratio(ratio)
    chosen = choose(
        dataset.codes,
        exact,
        profile=profile,
        order=order,
        seed=seed,
        within=within,
        limits=Limits(largest=largest, examples=examples),
        names=dataset.classes,
    )
    save_index(out, chosen, dataset.fingerprint)
    counts = {dataset.classes[code]: int(n) for code, n in enumerate(chosen.counts)}
    if json:
        console.print_json({"out": str(out), "ratio": exact, "counts": counts})
        return 0
    for line in (*([note] if note else []), *chosen.notes):
        console.say(line)
    table = Table("class", "examples", title=f"{len(chosen.index)} examples of {dataset.name}")
    for name, n in counts.items():
        table.add_row(escape(name), str(n))
    console.results.print(table)
    console.say(f"Wrote {out}. Use it with: equipoise fit {data} --index {out}")
    return 0


def _print_description(found: Mapping[str, Any]) -> None:
    ratio = "undefined" if found["ratio"] is None else f"{found['ratio']:g}"
    facts = Table(show_header=False, title=escape(found["name"]), title_justify="left")
    facts.add_row("examples", f"{found['n']:,} ({found['kind']})")
    for name, value in found.get("reading", {}).items():
        facts.add_row(name, value)
    if "shape" in found:
        facts.add_row("shape", " x ".join(map(str, found["shape"])))
    where = " in training" if "train" in found["parts"] else ""
    facts.add_row("imbalance ratio", f"{ratio} (largest over smallest class{where})")
    duplicates = found["duplicates"]
    within = ", ".join(f"{n} in {name}" for name, n in duplicates["within"].items())
    facts.add_row("duplicates", f"{within}; {sum(duplicates['across'].values())} across parts")
    facts.add_row("alike, other class", str(duplicates["conflicting"]))
    facts.add_row("fingerprint", found["fingerprint"][:16])
    console.results.print(facts)
    _print_classes(found)
    if "columns" in found:
        _print_columns(found)
    for note in found["notes"]:
        console.say(note)


def _print_classes(found: Mapping[str, Any]) -> None:
    parts = list(found["parts"])
    table = Table("class", *parts, "group", title="Classes", title_justify="left")
    for entry in found["classes"]:
        counts = (f"{entry['counts'][part]:,}" for part in parts)
        table.add_row(escape(entry["name"]), *counts, entry["group"] or "-")
    console.results.print(table)


def _print_columns(found: Mapping[str, Any]) -> None:
    table = Table("column", "kind", "values", "missing", title="Columns", title_justify="left")
    for column in found["columns"]:
        missing = f"{column['missing']:,}"
        if column["odd"]:
            missing += f" + {column['odd']:,} text"
        table.add_row(escape(column["name"]), column["kind"], escape(_values(column)), missing)
    console.results.print(table)


def _values(column: Mapping[str, Any]) -> str:
    """Return what a column's values are in a few words, or why `fit` leaves them out."""
    if column["left_out"]:
        return f"left out: {column['left_out']}"
    if "categories" in column:
        return f"{column['categories']:,} categories"
    if "first" not in column:
        return "true or false"
    first, last = (
        f"{value:g}" if isinstance(value, float) else value
        for value in (column["first"], column["last"])
    )
    return f"{first} to {last}"
