"""What a reader must know before believing a number."""

import unicodedata
from typing import Any

import pytest

from equipoise.report.cautions import cautions, incomparable


def results(n_scarce: int, n: int = 3, right: int = 2, surplus: int = 157) -> dict[str, Any]:
    """Return one large class from which each of the scarce ones takes too many examples."""
    names = ["cat", *(f"rare {k}" for k in range(n_scarce))]
    rows = [{"class": c, "n_train": 1 if k else 900, "n": n} for k, c in enumerate(names)]
    rows[0]["n"] = 2000
    taken = [surplus + k for k in range(n_scarce)]
    own = [[n - right, *(right * (k == j) for j in range(n_scarce))] for k in range(n_scarce)]
    after = [[2000 - sum(taken), *taken], *own]
    before = [[row["n"], *[0] * n_scarce] for row in rows]
    return {
        "as_is": {"per_class": rows, "confusion": before},
        "balanced": {"per_class": rows, "confusion": after},
    }


def told(found: dict[str, Any] | None) -> list[str]:
    return [unicodedata.normalize("NFKC", sentence) for sentence in cautions(found)]


def test_the_caution_gives_the_counts_and_what_to_do() -> None:
    """Training examples, predictions before and after, true ones, right ones, advice."""
    first, advice = told(results(1))
    assert first == (
        "“rare 0” has 1 training example, and yet after prior correction 159 of the 2 003 test "
        "examples are taken for it (as trained, none), though only 3 are of this class; 2 of the "
        "159 are right."
    )
    assert "a guess" in advice
    assert "as trained" in advice


def test_a_class_without_test_examples_is_worded_without_numbers() -> None:
    """No example is of it, and none of the answers is right."""
    first = told(results(1, n=0, right=0))[0]
    assert "though only none are" not in first
    assert first.endswith("though none is of this class; none of the 157 is right.")


@pytest.mark.parametrize(("n_scarce", "more"), [(3, None), (4, "1 more class"), (9, "6 more c")])
def test_many_classes_do_not_make_a_wall_of_text(n_scarce: int, more: str | None) -> None:
    """Three are told, those with most predictions first; the others are counted."""
    sentences = told(results(n_scarce))
    assert sentences[0].startswith(f"“rare {n_scarce - 1}” has")
    assert len(sentences) == (4 if more is None else 5)
    assert more is None or f"holds for {more}" in sentences[3]


def test_without_a_surplus_nothing_is_said() -> None:
    """No results, or predictions as frequent as the class, need no caution."""
    assert told(None) == []
    assert told(results(1, n=3, right=2, surplus=5)) == []


def run(**changes: Any) -> dict[str, Any]:
    same = {"pretraining": None, "data": {"fingerprint": "f"}, "seeds": {"split_seed": 0}}
    return {**same, "ratio": 20.0, **changes}


def test_runs_that_differ_are_not_compared_number_by_number() -> None:
    """Every difference is named; equal runs, and pre-training beside them, are not warned of."""
    assert incomparable([run(), run()]) == []
    (sentence,) = incomparable([run(), run(ratio=5.0, seeds={"split_seed": 1})])
    assert "differ in their split and imbalance" in sentence
    assert incomparable([run(), run(ratio=1.0, pretraining={"objective": "SimCLR()"})]) == []
