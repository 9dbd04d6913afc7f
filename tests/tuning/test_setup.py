"""Laws of setting up: what is given stays, and the rest is searched."""

from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from equipoise.errors import InputError
from equipoise.fitting import Fit
from equipoise.runs import Run
from equipoise.settings import as_text
from equipoise.specialized import Thresholds
from equipoise.tuning.clock import Clock
from equipoise.tuning.layout import Layout, final_epochs
from equipoise.tuning.options import Options
from equipoise.tuning.records import Record
from equipoise.tuning.search import Search
from equipoise.tuning.setup import (
    N_VARIATIONS,
    base_params,
    laid_out,
    refit_params,
    searched_roles,
    set_up,
)
from equipoise.tuning.space import ROLES, starting_point
from equipoise.tuning.study import journal

LAYOUT = Layout(
    metrics=("balanced_log_loss", "seconds"),
    n_folds=3,
    seconds=12.0,
    epochs=7,
    longest=7,
    first_rung=3,
    reserve=1.0,
    choices=(),
)


def _fit(searches: ModuleType) -> Fit:
    return Fit.prepare(searches.task(), searches.PARAMS, 5)


def _search(searches: ModuleType, folder: Path, given: Any = None, **options: Any) -> Search:
    return set_up(
        _fit(searches),
        LAYOUT,
        Options(budget=60.0, **options),
        folder=folder,
        data=searches.task(),
        base=searches.PARAMS,
        given=given or {},
        address=journal(folder),
    )


def test_the_metric_chooses_the_epoch_and_the_prior() -> None:
    """Where all classes count alike the prior is even; others leave it as it was."""
    params = {"monitor": "accuracy", "prior": None, "epochs": 3}
    assert base_params(params, LAYOUT, {}) == {
        "monitor": "balanced_log_loss",
        "prior": "balanced",
        "epochs": 3,
    }
    plain = replace(LAYOUT, metrics=("log_loss",))
    assert base_params(params, plain, {}) == {**params, "monitor": "log_loss"}


def test_what_is_given_stays() -> None:
    """Even if the metric would ask for something else."""
    given = {"prior": "train", "monitor": "g_mean"}
    params = {"monitor": "accuracy", "prior": None, "epochs": 3}
    assert base_params(params, LAYOUT, given) == {**given, "epochs": 3}


def test_a_search_is_as_it_was_laid_out(searches: ModuleType, tmp_path: Path) -> None:
    """With the seed of the prescription, and twice its epochs at most."""
    search = _search(searches, tmp_path, n_trials=9, sampler="random")
    assert search.metrics == LAYOUT.metrics
    assert (search.n_folds, search.seconds, search.most_epochs) == (3, 12.0, 14)
    assert (search.n_trials, search.sampler, search.seed) == (9, "random", 5)
    assert [role.name for role in search.roles] == list(ROLES)


@pytest.mark.parametrize(("longer", "most"), [(True, (240, 120)), (False, (60, 60))])
def test_recipes_are_trained_no_longer_than_the_prescription_where_none_shall_be(
    *, longer: bool, most: tuple[int, int], searches: ModuleType, tmp_path: Path, monkeypatch: Any
) -> None:
    """In the final training and in trials; on images these have four times and twice as many."""
    images = replace(LAYOUT, epochs=60, longest=240)
    monkeypatch.setattr("equipoise.tuning.setup.lay_out", lambda *_, **__: images)
    fit, options = _fit(searches), Options(budget=60.0, longer=longer)
    layout = laid_out(fit, options, Clock(tmp_path, 60.0))
    search = set_up(
        fit,
        layout,
        options,
        folder=tmp_path,
        data=searches.task(),
        base=searches.PARAMS,
        given={},
        address=journal(tmp_path),
    )
    assert (layout.longest, search.most_epochs) == most
    record = Record(number=3, epochs=most[1], pace=2.0, best_epochs=(30,), state="complete")
    assert final_epochs(layout, record, 1e9) == most[0] * 30 // most[1]


