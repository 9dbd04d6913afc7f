"""Laws of the ledger: it adds up, its parts are the known metrics, planted causes are named."""

import re
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr

from equipoise.diagnosis.advice import REMEDIES, advise, headline
from equipoise.diagnosis.evidence import Seen
from equipoise.diagnosis.ledger import CAUSES, Loss, ledger
from equipoise.diagnosis.ordering import order_runs
from equipoise.metrics import evaluate, shift_logits
from equipoise.settings import COMPONENTS
from equipoise.spec import resolve

PRIOR = np.array([0.7, 0.2, 0.1])
UNIFORM = np.full(3, 1 / 3)


def _part(
    sizes: tuple[int, ...],
    strength: float,
    seed: int,
    labels: Any = None,
    prior: np.ndarray = PRIOR,
) -> Seen:
    """Examples whose logits contain a prior; the stronger, the more are right."""
    random = np.random.default_rng(seed)
    truth = np.repeat(np.arange(3), sizes)
    logits = random.normal(size=(len(truth), 3)) + np.log(prior)
    logits[np.arange(len(truth)), truth] += strength
    codes = truth if labels is None else labels(truth, random)
    corrected = shift_logits(logits, prior, UNIFORM)
    empty = np.zeros((len(truth), 0))
    return Seen(
        places=np.arange(len(truth)),
        codes=codes,
        logits=logits,
        corrected=corrected,
        features=empty,
    )


def _evidence(train: Seen, validation: Seen, test: Seen) -> Any:
    parts = {"train": train, "validation": validation, "test": test}
    held = validation if len(validation) else test
    return SimpleNamespace(parts=parts, held_out=held, n_classes=3)


MANY = (400, 400, 400)


def _leading(evidence: Any) -> str:
    return advise(ledger(evidence), ["many", "medium", "few"], "validation")[0].cause


def test_the_points_add_up_to_one() -> None:
    """Balanced accuracy as trained and all that is lost."""
    evidence = _evidence(_part(MANY, 4, 0), _part((50, 20, 10), 2, 1), _part(MANY, 2, 2))
    test = evidence.parts["test"]
    told = evaluate(test.logits, test.codes, classes=list("abc"), train_counts=[7, 2, 1])
    right = told["overall"]["balanced_accuracy"]["value"]
    losses = ledger(evidence)
    assert [loss.cause for loss in losses] == list(CAUSES)
    assert right + sum(loss.value for loss in losses) == pytest.approx(1.0)
    for k in range(3):
        recall = told["per_class"][k]["recall"]["value"]
        assert recall + sum(loss.by_class[k] or 0.0 for loss in losses) == pytest.approx(1.0)


def test_prior_bias_is_what_correction_gains() -> None:
    """As `evaluate` measures it with a prior."""
    evidence = _evidence(_part(MANY, 2, 0), _part(MANY, 2, 1), _part(MANY, 2, 2))
    test = evidence.parts["test"]
    given = {"classes": list("abc"), "train_counts": [7, 2, 1], "train_prior": PRIOR}
    both = [evaluate(test.logits, test.codes, **given, prior=p) for p in (None, UNIFORM)]
    values = [each["overall"]["balanced_accuracy"]["value"] for each in both]
    [bias] = [loss for loss in ledger(evidence) if loss.cause == "prior bias"]
    assert bias.value == pytest.approx(values[1] - values[0])
    assert bias.low < bias.value < bias.high


@pytest.mark.parametrize("strength", [0.0, 2.0, 30.0])
@pytest.mark.parametrize("sizes", [(1, 1, 1), (20, 5, 2), MANY])
def test_intervals_are_possible_and_no_points(strength: float, sizes: tuple[int, ...]) -> None:
    """Shares lie between 0 and 1, differences between -1 and 1, and few examples are no proof."""
    parts = (_part(MANY, 30, 0), _part(sizes, strength, 1), _part(sizes, strength, 2))
    shares = {"mislabelled", "not learnt"}
    for given in (parts, (_part(sizes, 0, 3), *parts[1:])):
        for loss in ledger(_evidence(*given)):
            assert (0 if loss.cause in shares else -1) <= loss.low <= loss.value, loss
            assert loss.value <= loss.high <= 1, loss
            assert loss.high - loss.low > 0.001, loss


