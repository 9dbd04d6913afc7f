"""Statlog Shuttle: one table out of a file of the language R."""

from collections.abc import Mapping

import numpy as np
import rdata
from integrity import expect
from outputs import Converted, table

FEATURES = tuple(f"V{i}" for i in range(1, 10))


def convert_shuttle(data: Mapping[str, bytes]) -> Converted:
    """Convert the only data frame in the only file."""
    (payload,) = data.values()
    parsed = rdata.parser.parse_data(payload)
    frame = rdata.conversion.convert(parsed, default_encoding="ascii")["Shuttle"]
    expect(tuple(frame.columns) == (*FEATURES, "Class"), "unexpected columns.")
    values = frame[list(FEATURES)].to_numpy(np.float64)
    expect(bool((values == np.rint(values)).all()), "expected whole numbers.")
    labelled = zip(values.astype(np.int64).tolist(), frame["Class"], strict=True)
    return table("shuttle.csv", FEATURES, [[*map(str, row), str(label)] for row, label in labelled])
