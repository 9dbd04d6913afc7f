"""Laws of a study's layout, as it is used from Python."""

import json
from pathlib import Path

import pytest

from equipoise.comparison import carrying
from equipoise.comparison import contest as contest_module
from equipoise.executors import Here
from equipoise.experiment import Experiment
from equipoise.studies.components import COMPONENTS
from equipoise.studies.design import Choices, Study, make_study
from equipoise.tuning.options import Options

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


def test_all_searches_of_a_study_have_as_many_folds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that the largest ratio needs, though one split would do at ratio 1; kept on resume."""
    folds: list[int | None] = []

    def noted(_: Experiment, __: Path, options: Options, **___: bool) -> None:
        folds.append(options.n_folds)
        raise MemoryError("noted")

    monkeypatch.setattr(carrying.Tuner, "make", noted)

    def laid(*ratios: float, resume: bool = False) -> Study:
        return make_study(
            COMPONENTS["smoothing"],
            Experiment(source="digits", params={**PARAMS, "validation": 0.2}),
            tmp_path / f"s{ratios[0]:g}",
            Choices(ratios=ratios, n_seeds=1, values=("None", "Uniform()"), retune=("optimizer",)),
            resume=resume,
        )

    for ratios, expected in (((1.0,), 1), ((10.0, 1.0), 5)):  # 28 are held out, or 2
        study = laid(*ratios)
        with Here() as here, pytest.warns(match="noted"):
            study.run(here)
        assert folds == [expected] * 2 * len(ratios)
        folds.clear()
        said = study.contests[1.0].choices[-1]
        assert said.startswith(f"folds: {expected} in all searches (")
        again = laid(*ratios, resume=True)
        assert {each.setup.n_folds for each in again.contests.values()} == {expected}
    # One that was begun before all searches had the same folds goes on as it began.
    for path in (tmp_path / "s10").rglob("*.json"):
        told = json.loads(path.read_text("utf-8"))
        for part in (told, told.get("setup", {})):
            for name in ("resolved", "asked", "held", "cautions", "n_folds"):
                part.pop(name, None)
        path.write_text(json.dumps(told), "utf-8")
    again = laid(10.0, 1.0, resume=True)
    assert {each.setup.n_folds for each in again.contests.values()} == {None}
