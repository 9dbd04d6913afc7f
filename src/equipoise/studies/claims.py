"""What the paper claims of a component, asked of a study's numbers: yes, no, or undecided."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from equipoise.errors import InputError
from equipoise.statistics.correlation import FEWEST, spearman, spearman_interval
from equipoise.statistics.multiplicity import holm
from equipoise.statistics.paired import contrasts, differences
from equipoise.statistics.results import Contrast
from equipoise.statistics.wording import amount, interval
from equipoise.studies.cells import Cells, name_of
from equipoise.studies.effects import LEVEL, slope_weights

Verdict = Literal["reproduced", "not reproduced", "undecided"]

Weights = dict[tuple[float, str], float]
"""By ratio and value: a weighted sum of scores."""

NOTHING = {"points": 0.01, "nats": 0.03}
"""A change whose interval stays below this over all values and ratios is none to speak of."""

SHARP = ("SAM", "ASAM", "SAMA", "ImbSAM", "FocalSAM")
"""Sharpness-aware methods; named here, for reports must not import torch."""

SMOOTHED = {"head": 0.0, "tail": 0.2}
"""What `ClassConditional` is where a value leaves it out; told here for the same reason."""

OF_TABLES = ("FeatureNoise", "FeatureMasking", "FeatureSwap", "QuantileJitter")
"""Augmentations of tables, of which the paper claims nothing."""

OF_PLACES = (
    "it is about places of use; which training ratio is best for each of --test-ratios is told "
    "instead, and how sure that is"
)
"""Why no claim about the training ratio is judged."""

UNRELATED = 0.5
"""The order of networks is said to carry over, or not, where its correlation is surely above this,
or below."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a study says of one claim.

    Parameters
    ----------
    verdict : {"reproduced", "not reproduced", "undecided"}
        Reproduced: told from chance, in the claimed direction. Not reproduced: told from chance in
        the other direction, or surely next to nothing. Of a gain that is claimed to grow with the
        ratio, both its growth and the gain at the largest ratio are asked: a harm that becomes
        less is not what is claimed.
    sentence : str
        The verdict and its numbers.
    value, low, high : float
        What was asked for, or its growth, and the interval.
    p : float or None
        Two-sided, corrected after Holm for the claims of the study; None where not tested so.
    """

    verdict: Verdict
    sentence: str
    value: float
    low: float
    high: float
    p: float | None


@dataclass(frozen=True, kw_only=True)
class _Question:
    """Weighted sums of scores, above 0 where the claim holds and higher scores are better.

    The first is asked for in words; there may be a second, the gain at the largest ratio. Over
    the whole study the first makes so many times its number, its reach.
    """

    what: str
    weights: Weights
    gain: Weights | None = None
    where: str = ""
    reach: float = 1.0

    @property
    def sums(self) -> list[Weights]:
        return [self.weights, *([] if self.gain is None else [self.gain])]


def answers(cells: Cells, prior: str, metric: str) -> list[dict[str, Any]]:
    """Return what a study says of the paper's claims about its component.

    Parameters
    ----------
    cells : Cells
        What is finished.
    prior : {"as_trained", "balanced"}
        Whether predictions are corrected to equal class frequencies.
    metric : str
        What they are scored by.

    Returns
    -------
    list of dict
        Each an `Answer`; empty where no claim can be judged, of which `unjudged` says why.

    Notes
    -----
    *Matters more under imbalance* is a slope over the logarithm of the ratio, as in
    `equipoise.studies.effects.interactions`, and a gain at the largest ratio: both must be told
    for the claim, either against it. What is claimed of imbalanced data alone is asked at the
    largest ratio. Of several values of one kind the mean is asked. The interval of a rank
    correlation is that of drawing other networks; noise of scores brings it near 0 of itself, so
    that an order is said not to carry over only where networks are told apart at both ratios.
    """
    if _hindrance(cells, prior, metric) is not None:
        return []
    asked = [q for ask in _ASKED.get(cells.told["component"], ()) for q in ask(cells)]
    found = [asdict(each) for each in _tested(cells, asked, prior, metric)]
    if cells.told["component"] == "architecture":
        found += [asdict(each) for each in _carried_over(cells, prior, metric)]
    return found


def unjudged(cells: Cells, prior: str, metric: str) -> str:
    """Return why no claim about the component is judged, where `answers` returns none.

    Parameters
    ----------
    cells, prior, metric
        As for `answers`.

    Returns
    -------
    str
        A sentence: the claim is undecided where the study has one seed, which tells nothing of
        chance, equal classes alone, no value that is told from guessing at the largest ratio, or
        not the values or ratios that the claim is about; of some components none is made.
    """
    component = cells.told["component"]
    if component == "train-ratio":
        return f"The paper's claim is undecided here: {OF_PLACES}."
    if component not in _ASKED and component != "architecture":
        return f"No claim is judged: of {component} the paper claims no direction."
    why = _hindrance(cells, prior, metric)
    if why is None and len(cells.by_ratio) < 2 and component != "smoothing":
        about = "networks" if component == "architecture" else "the values that it is about"
        why = f"it takes several imbalance ratios for {about}, and there is one; give more --ratios"
    if why is None:
        why = (
            f"it takes {FEWEST} networks with different scores"
            if component == "architecture"
            else "the values of this study are not those that it is about"
        )
    return f"The paper's claim is undecided here: {why}."


def _hindrance(cells: Cells, prior: str, metric: str) -> str | None:
    """Return what keeps any claim from being judged, and what to do about it."""
    if len(cells.seeds) < 2:
        return "one seed tells nothing of chance; add seeds with --seeds 3 --resume"
    if max(cells.by_ratio) == 1:
        return "it is about unequal classes, and at ratio 1 all are equal; give larger --ratios"
    if _guesses(cells, prior, metric):
        where, _ = _at_last(cells, {})
        return (
            f"{where}, no value is told from guessing, and where nothing is learnt nothing "
            "can be gained; train for more epochs, or on more examples"
        )
    return None


def _guesses(cells: Cells, prior: str, metric: str) -> bool:
    """Whether no value is told from guessing: where nothing is learnt, nothing can be gained."""
    last = cells.predictions(list(cells.by_ratio)[-1], prior)
    k = next(iter(last.values()))[0].logits.shape[1]
    means = differences(last, metric, pairs=[], level=LEVEL).means.values()
    if metric.endswith("log_loss"):
        return all(each.high >= np.log(k) for each in means)
    return all(each.low <= 1 / k for each in means)


def _tested(cells: Cells, asked: Sequence[_Question], prior: str, metric: str) -> list[Answer]:
    if not asked:
        return []
    sign = -1 if metric.endswith("log_loss") else 1
    tables = [{str(k): sign * w for k, w in own.items()} for each in asked for own in each.sums]
    found = iter(contrasts(cells.all_predictions(prior), tables, metric, level=LEVEL))
    parts = [[next(found) for _ in each.sums] for each in asked]
    p = holm([_p(each) for each in parts])
    return [
        _answered(question, each, float(own), metric, len(asked))
        for question, each, own in zip(asked, parts, p, strict=True)
    ]


def _p(parts: Sequence[Contrast]) -> float:
    """Return how likely chance is where all speak for a claim, or else one of several against."""
    against = [each.p for each in parts if each.value < 0]
    return min(len(parts) * min(against), 1.0) if against else max(each.p for each in parts)


def _answered(
    question: _Question, parts: Sequence[Contrast], p: float, metric: str, n: int
) -> Answer:
    first, least = parts[0], NOTHING["nats" if metric.endswith("log_loss") else "points"]
    verdict: Verdict = "undecided"
    if p <= 1 - LEVEL:
        verdict = "not reproduced" if any(each.value < 0 for each in parts) else "reproduced"
    elif max(-first.low, first.high) < least / max(question.reach, 1):
        verdict = "not reproduced"
    numbers = [f"{amount(each.value, metric)} ({interval(each, metric)})" for each in parts]
    told = f"; {question.where} it is ".join(numbers)
    after = f", after correction for {n} claims" if n > 1 else ""
    return Answer(
        verdict=verdict,
        sentence=f"The paper's claim is {verdict} here{after}: {question.what} {told}.",
        **{name: getattr(first, name) for name in ("value", "low", "high")},
        p=p,
    )


def _carried_over(cells: Cells, prior: str, metric: str) -> list[Answer]:
    """Return whether networks that win at the smallest ratio win at the largest."""
    ratios, n = list(cells.by_ratio), len(cells.methods)
    if len(ratios) < 2 or n < FEWEST:
        return []
    ends = [
        differences(cells.predictions(ratio, prior), metric, level=LEVEL)
        for ratio in (ratios[0], ratios[-1])
    ]
    scores = [[own.means[name].value for name in cells.methods] for own in ends]
    if any(len(set(own)) < 2 for own in scores):
        return []
    value = spearman(*scores)
    low, high = spearman_interval(value, n, LEVEL)
    differ = all(holm([pair.p for pair in own.differences]).min() <= 1 - LEVEL for own in ends)
    verdict: Verdict = "not reproduced" if low > UNRELATED else "undecided"
    if high < UNRELATED and differ:
        verdict = "reproduced"
    told = (
        f"over {n} networks the rank correlation of scores at ratio {name_of(ratios[0])} with "
        f"those at ratio {name_of(ratios[-1])} is {value:.2f} ({low:.2f} to {high:.2f})"
    )
    chance = "" if differ else "; at one of them, or both, no two networks are told apart"
    sentence = f"The paper's claim is {verdict} here: {told}{chance}."
    return [Answer(verdict=verdict, sentence=sentence, value=value, low=low, high=high, p=None)]


def _along_ratios(cells: Cells, own: Mapping[str, float]) -> Weights:
    """Return the slope over log10 of the ratio of a weighted sum of values."""
    along = slope_weights(np.log10(list(cells.by_ratio)))
    return {
        (ratio, name): weight * share
        for ratio, weight in zip(cells.by_ratio, along, strict=True)
        for name, share in own.items()
    }


def _growing(cells: Cells, what: str, own: Mapping[str, float], reach: float = 1.0) -> _Question:
    """Return whether a gain grows with the ratio, and at the largest is one."""
    where, gain = _at_last(cells, own)
    return _Question(
        what=f"for each tenfold ratio, {what} changes by",
        weights=_along_ratios(cells, own),
        gain=gain,
        where=where,
        reach=reach * float(np.ptp(np.log10(list(cells.by_ratio)))),
    )


def _at_last(cells: Cells, own: Mapping[str, float]) -> tuple[str, Weights]:
    """Return the largest ratio in words, and a weighted sum of values there."""
    last = list(cells.by_ratio)[-1]
    where = "as the data is" if name_of(last) == "as it is" else f"at ratio {name_of(last)}"
    return where, {(last, name): share for name, share in own.items()}


def _mean_less(some: Sequence[str], others: Sequence[str]) -> dict[str, float]:
    return {
        **dict.fromkeys(some, 1 / len(some)),
        **dict.fromkeys(others, -1 / len(others)),
    }


def _small_batches(cells: Cells) -> list[_Question]:
    sizes = {name: size for name in cells.methods if (size := cells.numbers[name])}
    if len(cells.by_ratio) < 2 or len(sizes) < 2:
        return []
    halvings = slope_weights(-np.log2(list(sizes.values())))
    own = dict(zip(sizes, halvings, strict=True))
    reach = float(np.ptp(np.log2(list(sizes.values()))))
    return [_growing(cells, "the gain of halving the batch size", own, reach)]


def _gain_over_none(
    what: str, none: str, param: str | None = None
) -> Callable[[Cells], list[_Question]]:
    """Return what asks whether the gain of values, that set a parameter, over none grows."""

    def ask(cells: Cells) -> list[_Question]:
        without = [name for name in cells.methods if cells.labels[name] == none]
        sets = [n for n in cells.methods if cells.params(n).get(param or "", "None") != "None"]
        others = [n for n in (cells.methods if param is None else sets) if n not in without]
        is_table = any(_parsed(cells.labels[name])[0] in OF_TABLES for name in others)
        if len(cells.by_ratio) < 2 or not without or not others or is_table:
            return []
        return [_growing(cells, f"the gain of {what} over none", _mean_less(others, without))]

    return ask


def _policies(cells: Cells) -> list[_Question]:
    kinds = {
        name: {_parsed(part.strip())[0] for part in cells.labels[name].split("|")}
        for name in cells.methods
    }
    policies = {"AutoAugment", "TrivialAugment"}
    learnt, trivial = (
        [name for name, own in kinds.items() if own & policies == {policy}]
        for policy in sorted(policies)
    )
    if not learnt or not trivial:
        return []
    where, weights = _at_last(cells, _mean_less(learnt, trivial))
    what = f"{where}, the gain of AutoAugment over TrivialAugment is"
    return [_Question(what=what, weights=weights)]


def _sharpness(cells: Cells) -> list[_Question]:
    kinds = {name: _parsed(cells.labels[name]) for name in cells.methods}
    sharp = [name for name, (kind, _) in kinds.items() if kind in SHARP]
    plain, found = _without(cells, sharp), []
    if len(cells.by_ratio) > 1 and sharp and plain is not None:
        told = "the gain of SAM and its kin over training without"
        found.append(_growing(cells, told, _mean_less(sharp, [plain])))
    classes = [name for name in sharp if kinds[name][0] == "SAMA"]
    alike = [name for name in sharp if kinds[name][0] == "SAM"]
    for name in classes if alike else ():  # the paper's text and its code are two methods
        where, weights = _at_last(cells, _mean_less([name], alike))
        what = f"{where}, the gain of {cells.labels[name]} over SAM is"
        found.append(_Question(what=what, weights=weights))
    return found


def _without(cells: Cells, sharp: Sequence[str]) -> str | None:
    """Return the value that has the optimizer of the sharp ones and is not; None: there is none."""
    used = {cells.params(name).get("optimizer") for name in sharp}
    for name in cells.methods:
        has_it = used == {cells.params(name).get("optimizer")}
        if name not in sharp and (has_it or cells.labels[name] == "no sharpness"):
            return name
    return None


def _smoothing(cells: Cells) -> list[_Question]:
    fields = {name: _parsed(cells.labels[name]) for name in cells.methods}
    rates = {
        name: {**SMOOTHED, **values}
        for name, (kind, values) in fields.items()
        if kind == "ClassConditional"
    }
    leaning = {name: own["tail"] - own["head"] for name, own in rates.items()}
    rare = [name for name, lean in leaning.items() if lean > 0]
    frequent = [name for name, lean in leaning.items() if lean < 0]
    none = [name for name in cells.methods if cells.labels[name] == "no smoothing"]
    found = []
    for others, words in ((frequent, "smoothing frequent ones more"), (none, "no smoothing")):
        if rare and others:
            where, weights = _at_last(cells, _mean_less(rare, others))
            told = f"{where}, the gain of smoothing rare classes more over {words} is"
            found.append(_Question(what=told, weights=weights))
    return found


def _parsed(label: str) -> tuple[str, dict[str, Any]]:
    # Here, for reports of other things must not import scikit-learn, which that needs.
    from equipoise.spec import parse  # noqa: PLC0415

    try:
        return parse(label)
    except InputError:
        return label, {}


_ASKED: Mapping[str, Sequence[Callable[[Cells], list[_Question]]]] = {
    "batch-size": (_small_batches,),
    "augmentation": (_gain_over_none("augmentation", "no augmentation"), _policies),
    "pretraining": (
        # What comes before the labels is another method, of which the claim does not speak.
        _gain_over_none("self-supervision beside the labels", "no auxiliary", "auxiliary"),
    ),
    "optimizer": (_sharpness,),
    "smoothing": (_smoothing,),
}
"""What is asked in the study of each component; of the others the paper claims no direction."""
