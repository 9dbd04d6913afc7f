"""The sentences for a reader in a hurry."""

from typing import Any

import pytest

from equipoise.report.reading import read_aloud


def estimate(value: float | None, low: float | None = None, high: float | None = None) -> dict:
    return {"value": value, "low": low, "high": high}


def measured(accuracy: float, rare: dict, n_rare: int = 3) -> dict[str, Any]:
    return {
        "overall": {
            "balanced_accuracy": estimate(accuracy),
            "top_label_ece": estimate(0.031),
        },
        "per_class": [
            {"class": "cat", "n": 100, "n_train": 900, "recall": estimate(0.9, 0.85, 0.95)},
            {"class": "lynx", "n": n_rare, "n_train": 9, "recall": rare},
        ],
        "confusion": [[90, 10], [2, 1]],
        "level": 0.95,
    }


def spoken(**changes: Any) -> str:
    rare = changes.pop("rare", estimate(1 / 3, 0.06, 0.79))
    n_rare = changes.pop("n_rare", 3)
    summary = {
        "classes": [{"name": "cat", "train": 900}, {"name": "lynx", "train": 9}],
        "ratio": 100.0,
        "looks": 1,
        "pretraining": None,
        "classifier": {},
        "results": {
            "as_is": measured(changes.pop("before", 0.5), rare, n_rare),
            "balanced": measured(changes.pop("after", 0.6), rare, n_rare),
        },
    }
    return " ".join(read_aloud(summary | changes)).replace("\N{NO-BREAK SPACE}", " ")


def test_a_wide_interval_is_said_to_be_little_knowledge() -> None:
    """Three test examples cannot settle a recall, and the page says so."""
    assert "has 3 test examples: its recall is known only to lie between 6 % and 79 %" in spoken()


def test_a_narrow_interval_is_stated_plainly() -> None:
    """Many test examples need no warning."""
    text = spoken(rare=estimate(0.5, 0.45, 0.55), n_rare=400)
    assert "has 400 test examples: its recall lies between 45 % and 55 %" in text


def test_without_test_examples_nothing_is_known() -> None:
    """An undefined recall is never written as a number."""
    text = spoken(rare=estimate(None), n_rare=0)
    assert "has no test examples: nothing is known about its recall" in text


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (0.5, 0.6, "raises balanced accuracy from 50.0 % to 60.0 %"),
        (0.6, 0.5, "lowers balanced accuracy from 60.0 % to 50.0 %"),
        (0.6, 0.60001, "leaves balanced accuracy at 60.0 %"),
    ],
)
def test_the_correction_is_described_in_its_direction(
    before: float, after: float, words: str
) -> None:
    """Raised, lowered or left: as it was."""
    assert words in spoken(before=before, after=after)


def test_plain_accuracy_is_counted_on_the_test_set_as_it_is() -> None:
    """Accuracy is told from the unweighted confusion matrix, not from the balanced metrics."""
    results = {name: measured(0.5, estimate(0.3)) for name in ("as_is", "balanced")}
    results["as_is"]["confusion"] = [[97, 3], [2, 1]]
    text = spoken(results=results)
    assert "on the test set as it is, 95.1 % of the answers are right as trained" in text
    assert "and 88.3 % after correction" in text


def test_both_accuracies_after_correction_are_told_apart() -> None:
    """Where counting and weighing differ, the sentence says what each of them is."""
    text = spoken(after=0.522)
    tail = "if all classes were equally frequent, 52.2 % would be right after it"
    assert f"88.3 % after correction; {tail}, which is the balanced accuracy." in text


def test_one_accuracy_is_told_once() -> None:
    """On a balanced test set both are the same, and need no distinction."""
    assert "88.3 % after correction." in spoken(after=91 / 103)


def test_the_worst_class_is_named_with_what_it_is_taken_for() -> None:
    """The reader learns where to look first."""
    text = spoken()
    assert "the class found least often is “lynx”: 33 % of its 3 test examples" in text
    assert "67 % are taken for “cat”" in text


def test_only_repeated_looks_at_the_test_set_are_warned_of() -> None:
    """One look is honest; more are told."""
    assert "looked at" not in spoken(looks=1)
    assert "looked at 3 times" in spoken(looks=3)


def test_balanced_data_is_said_to_be_balanced() -> None:
    """A ratio of one is no imbalance."""
    classes = [{"name": "cat", "train": 9}, {"name": "lynx", "train": 9}]
    assert "Every class has 9 training examples" in spoken(classes=classes, ratio=1.0)


def test_a_class_that_was_never_seen_is_named() -> None:
    """A count of zero has no ratio, but it has a sentence."""
    classes = [{"name": "cat", "train": 9}, {"name": "lynx", "train": 0}]
    text = spoken(classes=classes, ratio=None)
    assert "“lynx”, has no training examples, so the network never saw it" in text


def test_without_results_only_the_data_is_described() -> None:
    """An unfinished run makes no claims."""
    assert spoken(results=None).count(".") == 1


def test_nearly_balanced_data_is_not_called_times_fewer() -> None:
    """131 and 125 examples are about as many."""
    classes = [{"name": "cat", "train": 131}, {"name": "lynx", "train": 125}]
    text = spoken(classes=classes, ratio=131 / 125)
    assert "“lynx”, has 125 training examples: the data is nearly balanced." in text
    assert "times fewer" not in text


def test_a_start_from_an_earlier_run_is_told() -> None:
    """Nothing is said about a network that started from chance."""
    started = "Training started from the network of an earlier run, “runs/pre”."
    assert started in spoken(classifier={"initial": "runs/pre"})
    assert "started" not in spoken(classifier={"initial": "None"})
    assert "started" not in spoken()


def pretrained(losses: tuple[float, ...], unlabelled: int = 0) -> str:
    return spoken(
        results=None,
        pretraining={"objective": "SimCLR()", "unlabelled": unlabelled, "source": None},
        data={"kind": "images"},
        history=[{"train_loss": loss} for loss in losses],
    )


def test_pretraining_tells_what_was_learnt_from() -> None:
    """Training examples count without their labels, further ones as such."""
    text = pretrained((4.1, 4.0))
    assert "from 909 training images without their labels; validation and test" in text
    assert "and 1 further image that need" not in text
    assert "without their labels and 70 further images that need none" in pretrained((), 70)


@pytest.mark.parametrize(
    ("losses", "words"),
    [
        ((4.1, 3.9, 4.0), "The loss fell from 4.100 in the first epoch to 4.000 in the last"),
        ((4.0, 4.2), "The loss did not fall: it went from 4.000"),
    ],
)
def test_the_loss_of_pretraining_is_described_in_its_direction(
    losses: tuple[float, ...], words: str
) -> None:
    """A loss that rose is not praised."""
    assert words in pretrained(losses)


def test_one_epoch_of_pretraining_has_no_direction() -> None:
    """A change needs two epochs."""
    assert "The loss" not in pretrained((4.0,))
