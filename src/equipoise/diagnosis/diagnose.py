"""A diagnosis of one or more runs, as plain data."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch.nn import functional as F

from equipoise.diagnosis.advice import advise, headline
from equipoise.diagnosis.calibration import calibrations, measures_of
from equipoise.diagnosis.course import Course
from equipoise.diagnosis.evidence import Evidence
from equipoise.diagnosis.ledger import Loss, Recalls, by_group, ledger, prior_gain
from equipoise.diagnosis.measures import by_class_measures, overall_measures, sharpness
from equipoise.diagnosis.ordering import order_runs, told
from equipoise.diagnosis.probe import STRENGTHS, cross_chosen, probe_predictions
from equipoise.diagnosis.readings import readings
from equipoise.diagnosis.spans import Spans, mean_change
from equipoise.diagnosis.suspects import FEWEST, Suspects, find_suspects
from equipoise.statistics.wording import listed

LEVEL = 0.95
"""Of all intervals."""

SIDE = 16
"""Images are reduced to this many pixels a side before it is asked which lie near each other."""


MOST_NAMES = 5
"""Most classes that a note names."""

AT_ONCE = 256
"""So many images are reduced at once: all of them in full size may not fit into memory."""


def diagnose(
    evidence: Evidence, *, hessian: bool = True, watch: Callable[[], None] = lambda: None
) -> dict[str, Any]:
    """Return everything that is to be said about one run.

    Parameters
    ----------
    evidence : Evidence
        What `observe` has returned.
    hessian : bool, default=True
        Whether the top eigenvalue of the loss's Hessian is found, which takes longest.
    watch : callable, optional
        Called `STEPS` times on the way.

    Returns
    -------
    dict
        JSON values: ``headline``, ``advice``, ``ledger``, ``readings`` (sentences by measure),
        ``scores``, ``right`` (what is right as trained, over the classes of the ledger),
        ``by_class``, ``by_group`` and ``overall`` measures, ``course`` (recall of classes over
        epochs, or None), ``eigenvalues``, ``calibration``, ``probe``, ``suspects``, ``unjudged``
        (classes of which too few examples are held out to know what is typical of them), and what
        they are of.
    """
    losses, n = ledger(evidence, LEVEL), evidence.n_classes
    watch()
    classes = by_class_measures(evidence)
    overall = overall_measures(evidence, classes)
    watch()
    rises, eigenvalues = sharpness(evidence, hessian=hessian)
    classes |= rises
    course = Course.of(evidence)
    if course is not None and not np.isnan(course.late).all():
        classes["late"] = course.late
    overall |= {name: _known_mean(classes[name]) for name in ("rise", "late") if name in classes}
    overall |= {f"eigenvalue_{name}": value for name, value in eigenvalues.items()}
    watch()
    probe = probed(evidence)
    watch()
    suspects = suspected(evidence)
    calibration = calibrations(evidence)
    overall |= measures_of(calibration)
    on_held_out = [prior_gain(evidence.held_out, evidence.n_classes, LEVEL), *losses[1:]]
    kept = None if course is None else course.kept_of
    known = [*on_held_out, probe["gain"]]
    advice = advise(known, evidence.groups, _rests_on(evidence), kept)
    watch()
    groups = {name: by_group(_plain(v), evidence.groups) for name, v in classes.items()}
    found = {
        "name": evidence.name,
        "classes": list(evidence.classes),
        "counts": evidence.counts.tolist(),
        "groups": list(evidence.groups),
        "rests_on": _rests_on(evidence),
        "notes": [*evidence.notes, *_unknown(evidence, losses[0])],
        "scores": _scores(evidence),
        "right": _right(evidence, losses[0]),
        "headline": headline(advice),
        "advice": [asdict(each) for each in advice],
        "ledger": [asdict(loss) for loss in losses],
        "by_class": {name: _plain(values) for name, values in classes.items()},
        "by_group": groups,
        "overall": {name: _number(value) for name, value in overall.items()},
        "course": None if course is None else course.told(evidence.groups),
        "eigenvalues": eigenvalues,
        "calibration": calibration,
        "probe": {**probe, "gain": asdict(probe["gain"])},
        "suspects": _described(evidence, suspects),
        "unjudged": int((np.bincount(evidence.held_out.codes, minlength=n) < FEWEST).sum()),
    }
    return {**found, "readings": readings(found)}


STEPS = 5
"""How often `diagnose` calls its watcher."""


def side_by_side(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return which measure goes with the success of several runs on the same data.

    Parameters
    ----------
    runs : sequence of mapping
        As `diagnose` returns them.

    Returns
    -------
    dict
        ``score``, what success is, and ``orders``: see `equipoise.diagnosis.ordering`. Nothing
        is said about fewer than four runs.
    """
    scores = [run["scores"]["corrected"]["value"] for run in runs]
    names = dict.fromkeys(name for run in runs for name in run["overall"])
    same = ("recall_test", "recall_as_is_test")
    measures = {
        name: [run["overall"].get(name) for run in runs] for name in names if name not in same
    }
    return {
        "score": "balanced accuracy on the test set, corrected to equal class frequencies",
        "orders": told(order_runs(scores, measures, level=LEVEL)),
    }


