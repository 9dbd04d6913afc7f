"""Laws of what a study says before its numbers: nothing that is left out of them is silent."""

from collections.abc import Iterable
from pathlib import Path

from equipoise.comparison.results import Results
from equipoise.studies.cautions import cautions
from equipoise.studies.cells import AS_IT_IS, Cells

VALUES = ("plain", "SAM()", "ASAM()")


def _cells(
    n_seeds: int = 3,
    lacking: Iterable[tuple[float, str, int]] = (),
    noted: dict[float, list[str]] | None = None,
    ratios: tuple[float, ...] = (1.0, 10.0, 100.0),
) -> Cells:
    """Return a study of which some runs, by ratio, value and seed, are not finished."""
    by_ratio = {}
    for ratio in ratios:
        entries = {
            name: dict.fromkeys(
                (seed, 0) for seed in range(n_seeds) if (ratio, name, seed) not in set(lacking)
            )
            for name in VALUES
        }
        told = {"methods": dict.fromkeys(VALUES), "cautions": (noted or {}).get(ratio, [])}
        by_ratio[ratio] = Results(folder=Path(), told=told, entries=entries, classes=())
    values = [{"method": name, "label": name.lower(), "number": None} for name in VALUES]
    told = {"values": values, "component": "optimizer", "reference": "plain"}
    return Cells(folder=Path(), told=told, by_ratio=by_ratio)


def test_of_a_study_that_lacks_nothing_nothing_is_said() -> None:
    """With three seeds; with two, that more would tell more."""
    assert cautions(_cells()) == []
    [said] = cautions(_cells(n_seeds=2))
    assert said.endswith("add seeds with --resume.")


def test_a_seed_that_one_run_lacks_is_left_out_of_all_and_said_to_be() -> None:
    """And no seeds are asked for while those that were asked for are not finished."""
    few, said = cautions(_cells(lacking=[(100.0, "SAM()", 2)]))
    assert few == "Two seeds tell only large changes from chance."
    assert said == (
        "Seed 2 is left out of all numbers, for some runs are not finished: sam() at ratio 100, "
        "seed 2. --resume tries again."
    )
    many = [(ratio, "SAM()", seed) for ratio in (1.0, 10.0) for seed in (1, 3, 4)]
    [said] = cautions(_cells(n_seeds=6, lacking=many))
    assert said.startswith("Seeds 1, 3 and 4 are left out of all numbers, for some runs")
    assert "sam() at ratio 1, seed 1; sam() at ratio 10, seed 1; " in said
    assert said.endswith("; 3 more runs. --resume tries again.")


def test_a_value_without_runs_at_a_ratio_is_left_out_of_all_and_said_to_be() -> None:
    """It takes no seeds from the others, at whatever ratio it is finished."""
    [said] = cautions(_cells(lacking=[(r, "ASAM()", s) for r in (1.0, 100.0) for s in range(3)]))
    start = "asam() is left out of all numbers: no run of it is finished at ratio 1 and 100."
    assert said == f"{start} --resume tries again."
    own = [(AS_IT_IS, "ASAM()", seed) for seed in range(3)]
    [said] = cautions(_cells(lacking=own, ratios=(AS_IT_IS,)))
    assert "is finished with the data as it is." in said


def test_what_comparisons_have_noted_of_their_runs_is_told_once_with_its_ratios() -> None:
    """Of all ratios as it is; of some with which."""
    noted = {1.0: ["Other threads."], 10.0: ["Other threads.", "Other torch."]}
    noted[100.0] = ["Other threads.", "Other torch."]
    assert cautions(_cells(noted=noted)) == [
        "Other threads.",
        "Of runs at ratio 10 and 100: Other torch.",
    ]
