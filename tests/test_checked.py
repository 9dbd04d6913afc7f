"""Laws of the page that says how methods are checked: what it names exists, and none is absent."""

import re
from pathlib import Path

import pytest

from equipoise.opponents import OPPONENTS
from equipoise.specialized.losses import LOSSES
from equipoise.specialized.mixing import MIXINGS
from equipoise.specialized.posthoc import POSTHOCS
from equipoise.specialized.resampling import RESAMPLINGS
from equipoise.specialized.samplers import SAMPLERS
from equipoise.specialized.stages import STAGES
from equipoise.specialized.weighting import WEIGHTINGS

PROJECT = Path(__file__).parents[1]
PAGE = (PROJECT / "docs" / "checked.md").read_text("utf-8")
ROWS = {
    line.split(" | ")[0].removeprefix("| "): line
    for line in PAGE.splitlines()
    if line.startswith("| ")
}
FAMILIES = (
    LOSSES, MIXINGS, POSTHOCS, RESAMPLINGS, SAMPLERS, STAGES, WEIGHTINGS, OPPONENTS
)  # fmt: skip


@pytest.mark.parametrize("name", sorted(name for family in FAMILIES for name in family))
def test_every_method_has_a_row(name: str) -> None:
    """A method that is added has to say what it was checked against."""
    assert any(f"`{name}`" in method for method in ROWS)


def test_every_row_names_tests_that_exist() -> None:
    """By file and function, as pytest takes them."""
    for method, row in list(ROWS.items())[1:]:
        named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", row)
        assert named, method
        for file, function in named:
            text = (PROJECT / file).read_text("utf-8")
            assert f"\ndef {function}(" in text, f"{file} has no {function}"


def test_what_is_measured_has_a_row() -> None:
    """The rows that the benchmark prints are rows of the page."""
    script = (PROJECT / "benchmarks" / "references.py").read_text("utf-8")
    measured = re.findall(r'^    "(.+)": (?:first|second)\.', script, flags=re.MULTILINE)
    assert len(measured) > 30
    assert [name for name in measured if name not in ROWS] == []
