"""What is looked at: a run's network, and what it makes of the examples of each part."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

from equipoise._typing import CodeArray, CountArray, IndexArray, LogitArray, PriorArray
from equipoise.configuration import trained_prior
from equipoise.data.dataset import Dataset
from equipoise.data.rare import merge_rare_classes
from equipoise.ensembles import Ensemble
from equipoise.errors import InputError
from equipoise.experiment import PARTS
from equipoise.loading import load_run_model
from equipoise.metrics import shift_logits, without_margins
from equipoise.metrics.groups import groups_by_frequency
from equipoise.models import Model
from equipoise.prediction import predict_features
from equipoise.runs import Run
from equipoise.seeds import derive_seed
from equipoise.standard.heads import unit
from equipoise.standard.networks import Network

MOST = 10_000
"""At most so many examples of a part are looked at, two of each class at least."""

EXACT = 1e-3
"""A head counts as linear in what it sees if it is so up to this, relative to its logits."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Seen:
    """Examples of one part as the network sees them.

    Parameters
    ----------
    places : ndarray of int
        Positions in the data set.
    codes : ndarray of int, shape (examples,)
        Classes.
    logits : ndarray, shape (examples, classes)
        As the run predicts.
    corrected : ndarray, shape (examples, classes)
        The same for classes of equal frequency.
    features : ndarray, shape (examples, features)
        What the head sees; of an ensemble those of all members beside each other.
    """

    places: IndexArray
    codes: CodeArray
    logits: LogitArray
    corrected: LogitArray
    features: np.ndarray

    def __len__(self) -> int:
        return len(self.codes)


@dataclass(frozen=True, kw_only=True, eq=False)
class LinearHead:
    """A head as rows of weights; of an ensemble the mean of its members' heads.

    Parameters
    ----------
    rows : ndarray, shape (classes, features)
        A row of weights for each class.
    bias : ndarray, shape (classes,)
        What is added to each logit.
    """

    rows: np.ndarray
    bias: np.ndarray

    def logits(self, features: np.ndarray) -> LogitArray:
        """Return the logits of features."""
        return features @ self.rows.T + self.bias


@dataclass(frozen=True, kw_only=True, eq=False)
class Evidence:
    """Everything that a diagnosis looks at.

    Parameters
    ----------
    name : str
        Of the run.
    classes : tuple of str
        Class names.
    counts : ndarray of int, shape (classes,)
        Training examples of each class.
    prior : ndarray of float, shape (classes,)
        Class probabilities that the logits contain.
    groups : tuple of str
        Group of each class by its number of training examples.
    parts : mapping of str to Seen
        ``"train"``, ``"validation"`` (may be without examples) and ``"test"``.
    head : LinearHead or None
        None for a head that is not linear in the features.
    model : Model
        The network.
    dataset : Dataset
        The data.
    notes : tuple of str
        What was decided on the way.
    history : tuple of mapping
        What the run has recorded of each epoch.
    """

    name: str
    classes: tuple[str, ...]
    counts: CountArray
    prior: PriorArray
    groups: tuple[str, ...]
    parts: Mapping[str, Seen]
    head: LinearHead | None
    model: Model
    dataset: Dataset
    notes: tuple[str, ...] = field(default=())
    history: tuple[Mapping[str, Any], ...] = field(default=())

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return len(self.classes)

    @property
    def held_out(self) -> Seen:
        """What advice is drawn from: validation examples; test examples if there are none."""
        own = self.parts["validation"]
        return own if len(own) else self.parts["test"]


