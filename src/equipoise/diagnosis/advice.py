"""What to try, by what it can gain, with the evidence for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from equipoise.diagnosis.ledger import Loss, by_group
from equipoise.statistics.wording import listed

LEAST = 0.005
"""Less than half a point of balanced accuracy is not worth a sentence."""

EXPECTED = {"prior bias": 1.0, "not learnt": 0.25, "head": 0.25}
"""Share of a loss that can be expected back, of others half: a guess that orders advice."""

NOTHING = "Nothing was found to which more than half a point of balanced accuracy is surely lost."

GROUP = "classes with {} examples"

REMEDIES: Mapping[str, str] = {
    "prior bias": (
        "Correct predictions to the class frequencies of use: `equipoise predict RUN DATA --prior "
        "balanced`, or your own frequencies, or `--prior em` to estimate them. No training is "
        "needed."
    ),
    "shifted test": (
        "Held-out examples, by which the epoch was chosen, flatter a little; beyond that test "
        "examples differ from them: find out what differs (source, "
        "device, time), and train on examples like those of the place of use."
    ),
    "mislabelled": (
        "Look at the examples listed as mislabelled. If their labels are wrong, mend them and "
        "train again; until then label smoothing limits what wrong labels do (--smoothing "
        '"Uniform(eps=0.1)"). If they are right, the classes overlap, and more of the same '
        "training does not tell such examples apart."
    ),
    "too few examples": (
        "Examples of these classes are learnt by heart: try stronger augmentation, SAM "
        '(--sharpness "SAM()") or more weight decay, start from a pre-trained network (--initial) '
        "or learn without labels too (--auxiliary); `equipoise tune` tries them together. More "
        "examples of these classes help most."
    ),
    "not learnt": (
        "Even the training examples are not learnt: train for more epochs, with a larger network, "
        "a higher rate, less weight decay or weaker augmentation."
    ),
    "head": (
        "The features tell classes apart that the head does not: train the head again with classes "
        'alike (--stages "CRT()").'
    ),
}
"""What can be done about each cause."""

NO_LONGER = (
    "Even the training examples are not learnt: train with a larger network, a higher rate, less "
    "weight decay or weaker augmentation. More epochs may not help: epoch {} of {} was kept."
)
"""What can be done about what is not learnt where later epochs have not helped."""

EARLY = 0.75
"""Where the epoch that was kept is among so many of all, later ones have not helped."""


@dataclass(frozen=True, kw_only=True)
class Advice:
    """Something to try.

    Parameters
    ----------
    cause : str
        Of `REMEDIES`.
    gain, low, high : float
        Balanced accuracy that is lost to the cause, at most to be gained, with its interval.
    evidence : str
        Why, in a sentence with its numbers.
    remedy : str
        What to do.
    """

    cause: str
    gain: float
    low: float
    high: float
    evidence: str
    remedy: str


def advise(
    losses: Sequence[Loss],
    groups: Sequence[str],
    rests_on: str,
    kept: tuple[int, int] | None = None,
) -> list[Advice]:
    """Return what to try, by what is surely lost to each cause.

    Parameters
    ----------
    losses : sequence of Loss
        By cause; each at most once.
    groups : sequence of str
        Group of each class.
    rests_on : str
        The part that was looked at: ``"validation"`` or ``"test"``.
    kept : (int, int) or None, default=None
        The epoch that was kept and the last there was; None: not known. More epochs are advised
        only where the one that was kept is among the last quarter.

    Returns
    -------
    list of Advice
        By what can be expected: correction gives what it has given on other examples; what is
        lost to another cause is the most that can be gained, of which half counts; a quarter of
        what was not learnt, for some of it cannot be, and of what another head gains, for more
        training may give that too. Causes to which half a point or less is surely lost are left
        out, so that there may be none.

    Examples
    --------
    >>> loss = Loss(cause="prior bias", value=0.061, low=0.05, high=0.072, by_class=(0.0, 0.122))
    >>> [found] = advise([loss], ["many", "few"], "validation")
    >>> found.evidence
    'Correction alone gives +6.1 points (5.0 to 7.2) on validation examples, all of it in classes
    with few examples.'
    """
    found = [
        Advice(
            cause=loss.cause,
            gain=loss.value,
            low=loss.low,
            high=loss.high,
            evidence=_evidence(loss, groups, rests_on),
            remedy=_remedy(loss.cause, kept),
        )
        for loss in losses
        if loss.low > LEAST
    ]
    return sorted(found, key=lambda advice: -advice.gain * EXPECTED.get(advice.cause, 0.5))


def _remedy(cause: str, kept: tuple[int, int] | None) -> str:
    if cause == "not learnt" and kept is not None and kept[0] <= EARLY * kept[1]:
        return NO_LONGER.format(*kept)
    return REMEDIES[cause]


_SENTENCES = {
    "prior bias": (
        "Correction alone gives +{gain} points ({low} to {high}) on {part} examples{where}."
    ),
    "shifted test": (
        "On test examples {gain} points ({low} to {high}) are lost that are not lost on held-out "
        "ones{where}."
    ),
    "mislabelled": (
        "About {gain} % ({low} to {high}) of the examples, classes counted alike, are typical ones "
        "of another class{where}."
    ),
    "too few examples": (
        "Training examples are recognised better than {part} ones by {gain} points ({low} to "
        "{high}){where}: this is feature failure, which no correction mends."
    ),
    "not learnt": (
        "Of the training examples themselves {gain} points ({low} to {high}) are not "
        "recognised{where}."
    ),
    "head": (
        "A linear probe on the same features, all classes alike, is better by {gain} points ({low} "
        "to {high}) on {part} examples than the head, corrected{where}."
    ),
}


def _evidence(loss: Loss, groups: Sequence[str], part: str) -> str:
    numbers = {
        name: f"{100 * getattr(loss, key):.1f}"
        for name, key in (("gain", "value"), ("low", "low"), ("high", "high"))
    }
    sentence = _SENTENCES[loss.cause]
    return sentence.format(**numbers, part=part, where=_where(loss, groups))


def _where(loss: Loss, groups: Sequence[str]) -> str:
    """Return which group of classes has the largest part of a loss, where there are several."""
    parts = {
        group: sum(
            value
            for value, own in zip(loss.by_class, groups, strict=True)
            if own == group and value is not None
        )
        for group in by_group(loss.by_class, groups)
    }
    if len(parts) < 2:
        return ""
    group = max(parts, key=lambda name: parts[name])
    share = round(100 * parts[group] / sum(parts.values()))
    if share >= 100:  # more than all, where other groups gain
        return f", all of it in {described(group)}"
    how = "most" if share > 50 else "the largest part"
    return f", {how} of it ({share} %) in {described(group)}"


def described(group: str) -> str:
    """Return a group of classes in words.

    >>> described("few"), described("smallest")
    ('classes with few examples', 'the smallest classes')
    """
    return GROUP.format(group) if group in ("many", "medium", "few") else f"the {group} classes"


def headline(advice: Sequence[Advice]) -> str:
    """Return the diagnosis in one sentence.

    >>> headline([])
    'Nothing was found to which more than half a point of balanced accuracy is surely lost.'
    >>> given = {"low": 0.0, "high": 1.0, "evidence": "", "remedy": ""}
    >>> headline(
    ...     [
    ...         Advice(cause="not learnt", gain=0.379, **given),
    ...         Advice(cause="mislabelled", gain=0.087, **given),
    ...     ]
    ... )
    'Try first what helps against "not learnt", to which 37.9 points of balanced accuracy are lost;
    next, against "mislabelled" (8.7).'
    """
    if not advice:
        return NOTHING
    first, others = advice[0], [f'"{each.cause}" ({100 * each.gain:.1f})' for each in advice[1:]]
    more = f"; next, against {listed(others)}" if others else ""
    return (
        f'Try first what helps against "{first.cause}", to which {100 * first.gain:.1f} points of '
        f"balanced accuracy are lost{more}."
    )
