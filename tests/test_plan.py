"""Laws of plans with recipes and time budgets: what was measured is kept, and can be repeated."""

import contextlib
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from equipoise import pace as pace_module
from equipoise.checkpoints import read_tensors
from equipoise.data.options import ReadOptions
from equipoise.errors import InputError
from equipoise.experiment import Experiment
from equipoise.pace import Pace
from equipoise.plan import Plan
from equipoise.progress import Progress
from equipoise.resuming import measured_choices
from equipoise.runs import Run


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A table of two classes."""
    random = np.random.default_rng(0)
    rows = (f"{x:.4f},{'ab'[i % 4 == 0]}" for i, x in enumerate(random.normal(size=80)))
    path = tmp_path / "t.csv"
    path.write_text("x,target\n" + "\n".join(rows) + "\n")
    return path


def _plan(table: Path, budget: float | None = None, **changes: Any) -> Plan:
    params = {"device": "cpu", **changes.pop("params", {})}
    experiment = Experiment(
        source=str(table), options=ReadOptions(), budget=budget, params=params, **changes
    )
    return Plan.make(experiment)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> list[Mapping[str, Any]]:
    """Make epochs seem to take 1000 s, half of that with a narrower network; list what is asked."""
    measured: list[Mapping[str, Any]] = []

    def of(fit: Any, seconds: float) -> Pace:  # noqa: ARG001 (as the real one)
        measured.append(fit.params)
        return Pace(1000.0 if fit.params["backbone"] == "auto" else 500.0, 0.0)

    monkeypatch.setattr(pace_module, "measure_pace", of)
    return measured


def _equal(first: Run, second: Run) -> bool:
    """Whether two runs have the same settings, weights and metrics."""
    tensors = [read_tensors(run.path / "model.safetensors") for run in (first, second)]
    return (
        all(bool((tensors[1][name] == value).all()) for name, value in tensors[0].items())
        and first.config["classifier"] == second.config["classifier"]
        and first.read_json("metrics.json") == second.read_json("metrics.json")
    )


def test_a_run_in_a_budget_equals_one_with_its_epochs_given(table: Path, tmp_path: Path) -> None:
    """Really measured, the run has the numbers of a plain one with epochs and backbone given."""
    run = _plan(table, budget=30.0).run(tmp_path / "budget")
    chosen = run.config["classifier"]
    assert 1 <= chosen["epochs"] <= 30
    again = {"epochs": chosen["epochs"], "backbone": chosen["backbone"]}
    assert _equal(run, _plan(table, params=again).run(tmp_path / "given"))
    told = {choice["field"]: choice for choice in run.config["choices"]}
    assert told["epochs"]["value"] == str(chosen["epochs"])
    assert told["epochs"]["source"].startswith("measured: ")
    assert run.config["budget"]["seconds"] == 30.0
    assert run.config["budget"]["epoch_seconds"] > 0


def test_a_narrower_run_equals_one_with_its_network_given(
    table: Path, tmp_path: Path, slow: list[Mapping[str, Any]]
) -> None:
    """The network that was chosen for the time makes the numbers that it makes when asked for."""
    run = _plan(table, budget=6090.0).run(tmp_path / "budget")
    assert len(slow) == 2
    chosen = run.config["classifier"]
    assert (chosen["backbone"], chosen["epochs"]) == ("MLP(numeric=None, width=128)", 10)
    again = {"epochs": 10, "backbone": "MLP(numeric=None, width=128)"}
    assert _equal(run, _plan(table, params=again).run(tmp_path / "given"))


def _stop(progress: Progress) -> None:
    if progress.epoch == 3 and progress.row is None:
        raise KeyboardInterrupt


@pytest.mark.usefixtures("slow")
@pytest.mark.parametrize("budget", [6090.0, 3300.0, None], ids=["same", "other", "none"])
def test_a_stopped_run_keeps_its_epochs(
    budget: float | None, table: Path, tmp_path: Path, slow: list[Mapping[str, Any]]
) -> None:
    """They are read from its configuration, not measured anew, whatever budget is given then."""
    whole = _plan(table, budget=6090.0).run(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        _plan(table, budget=6090.0).run(tmp_path / "run", observers=[_stop])
    slow.clear()
    begun = Run.open(tmp_path / "run").config
    seen: list[int] = []
    watch: Callable[[Progress], None] = lambda now: seen.append(now.epoch)  # noqa: E731
    plan = _plan(table, budget=budget)
    run = plan.run(tmp_path / "run", resume=True, observers=[watch])
    assert slow == []
    assert min(seen) in (2, 3)
    assert _equal(whole, run)
    assert run.config["choices"] == begun["choices"]
    assert run.config["budget"]["seconds"] == 6090.0


def test_what_a_start_chose_is_explained_as_it_was(
    table: Path, tmp_path: Path, slow: list[Mapping[str, Any]]
) -> None:
    """A resumed plan tells the reason and the source of its start."""
    run = _plan(table, budget=6090.0).run(tmp_path / "run")
    slow.clear()
    resumed = _plan(table, budget=6090.0).paced(run.path)
    told = {setting.field: setting for setting in resumed.settings}
    assert told["epochs"].origin == told["backbone"].origin == "measured"
    kept = {choice["field"]: choice for choice in run.config["choices"]}
    assert told["epochs"].reason == kept["epochs"]["reason"]
    assert told["epochs"].value == 10
    assert slow == []


def test_a_run_without_a_budget_is_not_paced(table: Path, tmp_path: Path) -> None:
    """A plan is itself, its configuration has no budget, and a resumed run is compared as ever."""
    plan = _plan(table, params={"epochs": 2})
    assert plan.paced() is plan
    run = plan.run(tmp_path / "run")
    assert "budget" not in run.config
    assert plan.fit.training.history == run.history
    with pytest.raises(InputError, match=r"classifier\.epochs was 2 and is now 3"):
        _plan(table, params={"epochs": 3}).run(tmp_path / "run", resume=True)


def test_a_budget_that_is_over_ends_training_and_says_so(table: Path, tmp_path: Path) -> None:
    """Given epochs are not changed; training ends after the first, and the run says why."""
    run = _plan(table, budget=1e-3, params={"epochs": 5}).run(tmp_path / "run")
    assert run.done
    assert len(run.history) == 1
    assert run.config["classifier"]["epochs"] == 5
    assert run.config["environment"]["ended"] == "by its deadline, after epoch 1 of 5"
    assert run.config["budget"]["seconds"] == 1e-3
    whole = _plan(table, params={"epochs": 5}).run(tmp_path / "whole")
    assert "ended" not in whole.config["environment"]


def test_a_deadline_can_be_set_without_a_budget(table: Path, tmp_path: Path) -> None:
    """And the earlier of the two counts where both are set."""
    late, over = time.monotonic() + 1e6, time.monotonic() - 1
    plans = {name: _plan(table, params={"epochs": 3}) for name in "abc"}
    assert len(plans["a"].run(tmp_path / "a", deadline=over).history) == 1
    assert len(plans["b"].run(tmp_path / "b", deadline=late).history) == 3
    short = _plan(table, budget=1e-3, params={"epochs": 3})
    assert len(short.run(tmp_path / "c", deadline=late).history) == 1
    long = _plan(table, budget=1e6, params={"epochs": 3})
    assert len(long.run(tmp_path / "d", deadline=over).history) == 1


@pytest.mark.parametrize(("seconds", "epochs"), [(600.0, {1, 2}), (100.0, {5})])
def test_a_resumed_run_has_what_is_left_of_its_budget(
    seconds: float, epochs: set[int], table: Path, tmp_path: Path
) -> None:
    """The seconds of its history count, so that a budget is not renewed by stopping the run."""
    with pytest.raises(KeyboardInterrupt):
        _plan(table, budget=1e3, params={"epochs": 5}).run(tmp_path / "run", observers=[_stop])
    run = Run.open(tmp_path / "run")
    run.write_history([{"seconds": seconds}] * 2)
    _plan(table, budget=1e3, params={"epochs": 5}).run(tmp_path / "run", resume=True)
    assert len(run.history) in epochs
    assert ("ended" in run.config["environment"]) == (epochs != {5})


def test_a_recipe_lies_under_what_is_given(table: Path, tmp_path: Path) -> None:
    """Defaults, then the recipe, then parameters; the recipe's name is kept."""
    given = {"epochs": 1, "batch_size": 16, "average": "auto"}
    run = _plan(table, recipe="naive", params=given).run(tmp_path / "run")
    found = run.config["classifier"]
    assert (found["scaling"], found["schedule"]) == ("standard", "Constant(warmup=0.0)")
    assert (found["batch_size"], found["average"]) == (16, "EMA()")
    assert run.config["recipe"] == {"name": "naive"}
    plain = _plan(table, params={"epochs": 1}).run(tmp_path / "plain")
    assert plain.config["recipe"] == {"name": "prescribed"}
    assert plain.config["classifier"]["scaling"] == "robust"


