"""Laws of what a comparison says."""

import json

import numpy as np
import pytest

from equipoise.errors import InputError
from equipoise.metrics import shift_logits
from equipoise.statistics.paired import Predictions, differences
from equipoise.statistics.sentences import bias_sentences
from equipoise.statistics.verdict import verdict

CODES = np.repeat([0, 1], [400, 400])


def _wrong(*parts):
    """Predictions with these shares of wrong answers, in blocks from the start of each class."""
    place = np.arange(800) % 400
    flipped = np.where(place < 400 * parts[0], 1 - CODES, CODES)
    return Predictions(codes=CODES, logits=4.0 * np.eye(2)[flipped])


def _told(shares, **options):
    methods = {name: [_wrong(share)] for name, share in shares.items()}
    return verdict(differences(methods, options.pop("metric", "balanced_accuracy")), **options)


def test_the_best_is_named_and_others_stand_below_it():
    """Best, worse with size and interval, and not told apart with what could have been seen."""
    found = _told({"ldam": 0.10, "plain": 0.30, "focal": 0.1025})
    assert found.facts["best"] == "ldam"
    assert found.sentences[0].startswith("The best balanced accuracy is that of ldam: 90.0 % (95 %")
    assert found.sentences[1].startswith("Worse than ldam: plain by 20.0 points (1")
    (detectable,) = [r["detectable"] for r in found.facts["to_best"] if not r["told_apart"]]
    assert found.sentences[2:] == (
        f"Not told apart from ldam: focal (detectable: {100 * detectable:.1f} points).",
    )
    assert "would have been found with a chance of 80 %" in found.reading[-1]


def test_what_chance_explains_is_said_once():
    """Of all gains together, and below all sentences, however many there are."""
    random = np.random.default_rng(0)
    plain = random.normal(size=(800, 2)) + 2 * np.eye(2)[CODES] + [3.0, 0.0]
    corrected = plain - [3.0, 0.0]
    wrong = np.flatnonzero(corrected.argmax(axis=1) != CODES)
    better = {name: corrected.copy() for name in "ab"}
    for name, at in ("a", wrong[:2]), ("b", wrong[-3:]):
        better[name][at] = 9.0 * np.eye(2)[CODES[at]]  # too few to be told apart
    as_is, equal = {"plain": plain, **better}, {"plain": corrected, **better}
    compared = [
        differences({m: [Predictions(codes=CODES, logits=z)] for m, z in each.items()})
        for each in (as_is, equal)
    ]
    found = verdict(compared[0], control="plain", balanced=compared[1])
    assert [fact["told_apart_balanced"] for fact in found.facts["prior_bias"]] == [False, False]
    text = " ".join(found.sentences)
    assert text.count("corrected to equal priors") == 1
    assert text.endswith(" What is left of a and b may be chance.")
    for said in "a chance of 80 %", "chance in the test examples alone":
        assert said not in text.lower()
        assert " ".join(found.reading).count(said) == 1


def test_lower_log_loss_is_better():
    """The direction follows the metric, and so does the unit."""
    found = _told({"a": 0.4, "b": 0.1}, metric="balanced_log_loss", control="a")
    assert found.facts["best"] == "b"
    assert any(line.startswith("Worse than b: a by 1.200 nats") for line in found.sentences)
    assert any(line.startswith("Better than a: b by 1.200 nats") for line in found.sentences)


def test_copies_are_said_to_be_alike():
    """No smallest difference is told of methods that no example tells apart."""
    found = _told({"a": 0.2, "b": 0.2})
    assert "No example tells b from a." in found.sentences
    assert not any("Not told apart" in line for line in found.sentences)


@pytest.mark.parametrize(("n_seeds", "words"), [(1, "from 1 seed."), (2, "mean over 2 seeds.")])
def test_one_seed_is_warned_of(n_seeds, words):
    """Singular and plural are right, and only one seed carries the warning."""
    methods = {name: [_wrong(share)] * n_seeds for name, share in (("a", 0.1), ("b", 0.3))}
    found = verdict(differences(methods))
    assert found.sentences[0].endswith(words)
    assert any("With 1 seed" in line for line in found.reading) == (n_seeds == 1)
    of_examples = any("hance in the test examples alone" in line for line in found.reading)
    assert of_examples == (n_seeds == 1)
    assert found.facts["holds_seed_noise"] == (n_seeds > 1)


