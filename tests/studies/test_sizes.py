"""Laws of what the ratios of a study keep."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from equipoise.data.profiles import RatioOutOfReachError
from equipoise.experiment import Experiment, prepare, read_dataset
from equipoise.studies.sizes import draw_ratios, scarcest_seed
from small_studies import three_classes

VALIDATION = 0.1
"""The default share."""


@pytest.fixture
def table(tmp_path: Path) -> Experiment:
    """Classes of 240, 72 and 10 training examples, in an order that each seed draws."""
    return Experiment(source=str(three_classes(tmp_path)), order="random")


def _reaches(experiment: Experiment, ratio: float, seed: int) -> bool:
    """Whether a run of this seed can be cut; runs cut their data like this."""
    try:
        prepare(replace(experiment, ratio=ratio, split_seed=seed), VALIDATION)
    except RatioOutOfReachError:
        return False
    return True


def test_each_seed_must_reach_each_ratio(table: Experiment) -> None:
    """The seed that reaches least is named, and the ratio that is advised is one for all."""
    dataset = read_dataset(table)
    shifted = replace(table, split_seed=4)
    assert [_reaches(table, 61, 4 + seed) for seed in range(4)] == [True, True, False, True]
    draw_ratios(dataset, shifted, [1.0, 61.0], "majority", 2)
    with pytest.raises(RatioOutOfReachError) as refused:
        draw_ratios(dataset, shifted, [1.0, 61.0], "majority", 4)
    assert "At ratio 61, seed 2: " in refused.value.actual
    most = float(refused.value.remedy.partition("at most ")[2].partition(",")[0])
    assert all(_reaches(table, most, 4 + seed) for seed in range(4))
    assert not all(_reaches(table, most + 1, 4 + seed) for seed in range(4))


def test_what_all_share_is_resolved_by_the_seed_with_the_fewest_rare_examples(
    table: Experiment,
) -> None:
    """Held-out examples first, then those that are learnt from; of equals the first seed."""
    dataset = read_dataset(table)
    at = replace(table, ratio=20.0)
    found = []
    for seed in range(6):
        parts = prepare(replace(at, split_seed=seed), VALIDATION)
        held, learnt = (
            np.bincount(dataset.codes[rows], minlength=3)
            for rows in (parts.validation, parts.train)
        )
        found.append((held.min(), learnt.min(), learnt.sum()))
    assert len(set(found)) > 1
    assert scarcest_seed(dataset, at, 6) == found.index(min(found))
    balanced = Experiment(source="digits", ratio=10.0, order="random", examples=120)
    assert scarcest_seed(read_dataset(balanced), balanced, 4) == 0


@pytest.mark.parametrize(
    ("order", "ratios", "expected"),
    [
        ("size", (10.0, 20.0), 100),  # of 100 and 200
        ("size", (10.0, 24.0), 100),  # 96 at ratio 24, in whole examples
        ("size", (1.0, 10.0, 60.0), None),  # of 10, 100 and 240, and no 10 can be 60 times as many
        ("random", (1.0, 10.0), 10),
    ],
)
def test_the_largest_class_is_held_on_data_that_is_imbalanced_already_or_it_is_said(
    order: str, ratios: tuple[float, ...], expected: int | None, table: Experiment
) -> None:
    """Runs of all ratios and seeds have it, or a caution tells how many they have instead."""
    drawn = draw_ratios(read_dataset(table), replace(table, order=order), ratios, "majority", 3)
    largest = {
        ratio: [_largest(replace(one, split_seed=seed)) for seed in range(3)]
        for ratio, one in drawn.by_ratio.items()
    }
    if expected is None:
        assert largest == {1.0: [10] * 3, 10.0: [100] * 3, 60.0: [240] * 3}
        assert not drawn.is_held
        assert "10 at ratio 1, 100 at ratio 10 and 240 at ratio 60" in drawn.cautions[0]
    else:
        sizes = [n for own in largest.values() for n in own]
        assert expected * 0.95 < min(sizes) <= max(sizes) == expected
        assert drawn.is_held
        assert not drawn.cautions
        assert str(drawn.note).startswith(f"sizes: the largest class keeps {expected} at all")


def _largest(experiment: Experiment) -> int:
    """Return the size of the largest class of a run, held-out examples included."""
    parts = prepare(experiment, VALIDATION)
    rows = np.concatenate([parts.train, parts.validation])
    return int(np.bincount(parts.dataset.codes[rows]).max())


def test_balanced_data_is_drawn_by_its_ratio_alone() -> None:
    """Nothing is lowered where it holds, and a total that is asked for is not the majority's."""
    digits = Experiment(source="digits", order="random")
    dataset = read_dataset(digits)
    X, ids = dataset.X[:1500], dataset.ids[:1500]
    dataset = replace(dataset, X=X, codes=np.arange(1500) % 10, ids=ids)
    ratios = (1.0, 10.0, 100.0)
    majority = draw_ratios(dataset, digits, ratios, "majority", 2)
    assert {(one.largest, one.examples) for one in majority.by_ratio.values()} == {(None, None)}
    few = replace(digits, examples=300)
    total = draw_ratios(dataset, few, ratios, "total", 2)
    assert {(one.largest, one.examples) for one in total.by_ratio.values()} == {(None, 300)}
    assert majority.is_held
    assert total.is_held
    beyond = draw_ratios(dataset, replace(digits, examples=9999), ratios, "total", 2)
    assert not beyond.is_held  # the largest ratio leaves fewer than the others
    assert "The number of examples is not the same" in beyond.cautions[-1]


def test_a_ratio_that_whole_examples_do_not_make_is_told() -> None:
    """A twentieth of 55 is 2; a seed whose largest class is a smaller one of digits has 40."""
    digits = Experiment(source="digits", order="random", largest=55, ratio=20.0)
    drawn = draw_ratios(read_dataset(digits), digits, (20.0,), "majority", 3)
    for seed, counts in enumerate(drawn.kept[20.0]):
        parts = prepare(replace(digits, split_seed=seed), 0.0)
        assert sorted(counts) == sorted(np.bincount(parts.dataset.codes[parts.train]))
    assert {(int(max(own)), int(min(own))) for own in drawn.kept[20.0]} == {(40, 2), (55, 2)}
    assert drawn.cautions == ["In whole examples ratio 20 is 20 to 27.5 by the seed."]
    assert not draw_ratios(read_dataset(digits), digits, (5.0,), "majority", 3).cautions


def test_next_to_no_examples_are_told(table: Experiment) -> None:
    """With the ratio at which there are so few, and how many."""
    dataset, by_size = read_dataset(table), replace(table, order="size")
    few = replace(by_size, largest=4)
    [caution] = [
        line
        for line in draw_ratios(dataset, few, (1.0, 4.0), "majority", 1).cautions
        if line.startswith("No class")
    ]
    assert "more than 4 examples at ratio 1 and 4 examples at ratio 4, held-out ones" in caution
    enough = draw_ratios(dataset, replace(by_size, largest=6), (1.0, 6.0), "majority", 1)
    assert not any(line.startswith("No class") for line in enough.cautions)