def test_a_narrower_network_is_part_of_the_prescription_that_is_trained_alone(
    searches: ModuleType, tmp_path: Path
) -> None:
    """No role changes it back, and there is one trial, even where it alone was to be searched."""
    layout = replace(LAYOUT, n_folds=1, alone=True, backbone="MLP(layers=1, width=8)")
    base = base_params(searches.PARAMS, layout, {})
    assert base["backbone"] == "MLP(layers=1, width=8)"
    for names in (ROLES, ("backbone",)):
        search = set_up(
            _fit(searches),
            layout,
            Options(budget=60.0, roles=names),
            folder=tmp_path,
            data=searches.task(),
            base=base,
            given={},
            address=journal(tmp_path),
        )
        assert "backbone" not in [role.name for role in search.roles]
        assert (search.n_trials, search.first[0]) == (1, starting_point(search.roles))


def test_the_prescription_comes_first_with_or_without_a_portfolio(
    searches: ModuleType, tmp_path: Path
) -> None:
    """Without one it comes alone; with one, variations follow."""
    many = _search(searches, tmp_path)
    alone = _search(searches, tmp_path, portfolio=False)
    start = starting_point(many.roles)
    assert many.first[0] == start
    assert len(many.first) > N_VARIATIONS
    assert alone.first == [start]


def test_what_is_given_is_not_searched(searches: ModuleType, tmp_path: Path) -> None:
    """Nor is what was not asked for."""
    search = _search(searches, tmp_path, given={"head": "Linear()", "epochs": 3})
    assert [role.name for role in search.roles] == [name for name in ROLES if name != "head"]
    search = _search(searches, tmp_path, given={"head": "Linear()"}, roles=("mixing", "head"))
    assert [role.name for role in search.roles] == ["mixing"]


@pytest.mark.parametrize(
    ("roles", "given"), [(("head",), {"head": "Linear()"}), ((), {}), (ROLES, dict.fromkeys(ROLES))]
)
def test_a_search_of_nothing_is_refused(
    roles: tuple[str, ...], given: dict[str, Any], searches: ModuleType
) -> None:
    """A single recipe is no search."""
    with pytest.raises(InputError, match="needs a parameter that is not given"):
        searched_roles(_fit(searches), Options(budget=60.0, roles=roles), given)


def test_only_what_chooses_by_held_out_examples_keeps_them() -> None:
    """In the training of the recipe that is taken, whoever names the method."""
    base = {"validation": 0.2, "posthoc": None, "epochs": "auto"}
    assert refit_params(base, {}, 3) == {"validation": 0.0, "posthoc": None, "epochs": 3}
    for text, share in (("TauNorm()", 0.2), ("TauNorm(tau=0.3)", 0.0), ("None", 0.0)):
        assert refit_params(base, {"posthoc": text}, 3)["validation"] == share
        assert refit_params({**base, "posthoc": text}, {}, 3)["validation"] == share
    assert refit_params(base, {"posthoc": Thresholds()}, 3)["validation"] == 0.2


@pytest.mark.parametrize(
    ("text", "found", "wanted"),
    [
        ("TauNorm()", {"tau": 0.35}, "TauNorm(tau=0.35)"),
        ("TauNorm(tau=0.5)", {"tau": 0.5}, "TauNorm(tau=0.5)"),
        ("NearestMean()", {"scale": 8.0}, "NearestMean(scale=8.0)"),
        ("Thresholds()", {"offsets": [0.1, 0.2]}, None),
    ],
)
def test_a_number_that_a_trial_chose_after_training_is_kept(
    text: str, found: dict[str, Any], wanted: str | None, tmp_path: Path
) -> None:
    """Then nothing need be held out; what is more than a number is chosen anew."""
    (tmp_path / "fold0").mkdir()
    Run(tmp_path / "fold0").write_json("posthoc.json", {"found": {"method": text, **found}})
    params = refit_params({"validation": 0.2, "posthoc": text}, {}, 3, tmp_path)
    assert params["validation"] == (0.2 if wanted is None else 0.0)
    assert str(as_text(params["posthoc"])) == (wanted or text)


@pytest.mark.parametrize(
    ("name", "remedy"),
    [("loss", '--loss "Focal()"'), ("schedule", "Leave schedule out"), ("mixing", "--mixing")],
)
def test_within_a_component_without_numbers_is_refused(
    name: str, remedy: str, searches: ModuleType
) -> None:
    """Also where something else is searched: what was asked for would not be done."""
    options = Options(budget=60.0, roles=("optimizer",), within=(name,))
    with pytest.raises(InputError) as refused:
        searched_roles(_fit(searches), options, {})
    assert remedy in refused.value.remedy
