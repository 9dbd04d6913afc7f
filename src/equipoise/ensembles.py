"""Several trained models that predict as one."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from equipoise._typing import CountArray, ImageArray, IndexArray, LogitArray, PriorArray
from equipoise.configuration import are_margins
from equipoise.devices import Device
from equipoise.errors import InputError
from equipoise.metrics import log_softmax, without_margins
from equipoise.models import Model
from equipoise.preprocessing import Preprocessing
from equipoise.runs import Run, write_json

NAME = "ensemble.json"
"""The file of a run that says how its models are weighted."""

MEMBERS = "ensemble"
"""The folder of a run that holds them."""


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

    Notes
    -----
    With weights :math:`w_m`, scaled to sum to 1, and log-probabilities :math:`\log p_m(k \mid x)`
    of member :math:`m`, which contain the class probabilities :math:`\pi_m`, logits and the class
    probabilities that they contain are

    .. math::
        z_k = \sum_m w_m \log p_m(k \mid x), \qquad \pi_k \propto \prod_m \pi_{m,k}^{w_m}

    A logarithmic opinion pool [1]_: unlike a mean of probabilities it commutes with Bayes' rule,
    so it is the same whether the prior is corrected before or after.

    References
    ----------
    .. [1] C. Genest and J. V. Zidek, "Combining probability distributions: a critique and an
       annotated bibliography", Statistical Science 1, 1986.
    """

    members: Sequence[Member]
    counts: CountArray

    @property
    def prior(self) -> PriorArray:
        """The class probabilities that the logits contain, shape (classes,)."""
        logs = sum(w * np.log(m.model.prior) for w, m in self._weighted)
        found = np.exp(logs - np.max(logs))
        return found / found.sum()

    @property
    def margins(self) -> None:
        """There are none: each member's are taken out before they are pooled."""
        return None

    @property
    def preprocessing(self) -> Preprocessing:
        """How inputs of the first member are made; all take the same examples."""
        return self.members[0].model.preprocessing

    @property
    def device(self) -> Device:
        """Where the first member is."""
        return self.members[0].model.device

    @property
    def _weighted(self) -> list[tuple[float, Member]]:
        total = sum(member.weight for member in self.members)
        return [(member.weight / total, member) for member in self.members]

    def logits(self, X: "ImageArray | pd.DataFrame", rows: IndexArray | None = None) -> LogitArray:
        """Return logits, float32, shape ``(examples, classes)``; see `Model.logits`."""
        pooled: np.ndarray | float = 0.0
        for weight, member in self._weighted:
            logits = member.model.logits(X, rows).astype(np.float64)
            plain = without_margins(logits, member.model.margins)
            pooled = pooled + weight * log_softmax(plain)
        return np.asarray(pooled).astype(np.float32)

    def save(self, folder: Path) -> None:
        """Write all members into a run's folder; the first one also as the run's own model."""
        self.members[0].model.save(folder)
        shutil.rmtree(folder / MEMBERS, ignore_errors=True)  # what a stop has left
        for number, member in enumerate(self.members):
            place = member_folder(folder, number)
            place.mkdir(parents=True)
            member.model.save(place)
        described = [{"weight": m.weight, "network": dict(m.network)} for m in self.members]
        write_json(folder / NAME, {"members": described})


def member_folder(folder: Path, number: int) -> Path:
    """Return where a member of an ensemble is kept, in a run's folder."""
    return folder / MEMBERS / f"{number:02d}"


def read_ensemble(run: Run) -> list[tuple[float, dict[str, Any]]]:
    """Return the weight of each member of a run's ensemble, and what its network is built from.

    Parameters
    ----------
    run : Run
        A finished run; a stranger may have made it.

    Raises
    ------
    InputError
        If the file is missing, or does not say all that is needed.
    """
    found = run.read_json(NAME)
    classes, expected = len(run.config["data"]["classes"]), run.config["network"].get("members")
    try:
        members = [(float(m["weight"]), dict(m["network"])) for m in found["members"]]
        fault = None if len(members) == expected else f"there are not {expected} models"
        for weight, network in members:
            fault = fault or _fault(weight, network, classes)
    except (KeyError, TypeError, ValueError) as error:
        members, fault = [], f"it lacks what is needed: {error!r}"
    if fault is not None:
        raise InputError(
            "A run's ensemble.json must say which models there are, and how they are weighted.",
            f"In that of `{run.path}` {fault}.",
            "Search again, or restore the file.",
        )
    return members


def _fault(weight: float, network: dict[str, Any], classes: int) -> str | None:
    """Return what is wrong with the description of a member; None: nothing."""
    counts, prior = np.asarray(network["counts"], float), np.asarray(network["prior"], float)
    rules = {
        "a weight is not above zero": np.isfinite(weight) and weight > 0,
        "backbone, head and loss are not text": all(
            isinstance(text, str)
            for text in (network["backbone"], network["head"], network.get("loss", ""))
        ),
        "a norm is not known": network["norm"] in ("batch", "group", "frozen"),
        "margins are not numbers of at least zero, one for each class": are_margins(
            network.get("margins"), classes
        ),
        "a precision is not known": network["precision"] in ("fp32", "bf16"),
        "counts are not whole numbers, one for each class": counts.shape == (classes,)
        and bool((counts >= 0).all() and (counts == counts.round()).all()),
        "a prior is not probabilities above zero, one for each class": prior.shape == (classes,)
        and bool((prior > 0).all())
        and abs(prior.sum() - 1) < 1e-6,
    }
    return next((words for words, holds in rules.items() if not holds), None)
