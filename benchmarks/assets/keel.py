"""Twenty-three tables of several shapes, each checked against what its source declares."""

import json
import math
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from integrity import AssetError, expect
from outputs import Converted, table

NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:E-?\d+)?")
ATTRIBUTE = re.compile(  # "@attribute NAME {a, b}" or "@attribute NAME real [0.0, 1.0]"
    r"@attribute\s+(\S+)\s+(?:\{(.+)\}|(?:real|integer|numeric)\s*(?:\[(.+),(.+)\])?)"
)
TRAIN_LINE = re.compile(r"Train\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\.00")


@dataclass(frozen=True)
class Column:
    """A column of a table, and what the source declares of its values."""

    name: str
    categorical: bool = False
    values: frozenset[str] = frozenset()  # of a categorical column; empty if not declared
    low: float = -math.inf
    high: float = math.inf

    def allows(self, value: str) -> bool:
        """Return whether the source declares this value possible."""
        if self.categorical:
            return value in self.values or not self.values
        return NUMBER.fullmatch(value) is not None and self.low <= float(value) <= self.high


Parsed = tuple[list[Column], list[list[str]]]  # the class is the last column


def _read_attributes(texts: Sequence[str], _names: str) -> Parsed:
    """Read a file that declares its columns; the class is the last of them."""
    lines = [line.strip() for line in texts[0].splitlines()]
    lines = [line for line in lines if line and not line.startswith("%")]
    start = lines.index("@data")
    columns = [_declared(line) for line in lines[:start] if not line.startswith("@relation")]
    expect(columns[-1].categorical, "the last column is not a class.")
    columns[-1] = replace(columns[-1], name="target")
    return columns, [[value.strip() for value in line.split(",")] for line in lines[start + 1 :]]


def _declared(line: str) -> Column:
    match = ATTRIBUTE.fullmatch(line)
    if match is None:
        raise AssetError(f"cannot read the line {line!r}.")
    name, values, low, high = match.groups()
    if values:
        return Column(name, True, frozenset(value.strip() for value in values.split(",")))
    return Column(name, low=float(low), high=float(high)) if low else Column(name)


def _read_columns(texts: Sequence[str], names: str) -> Parsed:
    """Read lines of values only; in `names`, * marks a categorical column, - one to leave out."""
    listed = names.split()
    lines = [line for text in texts for line in text.splitlines() if line.strip()]
    rows = [line.split("," if "," in line else None) for line in lines]
    expect(all(len(row) == len(listed) for row in rows), "ragged rows.")
    kept = [i for i, name in enumerate(listed) if name not in ("-", "target*")]
    kept.append(listed.index("target*"))
    columns = [Column(listed[i].removesuffix("*"), listed[i].endswith("*")) for i in kept]
    return columns, [[row[i].strip() for i in kept] for row in rows]


def _read_challenge(texts: Sequence[str], _names: str) -> Parsed:
    """Read unnamed numbers, their classes, and a file of their counts and their sum."""
    data, labels, parameters = texts
    rows = [line.split() for line in data.splitlines()]
    classes = labels.split()
    declared = next(filter(None, map(TRAIN_LINE.fullmatch, parameters.splitlines())))
    total = sum(int(value) for row in rows for value in row)
    found = (classes.count("1"), classes.count("-1"), len(rows), total)
    expect(found == tuple(map(int, declared.groups())), f"{found} are not the declared counts.")
    columns = [Column(f"A{i + 1}") for i in range(len(rows[0]))]
    columns.append(Column("target", True, frozenset(("1", "-1"))))
    return columns, [[*row, label] for row, label in zip(rows, classes, strict=True)]


READERS: dict[str, Callable[[Sequence[str], str], Parsed]] = {
    "attributes": _read_attributes,
    "columns": _read_columns,
    "challenge": _read_challenge,
}
SOURCES = tomllib.loads(Path(__file__).with_name("keel.toml").read_text("utf-8"))


def convert_keel(data: Mapping[str, bytes]) -> Converted:
    """Convert each table, and list the categorical columns of all."""
    files: dict[str, bytes] = {}
    counts: dict[str, Mapping[str, int]] = {}
    categorical: dict[str, list[str]] = {}
    for name, source in SOURCES.items():
        texts = [
            text.decode("ascii") for file, text in data.items() if Path(file).parent.name == name
        ]
        try:
            columns, rows = _read(source, texts)
        except AssetError as error:
            raise AssetError(f"{name}: {error}") from error
        one = table(f"keel/{name}.csv", [column.name for column in columns[:-1]], rows)
        files |= one.files
        counts[name] = one.counts["rows"]
        categorical[name] = [column.name for column in columns[:-1] if column.categorical]
    files["keel/categorical.json"] = (json.dumps(categorical, indent=1) + "\n").encode()
    return Converted(files=files, parts=files, counts=counts)


def _read(source: Mapping[str, str], texts: Sequence[str]) -> Parsed:
    """Read one table, check it against its declaration, and empty the missing values."""
    columns, rows = READERS[source["shape"]](texts, source.get("names", ""))
    rows = [["" if value == "?" else value for value in row] for row in rows]
    expect(all(len(row) == len(columns) for row in rows), "ragged rows.")
    expect(len({column.name for column in columns}) == len(columns), "two columns share a name.")
    expect(all(row[-1] for row in rows), "rows without a class.")
    for column, values in zip(columns, zip(*rows, strict=True), strict=True):
        odd = sorted(value for value in {*values} - {""} if not column.allows(value))
        expect(not odd, f"{column.name} holds {odd[:3]}.")
    return columns, rows
