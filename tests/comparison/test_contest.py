"""Laws of going on with a comparison, and of what is kept of each run."""

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from equipoise import recipes
from equipoise.comparison import carrying, opposing
from equipoise.comparison import contest as contest_module
from equipoise.comparison import methods as methods_module
from equipoise.comparison import terms as terms_module
from equipoise.comparison.carrying import Job, carry_out, clock_folder
from equipoise.comparison.contest import Contest, make_contest
from equipoise.comparison.setup import NAME, Unit
from equipoise.data.options import ReadOptions
from equipoise.errors import InputError
from equipoise.executors import Here
from equipoise.experiment import Experiment
from equipoise.runs import Run
from equipoise.tuning.identity import only_here

PARAMS = {"epochs": 1, "device": "cpu", "backbone": "MLP(layers=1, width=8)"}


def _contest(table: str, *methods: str, params: Any = None, **more: Any) -> Contest:
    given = {**PARAMS, **(params or {})}
    experiment = Experiment(source=table, options=ReadOptions(label="outcome"), params=given)
    folder = Path(table).parent / "c"
    told = {"n_seeds": 1, "budget": None, "resume": True, **more}
    return make_contest(experiment, folder, methods=methods, **told)


def _run(contest: Contest) -> None:
    with Here() as here:
        contest.run(here)
    assert contest.failures == {}


def _told(contest: Contest) -> dict[str, Any]:
    return json.loads((contest.folder / NAME).read_text())


def _change(contest: Contest, part: str, **changed: Any) -> None:
    told = _told(contest)
    told[part] |= changed
    (contest.folder / NAME).write_text(json.dumps(told))


