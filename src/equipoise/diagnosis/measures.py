"""All measures of one run: by class, overall, and by group of classes."""

from collections.abc import Mapping

import numpy as np
import torch

from equipoise.diagnosis.collapse import (
    ClassMeans,
    alignment,
    class_variances,
    geometry,
    nearest_mean,
    normalized_variances,
    pair_cosines,
    within_class,
)
from equipoise.diagnosis.deviation import feature_deviation
from equipoise.diagnosis.evidence import Evidence, Seen
from equipoise.diagnosis.gradients import gradient_shares, slope_with_counts
from equipoise.diagnosis.ledger import Recalls
from equipoise.diagnosis.margins import boundary_distances, by_class, margins
from equipoise.diagnosis.sharpness import LossSurface
from equipoise.metrics.groups import in_order

RHO = 0.05
"""Radius of the ball in which the loss rises, that of SAM's default."""

CURVED = 16
"""Examples of each class of which the Hessian is taken."""

RISING = 64
"""Examples of each class of which the rise of the loss is taken."""

ClassValues = dict[str, np.ndarray]


def by_class_measures(evidence: Evidence) -> ClassValues:
    """Return every measure that is told class by class, as arrays of shape ``(classes,)``.

    Parameters
    ----------
    evidence : Evidence
        What is looked at.

    Returns
    -------
    dict of str to ndarray
        ``recall_*`` (corrected) and ``recall_as_is_test``; ``nc1_*``, ``cdnv_*``, ``margin_*`` of
        ``train`` and ``test``; ``deviation``; and of linear heads ``row_length``,
        ``gradient_share``, and, where the loss has left no margins, ``distance_*``. NaN where a
        class has too few examples.
    """
    n, head = evidence.n_classes, evidence.head
    found: ClassValues = {}
    for part, seen in evidence.parts.items():
        if len(seen):
            found[f"recall_{part}"] = _recall(seen.corrected, seen, n)
    test = evidence.parts["test"]
    found["recall_as_is_test"] = _recall(test.logits, test, n)
    for part in ("train", "test"):
        found |= _shape(evidence.parts[part], n, part)
        seen = evidence.parts[part]
        found[f"margin_{part}"] = by_class(margins(seen.corrected, seen.codes), seen.codes, n)
        # With margins taken out the boundary is not linear in the features.
        if head is not None and evidence.model.margins is None:
            own = head.logits(seen.features) - np.log(evidence.prior)
            apart = boundary_distances(own, seen.codes, head.rows)
            found[f"distance_{part}"] = by_class(apart, seen.codes, n)
    train = evidence.parts["train"]
    both = train.features, train.codes, test.features, test.codes
    found["deviation"] = feature_deviation(*both, n)
    found["gradient_share"] = gradient_shares(
        train.logits, train.codes, train.features, evidence.counts
    )
    if head is not None:
        found["row_length"] = np.linalg.norm(head.rows, axis=1)
    return found


def sharpness(evidence: Evidence, *, hessian: bool = True) -> tuple[ClassValues, dict[str, float]]:
    """Return the rise of the loss by class, and the top eigenvalue of all and of each group.

    Parameters
    ----------
    evidence : Evidence
        What is looked at; training examples are used.
    hessian : bool, default=True
        Whether eigenvalues are found; they take most of the time.

    Returns
    -------
    rises : dict of str to ndarray, shape (classes,)
        ``"rise"``, in nats.
    eigenvalues : dict of str to float
        ``"all"``, classes counted alike, and each group.
    """
    n = evidence.n_classes
    rises = np.full(n, np.nan)
    for k in range(n):
        surface = _surface(evidence, np.arange(n) == k, RISING)
        if surface is not None:
            rises[k] = surface.rise(RHO)
    if not hessian:
        return {"rise": rises}, {}
    groups = np.array(evidence.groups)
    members = {"all": np.ones(n, bool), **{g: groups == g for g in in_order(evidence.groups)}}
    surfaces = {name: _surface(evidence, own, CURVED) for name, own in members.items()}
    return {"rise": rises}, {
        name: surface.top_eigenvalue() for name, surface in surfaces.items() if surface is not None
    }


