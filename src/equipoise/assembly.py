"""From examples to the batch that a step learns from: views, mixtures and soft targets."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from equipoise._tensors import ClassCounts, Inputs, Labels, Targets
from equipoise.batches import Examples
from equipoise.errors import InputError
from equipoise.seeds import derive_seed
from equipoise.standard.augmentation import Augmentation, Transform
from equipoise.standard.backbones import InputFormat
from equipoise.standard.mixing import Mixing, Mixture
from equipoise.standard.self_supervision import SelfSupervision
from equipoise.standard.smoothing import soft_targets


@dataclass(frozen=True, eq=False)
class Batch:
    """Examples as a step sees them.

    Parameters
    ----------
    views : tuple of Tensor, each of shape (batch, ...)
        The inputs; with an auxiliary loss, two random versions of them.
    targets : Tensor of float, shape (batch, classes)
        Smoothed and mixed.
    labels : Tensor of int64, shape (batch,)
        Classes before mixing.
    shares : Tensor of float, shape (batch, classes)
        How much of each example is of each class: one-hot, or mixed.
    weights : Tensor of float, shape (batch,), or None
        What the loss of each example is multiplied by.
    """

    views: tuple[Inputs, ...]
    targets: Targets
    labels: Labels
    shares: Targets
    weights: Tensor | None

    def __len__(self) -> int:
        return len(self.labels)

    def split(self, n: int) -> Iterator["Batch"]:
        """Yield the batch in (at most) `n` nearly equal pieces."""
        for rows in torch.arange(len(self)).tensor_split(min(n, len(self))):
            start, stop = int(rows[0]), int(rows[-1]) + 1
            yield replace(
                self,
                views=tuple(view[start:stop] for view in self.views),
                targets=self.targets[start:stop],
                labels=self.labels[start:stop],
                shares=self.shares[start:stop],
                weights=None if self.weights is None else self.weights[start:stop],
            )


@dataclass(frozen=True, kw_only=True, eq=False)
class Assembly:
    """How batches are made.

    Each component draws from a generator of its own, seeded by its name and the number of the
    step, so that none disturbs another.

    Parameters
    ----------
    transforms : tuple of (Transform or None)
        One for each view; None: inputs as they are.
    mixing : Mixing or None
        How examples are mixed.
    n_numeric : int or None
        Numeric columns of a table; None: images.
    rates : Tensor of float, shape (classes,)
        Smoothing rate of each class.
    counts : Tensor of float, shape (classes,)
        Training examples of each class.
    class_weights : Tensor of float, shape (classes,), or None
        What the weight of an example is multiplied by for its class; None: nothing.
    seed : int
        Seed of everything random.
    device : str
        Where batches go.
    """

    transforms: tuple[Transform | None, ...]
    mixing: Mixing | None
    n_numeric: int | None
    rates: ClassCounts
    counts: ClassCounts
    class_weights: ClassCounts | None = None
    seed: int
    device: str

    @cached_property
    def rarity(self) -> Tensor:
        """How rare each class is, see `rarity`."""
        return rarity(self.counts)

    def batch(self, examples: Examples, positions: np.ndarray, *names: int) -> Batch:
        """Return the examples at these positions as a batch; `names` tell the steps apart."""
        batch = self.plain(examples, positions, "augmentation", *names)
        if self.mixing is None:
            return batch
        mixture = self.mixing.draw(batch.views[0], self.generator("mixing", *names), self.n_numeric)
        mixture = self.mixing.relabel(mixture, batch.labels, self.counts)
        drawn = self.mixing.partner_shares(self.counts) if mixture.kept is not None else None
        if drawn is None:
            return _mixed(batch, batch, mixture)
        foreign = examples.draw(drawn, len(batch), self.generator("partners", *names))
        others = self.plain(examples, foreign, "augmentation of partners", *names)
        return _mixed(batch, others, mixture)

    def plain(self, examples: Examples, positions: np.ndarray, stream: str, *names: int) -> Batch:
        """Return examples before they are mixed; `stream` names their random augmentation."""
        inputs = examples.source.take(positions).to(self.device)
        codes = torch.from_numpy(examples.codes[positions])
        labels = codes.to(self.device)
        rarity = self.rarity[codes]
        views = tuple(
            inputs
            if transform is None
            else transform(inputs, self.generator(stream, i, *names), rarity)
            for i, transform in enumerate(self.transforms)
        )
        return Batch(
            views=views,
            targets=soft_targets(labels, self.rates),
            labels=labels,
            shares=F.one_hot(labels, len(self.rates)).to(self.rates.dtype),
            weights=self._weights(examples, positions, labels),
        )

    def _weights(self, examples: Examples, positions: np.ndarray, labels: Labels) -> Tensor | None:
        """Return the weight of each example: its own times that of its class."""
        classes = None if self.class_weights is None else self.class_weights[labels]
        if examples.weights is None:
            return classes
        own = torch.from_numpy(examples.weights[positions]).float().to(self.device)
        return own if classes is None else own * classes

    def generator(self, *names: str | int) -> torch.Generator:
        """Return the source of randomness for one use of it, seeded by its names."""
        return torch.Generator().manual_seed(derive_seed(self.seed, *names))


def _mixed(batch: Batch, others: Batch, mixture: Mixture) -> Batch:
    """Return a batch blended with partners from others, or from itself."""
    weights, their = batch.weights, others.weights
    mixed = None if weights is None else mixture.values(weights, their)

    def blended(own: Targets, foreign: Targets) -> Targets:
        # Each half counts by its own weight; what is left over is the weight of the blend.
        if weights is None or their is None or mixed is None or mixed is weights:
            return mixture.values(own, foreign)
        tiny = torch.finfo(mixed.dtype).tiny
        both = mixture.values(weights[:, None] * own, their[:, None] * foreign)
        return both / mixed.clamp(min=tiny)[:, None]

    pairs = zip(batch.views, others.views, strict=True)
    return Batch(
        views=tuple(mixture.inputs(view, other) for view, other in pairs),
        targets=blended(batch.targets, others.targets),
        labels=batch.labels,
        shares=blended(batch.shares, others.shares),
        weights=mixed,
    )


def rarity(counts: ClassCounts) -> Tensor:
    r"""Return how rare each class is, on the CPU.

    Parameters
    ----------
    counts : Tensor of float, shape (classes,)
        Training examples of each class, at least 1.

    Returns
    -------
    Tensor of float, shape (classes,)
        :math:`(\log n_{max} - \log n_k) / (\log n_{max} - \log n_{min})`: 0 for the largest class,
        1 for the smallest; all 0 if the classes are equally large.

    Examples
    --------
    >>> import torch
    >>> rarity(torch.tensor([100.0, 10.0, 1.0]))
    tensor([0.0000, 0.5000, 1.0000])
    """
    size = counts.clamp(min=1).log().cpu()
    span = size.max() - size.min()
    return (size.max() - size) / span if span > 0 else torch.zeros_like(size)


def view_transforms(
    augmentation: Augmentation | None,
    auxiliary: SelfSupervision | None,
    inputs: InputFormat | None,
    shown: Inputs | None,
) -> tuple[Transform | None, ...]:
    """Return what makes each view of a batch.

    Parameters
    ----------
    augmentation : Augmentation or None
        The run's own.
    auxiliary : SelfSupervision or None
        With it there are two views.
    inputs : InputFormat or None
        What the inputs look like; None: images.
    shown : Tensor or None
        Encoded training examples.

    Raises
    ------
    InputError
        If two views of images are needed and there is no augmentation to make them differ.
    """

    def bound(each: Augmentation | None) -> Transform | None:
        return each if each is None or inputs is None else each.bind(inputs, shown)

    first = bound(augmentation)
    if auxiliary is None:
        return (first,)
    own = auxiliary.second_view_transform("images" if inputs is None else inputs.kind)
    if own is None and augmentation is None:
        raise InputError(
            "A self-supervised loss on images needs an augmentation, to make two views differ.",
            "There is none.",
            'Give one, such as --augmentation "CropFlip() | ColorJitter()".',
        )
    return first, bound(own) if own is not None else first
