"""A search in sentences."""

from typing import Any

import pytest

from equipoise.report.search_reading import search_aloud, written, written_difference


def spoken(**changes: Any) -> str:
    search = {
        "metric": "balanced_accuracy",
        "trials": [{"state": s} for s in ("complete", "complete", "stopped", "failed")],
        "taken": 1,
        "best": 3,
        "alike": 2,
        "over": 0.03,
        "over_error": 0.01,
        "validation": 0.7,
        "test": 0.65,
        "alike_classes": None,
        "optimism": 0.05,
        "unjudged": [],
        "guess": None,
        "choices": [],
        "ensemble": None,
    }
    sentences = search_aloud(search | changes)
    return " ".join(sentences).replace("\N{NO-BREAK SPACE}", " ")


def test_trials_are_counted_by_how_they_ended() -> None:
    """All of them, and only states that occur."""
    text = spoken()
    assert text.startswith(
        "4 recipes were tried: 2 trained in full, 1 stopped early, 1 failed. They were"
    )
    assert spoken(trials=[{"state": "complete"}]).startswith("1 recipe was tried: 1 trained in")


def test_a_cheaper_recipe_among_equals_is_explained() -> None:
    """The best is named too; alone, it needs no rule."""
    assert "2 recipes are within one standard error of the best, trial 3" in spoken()
    assert "No other recipe is within one standard error" in spoken(alike=1)


def test_the_direction_of_the_metric_is_told() -> None:
    """Higher accuracy is better, and lower log-loss."""
    assert "where higher is better" in spoken()
    assert "by balanced log-loss on held-out training examples, where lower is better" in spoken(
        metric="balanced_log_loss"
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "better than the prescription by 3.0 points, which is 3 times its standard error of"),
        ({"over": 0.0001}, "by 0.0 points, which is less than a tenth of its standard error of"),
        ({"over": -0.002}, "worse than the prescription by 0.2 points"),
        ({"over_error": None}, "better than the prescription by 3.0 points."),
        ({"over": None, "over_error": None}, "there is nothing to compare it with"),
        ({"taken": 0}, "It is the prescription itself."),
        ({"metric": "log_loss", "over": 0.25}, "than the prescription by 0.250, which is 25 times"),
    ],
)
def test_the_recipe_is_compared_with_the_prescription(changes: dict, words: str) -> None:
    """By its sign, with its error, and not at all where that is not known."""
    assert words in spoken(**changes)


def test_optimism_is_told_in_its_direction() -> None:
    """A worse result on the test set is explained, a better one is no triumph."""
    assert "70.0 % on held-out examples and 65.0 % on the test set, worse by 5.0 points" in spoken()
    better = spoken(optimism=-0.02, test=0.72)
    assert "72.0 % on the test set: no worse there" in better
    assert "optimism" not in better


def test_what_is_no_better_than_a_guess_is_called_so() -> None:
    """And what the time was too short for."""
    text = spoken(guess={"score": 0.5, "is_beaten": False}, validation=0.51)
    assert "at chance level: a guess that looks at nothing has 50.0 %, and 51.0 %" in text
    assert "chance level" not in spoken(guess={"score": 0.5, "is_beaten": True})
    short = {"field": "budget", "value": "40s", "reason": "one training takes 58s here"}
    assert "It had a time of 40s: one training takes 58s here." in spoken(choices=[short])


def test_one_recipe_alone_is_not_said_to_be_the_best() -> None:
    """There was nothing to compare it with."""
    text = spoken(trials=[{"state": "complete"}, {"state": "stopped"}], alike=1, taken=0)
    assert "No other recipe was trained in full" in text
    assert "standard error of the best" not in text


def test_classes_that_were_never_held_out_are_named() -> None:
    """And optimism is told over the others."""
    text = spoken(unjudged=["imL"], alike_classes={"validation": 0.7, "test": 0.68}, test=0.6)
    assert "No recipe was judged by \N{LEFT DOUBLE QUOTATION MARK}imL" in text
    assert "over the classes that both have, is 70.0 % on held-out examples and 68.0 %" in text
    assert "60.0" not in text
    assert "No recipe was judged" not in spoken()


def test_without_a_test_value_nothing_is_claimed() -> None:
    """No optimism, no sentence."""
    assert "test set" not in spoken(test=None, optimism=None)


def test_where_no_recipe_was_trained_in_full_that_is_told() -> None:
    """The rule of one standard error does not apply then."""
    text = spoken(trials=[{"state": "unfinished"}, {"state": "failed"}], taken=0, alike=1)
    assert "None was trained in full, so the one that was trained longest is taken." in text
    assert "standard error of the best" not in text


def test_shares_are_told_in_per_cent_and_losses_are_not() -> None:
    """Differences of shares are points, not per cent."""
    assert written(0.5, "g_mean").endswith("%")
    assert written(0.5, "log_loss") == "0.500"
    assert written_difference(0.5, "g_mean") == "50.0 points"
    assert written_difference(0.5, "log_loss") == "0.500"


def test_recipes_that_predict_together_are_named_with_their_weights() -> None:
    """With the score of all and that of the best alone; no single recipe is taken."""
    weights = [{"number": 3, "weight": 0.75}, {"number": 0, "weight": 0.25}]
    text = spoken(ensemble={"weights": weights, "score": 0.72, "alone": 0.7})
    assert "Trials 3 (0.75), 0 (0.25) predict together" in text
    assert "72.0 % on held-out examples, where the best recipe alone has 70.0 %" in text
    assert "is taken" not in text
    assert "final training" not in text
    one = spoken(ensemble={"weights": weights[:1], "score": 0.7, "alone": 0.7})
    assert "Trial 3 predicts alone" in one
    assert "smaller elsewhere" not in one
