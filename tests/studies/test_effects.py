"""Laws of what a study says about values and ratios."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from equipoise.comparison.results import Entry, Results
from equipoise.statistics.paired import Predictions
from equipoise.studies.cells import AS_IT_IS, Cells, recall_of_groups
from equipoise.studies.effects import at_ratio, interactions, trend
from equipoise.studies.findings import as_csv, found_in

N = 2000
CLASSES = 4
SIZES = {"16": 0.0, "64": 0.0, "256": 0.0}


def _predictions(accuracy: float, seed: int, of_test: int) -> Predictions:
    """Return predictions of which a share is right, the others anything."""
    codes = np.random.default_rng(of_test).integers(0, CLASSES, N)
    random = np.random.default_rng(seed)
    right = random.random(N) < accuracy
    guess = (codes + random.integers(1, CLASSES, N)) % CLASSES
    logits = 3.0 * np.eye(CLASSES)[np.where(right, codes, guess)]
    return Predictions(codes=codes, logits=logits, ids=np.arange(N))


def _cells(accuracies: dict[float, dict[str, float]], n_seeds: int = 4) -> Cells:
    """Return a study whose cells are right as often as is said."""
    counts = np.array([400, 200, 50, 10])
    by_ratio = {}
    for ratio, own in accuracies.items():
        entries = {
            name: {
                (seed, 0): Entry(
                    path=Path(),
                    predictions=dict.fromkeys(
                        ("as_trained", "balanced"),
                        _predictions(accuracy, 1000 * seed + int(ratio) + 7 * int(name), seed),
                    ),
                    seconds=1.0,
                    looks=1,
                    facts={},
                )
                for seed in range(n_seeds)
            }
            for name, accuracy in own.items()
        }
        by_ratio[ratio] = Results(
            folder=Path(),
            told={"methods": own, "setup": {"order": "size", "split_seed": 0}},
            entries=entries,
            classes=("a",),
        )
    values = [
        {"method": m, "label": f"size {m}", "number": float(m)}
        for m in next(iter(accuracies.values()))
    ]
    told = {
        "values": values,
        "reference": "64",
        "unit": "batch size",
        "component": "batch-size",
        "claim": "",
        "data": "planted",
        "ratios": list(accuracies),
    }
    cells = Cells(folder=Path(), told=told, by_ratio=by_ratio)
    object.__setattr__(cells, "counts", lambda ratio, seed: counts)  # noqa: ARG005
    return cells


NULL = {r: {"16": 0.7, "64": 0.7, "256": 0.7} for r in (1.0, 10.0, 100.0)}
PLANTED = {
    1.0: {"16": 0.80, "64": 0.80, "256": 0.80},
    10.0: {"16": 0.75, "64": 0.70, "256": 0.65},
    100.0: {"16": 0.70, "64": 0.60, "256": 0.50},
}


def test_slopes_are_those_of_least_squares() -> None:
    """As scipy fits them to the means of the table, over ratios and over doublings."""
    cells = _cells(PLANTED)
    ratios = list(PLANTED)
    means = np.array(
        [
            [
                at_ratio(cells, ratio, "balanced", "balanced_accuracy")["means"][name]["value"]
                for name in SIZES
            ]
            for ratio in ratios
        ]
    )
    gain = stats.linregress(np.log10(ratios), means[:, 0] - means[:, 1]).slope
    found = interactions(cells, "balanced", "balanced_accuracy")
    assert found["16"].value == pytest.approx(gain)
    doublings = [stats.linregress([4, 6, 8], own).slope for own in means]
    along = trend(cells, "balanced", "balanced_accuracy")
    assert [own["value"] for own in along["by_ratio"].values()] == pytest.approx(doublings)
    both = stats.linregress(np.log10(ratios), doublings).slope
    assert along["interaction"]["value"] == pytest.approx(both)


def test_ratios_of_trends_are_called_as_all_others_are() -> None:
    """Also that of data that is not thinned."""
    found = found_in(_cells({AS_IT_IS: PLANTED[10.0]}))
    assert list(found["balanced"]["trend"]["by_ratio"]) == found["ratios"] == ["as it is"]


def test_one_seed_tells_no_error() -> None:
    """What training again would change is not known."""
    found = interactions(_cells(PLANTED, n_seeds=1), "balanced", "balanced_accuracy")["16"]
    assert found.value == pytest.approx(0.05, abs=0.03)
    assert (found.error, found.low, found.p) == (None, None, None)


def test_noise_of_test_examples_that_all_seeds_share_is_in_slopes() -> None:
    """Seeds that answer alike agree on a slope that other test examples would not show."""
    told = []
    for draw in range(40):
        cells = _cells(NULL)
        for number, results in enumerate(cells.by_ratio.values()):
            for name, entries in results.entries.items():
                same = _predictions(0.7, 1000 * draw + 10 * number + int(name), draw)
                for seed, _ in entries:
                    entries[seed, 0].predictions["balanced"] = same
        found = interactions(cells, "balanced", "balanced_accuracy")
        told.append(min(own.p for own in found.values()) <= 0.05)
    assert sum(told) <= 5  # of 40 at 5 %: more in 1.4 % of cases


def test_a_planted_interaction_is_found_with_its_size_and_sign() -> None:
    """Smaller batches gain 5 points more for each tenfold ratio, larger ones lose as much."""
    found = interactions(_cells(PLANTED), "balanced", "balanced_accuracy")
    assert found["16"].value == pytest.approx(0.05, abs=0.015)
    assert found["256"].value == pytest.approx(-0.05, abs=0.015)
    assert found["16"].p < 0.05
    assert found["256"].p < 0.05
    along = trend(_cells(PLANTED), "balanced", "balanced_accuracy")
    assert along["by_ratio"]["1"]["value"] == pytest.approx(0, abs=0.01)
    assert along["by_ratio"]["100"]["value"] == pytest.approx(-0.05, abs=0.01)
    assert along["interaction"]["value"] == pytest.approx(-0.025, abs=0.006)


def test_p_values_of_several_values_are_corrected_for_each_other() -> None:
    """Holm by hand, of those that studies of one value and the reference tell."""
    both = {r: {"16": 0.7, "64": 0.69, "256": 0.68} for r in (1.0, 100.0)}
    both[1.0] = dict.fromkeys(both[1.0], 0.69)
    alone = {}
    for name in ("16", "256"):
        own = {r: {k: v for k, v in each.items() if k in (name, "64")} for r, each in both.items()}
        alone[name] = interactions(_cells(own), "balanced", "balanced_accuracy")[name].p
    found = interactions(_cells(both), "balanced", "balanced_accuracy")
    least, most = sorted(alone, key=lambda name: alone[name])
    assert found[least].p == pytest.approx(min(2 * alone[least], 1))
    assert found[most].p == pytest.approx(min(max(2 * alone[least], alone[most]), 1))


def test_values_that_are_alike_are_not_told_apart() -> None:
    """No interaction is claimed, and no value is better than the reference."""
    cells = _cells(NULL)
    found = found_in(cells)
    assert all(
        own.p > 0.05 for own in interactions(cells, "balanced", "balanced_accuracy").values()
    )
    assert "no such change of the effect is told from chance" in found["balanced"]["sentences"][1]
    assert all("no value is told apart" in line for line in found["balanced"]["sentences"][2:])


def test_sentences_name_what_was_planted() -> None:
    """The change with the ratio first, then the best value at each ratio."""
    said = found_in(_cells(PLANTED))["balanced"]["sentences"]
    assert said[1].startswith("Doubling the batch size changes the balanced accuracy by")
    assert "the effect changes with the ratio (-2." in said[1]
    assert said[4].startswith("At ratio 100, size 16 is best with")
    assert "told apart from size 64, after correction for 2 comparisons: " in said[4]
    assert "size 256 by -" in said[4]


def test_values_that_tie_for_the_best_are_all_named() -> None:
    """Two values with the same predictions: neither is better."""
    cells = _cells(PLANTED)
    for results in cells.by_ratio.values():
        results.entries["64"] = results.entries["16"]
    said = found_in(cells)["balanced"]["sentences"]
    assert said[4].startswith("At ratio 100, size 16 and size 64 are best with")


def test_no_score_or_effect_in_a_sentence_is_without_its_interval() -> None:
    """The best value, those that are told apart from the reference, and effects of a doubling."""
    found = found_in(_cells(PLANTED))["balanced"]
    said = found["sentences"]
    for ratio, line in zip(("1", "10", "100"), said[2:], strict=True):
        own = found["ratios"][ratio]
        assert f"is best with {_text(own['means'][own['best']], ' %')}; " in line
        for fact in own["to_reference"]:
            told = f"size {fact['method']} by {_text(fact, ' points')}"
            assert (told in line) == fact["told_apart"]
    for ratio in ("1", "100"):
        text = _text(found["trend"]["by_ratio"][ratio], " points")
        assert f"{text} at ratio {ratio}" in said[1].replace("+", "")
    alone = found_in(_cells({r: {"64": 0.7} for r in PLANTED}))["balanced"]
    for ratio, own in alone["ratios"].items():
        assert f"{_text(own['means']['64'], ' %')} at ratio {ratio}" in alone["sentences"][-1]


def _text(own: Mapping[str, float], unit: str) -> str:
    value, low, high = (f"{100 * own[name]:.1f}" for name in ("value", "low", "high"))
    return f"{value}{unit} ({low} to {high})"


def test_a_verdict_after_correction_is_not_beside_an_interval_that_seems_to_contradict_it() -> None:
    """Where a change would be told if it were the only one, that is what the sentence says."""
    for step in range(60):
        last = {"16": 0.7 + step / 500, "64": 0.7, "256": 0.7}
        cells = _cells({1.0: dict.fromkeys(last, 0.7), 100.0: last})
        found = interactions(cells, "balanced", "balanced_accuracy").values()
        if all(own.p > 0.05 for own in found) and max(own.low for own in found) > 0:
            break
    else:
        pytest.fail("no change is told by its own interval alone")
    cells.told["unit"] = None
    said = found_in(cells)["balanced"]["sentences"]
    [line] = [line for line in said if line.startswith("No value gains")]
    assert "can tell, after correction for 2 comparisons; the largest change" in line
    assert line.endswith(" if it were the only one.")


def test_percentages_are_of_the_best_value() -> None:
    """The best has none; the others are below by their share of it."""
    cells = _cells(PLANTED)
    own = at_ratio(cells, 100.0, "as_trained", "balanced_accuracy")
    means = {name: each["value"] for name, each in own["means"].items()}
    assert own["best"] == "16"
    assert own["percent"]["16"] == {"value": 0.0, "error": 0.0}
    expected = 100 * (means["256"] / means["16"] - 1)
    assert own["percent"]["256"]["value"] == pytest.approx(expected)


def test_an_error_over_seeds_is_not_known_from_one() -> None:
    """It is null in plain data and empty in the table; with more seeds it is theirs, by hand."""
    one, four = (found_in(_cells(PLANTED, n_seeds=n)) for n in (1, 4))
    own = one["balanced"]["ratios"]["100"]["groups"]["16"]
    assert {each["error"] for each in own.values()} == {None}
    rows = list(csv.DictReader(io.StringIO(as_csv(one))))
    ends = [key for key in rows[0] if key.startswith("recall_") and key.endswith("_error")]
    assert len(ends) > 1
    assert {row[key] for row in rows for key in ends} == {""}
    assert all(float(row["recall_all"]) > 0 for row in rows)
    cells = _cells(PLANTED)
    recalls = [
        recall_of_groups(each, cells.counts(100.0, 0))["all"]
        for each in cells.predictions(100.0, "balanced")["16"]
    ]
    told = four["balanced"]["ratios"]["100"]["groups"]["16"]["all"]["error"]
    assert told == pytest.approx(stats.sem(recalls))


def test_log_loss_is_best_where_it_is_least() -> None:
    """The sign of the metric is known."""
    own = at_ratio(_cells(PLANTED), 100.0, "as_trained", "balanced_log_loss")
    assert own["best"] == "16"
    assert own["percent"]["256"]["value"] > 0


def test_a_place_of_use_is_the_same_for_all_ratios_of_training() -> None:
    """At ratio 1 the rarest class is that of the largest ratio, not the last one by label."""
    cells = _cells({r: {"16": 0.8, "64": 0.6} for r in (1.0, 100.0)})
    for entries in cells.by_ratio[1.0].entries, cells.by_ratio[100.0].entries:
        for own in entries.values():
            for entry in own.values():
                uneven = entry.predictions["balanced"]
                uneven.logits[uneven.codes == 0] = np.eye(CLASSES)[1]  # class 0 is never right
    both = {1.0: np.full(4, 400), 100.0: np.array([10, 50, 200, 400])}
    object.__setattr__(cells, "counts", lambda ratio, seed: both[ratio])  # noqa: ARG005
    object.__setattr__(cells, "by_ratio", dict.fromkeys(both, cells.by_ratio[1.0]))
    rows = found_in(cells, test_ratios=(50.0,))["deployment"]
    by_ratio = {row["ratio"]: row for row in rows if row["method"] == "16"}
    assert by_ratio["1"]["as_trained"] == by_ratio["100"]["as_trained"]
    assert min(by_ratio["1"]["as_trained"]) > 0.6


def test_the_table_has_a_row_for_each_cell_and_prior() -> None:
    """With recall by group."""
    rows = as_csv(found_in(_cells(PLANTED))).splitlines()
    assert len(rows) == 1 + 2 * 3 * 3
    assert "recall_many" in rows[0]
    assert "recall_few_error" in rows[0]


def test_groups_come_from_the_most_frequent_on() -> None:
    """Though the first seed lacks a group that later ones have."""
    cells = _cells(NULL)
    counts = [np.array([500, 200, 10, 5]), np.array([500, 200, 50, 5])]
    object.__setattr__(cells, "counts", lambda _, seed: counts[min(seed, 1)])
    found = at_ratio(cells, 10.0, "balanced", "accuracy")
    assert {tuple(own) for own in found["groups"].values()} == {("all", "many", "medium", "few")}