def test_unseen_wrong_labels_are_in_the_upper_end() -> None:
    """Held-out examples are so few that nothing is typical of them: all errors may be labels."""
    few, many = _part((9, 9, 9), 1, 1), _part(MANY, 9, 1)
    losses = {x.cause: x for x in ledger(_evidence(_part(MANY, 1, 0), few, few))}
    wrong = losses["mislabelled"], losses["not learnt"]
    assert wrong[0].value == 0
    assert wrong[0].high > wrong[1].value > 0.2
    known = {x.cause: x for x in ledger(_evidence(_part(MANY, 9, 0), many, many))}
    assert known["mislabelled"].high < 0.02


def test_without_held_out_examples_no_shift_is_told() -> None:
    """Neither a value nor an interval; the rest adds up all the same."""
    empty, test = _part((0, 0, 0), 2, 0), _part(MANY, 2, 1)
    losses = ledger(_evidence(_part(MANY, 4, 2), empty, test))
    assert [loss.cause for loss in losses] == [cause for cause in CAUSES if cause != "shifted test"]
    right = np.mean([np.mean(test.logits.argmax(axis=1)[test.codes == k] == k) for k in range(3)])
    assert right + sum(loss.value for loss in losses) == pytest.approx(1.0)


def _wrong(truth: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Label many examples of the other classes as the rare one."""
    labels = truth.copy()
    labels[random.choice(np.flatnonzero(truth < 2), 300, replace=False)] = 2
    return labels


@pytest.mark.parametrize(
    ("cause", "parts"),
    [
        ("prior bias", [(MANY, 1.4, None)] * 3),
        ("too few examples", [(MANY, 9, None), (MANY, 1.6, None), (MANY, 1.6, None)]),
        ("shifted test", [(MANY, 9, None), (MANY, 8, None), (MANY, 2, None)]),
        ("mislabelled", [(MANY, 9, None), (MANY, 8, _wrong), (MANY, 8, None)]),
        ("mislabelled", [(MANY, 8, _wrong), (MANY, 8, _wrong), (MANY, 8, None)]),
    ],
)
def test_a_planted_cause_is_told(cause: str, parts: list[tuple[Any, ...]]) -> None:
    """As the largest sure loss, among what can be told from logits alone."""
    prior = PRIOR if cause == "prior bias" else UNIFORM
    train, validation, test = (
        _part(sizes, strength, seed, labels, prior)
        for seed, (sizes, strength, labels) in enumerate(parts)
    )
    losses = ledger(_evidence(train, validation, test))
    told = [each.cause for each in advise(losses, ["many", "medium", "few"], "validation")]
    assert told[0] == cause


def test_what_training_examples_lack_was_not_learnt() -> None:
    """A network that hardly tells classes apart anywhere."""
    assert _leading(_evidence(*(_part(MANY, 0.3, seed) for seed in range(3)))) == "not learnt"


def test_advice_needs_more_than_chance() -> None:
    """Nothing is lost surely where a few examples are wrong by chance."""
    evidence = _evidence(_part(MANY, 9, 0), _part((9, 6, 4), 9, 1), _part(MANY, 9, 2))
    assert advise(ledger(evidence), ["many", "medium", "few"], "validation") == []
    assert headline([]).startswith("Nothing was found")


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """The gap of two parts of the same difficulty is zero: 95 % of intervals contain it."""
    held = 0
    for seed in range(300):
        parts = [_part((30, 20, 12), 2, 3 * seed + i) for i in range(3)]
        [gap] = [x for x in ledger(_evidence(*parts)) if x.cause == "shifted test"]
        held += gap.low <= 0 <= gap.high
    assert held / 300 > 0.93


def test_advice_names_the_group_that_loses_most_and_has_a_remedy() -> None:
    """Every cause has one."""
    for cause in (*CAUSES, "head"):
        loss = Loss(cause=cause, value=0.2, low=0.1, high=0.3, by_class=(0.0, 0.1, 0.5))
        [found] = advise([loss], ["many", "medium", "few"], "validation")
        assert ", most of it (83 %) in classes with few examples" in found.evidence
        assert found.remedy == REMEDIES[cause]
        assert cause in headline([found])


@pytest.mark.parametrize(
    ("kept", "longer"), [(None, True), ((30, 30), True), ((23, 30), True), ((22, 30), False)]
)
def test_more_epochs_are_advised_where_the_last_ones_helped(
    kept: tuple[int, int] | None, longer: bool
) -> None:
    """Not where an early one was kept, which is named."""
    loss = Loss(cause="not learnt", value=0.2, low=0.1, high=0.3, by_class=(0.2, 0.2, 0.2))
    [found] = advise([loss], ["many", "medium", "few"], "validation", kept)
    assert ("train for more epochs" in found.remedy) is longer
    assert ("epoch 22 of 30 was kept" in found.remedy) is not longer


@pytest.mark.parametrize(
    ("by_class", "words"),
    [
        ((*[0.42] * 4, *[0.4275] * 5), ", most of it (56 %) in classes with few examples"),
        ((*[0.42] * 4, 0.8, *[0.0] * 4), ", most of it (68 %) in classes with medium examples"),
        ((*[0.3] * 4, 0.7, *[0.3] * 4), ", most of it (61 %) in classes with few examples"),
        ((*[0.2] * 4, *[0.0] * 5), ", all of it in classes with medium examples"),
        ((*[0.2] * 4, *[-0.1] * 5), ", all of it in classes with medium examples"),
        ((*[None] * 4, *[0.1] * 5), ""),
    ],
)
def test_the_part_of_a_group_is_a_part_of_the_whole(
    by_class: tuple[float | None, ...], words: str
) -> None:
    """The share of the points, not the mean of the group, which may be larger than the whole."""
    value = float(np.mean([each for each in by_class if each is not None]))
    loss = Loss(cause="not learnt", value=value, low=0.01, high=0.5, by_class=by_class)
    [found] = advise([loss], ["medium"] * 4 + ["few"] * 5, "validation")
    assert found.evidence.endswith(f"are not recognised{words}.")


def test_most_is_more_than_half() -> None:
    """Of three groups one can have the largest part and less than half."""
    loss = Loss(cause="not learnt", value=0.3, low=0.1, high=0.4, by_class=(0.2, 0.3, 0.4))
    [found] = advise([loss], ["many", "medium", "few"], "validation")
    assert "the largest part of it (44 %) in classes with few examples" in found.evidence


def test_what_a_remedy_names_can_be_typed() -> None:
    """Every option with a component is one of `fit`, and reads."""
    named = [pair for text in REMEDIES.values() for pair in re.findall(r'--(\w+) "([^"]+)"', text)]
    assert len(named) >= 3
    for role, text in named:
        assert resolve(text, COMPONENTS[role], role) is not None


def test_orders_are_spearmans() -> None:
    """`scipy.stats.spearmanr`, with ties; the strongest first; constants are left out."""
    random = np.random.default_rng(0)
    scores = random.normal(size=25)
    measures = {
        "weak": random.normal(size=25).tolist(),
        "strong": (-scores + 0.1 * random.normal(size=25)).tolist(),
        "tied": np.round(scores).tolist(),
        "constant": [1.0] * 25,
        "rare": [None] * 22 + [1.0, 2.0, 3.0],
    }
    found = order_runs(scores.tolist(), measures)
    assert {order.measure for order in found} == {"weak", "strong", "tied"}
    assert found[0].measure == "strong"
    for order in found:
        wanted = spearmanr(scores, measures[order.measure]).statistic
        assert order.correlation == pytest.approx(wanted)
        assert order.low <= order.correlation <= order.high


@pytest.mark.parametrize(("n", "rho"), [(5, 0.0), (5, 0.9), (20, 0.0), (20, 0.5), (20, 0.9)])
def test_intervals_of_orders_hold_the_truth_as_often_as_they_say(n: int, rho: float) -> None:
    """Of normal pairs, whose rank correlation is known: 6 / pi * asin(rho / 2)."""
    random = np.random.default_rng(n)
    truth = 6 / np.pi * np.arcsin(rho / 2)
    held = 0
    for _ in range(400):
        x, noise = random.normal(size=(2, n))
        y = rho * x + np.sqrt(1 - rho**2) * noise
        [found] = order_runs(x.tolist(), {"y": y.tolist()})
        held += found.low <= truth <= found.high
    assert held / 400 > 0.92


def test_four_runs_in_one_order_are_no_certainty() -> None:
    """One in 12 draws of unrelated measures has all four in the same or in the opposite order."""
    [found] = order_runs([0.5, 0.6, 0.7, 0.9], {"gap": [4.0, 3.0, 2.5, 1.0]})
    assert found.correlation == pytest.approx(-1)
    assert found.low <= found.correlation
    assert found.high > 0
