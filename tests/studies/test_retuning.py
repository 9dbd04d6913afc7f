"""Laws of what values are as methods, and what is searched again for each."""

import shlex
from pathlib import Path

import pytest

from equipoise.errors import InputError
from equipoise.experiment import Experiment
from equipoise.plan import Plan
from equipoise.studies.components import COMPONENTS
from equipoise.studies.design import Choices, Study, make_study

PARAMS = {"device": "cpu", "epochs": 1, "backbone": "ResNet(depth=8, width=4)"}


def _laid(
    folder: Path, component: str, values: tuple[str, ...], retune: tuple[str, ...] = ()
) -> Study:
    given = {k: v for k, v in PARAMS.items() if k not in COMPONENTS[component].params}
    return make_study(
        COMPONENTS[component],
        Experiment(source="digits", params=given),
        folder / "s",
        Choices(ratios=(), n_seeds=1, values=values, retune=retune, n_trials=1),
    )


@pytest.mark.parametrize(
    ("component", "values", "retune"),
    [
        ("weight-decay", (), ("optimizer",)),
        ("weight-decay", ("0.0005", "0.002"), ("optimizer",)),  # one default, one prescribed
        ("smoothing", ("Uniform(eps=0.2)", "Uniform(eps=0.3)"), ("smoothing",)),
        ("optimizer", ("SAM(rho=0.1)", "SAM( rho = 0.2)"), ("optimizer", "sharpness")),
        ("optimizer", ("SGD(lr=0.1)", "SGD(lr=0.5)"), ("optimizer",)),
    ],
)
def test_what_a_value_says_is_not_searched(
    component: str, values: tuple[str, ...], retune: tuple[str, ...], tmp_path: Path
) -> None:
    """The search would replace it, and all values would be one."""
    with pytest.raises(InputError, match=r"studied must not be searched|value says must not be"):
        _laid(tmp_path, component, values, retune)


def test_what_is_advised_where_values_say_too_much_works(tmp_path: Path) -> None:
    """Copied from the message, values without numbers and what is searched make a study."""
    with pytest.raises(InputError, match="value says must not be") as refused:
        _laid(tmp_path, "smoothing", (), ("optimizer", "smoothing"))
    advised = refused.value.remedy.partition("--values ")[2].removesuffix(".")
    values, _, searched = advised.partition(" --retune ")
    assert searched == "rate,smoothing"
    kinds = tuple(shlex.split(values))
    [contest] = _laid(tmp_path, "smoothing", kinds, ("optimizer", "smoothing")).contests.values()
    assert len(contest.methods) == len(kinds) > 1


def test_what_a_value_is_silent_of_is_searched(tmp_path: Path) -> None:
    """Which optimizer is best is asked of each at its own best numbers; sizes of batches too."""
    for component, values in (("optimizer", ()), ("batch-size", ("16", "64"))):
        [contest] = _laid(tmp_path, component, values, ("optimizer",)).contests.values()
        assert {method.within for method in contest.methods} == {("optimizer",)}


def test_each_value_is_searched_by_the_numbers_that_it_has(tmp_path: Path) -> None:
    """Without smoothing there are none of it; a value with nothing to search is refused."""
    values = ("None", "Uniform()")
    study = _laid(tmp_path, "smoothing", values, ("optimizer", "smoothing"))
    [contest] = study.contests.values()
    assert {method.name: method.within for method in contest.methods} == {
        "no-smoothing": ("optimizer",),
        "Uniform()": ("optimizer", "smoothing"),
    }
    told = "retuned: smoothing of all but no smoothing, which have no numbers there"
    assert told in contest.choices
    with pytest.raises(InputError, match=r"no smoothing has none of its smoothing\."):
        _laid(tmp_path, "smoothing", values, ("smoothing",))
    with pytest.raises(InputError, match=r"16 has none of its sharpness\."):
        _laid(tmp_path, "batch-size", ("16", "64"), ("sharpness",))


@pytest.mark.parametrize(
    ("component", "values"),
    [
        ("smoothing", ("None", "Unifrom(eps=0.1)")),
        ("smoothing", ("None", "Uniform(eps=7)")),
        ("augmentation", ("None", "FeatureNoise()")),  # of tables
        ("batch-size", ("nan", "16")),
        ("batch-size", ("inf", "16")),
        ("batch-size", ("16.7", "16")),
        ("epochs", ("0", "3")),
        ("epochs", ("1e999", "3")),
        ("weight-decay", ("-1", "0")),
    ],
)
def test_values_that_no_run_can_have_are_refused_when_a_study_is_laid_out(
    component: str, values: tuple[str, ...], tmp_path: Path
) -> None:
    """Before hours of runs of the other values."""
    with pytest.raises(InputError):
        _laid(tmp_path, component, values)


def test_a_value_may_set_what_is_automatic_for_the_others(tmp_path: Path) -> None:
    """Each value has it then for itself: as the value says, or as it is automatic."""
    alone = _laid(tmp_path, "smoothing", ("None", "Uniform()"))
    [was] = alone.contests.values()
    study = _laid(tmp_path, "smoothing", ("None", "optimizer=AdamW()"))
    [contest] = study.contests.values()
    shared = dict(was.setup.experiment.params)
    automatic = shared.pop("optimizer")
    assert contest.setup.experiment.params == shared
    assert {method.name: method.params["optimizer"] for method in contest.methods} == {
        "no-smoothing": automatic,
        "AdamW()": "AdamW()",
    }


@pytest.mark.parametrize("budget", [None, 60.0])
def test_a_budget_chooses_the_epochs_of_each_run(budget: float | None, tmp_path: Path) -> None:
    """As for `equipoise fit`; without one all have as many, resolved once."""
    study = make_study(
        COMPONENTS["smoothing"],
        Experiment(source="digits", params={k: PARAMS[k] for k in ("device", "backbone")}),
        tmp_path / "s",
        Choices(ratios=(), n_seeds=1, values=("None", "Uniform()"), budget=budget),
    )
    [contest] = study.contests.values()
    unit, method = contest.units[0], contest.methods[0]
    plan = Plan.make(unit.experiment(contest.setup, method.params, "prescribed"))
    automatic = {choice.field for choice in plan.fit.choices}
    assert ("epochs" in automatic) == (budget is not None)
    assert "backbone" not in automatic