def test_a_gain_that_is_a_mere_shift_of_the_prior_is_unmasked():
    """Plain with its logits shifted gains as trained, and nothing once both are corrected."""
    random = np.random.default_rng(0)
    plain = random.normal(size=(800, 2)) + 2 * np.eye(2)[CODES] + [3.0, 0.0]
    prior, even = np.array([0.95, 0.05]), np.full(2, 0.5)
    corrected = shift_logits(plain, prior, even)
    as_is = {"plain": [plain], "shifted": [corrected]}
    equal = {"plain": [corrected], "shifted": [corrected]}
    compared = [
        differences({m: [Predictions(codes=CODES, logits=z) for z in of] for m, of in each.items()})
        for each in (as_is, equal)
    ]
    found = verdict(compared[0], control="plain", balanced=compared[1])
    (fact,) = found.facts["prior_bias"]
    assert fact["gain_as_is"]["value"] > 0.05
    assert fact["gain_balanced"]["value"] == 0
    assert fact["removed"] == fact["gain_as_is"]["value"]
    gain = 100 * fact["gain_as_is"]["value"]
    assert found.sentences[-1] == (
        "Gains over plain that are left with both corrected to equal priors: shifted 0.0 "
        f"(0.0 to 0.0) of {gain:.1f} points, so all of it was prior bias."
    )
    kept = verdict(compared[0], control="plain", balanced=compared[0])
    assert " of it was prior bias." in kept.sentences[-1]
    assert f" of {gain:.1f} points, so 0 % (0 to " in kept.sentences[-1]
    unsure = verdict(compared[0], control="plain", balanced=compared[1], heuristic=["shifted"])
    assert unsure.sentences[-1].endswith(
        "a heuristic correction may have taken more than prior bias."
    )


def test_the_share_of_prior_bias_has_the_ends_of_what_is_left():
    """By hand: of 10 points 4 are left, 1 to 7."""
    numbers = {"value": 0.04, "low": 0.01, "high": 0.07}
    fact = {"method": "m", "told_apart": True, "told_apart_balanced": True}
    fact |= {"gain_as_is": {"value": 0.1, "low": 0.08, "high": 0.12}, "gain_balanced": numbers}
    [line] = bias_sentences([fact], "plain", "accuracy")
    assert line.endswith(
        "m 4.0 (1.0 to 7.0) of 10.0 points, so 60 % (30 to 90 %) of it was prior bias."
    )


def test_looks_at_the_best_are_corrected_over_all_pairs():
    """Which method is best is not known before, so all pairs of methods are one family."""
    shares = {"a": 0.10, "b": 0.13, "c": 0.14, "d": 0.16}
    (first,) = [row for row in _told(shares).facts["to_best"] if row["method"] == "d"]
    assert first["p_adjusted"] == pytest.approx(min(1, 6 * first["p"]))
    (last,) = [r for r in _told(shares, control="a").facts["to_control"] if r["method"] == "d"]
    assert last["p_adjusted"] == pytest.approx(min(1, 3 * last["p"]))
    assert last["detectable"] < first["detectable"]


def test_where_the_control_is_best_the_list_to_it_is_the_only_one():
    """By hand: p = 0.006 is enough over 7 pairs and not over all 28; every place says the same."""
    others = {f"alike{k}": 0.1025 for k in range(6)}
    found = _told({"plain": 0.10, **others, "worse": 0.1125}, control="plain")
    assert found.facts["best"] == "plain"
    (fact,) = [row for row in found.facts["to_control"] if row["method"] == "worse"]
    assert fact["p_adjusted"] == pytest.approx(7 * fact["p"])
    assert 7 * fact["p"] < 0.05 < 28 * fact["p"]
    assert found.facts["to_best"] == found.facts["to_control"]
    assert found.sentences[1].startswith("Worse than plain: worse by 1.3 points (")
    assert found.sentences[2].startswith("Not told apart from plain: alike0, ")
    assert len(found.sentences) == 3
    said = "Where plain is the best, there is one list, that to plain."
    assert said in found.reading
    assert said not in _told({"plain": 0.30, "better": 0.10}, control="plain").reading


def test_facts_are_plain_data():
    """They survive JSON without change."""
    found = _told({"a": 0.1, "b": 0.3, "c": 0.1}, control="b")
    assert json.loads(json.dumps(found.facts, allow_nan=False)) == found.facts


def test_one_method_alone_has_no_rule_and_an_unknown_control_is_refused():
    """There is nothing to correct for, and nothing to compare with."""
    alone = _told({"a": 0.1})
    assert (len(alone.sentences), len(alone.reading)) == (1, 1)
    with pytest.raises(InputError):
        _told({"a": 0.1}, control="plain")


def test_the_rule_claims_a_level_for_each_list_only():
    """Two families at 5 % each are not one at 5 %; without a control there is one."""
    shares = {"a": 0.10, "b": 0.13, "c": 0.14}
    both = _told(shares, control="a").reading[1]
    assert both.startswith(
        "In each list, to the best and to a, chance in the test examples alone would show any"
    )
    assert "over 3 pairs, and over 2 pairs with a" in both
    assert both.endswith("in one of several lists it does so more often.")
    one = _told(shares).reading[1]
    assert one.endswith("in at most 5 % of comparisons (Holm's correction over 3 pairs).")
