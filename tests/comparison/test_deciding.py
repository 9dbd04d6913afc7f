"""Laws of what a comparison decides once for all methods."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from equipoise.comparison import deciding
from equipoise.comparison.contest import make_contest
from equipoise.comparison.setup import Setup
from equipoise.data.options import ReadOptions
from equipoise.defaults import Choice
from equipoise.executors import Here
from equipoise.experiment import Experiment
from equipoise.fitting import Fit
from equipoise.pace import Pace, measure_pace
from equipoise.runs import Run


def _setup(table: str, *, params: Any = None, **more: Any) -> Setup:
    """Return what all methods share."""
    given = {"device": "cpu", "backbone": "MLP(layers=1, width=8)", **(params or {})}
    experiment = Experiment(source=table, options=ReadOptions(label="outcome"), params=given)
    folder = Path(table).parent / "c"
    return make_contest(experiment, folder, methods=(), n_seeds=1, **more).setup


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Threads with which passes were measured, each of which takes a second."""
    found: list[int] = []

    def take_a_second(*_: Any) -> Pace:
        found.append(torch.get_num_threads())
        return Pace(1.0, 0.0)

    monkeypatch.setattr(deciding, "measure_pace", take_a_second)
    return found


def test_this_machine_is_measured_with_the_threads_of_a_worker(
    table: str, measured: list[int]
) -> None:
    """And with those of this process where runs are carried out in it."""
    own = torch.get_num_threads()
    _setup(table, budget=60.0, threads=own + 2)
    _setup(table, budget=60.0)
    assert measured == [own + 2, own]
    assert torch.get_num_threads() == own


@pytest.mark.usefixtures("measured")
def test_whether_there_is_time_for_a_search_is_counted_in_passes(table: str) -> None:
    """By hand: eight epochs of steps in quarter batches are two passes, twelve times in 24 s."""
    quarter = {"epochs": 8, "batch_size": "BatchSize(size=8, budget='steps', reference=32)"}
    searches = [_setup(table, params=quarter, budget=s).searches for s in (24.5, 23.5)]
    assert searches == [True, False]


def test_without_a_search_all_methods_have_the_network_that_was_chosen_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each would measure its own, and have a smaller one where the machine was busy just then."""
    narrow = "ResNet(depth=8, width=4)"

    def in_time(fit: Fit, *_: Any) -> tuple[Fit, Pace]:
        slow = Fit.prepare(fit.task, {**fit.params, "backbone": narrow}, fit.seed)
        told = Choice("backbone", narrow, "the other is too slow", "measured")
        return replace(slow, choices=[told]), measure_pace(slow, 0.1)

    monkeypatch.setattr(deciding, "paced", in_time)
    images = Experiment(source="digits", ratio=20, params={"device": "cpu"})
    told: dict[str, Any] = {"n_seeds": 1, "budget": 6.0, "search": False}
    folder = tmp_path / "c"
    contest = make_contest(images, folder, methods=["prescribed", "focal"], **told)
    assert f"network: {narrow} for all (the other is too slow)" in contest.choices
    with Here() as here:
        contest.run(here)
    for method in ("plain", "prescribed", "focal"):
        config = Run.open(folder / "runs" / method / "seed0").config
        assert config["classifier"]["backbone"] == narrow
    short = make_contest(images, tmp_path / "s", methods=[], **{**told, "search": True})
    assert short.setup.network == narrow  # no search can train another one to its end either
    monkeypatch.undo()
    again = make_contest(images, folder, methods=["prescribed"], resume=True, **told)
    assert again.setup.network == narrow
    for other, choices in ((images, {"search": True, "budget": 900.0}), (images, {"budget": None})):
        alone = make_contest(other, tmp_path / "b", methods=[], **{**told, **choices})
        assert alone.setup.network is None
    given = replace(images, params={"device": "cpu", "backbone": narrow})
    assert make_contest(given, tmp_path / "b", methods=[], **told).setup.network is None
