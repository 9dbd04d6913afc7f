"""Laws of what a study says about the paper's claims: what was planted, and nothing else."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from equipoise.comparison.results import Entry, Results
from equipoise.standard.sharpness import SHARPNESSES
from equipoise.standard.smoothing import ClassConditional
from equipoise.statistics.paired import Predictions, differences
from equipoise.studies.cells import Cells
from equipoise.studies.claims import SHARP, SMOOTHED, answers, unjudged
from equipoise.studies.findings import found_in

N, CLASSES = 3000, 3


def _entry(accuracy: float, seed: int, noise: int) -> Entry:
    codes = np.random.default_rng(seed).integers(0, CLASSES, N)
    right = np.random.default_rng(noise).random(N) < accuracy
    logits = 3.0 * np.eye(CLASSES)[np.where(right, codes, (codes + 1) % CLASSES)]
    own = Predictions(codes=codes, logits=logits, ids=np.arange(N))
    both = dict.fromkeys(("as_trained", "balanced"), own)
    return Entry(path=Path(), predictions=both, seconds=1.0, looks=1, facts={})


def _cells(
    component: str, accuracies: Mapping[float, Mapping[str, float]], n_seeds: int = 4
) -> Cells:
    """Return a study; its values are called as they are labelled, the first is the reference."""
    by_ratio = {}
    for ratio, own in accuracies.items():
        entries = {
            name: {
                (seed, 0): _entry(accuracy, seed, 10_000 * seed + 100 * number + int(ratio))
                for seed in range(n_seeds)
            }
            for number, (name, accuracy) in enumerate(own.items())
        }
        params = {
            name: {"params": {"optimizer": _optimizer(name), "auxiliary": _auxiliary(name)}}
            for name in own
        }
        by_ratio[ratio] = Results(
            folder=Path(), told={"methods": params}, entries=entries, classes=("a", "b", "c")
        )
    names = list(next(iter(accuracies.values())))
    numbers = [float(name) if name.isdecimal() else None for name in names]
    told = {
        "values": [
            {"method": m, "label": m, "number": n} for m, n in zip(names, numbers, strict=True)
        ],
        "reference": names[0],
        "unit": "batch size" if component == "batch-size" else None,
        "component": component,
        "claim": "",
        "data": "planted",
        "ratios": list(accuracies),
    }
    cells = Cells(folder=Path(), told=told, by_ratio=by_ratio)
    counts = np.array([90, 30, 9])
    object.__setattr__(cells, "counts", lambda ratio, seed: counts)  # noqa: ARG005
    return cells


def _optimizer(name: str) -> str:
    """Return what a study over SGD gives a value: another optimizer only if that is the value."""
    return name if name == "AdamW()" else "SGD()"


def _auxiliary(name: str) -> str:
    """Return what a study of pre-training gives a value: a loss beside the labels, or none."""
    return name if name in ("VICReg()", "SimCLR()") else "None"


def _verdicts(cells: Cells, metric: str = "balanced_accuracy") -> list[str]:
    return [each["verdict"] for each in answers(cells, "balanced", metric)]


TAIL, HEAD = "ClassConditional(head=0.0, tail=0.2)", "ClassConditional(head=0.2, tail=0.0)"

PLANTED = {
    "batch-size": {
        1.0: {"64": 0.8, "16": 0.8, "256": 0.8},
        10.0: {"64": 0.7, "16": 0.75, "256": 0.65},
        100.0: {"64": 0.6, "16": 0.7, "256": 0.5},
    },
    "augmentation": {
        1.0: {
            "CropFlip()": 0.8,
            "no augmentation": 0.8,
            "CropFlip() | TrivialAugment()": 0.8,
            "CropFlip() | AutoAugment()": 0.8,
        },
        100.0: {
            "CropFlip()": 0.8,
            "no augmentation": 0.6,
            "CropFlip() | TrivialAugment()": 0.7,
            "CropFlip() | AutoAugment()": 0.8,
        },
    },
    "pretraining": {
        1.0: {"no auxiliary": 0.8, "VICReg()": 0.8},
        100.0: {"no auxiliary": 0.6, "VICReg()": 0.7},
    },
    "optimizer": {
        1.0: {"SGD()": 0.8, "SAM()": 0.8, "SAMA()": 0.8},
        100.0: {"SGD()": 0.6, "SAM()": 0.7, "SAMA()": 0.8},
    },
    "smoothing": {
        1.0: {"no smoothing": 0.8, TAIL: 0.8, HEAD: 0.8},
        100.0: {"no smoothing": 0.6, TAIL: 0.7, HEAD: 0.5},
    },
}
"""Scores in which everything that the paper says is so."""


@pytest.mark.parametrize("component", PLANTED)
@pytest.mark.parametrize("metric", ["balanced_accuracy", "balanced_log_loss"])
def test_what_is_so_is_reproduced_and_the_opposite_is_not(component: str, metric: str) -> None:
    """By either metric; with the scores of the largest ratio turned round, nothing is left."""
    told = _verdicts(_cells(component, PLANTED[component]), metric)
    assert told
    assert set(told) == {"reproduced"}
    turned = {
        ratio: {name: 1.4 - value for name, value in own.items()}
        for ratio, own in PLANTED[component].items()
    }
    assert set(_verdicts(_cells(component, turned), metric)) == {"not reproduced"}


@pytest.mark.parametrize("component", PLANTED)
def test_of_values_that_are_alike_nothing_is_reproduced(component: str) -> None:
    """With 3,000 test examples it is undecided, or surely next to nothing."""
    alike = {r: dict.fromkeys(own, 0.7) for r, own in PLANTED[component].items()}
    assert "reproduced" not in _verdicts(_cells(component, alike))


def test_an_effect_that_is_surely_small_is_not_reproduced_and_an_unsure_one_undecided() -> None:
    """The same answers everywhere, and answers of which seeds differ by much."""
    alike = {r: dict.fromkeys(own, 0.7) for r, own in PLANTED["smoothing"].items()}
    cells = _cells("smoothing", alike)
    for results in cells.by_ratio.values():
        first = next(iter(results.entries.values()))
        for name in results.entries:
            results.entries[name] = first
    assert set(_verdicts(cells)) == {"not reproduced"}
    cells = _cells("smoothing", alike, n_seeds=2)
    results = cells.by_ratio[100.0]
    for name, accuracy in ((TAIL, 0.75), (HEAD, 0.65), ("no smoothing", 0.6)):
        results.entries[name][1, 0] = _entry(accuracy, 1, 77)
    assert set(_verdicts(cells)) == {"undecided"}


def test_claims_of_one_study_are_corrected_for_each_other() -> None:
    """Holm by hand, of the p-values of the same two differences at the largest ratio."""
    own = {r: {"no smoothing": 0.7, TAIL: 0.715, HEAD: 0.7} for r in (1.0, 100.0)}
    cells = _cells("smoothing", own)
    found = answers(cells, "balanced", "balanced_accuracy")
    apart = differences(cells.predictions(100.0, "balanced"))
    least, most = sorted(apart.between(TAIL, other).p for other in (HEAD, "no smoothing"))
    told = sorted(each["p"] for each in found)
    assert told == pytest.approx([min(2 * least, 1), min(max(2 * least, most), 1)])
    assert told[0] > least
    assert all(" here, after correction for 2 claims: at ratio" in f["sentence"] for f in found)


def test_pretraining_before_the_labels_is_not_asked_of_a_claim_about_beside_them() -> None:
    """However good or bad it is; where there is no other, the claim is undecided."""
    beside = PLANTED["pretraining"]
    for first in (0.9, 0.4):
        both = {ratio: {**own, "SimCLR() first": first} for ratio, own in beside.items()}
        [one], [two] = (
            answers(_cells("pretraining", own), "balanced", "balanced_accuracy")
            for own in (beside, both)
        )
        assert one["sentence"] == two["sentence"]
        assert one["p"] == pytest.approx(two["p"])
    before = {r: {"no auxiliary": 0.6, "VICReg() first": 0.6 + r / 500} for r in (1.0, 100.0)}
    cells = _cells("pretraining", before)
    assert _verdicts(cells) == []
    told = unjudged(cells, "balanced", "balanced_accuracy")
    assert "the values of this study are not those that it is about" in told


HARMS = {
    "batch-size": {
        1.0: {"64": 0.7, "16": 0.5, "256": 0.9},
        100.0: {"64": 0.55, "16": 0.5, "256": 0.6},
    },
    "augmentation": {
        1.0: {"no augmentation": 0.8, "CropFlip()": 0.5},
        100.0: {"no augmentation": 0.6, "CropFlip()": 0.55},
    },
    "pretraining": {
        1.0: {"no auxiliary": 0.8, "VICReg()": 0.5},
        100.0: {"no auxiliary": 0.6, "VICReg()": 0.55},
    },
    "optimizer": {
        1.0: {"SGD()": 0.8, "SAM()": 0.5},
        100.0: {"SGD()": 0.6, "SAM()": 0.55},
    },
}
"""What the paper says helps is a harm at both ratios, and less of one at the larger."""


@pytest.mark.parametrize("component", HARMS)
def test_a_harm_that_becomes_less_is_not_the_gain_that_is_claimed_to_grow(component: str) -> None:
    """The slope is above 0 all the same, and so is the sentence's first number."""
    [found] = answers(_cells(component, HARMS[component]), "balanced", "balanced_accuracy")
    assert found["verdict"] == "not reproduced"
    assert found["low"] > 0
    assert "; at ratio 100 it is -" in found["sentence"]