def observe(
    run: Run, dataset: Dataset, *, per_class: int = 500, device: str = "auto", seed: int = 0
) -> Evidence:
    """Run a finished run's network over examples of its parts.

    This is a look at the test set, and is counted as one.

    Parameters
    ----------
    run : Run
        A finished run of one network.
    dataset : Dataset
        The data that it was made from, as it was read.
    per_class : int, default=500
        At most so many examples of each class and part are looked at, at least 2; of all classes
        together 10,000.
    device : str, default="auto"
        Where the network runs.
    seed : int, default=0
        Seed of which examples these are.

    Raises
    ------
    InputError
        If the run is not finished, is an ensemble of runs or no network, or the data is other
        data.
    """
    run.require_classifier()
    config = run.config
    require_one_network(run)
    _check(per_class)
    data = _as_it_was(run, config, dataset)
    model = load_run_model(run, device)
    assert not isinstance(model, Ensemble)  # of which the configuration tells
    prior = np.asarray(trained_prior(config))
    index = run.read_arrays("split.npz")
    most = min(per_class, max(2, MOST // len(data.classes)))
    chosen = {
        part: _sample(data.codes, index[part], most, derive_seed(seed, part)) for part in PARTS
    }
    parts, head = _seen(model, data, chosen, prior)
    _count_look(run)
    counts = np.asarray(config["data"]["counts_train"])
    return Evidence(
        name=run.path.name,
        classes=tuple(config["data"]["classes"]),
        counts=counts,
        prior=prior,
        groups=tuple(groups_by_frequency(counts)),
        parts=parts,
        head=head,
        model=model,
        dataset=data,
        notes=_notes(parts, index, head),
        history=tuple(run.history),
    )


def require_one_network(run: Run) -> None:
    """Raise `InputError` if a run's classifier is an ensemble of several networks."""
    if run.config.get("network", {}).get("members") is not None:
        raise InputError(
            "A diagnosis looks into one network.",
            f"`{run.path}` is an ensemble of several.",
            "Search without --ensemble, or diagnose another run.",
        )


def _check(per_class: int) -> None:
    if per_class < 2:
        raise InputError(
            "At least two examples of a class must be looked at.",
            f"It is {per_class}.",
            "Give 500, the default.",
        )


def _as_it_was(run: Run, config: Mapping[str, Any], dataset: Dataset) -> Dataset:
    """Return the data with rare classes merged as they were, once it is known to be the same."""
    data = merge_rare_classes(dataset, config["data"].get("rare", "refuse"))
    if data.fingerprint != config["data"]["fingerprint"]:
        raise InputError(
            "A diagnosis needs the data that the run was made from, unchanged.",
            f"`{data.name}` differs from what `{run.path}` was made from.",
            "Name that data with --data, and read it as then (--label and the like).",
        )
    return data


def _sample(codes: CodeArray, places: IndexArray, most: int, seed: int) -> IndexArray:
    """Return at most so many positions of each class, in their order."""
    random = np.random.default_rng(seed)
    kept = []
    for code in np.unique(codes[places]):
        own = places[codes[places] == code]
        kept.append(own if len(own) <= most else random.choice(own, most, replace=False))
    return np.sort(np.concatenate(kept)) if kept else places


def _seen(
    model: Model, data: Dataset, chosen: Mapping[str, IndexArray], prior: PriorArray
) -> tuple[dict[str, Seen], LinearHead | None]:
    network = model.network
    assert isinstance(network, Network)  # what every run's model is rebuilt as
    found = {name: _features(model, network, data, places) for name, places in chosen.items()}
    head, is_unit = _linear(network, found["train"])
    uniform = np.full(len(prior), 1 / len(prior))
    parts = {}
    for name, places in chosen.items():
        features = found[name]
        if is_unit:
            features = unit(torch.from_numpy(features)).numpy()
        logits = np.zeros((0, len(prior)))
        if len(places):
            logits = model.logits(data.X, places).astype(np.float64)
        parts[name] = Seen(
            places=places,
            codes=data.codes[places],
            logits=logits,
            corrected=shift_logits(without_margins(logits, model.margins), prior, uniform),
            features=features.reshape(len(places), int(np.prod(features.shape[1:]))),
        )
    return parts, head


def _features(model: Model, network: Network, data: Dataset, places: IndexArray) -> np.ndarray:
    """Return features, float64, shape ``(examples, members, features)``."""
    source = model.source(data.X, places)
    pieces = list(predict_features(network, source, model.device)) if len(places) else []
    empty = np.zeros((0, 1, 1))
    return np.concatenate(pieces).astype(np.float64) if pieces else empty


@torch.no_grad()
def _linear(network: Network, features: np.ndarray) -> tuple[LinearHead | None, bool]:
    """Return the head as rows, and whether it sees the directions of features alone.

    Whatever is linear is known by what it makes of the unit vectors; whether it is linear, by
    what it makes of features.
    """
    head = network.head
    device = next(head.parameters()).device
    members, width = features.shape[1:]
    has_members = getattr(head, "members", None) is not None

    def apply(values: torch.Tensor) -> torch.Tensor:
        given = values if has_members else values[:, 0]
        out = head(given.float().to(device)).double().cpu()
        return out if has_members else out[:, None]

    axes = torch.eye(width, dtype=torch.float64)[:, None].expand(width, members, width)
    bias = apply(torch.zeros(1, members, width))[0]
    rows = (apply(axes) - bias).permute(1, 2, 0)  # members, classes, features
    some = torch.from_numpy(features[:: max(1, len(features) // 64)])
    wanted = apply(some)
    for is_unit in (False, True):
        given = unit(some) if is_unit else some
        found = torch.einsum("bmf,mcf->bmc", given, rows) + bias
        if (found - wanted).abs().max() <= EXACT * wanted.abs().max().clamp_min(1.0):
            joined = rows.permute(1, 0, 2).reshape(rows.shape[1], -1) / members
            return LinearHead(rows=joined.numpy(), bias=bias.mean(dim=0).numpy()), is_unit
    return None, False


def parameters_of(network: nn.Module) -> dict[str, nn.Parameter]:
    """Return the parameters that were trained, by name."""
    return {name: p for name, p in network.named_parameters() if p.requires_grad}


def _count_look(run: Run) -> None:
    config = run.config
    config["test"]["looks"] += 1
    run.write_config(config)


def _notes(
    parts: Mapping[str, Seen], index: Mapping[str, IndexArray], head: LinearHead | None
) -> tuple[str, ...]:
    said = []
    fewer = [name for name, seen in parts.items() if len(seen) < len(index[name])]
    if fewer:
        told = ", ".join(f"{len(parts[n])} of {len(index[n])} {n} examples" for n in fewer)
        said.append(f"Looked at {told}, the same number of each class as far as there are so many.")
    if not len(parts["validation"]):
        said.append(
            "No examples were held out, so that advice rests on the test set, which from now on "
            "is too good to judge by, and that a shift of the test set cannot be told."
        )
    if head is None:
        said.append("The head is not linear, so that its rows cannot be compared with features.")
    return tuple(said)
