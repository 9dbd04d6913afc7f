"""Parquet files as frames of single values."""

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from equipoise.data.wording import listing
from equipoise.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa


def read_parquet(path: Path) -> tuple[pd.DataFrame, list[str]]:
    """Return the rows of a Parquet file, and notes on what became of its index.

    An index with a name becomes a column; one without a name only counts rows and is left out.

    Raises
    ------
    InputError
        If the file is not Parquet, or a column holds lists, records or bytes.
    """
    frame = _read(path).to_pandas()
    if isinstance(frame.index, pd.RangeIndex):
        return frame.reset_index(drop=True), []
    if frame.index.name is None and frame.index.nlevels == 1:
        note = "The index of the table has no name: it was left out."
        return frame.reset_index(drop=True), [note]
    return frame.reset_index(), ["The index of the table was read as a column."]


def _read(path: Path) -> "pa.Table":
    # Here, because reading CSV need not wait for pyarrow.
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    try:
        table = pq.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(
            f"The file {path} must be in the Parquet format.",
            f"Reading failed: {str(error).splitlines()[0].rstrip('.')}.",
            "Write it again, or give a CSV file with the ending `.csv`.",
        ) from None
    _refuse_nested(table)
    return table


def _refuse_nested(table: "pa.Table") -> None:
    from pyarrow import types  # noqa: PLC0415

    def unfit(kind: "pa.DataType") -> bool:
        return types.is_nested(kind) or types.is_binary(kind) or types.is_large_binary(kind)

    columns = [f"{field.name} ({field.type})" for field in table.schema if unfit(field.type)]
    if columns:
        raise InputError(
            "Columns must hold single numbers, dates or text.",
            f"Nested or binary are: {listing(columns)}.",
            "Write the table without these columns, or spread them over several columns.",
        )
