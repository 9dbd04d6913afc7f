"""Laws of a study's layout, as it is used from Python."""

from pathlib import Path

import pytest

from equipoise.comparison import contest as contest_module
from equipoise.executors import Here
from equipoise.experiment import Experiment
from equipoise.studies.components import COMPONENTS
from equipoise.studies.design import Choices, make_study

PARAMS = {"device": "cpu", "epochs": 1, "backbone": "ResNet(depth=8, width=4)"}


def _fail(_: object) -> None:
    raise MemoryError("no room")


def test_runs_that_fail_are_warned_of_where_nobody_watches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each in a line that points to the caller, as it is called in the failures."""
    monkeypatch.setattr(contest_module, "carry_out", _fail)
    study = make_study(
        COMPONENTS["smoothing"],
        Experiment(source="digits", params=PARAMS),
        tmp_path / "s",
        Choices(ratios=(), n_seeds=1, values=("None", "Uniform()")),
    )
    with Here() as here, pytest.warns() as warned:
        study.run(here)
    names = [f"{name}, ratio as it is, seed 0" for name in ("no-smoothing", "Uniform()")]
    assert [str(each.message) for each in warned] == [
        f"{name} failed: MemoryError: no room" for name in names
    ]
    assert {each.filename for each in warned} == {__file__}
    assert list(study.failures) == names
    seen: list[str | None] = []
    with Here() as here:  # warnings would be errors
        study.run(here, [lambda _, __, fault: seen.append(fault)])
    assert seen == ["MemoryError: no room"] * 2
