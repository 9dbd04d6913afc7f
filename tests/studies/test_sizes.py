"""Laws of what the ratios of a study keep."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from equipoise.data.profiles import RatioOutOfReachError
from equipoise.experiment import Experiment, prepare, read_dataset
from equipoise.studies.sizes import draw_ratios, scarcest_seed

VALIDATION = 0.1
"""The default share."""


@pytest.fixture
def table(tmp_path: Path) -> Experiment:
    """Classes of 240, 72 and 10 training examples, in an order that each seed draws."""
    path = tmp_path / "t.csv"
    labels = ["common"] * 300 + ["middle"] * 90 + ["rare"] * 12
    rows = [f"{(7 * i) % 31},{i % 11},{label}" for i, label in enumerate(labels)]
    path.write_text("\n".join(["x,z,target", *rows]), "utf-8")
    return Experiment(source=str(path), order="random")


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
        held = np.bincount(dataset.codes[parts.validation], minlength=3)
        learnt = np.bincount(dataset.codes[parts.train], minlength=3)
        found.append((held.min(), learnt.min(), learnt.sum()))
    assert len(set(found)) > 1
    assert scarcest_seed(dataset, at, 6) == found.index(min(found))
    balanced = Experiment(source="digits", ratio=10.0, order="random", examples=120)
    assert scarcest_seed(read_dataset(balanced), balanced, 4) == 0
