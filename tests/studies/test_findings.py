"""Laws of the files of a study, which may be a stranger's: what is not as written is refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from equipoise.errors import InputError
from equipoise.studies.cells import read_told
from equipoise.studies.findings import read_found

TOLD = {
    "component": "epochs",
    "claim": "More is better.",
    "unit": "epochs",
    "fixed": "majority",
    "hold": "epochs",
    "retune": [],
    "values": [{"label": "1", "number": 1.0, "method": "1"}],
    "reference": "1",
    "ratios": [1.0, 10.0],
    "data": "digits",
}

FOUND = {
    "metric": "accuracy",
    "deployment": [{"ratio": "1", "method": "1", "test_ratio": 0.5}],
    "failures": {"1, ratio 10, seed 0": "MemoryError"},
}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"component": None}, "component is not text"),
        ({"unit": 1}, "unit is not text or null"),
        ({"retune": "rate"}, "retune is no list"),
        ({"values": []}, "the reference is none of the values"),
        ({"values": [{"label": "1", "number": "1", "method": "1"}]}, r"values\[0\].number is not"),
        ({"values": [{"label": "1", "method": "1"}]}, r"values\[0\] lacks number"),
        ({"ratios": []}, "ratios are neither"),
        ({"ratios": [None, 10]}, "ratios are neither"),
        ({"ratios": [0.5]}, "ratios are neither"),
        ({"ratios": [float("nan")]}, r"ratios\[0\] is not a number or null"),
    ],
)
def test_a_study_that_a_stranger_has_changed_is_told(
    change: dict[str, Any], said: str, tmp_path: Path
) -> None:
    """With what must be, the file and what is wrong in it, and what to do."""
    path = tmp_path / "study.json"
    path.write_text(json.dumps(TOLD))
    assert read_told(tmp_path) == TOLD
    path.write_text(json.dumps({**TOLD, **change}))
    with pytest.raises(InputError, match=rf"A study must be.*study.json`, {said}.*new study\."):
        read_told(tmp_path)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ([], "all of it is no object"),
        ({}, "all of it lacks deployment"),
        ({**FOUND, "metric": 1}, "metric is not text"),
        ({**FOUND, "metric": "recall"}, "metric is 'recall'"),
        ({**FOUND, "failures": ["x"]}, "failures is no object"),
        ({**FOUND, "failures": {"x": 1}}, "failures.x is not text"),
        ({**FOUND, "deployment": {}}, "deployment is no list"),
        ({**FOUND, "deployment": [{}]}, r"deployment\[0\] lacks test_ratio"),
        ({**FOUND, "deployment": [{"test_ratio": "1"}]}, r"deployment\[0\].test_ratio is not a"),
        ({**FOUND, "deployment": [{"test_ratio": 0}]}, "a test_ratio of deployment is not above 0"),
    ],
)
def test_findings_that_a_stranger_has_changed_are_told(
    found: Any, said: str, tmp_path: Path
) -> None:
    """With what must be, the file and what is wrong in it, and what to do."""
    path = tmp_path / "findings.json"
    assert read_found(tmp_path) == {}
    path.write_text(json.dumps(FOUND))
    assert read_found(tmp_path) == FOUND
    path.write_text(json.dumps(found))
    with pytest.raises(InputError, match=rf"findings .*must.*json`, {said}.*--resume`\."):
        read_found(tmp_path)
