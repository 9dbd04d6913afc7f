"""Laws of accuracy in places of use: its error, and which training ratio is best there."""

import csv
import io
import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import accuracy_score

from equipoise.comparison.results import Entry, Results
from equipoise.data.profiles import Order, class_order
from equipoise.statistics.paired import Predictions, contrasts, differences
from equipoise.studies.cells import Cells
from equipoise.studies.findings import as_csv, found_in
from equipoise.studies.places import best_ratios, deployment

N, CLASSES = 3000, 3
RATIOS = (1.0, 10.0, 100.0)


def _entry(recalls: tuple[float, ...], seed: int, noise: int) -> Entry:
    """Return a run that is right about a share of each class, the same for both priors."""
    codes = np.random.default_rng(seed).integers(0, CLASSES, N)
    random = np.random.default_rng(noise)
    right = random.random(N) < np.array(recalls)[codes]
    logits = 9.0 * np.eye(CLASSES)[np.where(right, codes, (codes + 1) % CLASSES)]
    both = {
        name: Predictions(codes=codes, logits=logits + shift, ids=np.arange(N) + N * seed)
        for name, shift in (("as_trained", 0.0), ("balanced", random.normal(size=logits.shape)))
    }
    return Entry(path=Path(), predictions=both, seconds=1.0, looks=1, facts={})


def _cells(
    recalls: dict[float, tuple[float, ...]], n_seeds: int = 4, order: Order = "label"
) -> Cells:
    by_ratio = {
        ratio: Results(
            folder=Path(),
            told={
                "methods": {"recipe": {}},
                "setup": {"order": order, "split_seed": 0},
            },
            entries={
                "recipe": {
                    (seed, 0): _entry(own, seed, 1000 * seed + int(ratio))
                    for seed in range(n_seeds)
                }
            },
            classes=("a", "b", "c"),
        )
        for ratio, own in recalls.items()
    }
    told = {
        "values": [{"method": "recipe", "label": "recipe", "number": None}],
        "reference": "recipe",
        "unit": None,
        "component": "train-ratio",
        "claim": "",
        "data": "planted",
    }
    cells = Cells(folder=Path(), told=told, by_ratio=by_ratio)
    object.__setattr__(cells, "counts", partial(_counts, order))
    return cells


def _counts(order: Order, ratio: float, seed: int) -> np.ndarray:
    """Return sizes of which some tie but at the largest ratio."""
    counts = np.empty(CLASSES, dtype=int)
    counts[class_order([1] * CLASSES, order, seed)] = {
        1.0: (90, 90, 90),
        10.0: (90, 9, 9),
    }.get(ratio, (900, 90, 9))
    return counts


PLANTED = {1.0: (0.6, 0.8, 0.9), 10.0: (0.8, 0.8, 0.7), 100.0: (0.9, 0.7, 0.4)}
"""Balanced training finds the rare class, imbalanced training the frequent one."""


def test_accuracy_is_that_of_each_seed_in_its_place() -> None:
    """As trained, and corrected by Bayes' rule to how frequent classes are there."""
    cells = _cells(PLANTED)
    rows = deployment(cells, (1.0, 30.0))
    assert [(row["ratio"], row["test_ratio"]) for row in rows] == [
        (ratio, test) for ratio in ("1", "10", "100") for test in (1.0, 30.0)
    ]
    for row in rows:
        entries = cells.by_ratio[float(row["ratio"])].entries["recipe"]
        for seed in cells.seeds:
            shares = cells.shares_elsewhere(seed, row["test_ratio"])
            plain, even = (entries[seed, 0].predictions[k] for k in ("as_trained", "balanced"))
            codes, moved = plain.codes, even.logits + np.log(shares)
            weights = (shares / np.bincount(codes))[codes]
            for kind, logits in (("as_trained", plain.logits), ("corrected", moved)):
                right = accuracy_score(codes, logits.argmax(axis=1), sample_weight=weights)
                assert row[kind][seed] == pytest.approx(right)


def test_a_larger_ratio_changes_nothing_of_the_others() -> None:
    """Classes that are as frequent at one ratio, and are not at the next, keep their order."""
    few = _cells({ratio: PLANTED[ratio] for ratio in RATIOS[:2]}, order="random")
    more = _cells(PLANTED, order="random")
    assert deployment(few, (30.0,)) == deployment(more, (30.0,))[:2]
    orders = {str(few.shares_elsewhere(seed, 30.0).argsort()) for seed in few.seeds}
    assert len(orders) > 1  # each seed has its own