def test_a_gain_that_grows_to_nothing_told_is_undecided() -> None:
    """The slope is told from chance, and the gain at the largest ratio is not."""
    own = {1.0: {"no augmentation": 0.8, "CropFlip()": 0.6}, 100.0: {}}
    own[100.0] = dict.fromkeys(own[1.0], 0.6)
    cells = _cells("augmentation", own)
    assert set(_verdicts(cells)) == {"undecided"}


def test_next_to_nothing_is_judged_over_the_whole_of_a_study() -> None:
    """Gains that grow by up to 0.3 points a halving and tenfold are 4 points over the study."""
    sizes, ratios = (8, 16, 32, 64, 128, 256), (1.0, 10.0, 100.0, 1000.0)
    own = {
        r: {str(b): 0.8 + 0.0008 * np.log2(256 / b) * np.log10(r) for b in sizes} for r in ratios
    }
    [found] = answers(_cells("batch-size", own, n_seeds=3), "balanced", "balanced_accuracy")
    assert found["high"] < 0.01 < 5 * 3 * found["high"]
    assert found["p"] > 0.05
    assert found["verdict"] == "undecided"


def test_values_may_stand_in_any_order_and_leave_out_what_is_usual() -> None:
    """SAM as the first value is no training without; rates that are left out are the usual ones."""
    for plain in ("no sharpness", "SGD()"):
        sharp = {
            1.0: {"SAM()": 0.8, "AdamW()": 0.5, plain: 0.8},
            100.0: {"SAM()": 0.7, "AdamW()": 0.9, plain: 0.6},
        }
        assert _verdicts(_cells("optimizer", sharp)) == ["reproduced"]
    head, usual = "ClassConditional(head=0.1)", "ClassConditional()"
    smooth = {
        1.0: dict.fromkeys(("no smoothing", head, usual), 0.8),
        100.0: {"no smoothing": 0.6, head: 0.7, usual: 0.7},
    }
    [found] = answers(_cells("smoothing", smooth), "balanced", "balanced_accuracy")
    assert found["value"] == pytest.approx(0.1, abs=0.03)
    assert found["verdict"] == "reproduced"
    both = ClassConditional()
    assert {"head": both.head, "tail": both.tail} == SMOOTHED


