"""The decimal mark of a whole table, found from its numbers, and what contradicts it."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from equipoise.data.columns import exhibited
from equipoise.data.notation import (
    MARKS,
    OTHER,
    DecimalMark,
    canonical,
    has_thousands,
    plain_characters,
    spelt_numbers,
)
from equipoise.data.options import ReadOptions
from equipoise.data.wording import listing
from equipoise.errors import InputError


@dataclass(frozen=True, eq=False)
class TextColumn:
    """A column of text as its different texts.

    Parameters
    ----------
    values : Series
        The column.
    codes : ndarray of int, shape (rows,)
        Position of each row's text among the different ones; -1 where it is missing.
    texts : list of str
        The different texts.
    """

    values: pd.Series
    codes: np.ndarray
    texts: list[str]

    @classmethod
    def of(cls, values: pd.Series) -> "TextColumn":
        """Return a column by its different texts."""
        codes, texts = pd.factorize(values)
        return cls(values, codes, np.asarray(texts, dtype=object).tolist())

    @property
    def name(self) -> str:
        """Name of the column."""
        return str(self.values.name)

    @cached_property
    def counts(self) -> np.ndarray:
        """Number of rows that have each text."""
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.texts))

    @cached_property
    def point(self) -> np.ndarray:
        """What the texts are with a decimal point; NaN for no number."""
        return spelt_numbers(self.texts, "point")

    @cached_property
    def comma(self) -> np.ndarray:
        """What the texts are with a decimal comma; NaN for no number."""
        return spelt_numbers(self.texts, "comma")

    def only(self, decimal: DecimalMark) -> np.ndarray:
        """Return which texts are numbers with this decimal mark alone."""
        return ~np.isnan(self.spelt(decimal)) & np.isnan(self.spelt(OTHER[decimal]))

    @cached_property
    def unclear(self) -> np.ndarray:
        """Which texts are different numbers with either mark."""
        return ~np.isnan(self.point) & ~np.isnan(self.comma) & (self.point != self.comma)

    def spelt(self, decimal: DecimalMark) -> np.ndarray:
        """Return what the texts are with a decimal mark; NaN for no number."""
        return self.point if decimal == "point" else self.comma

    def has_separators(self, decimal: DecimalMark) -> bool:
        """Return whether there is any character beside those of plain numbers."""
        return not set("".join(self.texts)) <= plain_characters(decimal)

    def share(self, mask: np.ndarray) -> float:
        """Return the share of the values, missing ones left out, that have one of the texts."""
        return float(self.counts[mask].sum() / max(self.counts.sum(), 1))

    def rows(self, mask: np.ndarray) -> np.ndarray:
        """Return which rows have one of the texts."""
        return np.append(mask, False)[self.codes]

    def replaced(self, texts: list[object]) -> pd.Series:
        """Return the column with other values in the place of its texts."""
        values = np.empty(len(texts) + 1, dtype=object)
        values[:-1], values[-1] = texts, None
        return pd.Series(values[self.codes], index=self.values.index, dtype=object)


def decide(
    numeric: list[TextColumn], options: ReadOptions, separator: str | None
) -> DecimalMark | None:
    """Return the decimal mark of a table, or None if it does not matter to any number.

    Parameters
    ----------
    numeric : list of TextColumn
        Columns of numbers.
    options : ReadOptions
        `decimal` comes first.
    separator : str or None
        Separator of the fields of the file; None: of no text file.

    Examples
    --------
    >>> column = TextColumn.of(pd.Series(["1.234", "9,5"]))
    >>> decide([column], ReadOptions(), ";")
    'comma'
    """
    if options.decimal != "auto":
        return options.decimal
    proofs = {mark: sum(c.counts[c.only(mark)].sum() for c in numeric) for mark in MARKS}
    if any(proofs.values()):
        return "comma" if proofs["comma"] > proofs["point"] else "point"
    unclear = [text for c in numeric for text in np.array(c.texts, dtype=object)[c.unclear]]
    if not unclear:
        return None
    # Where fields are not separated by commas, commas are what decimals are written with.
    commas = separator not in (",", None) and any("," in text for text in unclear)
    return "comma" if commas else "point"


def _proof(numeric: list[TextColumn], decimal: DecimalMark) -> str | None:
    """Return a sentence on a number that proves the decimal mark, if there is one."""
    for column in numeric:
        if (rows := column.rows(column.only(decimal))).any():
            first = np.flatnonzero(rows)[0]
            value = column.values.iloc[first]
            return f"{value!r} in row {first} of {column.name!r} has a decimal {decimal}."
    return None


def refuse_foreign(numeric: list[TextColumn], decimal: DecimalMark, options: ReadOptions) -> None:
    """Refuse numbers that are none with the decimal mark of their table.

    Raises
    ------
    InputError
        If there is one; its rows are named.
    """
    other = OTHER[decimal]
    for column in numeric:
        rows = column.rows(column.only(other))
        if rows.any():
            reason = f"the decimal mark was set to the {decimal}, by `--decimal` or by the run."
            raise InputError(
                f"With a decimal {decimal}, {MARKS[other]!r} in a number can only separate "
                "thousands, in groups of three digits.",
                f"The column {column.name!r} holds {exhibited(column.values, rows, 2)}, but "
                + (reason if options.decimal != "auto" else str(_proof(numeric, decimal))),
                f"Correct these numbers, say with `--decimal {other}` that the {other} is right, "
                f"or leave the column out with `--drop {column.name!r}`.",
            )


def notation_notes(numeric: list[TextColumn], decimal: DecimalMark) -> list[str]:
    """Return notes on a decimal comma and on separators of thousands.

    >>> notation_notes([TextColumn.of(pd.Series(["1,234"], name="cost"))], "point")
    ["Separators of thousands were removed in 'cost' ('1,234' is 1234)."]
    """
    comma = decimal == "comma" and numeric
    notes = ["Numbers were read with a decimal comma."] if comma else []
    grouped = [c for c in numeric if c.has_separators(decimal) and _thousands(c, decimal)]
    if grouped:
        named = (f"{c.name!r} ({_example(c, decimal)})" for c in grouped)
        notes.append(f"Separators of thousands were removed in {listing(named)}.")
    return notes


def assumption(numeric: list[TextColumn], decimal: DecimalMark, options: ReadOptions) -> str | None:
    """Return a note if the decimal mark is a guess.

    Raises
    ------
    InputError
        If it is one and `options.kinds` says that others have learnt from like rows.
    """
    columns = [column for column in numeric if column.unclear.any()]
    if options.decimal != "auto" or not columns or _proof(numeric, decimal) is not None:
        return None
    text = np.array(columns[0].texts, dtype=object)[columns[0].unclear][0]
    here, there = (canonical(text, mark) for mark in (decimal, OTHER[decimal]))
    names = listing(repr(column.name) for column in columns)
    if options.kinds is not None:
        raise InputError(
            "Numbers must show which mark stands before their decimals.",
            f"In {names} none shows whether {text!r} is {here} or {there}, nor did the rows that "
            "were learnt from.",
            "Say it with `--decimal point` or `--decimal comma`.",
        )
    return (
        f"No number shows whether {text!r} is {here} or {there}: it was read as {here}, and so "
        f"were others in {names}; `--decimal {OTHER[decimal]}` reads it as {there}."
    )


def _example(column: TextColumn, decimal: DecimalMark) -> str:
    text = _thousands(column, decimal)
    return f"{text!r} is {canonical(str(text), decimal)}"


def _thousands(column: TextColumn, decimal: DecimalMark) -> str | None:
    return next((text for text in column.texts if has_thousands(text, decimal)), None)
