"""What the paper claims of a component, asked of a study's numbers: yes, no, or undecided."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from equipoise.errors import InputError
from equipoise.spec import parse
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
"""A change whose interval stays below this is none to speak of."""

SHARP = ("SAM", "ASAM", "SAMA", "ImbSAM", "FocalSAM")
"""Sharpness-aware methods; named here, for reports must not import torch."""

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
        the other direction, or surely next to nothing.
    sentence : str
        The verdict and its numbers.
    value, low, high : float
        What was asked for, and its interval.
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
    """A weighted sum of scores, above 0 where the claim holds and higher scores are better."""

    what: str
    weights: Weights


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
        Each an `Answer`; empty where the values or ratios that a claim is about are not there, or
        where there is one seed, which tells nothing of chance.

    Notes
    -----
    *Matters more under imbalance* is a slope over the logarithm of the ratio, as in
    `equipoise.studies.effects.interactions`; what is claimed of imbalanced data alone is asked at
    the largest ratio. Of several values of one kind the mean is asked.
    """
    if len(cells.seeds) < 2:
        return []
    asked = [q for ask in _ASKED.get(cells.told["component"], ()) for q in ask(cells)]
    found = [asdict(each) for each in _tested(cells, asked, prior, metric)]
    if cells.told["component"] == "architecture":
        found += [asdict(each) for each in _carried_over(cells, prior, metric)]
    return found


def _tested(cells: Cells, asked: Sequence[_Question], prior: str, metric: str) -> list[Answer]:
    if not asked:
        return []
    sign = -1 if metric.endswith("log_loss") else 1
    tables = [{str(k): sign * w for k, w in each.weights.items()} for each in asked]
    found = contrasts(cells.all_predictions(prior), tables, metric, level=LEVEL)
    p = holm([each.p for each in found])
    return [
        _answered(question, each, float(own), metric)
        for question, each, own in zip(asked, found, p, strict=True)
    ]


def _answered(question: _Question, found: Contrast, p: float, metric: str) -> Answer:
    least = NOTHING["nats" if metric.endswith("log_loss") else "points"]
    verdict: Verdict = "undecided"
    if p <= 1 - LEVEL:
        verdict = "reproduced" if found.value > 0 else "not reproduced"
    elif max(-found.low, found.high) < least:
        verdict = "not reproduced"
    told = f"{question.what} {amount(found.value, metric)} ({interval(found, metric)})"
    return Answer(
        verdict=verdict,
        sentence=f"The paper's claim is {verdict} here: {told}.",
        **{name: getattr(found, name) for name in ("value", "low", "high")},
        p=p,
    )


def _carried_over(cells: Cells, prior: str, metric: str) -> list[Answer]:
    """Return whether networks that win at the smallest ratio win at the largest."""
    ratios, n = list(cells.by_ratio), len(cells.methods)
    if len(ratios) < 2 or n < FEWEST:
        return []
    first, last = (
        differences(cells.predictions(ratio, prior), metric, pairs=[]).means
        for ratio in (ratios[0], ratios[-1])
    )
    value = spearman(*([own[name].value for name in cells.methods] for own in (first, last)))
    low, high = spearman_interval(value, n, LEVEL)
    verdict: Verdict = (
        "reproduced" if high < UNRELATED else "not reproduced" if low > UNRELATED else "undecided"
    )
    told = (
        f"over {n} networks the rank correlation of scores at ratio {name_of(ratios[0])} with "
        f"those at ratio {name_of(ratios[-1])} is {value:.2f} ({low:.2f} to {high:.2f})"
    )
    sentence = f"The paper's claim is {verdict} here: {told}."
    return [Answer(verdict=verdict, sentence=sentence, value=value, low=low, high=high, p=None)]


def _along_ratios(cells: Cells, own: Mapping[str, float]) -> Weights:
    """Return the slope over log10 of the ratio of a weighted sum of values."""
    along = slope_weights(np.log10(list(cells.by_ratio)))
    return {
        (ratio, name): weight * share
        for ratio, weight in zip(cells.by_ratio, along, strict=True)
        for name, share in own.items()
    }


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
    what = "for each tenfold ratio, the gain of halving the batch size changes by"
    return [_Question(what=what, weights=_along_ratios(cells, own))]


def _gain_over_none(what: str, none: str) -> Callable[[Cells], list[_Question]]:
    """Return what asks whether the gain of all values over none grows with the ratio."""

    def ask(cells: Cells) -> list[_Question]:
        without = [name for name in cells.methods if cells.labels[name] == none]
        others = [name for name in cells.methods if name not in without]
        if len(cells.by_ratio) < 2 or not without or not others:
            return []
        told = f"for each tenfold ratio, the gain of {what} over none changes by"
        return [_Question(what=told, weights=_along_ratios(cells, _mean_less(others, without)))]

    return ask


def _sharpness(cells: Cells) -> list[_Question]:
    kinds = {name: _parsed(cells.labels[name]) for name in cells.methods}
    sharp = [name for name, (kind, _) in kinds.items() if kind in SHARP]
    plain, found = cells.reference, []
    if len(cells.by_ratio) > 1 and sharp and plain in cells.methods and plain not in sharp:
        told = (
            "for each tenfold ratio, the gain of SAM and its kin over training without changes by"
        )
        own = _mean_less(sharp, [plain])
        found.append(_Question(what=told, weights=_along_ratios(cells, own)))
    classes = [name for name in sharp if kinds[name][0] == "SAMA"]
    alike = [name for name in sharp if kinds[name][0] == "SAM"]
    if classes and alike:
        where, weights = _at_last(cells, _mean_less(classes, alike))
        found.append(_Question(what=f"{where}, the gain of SAM-A over SAM is", weights=weights))
    return found


def _smoothing(cells: Cells) -> list[_Question]:
    fields = {name: _parsed(cells.labels[name]) for name in cells.methods}
    leaning = {
        name: values.get("tail", 0.0) - values.get("head", 0.0)
        for name, (kind, values) in fields.items()
        if kind == "ClassConditional"
    }
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
    try:
        return parse(label)
    except InputError:
        return label, {}


_ASKED: Mapping[str, Sequence[Callable[[Cells], list[_Question]]]] = {
    "batch-size": (_small_batches,),
    "augmentation": (_gain_over_none("augmentation", "no augmentation"),),
    "pretraining": (_gain_over_none("self-supervision", "no auxiliary"),),
    "optimizer": (_sharpness,),
    "smoothing": (_smoothing,),
}
"""What is asked in the study of each component; of the others the paper claims no direction."""