def test_sharpness_is_not_measured_against_another_optimizer() -> None:
    """SAM over SGD beside AdamW alone: the difference would be one of two."""
    own = {1.0: {"AdamW()": 0.8, "SAM()": 0.8}, 100.0: {"AdamW()": 0.6, "SAM()": 0.7}}
    assert _verdicts(_cells("optimizer", own)) == []


def test_of_equal_classes_nothing_that_is_claimed_of_imbalance_is_said() -> None:
    """A study of ratio 1 alone, however large its effects."""
    only = {1.0: PLANTED["smoothing"][100.0]}
    assert _verdicts(_cells("smoothing", only)) == []
    assert len(_verdicts(_cells("smoothing", {100.0: only[1.0]}))) == 2


def test_the_numbers_are_those_of_the_scores() -> None:
    """By hand: halving gains 2.5 points more for each tenfold ratio; the interval holds it."""
    [found] = answers(_cells("batch-size", PLANTED["batch-size"]), "balanced", "balanced_accuracy")
    assert found["value"] == pytest.approx(0.025, abs=0.006)
    assert found["low"] < 0.025 < found["high"]
    assert found["sentence"].startswith(
        "The paper's claim is reproduced here: for each tenfold ratio, the gain of halving the "
        "batch size changes by 2."
    )


def test_whether_an_order_of_networks_carries_over_is_told_by_its_correlation() -> None:
    """Eight networks in the same order, in the reverse order, and three, of which none is told."""
    names = [f"ResNet(depth={depth})" for depth in range(8, 64, 6)][:8]
    first = {name: 0.5 + 0.05 * i for i, name in enumerate(names)}
    [told] = _verdicts(_cells("architecture", {1.0: first, 100.0: first}))
    assert told == "not reproduced"
    last = dict(zip(first, reversed(first.values()), strict=True))
    [told] = _verdicts(_cells("architecture", {1.0: first, 100.0: last}))
    assert told == "reproduced"
    same = _cells("architecture", {1.0: first, 100.0: first})
    for results in same.by_ratio.values():
        results.entries.update(dict.fromkeys(results.entries, results.entries[names[0]]))
    assert _verdicts(same) == []
    few = {name: first[name] for name in names[:3]}
    assert _verdicts(_cells("architecture", {1.0: few, 100.0: few})) == []