def overall_measures(evidence: Evidence, classes: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Return every measure of a run that is one number.

    Parameters
    ----------
    evidence : Evidence
        What is looked at.
    classes : mapping of str to ndarray
        As `by_class_measures` returns them.

    Returns
    -------
    dict of str to float
        Means over classes of the measures by class, and what there is of a run as a whole: NC2
        of the means of more than two classes, NC3, NC4 on both parts, the slope of row lengths,
        and the mean cosine of the rarest classes' rows.
    """
    found = {name: _mean(values) for name, values in classes.items()}
    found["gap"] = found["recall_train"] - found["recall_test"]
    found["prior_bias"] = found["recall_test"] - found["recall_as_is_test"]
    parts, n = evidence.parts, evidence.n_classes
    means = {
        part: ClassMeans.of(parts[part].features, parts[part].codes, n)
        for part in ("train", "test")
    }
    for part, own in means.items():
        found[f"nc4_{part}"] = _disagreement(parts[part], means["train"])
        if own.present.sum() > 2:  # the means of two always lie opposite to each other
            lying = geometry(own.centred)
            found |= {
                f"nc2_lengths_{part}": lying.lengths,
                f"nc2_angles_{part}": lying.angles,
                f"nc2_simplex_{part}": lying.simplex,
            }
    if evidence.head is not None:
        found |= _of_head(evidence, means["train"])
    return found


def rarest(groups: tuple[str, ...]) -> str:
    """Return the group of the rarest classes.

    >>> rarest(("many", "few", "many"))
    'few'
    """
    return in_order(groups)[-1]


def _of_head(evidence: Evidence, means: ClassMeans) -> dict[str, float]:
    head = evidence.head
    assert head is not None
    found = {
        "nc3": alignment(head.rows, means),
        "row_slope": slope_with_counts(np.linalg.norm(head.rows, axis=1), evidence.counts),
    }
    own = np.array(evidence.groups) == rarest(evidence.groups)
    if own.sum() > 1:
        found["rare_row_cosine"] = float(pair_cosines(head.rows[own]).mean())
    return found


def _recall(logits: np.ndarray, seen: Seen, n: int) -> np.ndarray:
    return Recalls.of(logits.argmax(axis=1), seen.codes, n).values


def _shape(seen: Seen, n: int, part: str) -> ClassValues:
    means = ClassMeans.of(seen.features, seen.codes, n)
    variances = class_variances(seen.features, seen.codes, means)
    return {
        f"nc1_{part}": within_class(seen.features, seen.codes, means),
        f"cdnv_{part}": normalized_variances(variances, means),
    }


def _disagreement(seen: Seen, means: ClassMeans) -> float:
    nearest = nearest_mean(seen.features, means)
    return float((nearest != seen.corrected.argmax(axis=1)).mean())


def _mean(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def _surface(evidence: Evidence, classes: np.ndarray, most: int) -> LossSurface | None:
    """Return the loss on training examples of some classes, as many of each at most."""
    train, model = evidence.parts["train"], evidence.model
    kept = [np.flatnonzero(train.codes == k)[:most] for k in np.flatnonzero(classes)]
    rows = np.concatenate(kept)
    if not len(rows):
        return None
    source = model.source(evidence.dataset.X, train.places[rows])
    device = model.device.name
    codes = train.codes[rows]
    alike = 1.0 / np.bincount(codes, minlength=evidence.n_classes)[codes]
    return LossSurface(
        model.network,
        source.take(np.arange(len(rows))).to(device),
        torch.from_numpy(codes).to(device),
        torch.from_numpy(alike).float(),
    )
