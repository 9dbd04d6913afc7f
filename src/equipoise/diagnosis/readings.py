"""What each measure says, in a sentence."""

from collections.abc import Mapping, Sequence
from typing import Any

Found = Mapping[str, Any]


def readings(found: Found) -> dict[str, str]:
    """Return a sentence for each measure of a diagnosis.

    Parameters
    ----------
    found : mapping
        A diagnosis without its readings, as `equipoise.diagnosis.diagnose` makes it.

    Returns
    -------
    dict of str to str
        By measure; only of those that are known.
    """
    makers = {
        "prior": _prior,
        "gap": _gap,
        "course": _course,
        "collapse": _collapse,
        "geometry": _geometry,
        "deviation": _deviation,
        "margins": _margins,
        "rows": _rows,
        "gradient": _gradient,
        "sharpness": _sharpness,
        "calibration": _calibration,
        "probe": _probe,
        "suspects": _suspects,
    }
    made = {name: make(found) for name, make in makers.items()}
    return {name: sentence for name, sentence in made.items() if sentence}


def _prior(found: Found) -> str:
    own = next(loss for loss in found["ledger"] if loss["cause"] == "prior bias")
    return (
        f"Corrected to equal class frequencies, balanced accuracy on the test set changes by "
        f"{_points(own)}: so much was prior bias. What is still missing, "
        f"{100 * (1 - found['scores']['corrected']['value']):.1f} points, no correction gives."
    )


def _gap(found: Found) -> str:
    train, test = (found["by_group"][f"recall_{part}"] for part in ("train", "test"))
    told = "; ".join(
        f"{group} {100 * train[group]:.0f} % and {100 * test[group]:.0f} %"
        for group in train
        if group in test
    )
    return f"Recall on training and on test examples, corrected: {told}."


def _course(found: Found) -> str:
    own = found["course"]
    if own is None:
        return ""
    groups = own["by_group"]
    gaps = "; ".join(f"{group} {100 * gap:.0f} points" for group, gap in groups["gap"].items())
    held = "validation" if found["rests_on"] == "validation" else "test"
    text = f"As trained, recall on training examples is above that on {held} examples by: {gaps}."
    if not groups["late"]:
        return text
    late = "; ".join(f"{group} {100 * change:+.1f}" for group, change in groups["late"].items())
    return (
        f"{text} Over the last quarter of the epochs, recall on validation examples changed, "
        f"against the quarter before, by {late} points. Where it falls, later "
        "epochs have cost more than they taught."
    )


def _collapse(found: Found) -> str:
    own = found["overall"]
    if own.get("nc1_train") is None or own.get("nc1_test") is None:
        return ""
    return (
        f"Within-class variability NC1 is {own['nc1_train']:.3g} on training and "
        f"{own['nc1_test']:.3g} on test features{_most(found, 'nc1_test')}. Near 0 every class is "
        "a point; small in training alone, the classes were learnt by heart."
    )


def _geometry(found: Found) -> str:
    own = found["overall"]
    if own.get("nc3") is None:
        return ""
    return (
        f"The head's rows and the class means differ by {own['nc3']:.2f} (NC3, 0 to 2); the "
        f"nearest class mean disagrees with the network on {100 * own['nc4_train']:.1f} % of "
        f"training and {100 * own['nc4_test']:.1f} % of test examples (NC4)."
    )


def _deviation(found: Found) -> str:
    if found["overall"].get("deviation") is None:
        return ""
    return (
        f"Means of test features lie {found['overall']['deviation']:.2f} class spreads from those "
        f"of training on average{_most(found, 'deviation')}."
    )


def _margins(found: Found) -> str:
    own = found["by_group"]
    told = "; ".join(
        f"{group} {own['margin_train'][group]:.1f} and {own['margin_test'][group]:.1f}"
        for group in own["margin_train"]
        if group in own["margin_test"]
    )
    return (
        f"Median margins on training and on test examples, corrected: {told}. Below 0: most lost."
    )


def _rows(found: Found) -> str:
    slope = found["overall"].get("row_slope")
    if slope is None:
        return ""
    cosine = found["overall"].get("rare_row_cosine")
    more = (
        ""
        if cosine is None
        else f" Rows of the rarest classes have a mean cosine of {cosine:.2f}; near 1 they have "
        "collapsed into one."
    )
    return f"Rows of the head are longer by the power {slope:.2f} of the class's size.{more}"


def _gradient(found: Found) -> str:
    shares, counts = found["by_class"]["gradient_share"], found["counts"]
    ratio = {
        name: share / (n / sum(counts))
        for name, share, n in zip(found["classes"], shares, counts, strict=True)
    }
    name = max(ratio, key=lambda each: ratio[each])
    return (
        f"Most, for its size, is still learnt from {name}: {ratio[name]:.1f} times its share of "
        "the examples."
    )


def _sharpness(found: Found) -> str:
    if found["overall"].get("rise") is None:
        return ""
    curved = found["eigenvalues"]
    told = ", ".join(f"{name} {value:.3g}" for name, value in curved.items())
    more = f" Top eigenvalue of the Hessian: {told}." if curved else ""
    return (
        f"Within a ball of radius 0.05 the loss rises by {found['overall']['rise']:.3g} nats on "
        f"average{_most(found, 'rise')}.{more}"
    )


def _calibration(found: Found) -> str:
    own = [each for each in found["calibration"] if each["corrected"]]
    first, last = own[0], own[-1]
    text = f"Corrected probabilities are wrong by {100 * first['top_label']:.1f} points (top label)"
    if first is last:
        return f"{text}."
    return (
        f"{text}; divided by the temperature {last['temperature']:.2f}, by "
        f"{100 * last['top_label']:.1f}, and log-loss goes from {first['log_loss']:.3f} to "
        f"{last['log_loss']:.3f}."
    )


def _probe(found: Found) -> str:
    gain = found["probe"]["gain"]
    return (
        f"A balanced linear probe on the same features differs from the corrected head by "
        f"{_points(gain)} on {found['rests_on']} examples: "
        + (
            "the head is part of the trouble."
            if gain["low"] > 0
            else "another head would not surely do better."
        )
    )


def _suspects(found: Found) -> str:
    kinds = [suspect["kind"] for suspect in found["suspects"]]
    blind = found["unjudged"]
    more = (
        f" Of {blind} class{'' if blind == 1 else 'es'} fewer than ten examples are held out, so "
        "that wrong labels of what truly is of these cannot be seen."
        if blind
        else ""
    )
    if not kinds:
        return f"No training example looks mislabelled or atypical.{more}"
    return (
        f"Among the training examples listed, {kinds.count('looks mislabelled')} look mislabelled "
        f"and {kinds.count('atypical')} are atypical of their class.{more}"
    )


def _most(found: Found, name: str) -> str:
    values: Sequence[float | None] = found["by_class"][name]
    known = [
        (value, c) for value, c in zip(values, found["classes"], strict=True) if value is not None
    ]
    if len(known) < 2:
        return ""
    value, of = max(known)
    return f", most for {of} ({value:.3g})"


def _points(own: Mapping[str, Any]) -> str:
    return f"{100 * own['value']:+.1f} points ({100 * own['low']:.1f} to {100 * own['high']:.1f})"