def test_an_unknown_recipe_is_refused_before_the_data_is_read(tmp_path: Path) -> None:
    """The data need not exist."""
    with pytest.raises(InputError, match="A recipe must be one of"):
        _plan(tmp_path / "nowhere.csv", recipe="miracle")


def test_choices_are_kept_with_their_sources(table: Path, tmp_path: Path) -> None:
    """Each choice in config.toml has field, value, reason and source, all text."""
    run = _plan(table, params={"epochs": 1}).run(tmp_path / "run")
    choices = run.config["choices"]
    assert choices
    for choice in choices:
        assert list(choice) == ["field", "value", "reason", "source"]
        assert all(isinstance(value, str) and value for value in choice.values())


@pytest.mark.parametrize(
    "damage",
    [
        {"choices": [3, {"field": "epochs"}]},
        {"choices": "none"},
        {"classifier": {}},
        {"classifier": 3},
        {"budget": 3},
        {"choices": [{"field": ["epochs"]}]},
    ],
)
def test_a_damaged_start_is_no_reason_for_a_traceback(
    damage: dict[str, Any], table: Path, tmp_path: Path, slow: list[Mapping[str, Any]]
) -> None:
    """What cannot be read from the folder's configuration is not taken over, or refused."""
    run = _plan(table, budget=6090.0).run(tmp_path / "run")
    run.write_config({**{k: v for k, v in run.config.items() if k != "format"}, **damage})
    (run.path / "DONE").unlink()
    assert set(measured_choices(run.path)) <= {"epochs", "backbone"}
    with contextlib.suppress(InputError):
        _plan(table, budget=6090.0).run(run.path, resume=True)
    assert len(slow) >= 2