def test_a_method_whose_recipe_has_changed_is_not_gone_on_with(
    table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a run of it is there; another method is of no concern."""
    _run(_contest(table, "focal"))
    other = replace(recipes.RECIPES["focal"], params={"loss": "Focal(gamma=9)"})
    monkeypatch.setitem(recipes.RECIPES, "focal", other)
    with pytest.raises(InputError, match=r"focal is another: .*settings.*Focal\(gamma=9\)"):
        _contest(table, "focal")
    assert [unit.method for unit in _contest(table, "weighted").missing] == ["weighted"]


def test_a_method_that_searches_something_else_is_not_gone_on_with(
    table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its roles, and the numbers of its parts; without a search the latter do not matter."""
    searched = {"n_trials": 1}
    _run(_contest(table, "tuned", **searched))
    with monkeypatch.context() as patch:
        patch.setattr(methods_module, "ROLES", ("optimizer",))
        with pytest.raises(InputError, match="tuned is another"):
            _contest(table, "tuned", **searched)
    monkeypatch.setattr(methods_module, "SHARED", ())
    recipe = replace(recipes.RECIPES["plain"], within=())
    monkeypatch.setitem(recipes.RECIPES, "plain", recipe)
    with pytest.raises(InputError, match="plain is another"):
        _contest(table, **searched)


def test_without_a_search_it_does_not_matter_what_would_be_searched(
    table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So comparisons that an earlier version began are gone on with."""
    _run(_contest(table))
    monkeypatch.setattr(methods_module, "SHARED", ())
    monkeypatch.setitem(recipes.RECIPES, "plain", replace(recipes.RECIPES["plain"], within=()))
    assert _contest(table).missing == []


@pytest.mark.parametrize("seed", [0, 2])
def test_orders_are_drawn_from_the_split_seed_too(seed: int, table: str) -> None:
    """By hand, from the sum of both: without a split seed, what earlier versions drew."""
    setup = _contest(table).setup

    def drawn(split_seed: int) -> int:
        own = replace(setup, experiment=replace(setup.experiment, split_seed=split_seed))
        return Unit(method="plain", seed=seed, order=1).experiment(own, {}, "plain").split_seed

    def by_hand(total: int) -> int:
        digest = hashlib.sha256(f'[{total}, "order", 1]'.encode()).digest()
        return (int.from_bytes(digest[:8], "big") >> 1) % 2**31

    assert [drawn(0), drawn(5)] == [by_hand(seed), by_hand(seed + 5)]


def test_runs_that_fail_are_warned_of_where_nobody_watches(
    table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each in a line that points to the caller; the others are carried out."""

    def fail(job: Job) -> None:
        if job.method.name == "focal":
            raise MemoryError("no room")
        carry_out(job)

    monkeypatch.setattr(contest_module, "carry_out", fail)
    contest = _contest(table, "focal", n_seeds=2)
    with Here() as here, pytest.warns() as warned:
        contest.run(here)
    told = [f"focal, seed {seed} failed: MemoryError: no room" for seed in (0, 1)]
    assert [str(each.message) for each in warned] == told
    assert {each.filename for each in warned} == {__file__}
    assert {unit.method for unit in contest.missing} == {"focal"}
    seen: list[str | None] = []
    with Here() as here:  # warnings would be errors
        contest.run(here, [lambda _, fault: seen.append(fault)])
    assert seen == ["MemoryError: no room"] * 2


@pytest.mark.parametrize("budget", [None, 60.0])
def test_only_with_a_time_are_searched_methods_trained_for_longer_than_others(
    budget: float | None, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without one, a method that is not searched has the automatic epochs; all have those."""
    seen = []

    def lay_out(*given: Any, **_: Any) -> None:
        seen.append(given[2].longer)
        raise KeyboardInterrupt

    monkeypatch.setattr(carrying.Tuner, "make", lay_out)
    contest = _contest(table, "tuned", budget=budget, n_trials=1)
    contest.folder.mkdir()
    with pytest.raises(KeyboardInterrupt):
        carry_out(contest._job(Unit(method="tuned", seed=0)))
    assert seen == [budget is not None]


def test_runs_of_another_device_are_refused(table: str) -> None:
    """Once there are any; times and numbers would be mixed."""
    contest = _contest(table, "focal")
    _run(contest)
    _change(contest, "terms", device="cuda (somewhere else)")
    with pytest.raises(InputError, match=r"device was 'cuda \(somewhere else\)' and is now 'cpu'"):
        _contest(table, "focal")


def test_other_versions_and_workers_are_told_and_kept(table: str) -> None:
    """While something is added; not where all is done, and for good once it was."""
    contest = _contest(table)
    _run(contest)
    assert _told(contest)["cautions"] == []
    assert _told(contest)["terms"]["executor"] == "here"
    _change(contest, "terms", torch="0.4", workers=7)
    _run(_contest(table))
    assert _told(contest)["cautions"] == []
    _run(_contest(table, "focal"))
    cautions = _told(contest)["cautions"]
    assert len(cautions) == 2
    assert "torch 0.4, later ones with" in cautions[0]
    assert "7 workers" in cautions[1]
    assert _told(contest)["terms"]["workers"] == 1
    _run(_contest(table, "focal", "weighted"))
    assert _told(contest)["cautions"] == cautions


def test_another_processor_is_told_and_kept(
    table: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On CPUs it is what a device is called for; where it has no name, nothing is said."""
    told = tmp_path / "cpuinfo"
    monkeypatch.setattr(terms_module, "CPUINFO", told)
    monkeypatch.setattr(terms_module.platform, "processor", str)
    _run(contest := _contest(table))
    assert "processor" not in _told(contest)["terms"]
    told.write_text("processor\t: 0\nmodel name\t: Abacus 5\n\nmodel name\t: Abacus 5\n")
    _run(_contest(table, "focal"))
    assert _told(contest)["terms"]["processor"] == "Abacus 5"
    assert _told(contest)["cautions"] == []
    told.write_text("model name\t: Quipu\n")
    _run(_contest(table, "focal", "weighted"))
    [caution] = _told(contest)["cautions"]
    assert "on the processor Abacus 5, later ones on Quipu: their times cannot" in caution


def test_why_a_comparison_began_as_it_did_stays_told(table: str) -> None:
    """What is decided is said with its reason when it is gone on with; new lines are added."""
    contest = _contest(table)
    _run(contest)
    before = _told(contest)["choices"]
    assert [line.partition(":")[0] for line in before[-2:]] == ["metric", "search"]
    assert not any("as the comparison began" in line for line in before)
    more = _contest(table, "focal")
    _run(replace(more, choices=(*more.choices, "One more.")))
    assert _told(contest)["choices"] == [*before, "One more."]


def test_a_comparison_that_was_given_a_monitor_is_gone_on_with(table: str) -> None:
    """By an earlier version, which took no notice of it; one that lacks it is never given it."""
    contest = _contest(table)
    _run(contest)
    late = {"monitor": "accuracy"}
    with pytest.raises(InputError, match=r"--monitor is given.*--metric"):
        _contest(table, params=late)
    told = _told(contest)
    told["setup"]["params"] |= late
    (contest.folder / NAME).write_text(json.dumps(told))
    assert _contest(table, params=late).missing == []


def test_a_comparison_from_before_terms_were_kept_is_gone_on_with(table: str) -> None:
    """Nothing is known of them, so nothing is said."""
    contest = _contest(table)
    _run(contest)
    told = _told(contest)
    del told["terms"], told["cautions"], told["methods"]["plain"]["settings"]
    (contest.folder / NAME).write_text(json.dumps(told))
    _run(_contest(table, "focal"))
    assert _told(contest)["cautions"] == []


def test_nothing_is_written_while_another_process_is_at_it(table: str) -> None:
    """What is compared, neither."""
    contest = _contest(table)
    _run(contest)
    before = (contest.folder / NAME).read_bytes()
    more = _contest(table, "focal")
    refused = pytest.raises(InputError, match=r"One process .* go on with a comparison\.")
    with only_here(contest.folder), refused, Here() as here:
        more.run(here)
    assert (contest.folder / NAME).read_bytes() == before


def test_what_another_process_has_changed_meanwhile_is_seen(table: str) -> None:
    """Its settings are checked again once it is known to be away."""
    early = _contest(table, "focal")
    _run(_contest(table, params={"head": "Cosine()"}))
    with pytest.raises(InputError, match="params was"), Here() as here:
        early.run(here)


def test_every_run_tells_its_time_with_that_before_a_stop(table: str) -> None:
    """By one clock for networks, searches and other libraries."""
    contest = _contest(table, "tuned", "xgboost", n_trials=1, search=False)
    contest.folder.mkdir()
    for unit in contest.units:
        place = clock_folder(contest.folder, unit)
        place.mkdir(parents=True)
        Run(place).write_json("clock.json", {"used": 1000.0})
    _run(contest)
    for unit in contest.units:
        told = Run.open(unit.folder(contest.folder)).config["environment"]
        assert 1000 < told["wall_seconds"] < 1100
        assert told.get("seconds", 0) < 100


def test_a_run_that_was_removed_and_is_made_anew_has_a_time_of_its_own(table: str) -> None:
    """Finished or not; that of a pre-training which stays is kept, and no other."""
    contest = _contest(table, "xgboost", n_seeds=2)
    contest.folder.mkdir()
    places = {unit: clock_folder(contest.folder, unit) for unit in contest.units}
    for place in places.values():
        place.mkdir(parents=True)
        Run(place).write_json("clock.json", {"used": 1000.0})
    _run(contest)
    learnt = contest.folder / "pretrained" / "plain" / "seed1"
    learnt.mkdir(parents=True)
    Run(learnt).write_history([{"seconds": 200.0}, {"seconds": 300.0}])
    for unit in contest.units:
        if unit.seed == 1 or unit.method == "xgboost":
            shutil.rmtree(unit.folder(contest.folder))
    _run(contest)
    times = {
        str(unit): Run.open(unit.folder(contest.folder)).config["environment"]["wall_seconds"]
        // 100
        for unit in contest.units
    }
    assert times == {
        "plain, seed 0": 10,
        "plain, seed 1": 5,
        "xgboost, seed 0": 0,
        "xgboost, seed 1": 0,
    }


def test_the_time_of_a_run_that_failed_goes_with_its_folder(
    table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It counts as long as the folder is there."""
    contest = _contest(table, "xgboost")
    contest.folder.mkdir()
    unit = next(unit for unit in contest.units if unit.method == "xgboost")
    clock = Run(clock_folder(contest.folder, unit))
    monkeypatch.setattr(opposing, "_write", _fail)

    def used() -> float:
        with pytest.raises(KeyboardInterrupt):
            carry_out(contest._job(unit))
        return clock.read_json("clock.json")["used"]

    assert used() < 100
    clock.write_json("clock.json", {"used": 1000.0})
    assert used() > 1000
    shutil.rmtree(unit.folder(contest.folder))
    assert used() < 100


def _fail(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_look_of_another_library_counts_before_it_is_taken(
    table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that was killed after it has looked, and has learnt anew, has looked twice."""
    contest = _contest(table, "xgboost")
    contest.folder.mkdir()
    unit = next(unit for unit in contest.units if unit.method == "xgboost")

    with monkeypatch.context() as patch:
        patch.setattr(opposing, "_write", _fail)
        with pytest.raises(KeyboardInterrupt):
            carry_out(contest._job(unit))
    run = Run.open(unit.folder(contest.folder))
    assert (run.done, run.config["test"]["looks"]) == (False, 1)
    carry_out(contest._job(unit))
    assert (run.done, run.config["test"]["looks"]) == (True, 2)