@pytest.mark.parametrize("shared", [False, True])
def test_where_all_classes_are_as_frequent_it_is_balanced_accuracy(shared: bool) -> None:
    """With its error and its paired differences, at the level of all pairs together."""
    cells = _cells(PLANTED)
    if shared:  # all seeds are tested by the same examples
        for ratio, results in cells.by_ratio.items():
            for seed in cells.seeds:
                entry = _entry(PLANTED[ratio], 0, 1000 * seed + int(ratio))
                results.entries["recipe"][seed, 0] = entry
    for prior, kind in (("as_trained", "as_trained"), ("balanced", "corrected")):
        by_ratio = {str(r): cells.predictions(r, prior)["recipe"] for r in RATIOS}
        alone = contrasts(by_ratio, [{name: 1.0} for name in by_ratio])
        for row, own in zip(deployment(cells, (1.0,)), alone, strict=True):
            assert row[f"{kind}_error"] == pytest.approx(own.error)
        [found] = best_ratios(cells, (1.0,), prior)
        assert found["n_pairs"] == 3
        apart = differences(by_ratio, level=1 - 0.05 / 3)
        best = f"{float(found['best'])}"
        own = max(alone, key=lambda each: each.value)
        told = [found[name] for name in ("value", "low", "high")]
        assert told == pytest.approx([own.value, own.low, own.high])
        for each in found["against"]:
            wanted = apart.between(best, f"{float(each['ratio'])}")
            told = [each[name] for name in ("value", "low", "high")]
            assert told == pytest.approx([wanted.value, wanted.low, wanted.high])


def test_the_best_training_ratio_of_each_place_is_told_with_what_it_is_ahead_by() -> None:
    """What was planted: the ratio of training that is about that of the place."""
    found = found_in(_cells(PLANTED), test_ratios=(0.01, 1.0, 100.0))
    for prior, how in (("as_trained", "as trained"), ("balanced", "corrected to that place")):
        first, *_, last = (each["best"] for each in found[prior]["places"])
        assert (first, last) == ("1", "100")
        said = [line for line in found[prior]["sentences"] if line.startswith("Where classes")]
        assert len(said) == 3
        assert said[0].startswith("Where classes have the ratio 0.01, training at ratio 1 is best")
        assert re.search(rf"% right \(\d\S+ to \S+\), {how}, told apart from ratio 10 by ", said[0])
        assert "The intervals hold for all 3 pairs of ratios." in said[0]
        assert "; not told apart from" in said[1]  # 1 and 10 have the same mean recall


def test_ratios_that_are_alike_are_not_told_apart() -> None:
    """Of 40 studies, where the best of three ratios is best by chance; about 1 in 20 is allowed."""
    told = []
    for draw in range(40):
        cells = _cells(dict.fromkeys((1.0 + draw, 100.0 + draw, 1000.0 + draw), (0.7, 0.7, 0.7)))
        [found] = best_ratios(cells, (10.0,), "as_trained")
        told.append(any(each["low"] > 0 for each in found["against"]))
    assert sum(told) <= 5


def test_one_seed_tells_no_interval_and_one_ratio_no_best() -> None:
    """Accuracy is told all the same."""
    found = found_in(_cells(PLANTED, n_seeds=1), test_ratios=(1.0,))
    assert {each["low"] for each in found["balanced"]["places"][0]["against"]} == {None}
    assert found["balanced"]["sentences"][-1].endswith(
        "one seed cannot tell whether that is chance."
    )
    one = found_in(_cells({10.0: PLANTED[10.0]}), test_ratios=(1.0,))
    assert one["balanced"]["places"] == []
    assert len(one["deployment"]) == 1


def test_the_table_has_a_row_for_each_place_with_its_error() -> None:
    """As trained and corrected to the place; rows of the ratios themselves name no place."""
    found = found_in(_cells(PLANTED), test_ratios=(1.0, 30.0))
    rows = list(csv.DictReader(io.StringIO(as_csv(found))))
    there = {(r["ratio"], r["test_ratio"], r["prior"]): r for r in rows if r["test_ratio"]}
    assert len(there) == 3 * 2 * 2
    assert len(rows) == 3 * 2 + len(there)
    for own in found["deployment"]:
        for prior, kind in (("as_trained", "as_trained"), ("place", "corrected")):
            row = there[own["ratio"], str(own["test_ratio"]), prior]
            assert float(row["value"]) == pytest.approx(np.mean(own[kind]))
            assert float(row["error"]) == pytest.approx(own[f"{kind}_error"])
            assert row["metric"] == "accuracy"