def test_an_order_that_is_noise_does_not_fail_to_carry_over() -> None:
    """Of 12 networks that are alike, whose order by chance is another at each ratio."""
    alike = {f"ResNet(depth={depth})": 0.7 for depth in range(12)}
    last, most = {}, 1.0
    for shift in range(8):
        cells = _cells("architecture", {1.0: alike, 100.0 + shift: alike}, n_seeds=2)
        [found] = answers(cells, "balanced", "balanced_accuracy")
        if found["high"] < most:
            last, most = found, found["high"]
    assert last["high"] < 0.5
    assert last["verdict"] == "undecided"
    assert "no two networks are told apart" in last["sentence"]


@pytest.mark.parametrize("component", PLANTED)
def test_without_what_a_claim_is_about_nothing_is_said(component: str) -> None:
    """One seed; values of another kind; a study that the paper claims nothing of."""
    assert _verdicts(_cells(component, PLANTED[component], n_seeds=1)) == []
    others = {r: {"a": 0.7, "b": 0.8} for r in (1.0, 100.0)}
    assert _verdicts(_cells(component, others)) == []
    assert _verdicts(_cells("weight-decay", PLANTED[component])) == []


def test_verdicts_are_the_first_sentences_of_a_study() -> None:
    """And plain data beside them."""
    found = found_in(_cells("smoothing", PLANTED["smoothing"]))["balanced"]
    assert len(found["claims"]) == 2
    assert found["sentences"][:2] == [claim["sentence"] for claim in found["claims"]]


ALIKE = {f"ResNet(depth={depth})": 0.7 for depth in range(3)}

UNJUDGED = {
    "one seed": ("smoothing", PLANTED["smoothing"], 1, "one seed tells nothing of chance"),
    "equal": ("smoothing", {1.0: PLANTED["smoothing"][100.0]}, 4, "at ratio 1 all are equal"),
    "guessing": (
        "smoothing",
        {r: dict.fromkeys(own, 1 / CLASSES) for r, own in PLANTED["smoothing"].items()},
        4,
        "at ratio 100, no value is told from guessing",
    ),
    "one ratio": ("batch-size", {9.0: PLANTED["batch-size"][10.0]}, 4, "give more --ratios"),
    "values": ("optimizer", {r: {"a": 0.7, "b": 0.8} for r in (1.0, 9.0)}, 4, "the values of this"),
    "networks": ("architecture", {1.0: ALIKE, 9.0: ALIKE}, 4, "4 networks"),
    "no claim": ("weight-decay", PLANTED["smoothing"], 4, "claims no direction"),
    "the recipe": ("train-ratio", {r: {"plain": 0.7} for r in (1.0, 9.0)}, 1, "places of use"),
}
"""Component, scores, seeds, and why no claim is judged."""


@pytest.mark.parametrize("case", UNJUDGED)
def test_a_claim_that_is_not_judged_is_undecided_with_the_reason(case: str) -> None:
    """First among the sentences, and in plain data; only where no claim is judged."""
    component, accuracies, n_seeds, why = UNJUDGED[case]
    cells = _cells(component, accuracies, n_seeds=n_seeds)
    found = found_in(cells)["balanced"]
    assert found["claims"] == []
    assert found["unjudged"] == unjudged(cells, "balanced", "balanced_accuracy")
    assert found["sentences"][0] == found["unjudged"]
    assert why in found["unjudged"]
    start = "No claim" if "no direction" in why else "The paper's claim is undecided here: "
    assert found["unjudged"].startswith(start)


def test_where_a_claim_is_judged_no_reason_against_it_is_told() -> None:
    """It is null in plain data."""
    for component, accuracies in PLANTED.items():
        found = found_in(_cells(component, accuracies))["balanced"]
        assert found["claims"]
        assert found["unjudged"] is None


def test_sharpness_aware_methods_are_known_by_name() -> None:
    """All of them."""
    assert set(SHARP) == set(SHARPNESSES)


def test_where_nothing_is_learnt_no_claim_is_judged() -> None:
    """Networks at chance are alike, which says nothing against a component; half of them do."""
    guessing = {r: dict.fromkeys(own, 1 / CLASSES) for r, own in PLANTED["smoothing"].items()}
    assert _verdicts(_cells("smoothing", guessing)) == []
    one = {**guessing, 100.0: {**guessing[100.0], TAIL: 0.8}}
    assert "reproduced" in _verdicts(_cells("smoothing", one))


def test_of_augmentation_of_tables_the_paper_claims_nothing() -> None:
    """The same scores as of images."""
    of_table = {
        ratio: {"FeatureNoise()": max(own.values()), "no augmentation": own["no augmentation"]}
        for ratio, own in PLANTED["augmentation"].items()
    }
    assert _verdicts(_cells("augmentation", of_table)) == []
