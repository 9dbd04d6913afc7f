"""Laws of what mattered: conditional settings, honest words, plain values."""

import itertools
import json
import time
from typing import Any

import numpy as np
import pytest

from equipoise.tuning.effort import EFFORTS, FULL
from equipoise.tuning.importance import what_mattered
from equipoise.tuning.observations import Basis, Observed
from equipoise.tuning.remarks import ENOUGH


def _choices(n: int, seed: int = 0) -> list[dict[str, Any]]:
    """Return recipes of two optimizers, of which one has a rate, and heads that do not matter."""
    random = np.random.default_rng(seed)
    found = []
    for _ in range(n):
        name = str(random.choice(["SGD", "AdamW"]))
        choice: dict[str, Any] = {"optimizer": name, "head": str(random.choice(["A", "B", "C"]))}
        if name == "SGD":
            choice["optimizer.SGD.lr"] = float(10 ** random.uniform(-2, -0.5))
        found.append({**choice, "batch_size": "BatchSize", "batch_size.BatchSize.size": 32})
    return found


def _score(choice: dict[str, Any]) -> float:
    """Return what only the optimizer, and the rate of one of the two, decides."""
    if choice["optimizer"] == "AdamW":
        return 0.5
    return 0.8 - 0.1 * (np.log10(choice["optimizer.SGD.lr"]) + 1) ** 2


def _observed(n: int, noise: float = 0.01, basis: Basis = "first_rung", **known: Any) -> Observed:
    choices = _choices(n)
    gains = np.array([_score(c) for c in choices]) + noise * np.random.default_rng(1).normal(size=n)
    return Observed(
        **{"choices": choices, "gains": gains, "basis": basis, "n_tried": n + 2, **known}
    )


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    return what_mattered(_observed(80), "balanced_accuracy", seed=0)


def _row(found: dict[str, Any], name: str) -> dict[str, Any]:
    [row] = [row for key in ("roles", "fields") for row in found[key] if row["name"] == name]
    return row


def test_the_part_that_matters_has_nearly_all_importance(found: dict[str, Any]) -> None:
    """And comes first; the others have about none within their error."""
    assert [row["name"] for row in found["roles"]] == ["optimizer", "head", "batch_size"]
    optimizer, head = (_row(found, name) for name in ("optimizer", "head"))
    assert optimizer["importance"] > 0.9
    assert optimizer["p"] < 0.01
    assert head["importance"] < 2 * head["error"] + 0.02
    assert head["p"] > 0.05


def test_what_was_not_varied_has_no_importance(found: dict[str, Any]) -> None:
    """Not zero: nothing is known of it."""
    for name in ("batch_size", "batch_size.BatchSize.size"):
        row = _row(found, name)
        assert (row["importance"], row["error"], row["p"]) == (None, None, None)


def test_a_field_is_judged_among_the_trials_that_have_it(found: dict[str, Any]) -> None:
    """There the rate decides everything, although it hardly counts among all trials."""
    rate = _row(found, "optimizer.SGD.lr")
    n_sgd = sum(choice["optimizer"] == "SGD" for choice in _choices(80))
    assert rate["n"] == n_sgd < 80
    assert rate["importance"] > 0.8
    assert rate["p"] < 0.01
    assert sum(row["n"] for row in rate["ranges"]) == n_sgd
    means = [row["mean"] for row in rate["ranges"]]
    ends = [row["high"] for row in rate["ranges"]]
    assert np.argmax(means) == np.searchsorted(ends, 0.1)  # the best rate is 0.1


def test_candidates_are_told_with_their_means(found: dict[str, Any]) -> None:
    """Compared with the mean over the trials themselves."""
    observed = _observed(80)
    names = np.array([choice["optimizer"] for choice in observed.choices])
    for row in _row(found, "optimizer")["candidates"]:
        own = observed.gains[names == row["name"]]
        assert row["n"] == len(own)
        assert row["mean"] == pytest.approx(own.mean(), rel=1e-4)
        assert row["error"] == pytest.approx(own.std(ddof=1) / len(own) ** 0.5, rel=1e-4)


def test_means_of_a_loss_are_losses() -> None:
    """In the unit of the metric, not with the sign that makes higher better."""
    observed = _observed(30)
    found = what_mattered(observed, "log_loss", seed=0)
    [row] = _row(found, "batch_size")["candidates"]
    assert row["mean"] == pytest.approx(-observed.gains.mean(), rel=1e-4)


def test_too_few_trials_say_so_and_nothing_else() -> None:
    """One fewer than enough; with one more there are numbers."""
    few = what_mattered(_observed(ENOUGH - 1), "balanced_accuracy", seed=0)
    assert few["roles"] == few["fields"] == []
    assert few["foreseen"] is None
    [sentence] = few["said"]
    assert sentence == (
        "19 of 21 trials have a score that can be compared; with fewer than 20, nothing can be "
        "said about what mattered."
    )
    assert what_mattered(_observed(ENOUGH), "balanced_accuracy", seed=0)["roles"]