def probed(evidence: Evidence) -> dict[str, Any]:
    """Return how a balanced linear probe of the features does.

    The strength of its penalty is the best on held-out examples. Half of each class's choose that
    by which the other half is judged, for the best of several on the same examples looks too good.
    So it is on test examples where these are the ones that are held out.
    """
    train, held, test = evidence.parts["train"], evidence.held_out, evidence.parts["test"]
    found = probe_predictions(train.features, train.codes, held.features, test.features)
    n = evidence.n_classes
    means = [np.nanmean(Recalls.of(each[0], held.codes, n).values) for each in found]
    best = int(np.argmax(means))
    head = held.corrected.argmax(axis=1)
    judged = cross_chosen([each[0] for each in found], held.codes, n)
    tested = judged if held is test else found[best][1]
    own, other = (Recalls.of(predicted, held.codes, n).values for predicted in (head, judged))
    change = mean_change(head == held.codes, judged == held.codes, held.codes, n, LEVEL)
    each = tuple(None if np.isnan(v) else float(v) for v in other - own)
    return {
        "strength": STRENGTHS[best],
        "test": float(np.nanmean(Recalls.of(tested, test.codes, n).values)),
        "gain": Loss(cause="head", **_ends(change), by_class=each),
    }


def suspected(evidence: Evidence) -> Suspects:
    """Return training examples that deserve a look."""
    train, held = evidence.parts["train"], evidence.held_out
    source = evidence.model.source(evidence.dataset.X, train.places)
    inputs = torch.cat([_reduced(source.take(rows)) for rows in _pieces(len(train), AT_ONCE)])
    if isinstance(evidence.dataset.X, pd.DataFrame):
        inputs = (inputs - inputs.mean(dim=0)) / inputs.std(dim=0).clamp_min(1e-6)
    known = held.corrected, held.codes
    learnt = train.corrected, train.codes
    return find_suspects(known, learnt, inputs.numpy())


def _pieces(n: int, size: int) -> list[np.ndarray]:
    return np.array_split(np.arange(n), max(1, -(-n // size)))


def _reduced(inputs: torch.Tensor) -> torch.Tensor:
    """Return images as few pixels in a row, and rows of a table as they are."""
    if inputs.ndim == 4:
        side = min(SIDE, inputs.shape[2]), min(SIDE, inputs.shape[3])
        inputs = F.adaptive_avg_pool2d(inputs.float(), side)
    return inputs.float().flatten(1)


def suspect_images(evidence: Evidence, found: Mapping[str, Any]) -> np.ndarray | None:
    """Return the pictures of a diagnosis's suspects; None of a table."""
    X = evidence.dataset.X
    if isinstance(X, pd.DataFrame):
        return None
    return np.asarray(X[[suspect["place"] for suspect in found["suspects"]]])


def _described(evidence: Evidence, suspects: Suspects) -> list[dict[str, Any]]:
    train, data = evidence.parts["train"], evidence.dataset
    rows = []
    for at, kind, other, strength in zip(
        suspects.places, suspects.kinds, suspects.others, suspects.strengths, strict=True
    ):
        place = int(train.places[at])
        row = {}
        if isinstance(data.X, pd.DataFrame):
            values = data.X.iloc[place].items()
            row = {"row": {str(k): "" if pd.isna(v) else str(v) for k, v in values}}
        rows.append(
            {
                "place": place,
                "id": str(data.ids[place]),
                "label": evidence.classes[train.codes[at]],
                "kind": kind,
                "looks_like": evidence.classes[other],
                "strength": float(strength),
                **row,
            }
        )
    return rows


def _ends(found: Spans) -> dict[str, float]:
    """Return one number and the ends of its interval."""
    return {
        "value": float(found.values),
        "low": float(found.lows),
        "high": float(found.highs),
    }


def _scores(evidence: Evidence) -> dict[str, dict[str, float]]:
    """Return balanced accuracy on the test examples that were looked at."""
    test, n = evidence.parts["test"], evidence.n_classes
    pairs = (("as_is", test.logits), ("corrected", test.corrected))
    return {
        name: _ends(Recalls.of(logits.argmax(axis=1), test.codes, n).mean(LEVEL))
        for name, logits in pairs
    }


def _right(evidence: Evidence, loss: Loss) -> dict[str, float]:
    """Return balanced accuracy as trained over the classes that the ledger is of."""
    test = evidence.parts["test"]
    recalls = Recalls.of(test.logits.argmax(axis=1), test.codes, evidence.n_classes)
    known = np.array([value is not None for value in loss.by_class])
    return _ends(recalls.of_classes(known).mean(LEVEL))


def _unknown(evidence: Evidence, loss: Loss) -> list[str]:
    """Return which classes the ledger leaves out, if any."""
    pairs = zip(evidence.classes, loss.by_class, strict=True)
    names = [name for name, value in pairs if value is None]
    if not names:
        return []
    shown = names if len(names) <= MOST_NAMES else [*names[:MOST_NAMES], "others"]
    return [
        f"Where points go is told of {len(loss.by_class) - len(names)} of {len(loss.by_class)} "
        f"classes: of {listed(shown)} there are no examples in some part."
    ]


def _rests_on(evidence: Evidence) -> str:
    return "validation" if len(evidence.parts["validation"]) else "test"


def _known_mean(values: np.ndarray) -> float:
    return float(np.nanmean(values)) if (~np.isnan(values)).any() else float("nan")


def _plain(values: np.ndarray) -> list[float | None]:
    return [_number(value) for value in values.tolist()]


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
