"""Laws of shapes: JSON of the shape passes, and what differs is named by its place."""

import json
from typing import Any

import pytest

from equipoise.shapes import ANY, MAYBE, NUMBER, TEXT, TEXT_OR_NULL, WHOLE, mismatch

SHAPE = {
    "name": TEXT,
    "note": TEXT_OR_NULL,
    "runs": [{"score": NUMBER, "gap": MAYBE, ...: [NUMBER]}],
}
FITS = {"name": "a", "note": None, "runs": [{"score": 1, "gap": None, "more": [0.5, 2]}], "new": {}}


@pytest.mark.parametrize("value", [1.0, 1.5, True, None, "1", [1]])
def test_only_integers_are_whole_numbers(value: Any) -> None:
    """A count of 1.0 was written by something else; anything may be of any shape."""
    assert mismatch({"n": value}, {"n": WHOLE}) == "n is not a whole number"
    assert mismatch({"n": -(2**70)}, {"n": WHOLE}) is None
    assert mismatch({"n": value}, {"n": ANY}) is None


def test_what_fits_has_no_mismatch() -> None:
    """Keys that are not named are of no concern where no shape is given for them."""
    assert mismatch(FITS, SHAPE) is None
    assert mismatch({**FITS, "runs": []}, SHAPE) is None


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[]", "all of it is no object"),
        ('{"name": "a", "note": "b"}', "all of it lacks runs"),
        ('{"name": 1, "note": null, "runs": []}', "name is not text"),
        ('{"name": "a", "note": 3, "runs": []}', "note is not text or null"),
        ('{"name": "a", "note": null, "runs": {}}', "runs is no list"),
        ('{"name": "a", "note": null, "runs": [{"gap": 1}]}', "runs[0] lacks score"),
        (
            '{"name": "a", "note": null, "runs": [{"score": NaN, "gap": 1}]}',
            "runs[0].score is not a number",
        ),
        (
            '{"name": "a", "note": null, "runs": [{"score": 1, "gap": "x"}]}',
            "runs[0].gap is not a number or null",
        ),
        (
            '{"name": "a", "note": null, "runs": [{"score": 1, "gap": 1, "more": [1, null]}]}',
            "runs[0].more[1] is not a number",
        ),
    ],
)
def test_what_differs_is_named_by_its_place(text: str, fault: str) -> None:
    """As `json` reads it, which takes NaN for a number."""
    found: Any = json.loads(text)
    assert mismatch(found, SHAPE) == fault