def test_equal_scores_say_so() -> None:
    """They are no sign that nothing matters."""
    found = what_mattered(_observed(30, gains=np.ones(30)), "balanced_accuracy", seed=0)
    assert found["said"] == [
        "All 30 trials have the same score: nothing can be said about what mattered."
    ]
    assert found["roles"] == []


def test_a_field_that_few_trials_have_is_not_told() -> None:
    """Its component still is."""
    observed = _observed(30)
    n_sgd = sum(choice["optimizer"] == "SGD" for choice in observed.choices)
    assert n_sgd < ENOUGH
    found = what_mattered(observed, "balanced_accuracy", seed=0)
    assert [row["name"] for row in found["fields"]] == ["batch_size.BatchSize.size"]
    assert "optimizer" in [row["name"] for row in found["roles"]]


def test_fields_of_the_most_chosen_components_alone_are_told() -> None:
    """Each takes its time, and rarely chosen ones say little."""
    names = {"mixing": "Mixup", "smoothing": "Uniform", "head": "Cosine", "sharpness": "SAM"}
    fields = {"Mixup": "alpha", "Uniform": "eps", "Cosine": "scale", "SAM": "rho"}
    random = np.random.default_rng(0)
    choices = []
    for k in range(60):
        choice: dict[str, Any] = {
            "optimizer": "AdamW",
            "optimizer.AdamW.lr": 10 ** -random.uniform(2, 4),
        }
        for j, (role, name) in enumerate(names.items()):
            is_in = k < 25 + 5 * j
            choice[role] = name if is_in else "None"
            if is_in:
                choice[f"{role}.{name}.{fields[name]}"] = random.uniform(0.1, 0.9)
        choices.append(choice)
    observed = Observed(choices=choices, gains=random.normal(size=60), basis="final", n_tried=60)
    found = what_mattered(observed, "accuracy", seed=0)
    components = {row["name"].rpartition(".")[0] for row in found["fields"]}
    assert len(components) == FULL.components
    assert "mixing.Mixup" not in components


def test_the_words_tell_what_it_rests_on(found: dict[str, Any]) -> None:
    """How many of how many, by which score, what differs by more than chance, and why to doubt."""
    text = " ".join(found["said"])
    assert "This rests on 80 of 82 trials, compared by their score after 1/9 of a full" in text
    assert "scores differ between the candidates of optimizer; where" in text
    assert "% of the variation between scores can be foreseen" in text
    assert "Trials are no independent draws" in text
    assert "drawn in" not in text


def test_the_words_change_with_what_is_known() -> None:
    """Final scores, noise, scores that were drawn in."""
    noise = np.random.default_rng(3).normal(size=40)
    observed = _observed(40, basis="final", gains=noise, n_drawn_in=2)
    text = " ".join(what_mattered(observed, "accuracy", seed=0)["said"])
    assert "40 of 42 trials, those trained in full, compared by their final score" in text
    assert "For no part do the scores of its candidates differ by more than chance" in text
    assert "cannot be foreseen: take none of this for more than a hint" in text
    assert "2 scores were far below the others and drawn in" in text


def test_everything_is_plain_and_small(found: dict[str, Any]) -> None:
    """It goes through JSON unchanged, and takes a few kilobytes."""
    text = json.dumps(found, allow_nan=False)
    assert json.loads(text) == found
    assert len(text) < 4000


def test_the_same_search_tells_the_same(found: dict[str, Any]) -> None:
    """To the last digit."""
    assert what_mattered(_observed(80), "balanced_accuracy", seed=0) == found


def test_a_long_search_is_told_from_some_of_its_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forests learn from a part; means and words rest on all."""
    monkeypatch.setattr("equipoise.tuning.importance.MOST", 40)
    found = what_mattered(_observed(80), "balanced_accuracy", seed=0)
    assert _row(found, "optimizer")["importance"] > 0.8
    assert _row(found, "optimizer")["n"] == found["n"] == 80


@pytest.mark.parametrize("seconds", [-5.0, 0.0, 0.7, 3.0, 60.0])
def test_what_is_told_is_told_in_time(seconds: float) -> None:
    """Coarser where there is less time, down to the least, and it is said so."""
    begun = time.monotonic()
    found = what_mattered(_observed(200), "balanced_accuracy", seed=0, seconds=seconds)
    assert time.monotonic() - begun < 2 * max(seconds, 0.7)
    assert _row(found, "optimizer")["importance"] > 0.8
    is_short = any("want of time" in sentence for sentence in found["said"])
    assert is_short == (seconds < 60.0) or seconds == 3.0
    json.dumps(found, allow_nan=False)


def test_less_effort_is_less_work_and_said() -> None:
    """Each step does less than the one before, in every respect; the first one leaves nothing."""
    assert EFFORTS[0] is FULL
    assert FULL.said == ""
    for more, less in itertools.pairwise(EFFORTS):
        assert less.work < more.work / 1.5
        assert less.share < more.share
        assert less.halves <= more.halves
        assert f"{100 * less.share:.0f} % of the trees" in less.said
