"""Several trained models that predict as one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from equipoise._typing import CountArray, ImageArray, IndexArray, LogitArray, PriorArray
from equipoise.devices import Device
from equipoise.metrics import log_softmax
from equipoise.models import Model
from equipoise.preprocessing import Preprocessing
from equipoise.runs import write_json

NAME = "ensemble.json"
"""The file of a run that says how its models are weighted."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Member:
    """One model of an ensemble.

    Parameters
    ----------
    model : Model
        The model.
    weight : float
        Its weight, above 0.
    network : mapping of str to value
        What its network is built from, see `equipoise.loading.rebuild_model`.
    """

    model: Model
    weight: float
    network: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class Ensemble:
    r"""Models that predict as one, by a weighted mean of their log-probabilities.

    It stands wherever a `Model` does. Use it where predictions count for more than the time and
    the memory that they take: it costs as much as its members together.

    Parameters
    ----------
    members : sequence of Member
        At least one; they know the same classes.
    counts : ndarray of int, shape (classes,)
        Training examples of each class.
    prior : ndarray of float, shape (classes,)
        The class probabilities that its logits shall contain.

    Notes
    -----
    With weights :math:`w_m` that sum to 1, log-probabilities :math:`\log p_m(k \mid x)` and the
    class probabilities :math:`\pi_m` that member :math:`m` was trained to, the logits are

    .. math::
        z_k = \log \pi_k + \sum_m w_m \left( \log p_m(k \mid x) - \log \pi_{m,k} \right)

    A logarithmic opinion pool [1]_: unlike a mean of probabilities it commutes with Bayes' rule,
    so it is the same whether the prior is corrected before or after, and members that were
    smoothed in different ways can be mixed.

    References
    ----------
    .. [1] C. Genest and J. V. Zidek, "Combining probability distributions: a critique and an
       annotated bibliography", Statistical Science 1, 1986.
    """

    members: Sequence[Member]
    counts: CountArray
    prior: PriorArray

    @property
    def preprocessing(self) -> Preprocessing:
        """How inputs of the first member are made; all take the same examples."""
        return self.members[0].model.preprocessing

    @property
    def device(self) -> Device:
        """Where the first member is."""
        return self.members[0].model.device

    def logits(self, X: "ImageArray | pd.DataFrame", rows: IndexArray | None = None) -> LogitArray:
        """Return logits, float32, shape ``(examples, classes)``; see `Model.logits`."""
        total = sum(member.weight for member in self.members)
        pooled: np.ndarray | float = 0.0
        for member in self.members:
            own = log_softmax(member.model.logits(X, rows).astype(np.float64))
            pooled = pooled + member.weight / total * (own - _log(member.model.prior))
        return (_log(self.prior) + pooled).astype(np.float32)

    def save(self, folder: Path) -> None:
        """Write all members into a run's folder; the first one also as the run's own model."""
        self.members[0].model.save(folder)
        for number, member in enumerate(self.members):
            member.model.save(member_folder(folder, number, create=True))
        described = [{"weight": m.weight, "network": dict(m.network)} for m in self.members]
        write_json(folder / NAME, {"members": described})


def _log(prior: PriorArray) -> np.ndarray:
    # A class whose examples all weigh nothing has no share.
    return np.log(np.maximum(prior, np.finfo(np.float64).tiny))


def member_folder(folder: Path, number: int, *, create: bool = False) -> Path:
    """Return where a member of an ensemble is kept, in a run's folder."""
    place = folder / "ensemble" / f"{number:02d}"
    if create:
        place.mkdir(parents=True, exist_ok=True)
    return place
