"""Policies: which operations are applied to an image, in which order, and how strongly."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from equipoise._tensors import ImageBatch
from equipoise.errors import InputError
from equipoise.spaces import Span
from equipoise.spec import bounded
from equipoise.standard.augmentation.base import Graded
from equipoise.standard.augmentation.operations import (
    AUTO,
    CODES,
    MIX,
    RAND,
    WIDE,
    perform,
    to_images,
    to_pixels,
)
from equipoise.standard.augmentation.subpolicies import SUBPOLICIES


class Step(NamedTuple):
    """One operation for each image of a batch.

    Parameters
    ----------
    operations : Tensor of int64, shape (batch,)
        Codes of the operations.
    magnitudes : Tensor of float64, shape (batch,)
        Their magnitudes, with sign; 0 where an operation has none.
    """

    operations: Tensor
    magnitudes: Tensor


@dataclass(eq=False, repr=False, kw_only=True)
class Policy(Graded):
    """Base of policies: `draw` chooses, the call applies step after step.

    Parameters
    ----------
    tail_scale : float, default=1.0
        Factor of the position of a magnitude on its scale, for the smallest class; the result is
        limited to the scale. 1: the same for all classes. Operations without a magnitude, and the
        choice of operations, do not depend on it.
    """

    @abstractmethod
    def draw(
        self, size: tuple[int, int], strength: Tensor, generator: torch.Generator
    ) -> list[Step]:
        """Return the steps for a batch.

        Parameters
        ----------
        size : tuple of int
            Height and width of the images, in pixels.
        strength : Tensor of float, shape (batch,)
            Factor of the position on the scale for each image.
        generator : torch.Generator
            The only source of randomness.
        """

    def __call__(
        self, images: ImageBatch, generator: torch.Generator, rarity: Tensor | None = None
    ) -> ImageBatch:
        """Return new images of the same shape and type; in memory the channels are last.

        Floating-point levels are rounded to whole ones first, and the results are whole.
        """
        strength = self.strength(len(images), rarity)
        pixels = to_pixels(images)
        for step in self.draw((images.shape[2], images.shape[3]), strength, generator):
            pixels = perform(pixels, *step)
        return to_images(pixels, images.dtype)


@dataclass(eq=False, repr=False, kw_only=True)
class TrivialAugment(Policy):
    """Apply one operation, with a magnitude drawn from a wide scale; nothing is to be tuned.

    Operations are drawn uniformly from 14, among them the identity, and magnitudes uniformly from
    `bins` equal steps: TrivialAugmentWide [1]_, as ``TrivialAugmentWide`` of torchvision does it.

    Parameters
    ----------
    bins : int, default=31
        Number of steps of a scale, at least 2.

    References
    ----------
    .. [1] S. G. Müller and F. Hutter, "TrivialAugment: tuning-free yet state-of-the-art data
       augmentation", ICCV 2021.

    Examples
    --------
    >>> images = torch.full((4, 3, 8, 8), 90, dtype=torch.uint8)
    >>> changed = TrivialAugment()(images, torch.Generator().manual_seed(0))
    >>> changed.shape, changed.dtype
    (torch.Size([4, 3, 8, 8]), torch.uint8)
    """

    tuned_for = ("images",)

    bins: int = bounded(31, low=2, integer=True)

    def draw(
        self, size: tuple[int, int], strength: Tensor, generator: torch.Generator
    ) -> list[Step]:
        """Return one step."""
        n = len(strength)
        operations = _choice(WIDE.codes, (n,), generator)
        positions = torch.randint(self.bins, (n,), generator=generator) * strength.double()
        negative = torch.rand(n, generator=generator) < 0.5
        table = WIDE.table(self.bins, *size)
        return [Step(operations, WIDE.magnitudes(operations, positions, negative, table))]


@dataclass(eq=False, repr=False, kw_only=True)
class RandAugment(Policy):
    """Apply `n_ops` operations, all with the same position on their scales.

    Operations are drawn uniformly from 14, among them the identity, independently of each other
    [1]_, as ``RandAugment`` of torchvision does it.

    Parameters
    ----------
    n_ops : int, default=2
        Number of operations, at least 1.
    magnitude : int, default=9
        Position on the scale of each operation, from 0 to ``bins - 1``.
    bins : int, default=31
        Number of steps of a scale, at least 2.

    References
    ----------
    .. [1] E. D. Cubuk et al., "RandAugment: practical automated data augmentation with a reduced
       search space", NeurIPS 2020.

    Examples
    --------
    >>> images = torch.full((4, 1, 8, 8), 90, dtype=torch.uint8)
    >>> RandAugment(n_ops=1)(images, torch.Generator().manual_seed(0)).shape
    torch.Size([4, 1, 8, 8])
    """

    tuned_for = ("images",)

    n_ops: int = bounded(2, low=1, integer=True)
    magnitude: int = bounded(9, low=0, integer=True, tune=Span(3, 15, integer=True))
    bins: int = bounded(31, low=2, integer=True)

    def validate(self) -> None:
        """Raise `InputError` if a field is out of bounds, or `magnitude` is not below `bins`."""
        super().validate()
        if self.magnitude >= self.bins:
            raise InputError(
                "`magnitude` of `RandAugment` must be less than `bins`.",
                f"It is {self.magnitude!r}, and `bins` is {self.bins!r}.",
                f"Use {self.bins - 1!r} for the strongest operations.",
            )

    def draw(
        self, size: tuple[int, int], strength: Tensor, generator: torch.Generator
    ) -> list[Step]:
        """Return `n_ops` steps."""
        shape = (self.n_ops, len(strength))
        operations = _choice(RAND.codes, shape, generator)
        negative = torch.rand(shape, generator=generator) < 0.5
        positions, table = self.magnitude * strength.double(), RAND.table(self.bins, *size)
        return [
            Step(codes, RAND.magnitudes(codes, positions, signs, table))
            for codes, signs in zip(operations, negative, strict=True)
        ]


@dataclass(eq=False, repr=False, kw_only=True)
class AutoAugment(Policy):
    """Apply one of 25 pairs of operations that were found by search on another data set.

    The pair is drawn uniformly; each of its operations is applied with its own probability
    [1]_, as ``AutoAugment`` of torchvision does it.

    Parameters
    ----------
    policy : {"cifar10", "svhn", "imagenet"}, default="cifar10"
        Data set on which the pairs were found: small photographs, digits, large photographs.
    tail_scale : float, default=1.0
        As in all policies: it acts on the magnitudes, not on the probabilities of the pairs.

    References
    ----------
    .. [1] E. D. Cubuk et al., "AutoAugment: learning augmentation strategies from data",
       CVPR 2019.

    Examples
    --------
    >>> images = torch.full((4, 3, 8, 8), 90, dtype=torch.uint8)
    >>> AutoAugment(policy="svhn")(images, torch.Generator().manual_seed(0)).shape
    torch.Size([4, 3, 8, 8])
    """

    tuned_for = ("images",)

    policy: str = bounded("cifar10", choices=tuple(SUBPOLICIES))

    def draw(
        self, size: tuple[int, int], strength: Tensor, generator: torch.Generator
    ) -> list[Step]:
        """Return two steps; an operation that is left out is the identity."""
        n, pairs = len(strength), SUBPOLICIES[self.policy]
        codes = torch.tensor([[CODES[name] for name, _, _ in pair] for pair in pairs])
        probability = torch.tensor([[p for _, p, _ in pair] for pair in pairs])
        bins = torch.tensor([[position or 0 for _, _, position in pair] for pair in pairs])
        chosen = torch.randint(len(pairs), (n,), generator=generator)
        applied = torch.rand((n, 2), generator=generator) < probability[chosen]
        negative = torch.rand((n, 2), generator=generator) < 0.5
        operations = torch.where(applied, codes[chosen], CODES["Identity"])
        positions, table = bins[chosen] * strength.double()[:, None], AUTO.table(10, *size)
        steps = zip(operations.T, positions.T, negative.T, strict=True)
        return [Step(step[0], AUTO.magnitudes(*step, table)) for step in steps]


@dataclass(eq=False, repr=False, kw_only=True)
class AugMix(Policy):
    r"""Blend an image with several chains of weak operations applied to it.

    It makes classifiers robust to corruptions of the images [1]_. Operations are drawn uniformly
    from 13, and magnitudes from the first `severity` of ten steps, as ``AugMix`` of torchvision
    does it, with bilinear interpolation.

    Parameters
    ----------
    severity : int, default=3
        Number of steps that magnitudes are drawn from, from 1 to 10.
    width : int, default=3
        Number of chains, at least 1.
    depth : int or None, default=None
        Number of operations of a chain, at least 1; None: 1, 2 or 3, drawn for each chain.
    alpha : float, default=1.0
        Concentration of the weights, above 0.

    Notes
    -----
    With chains :math:`c_i`, weights :math:`w \sim \operatorname{Dirichlet}(\alpha, \dots, \alpha)`
    and :math:`m \sim \operatorname{Beta}(\alpha, \alpha)`, drawn for each image :math:`x`:

    .. math:: (1 - m)\, x + m \sum_i w_i\, c_i(x)

    in levels from 0 to 255, cut off to whole ones.

    References
    ----------
    .. [1] D. Hendrycks et al., "AugMix: a simple data processing method to improve robustness and
       uncertainty", ICLR 2020.

    Examples
    --------
    >>> images = torch.full((4, 3, 8, 8), 90, dtype=torch.uint8)
    >>> AugMix(severity=1)(images, torch.Generator().manual_seed(0)).shape
    torch.Size([4, 3, 8, 8])
    """

    severity: int = bounded(3, low=1, high=10, integer=True)
    width: int = bounded(3, low=1, integer=True)
    depth: int | None = bounded(None, low=1, integer=True, optional=True)
    alpha: float = bounded(1.0, low=0, open_low=True)

    def draw(
        self, size: tuple[int, int], strength: Tensor, generator: torch.Generator
    ) -> list[Step]:
        """Return the steps of one chain; chains that are over go on with the identity."""
        n, longest = len(strength), self.depth or 3
        lowest = self.depth or 1
        shape = (longest, n)
        depths = torch.randint(lowest, longest + 1, (n,), generator=generator)
        drawn = _choice(MIX.codes, shape, generator)
        bins = torch.randint(self.severity, shape, generator=generator)
        negative = torch.rand(shape, generator=generator) < 0.5
        active = torch.arange(longest)[:, None] < depths
        operations = torch.where(active, drawn, CODES["Identity"])
        table = MIX.table(10, *size)
        steps = zip(operations, bins * strength.double(), negative, strict=True)
        return [Step(step[0], MIX.magnitudes(*step, table)) for step in steps]

    def weights(self, n: int, generator: torch.Generator) -> Tensor:
        """Return weights of the image and of each chain, float32 of shape ``(n, 1 + width)``."""
        pair, chains = (_dirichlet(n, k, self.alpha, generator) for k in (2, self.width))
        return torch.cat((pair[:, :1], pair[:, 1:] * chains), 1)

    def __call__(
        self, images: ImageBatch, generator: torch.Generator, rarity: Tensor | None = None
    ) -> ImageBatch:
        """Return new images of the same shape and type; in memory the channels are last.

        Floating-point levels are rounded to whole ones first, and the results are whole.
        """
        strength, size = self.strength(len(images), rarity), (images.shape[2], images.shape[3])
        pixels = to_pixels(images)
        weights = self.weights(len(images), generator).to(images.device)[:, :, None, None, None]
        mixed = weights[:, 0] * pixels
        for chain in range(1, 1 + self.width):
            changed = pixels
            for step in self.draw(size, strength, generator):
                changed = perform(changed, *step, interpolation="bilinear")
            mixed += weights[:, chain] * changed
        return to_images(mixed.to(torch.uint8), images.dtype)


def _choice(codes: Tensor, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    return codes[torch.randint(len(codes), shape, generator=generator)]


def _dirichlet(n: int, k: int, alpha: float, generator: torch.Generator) -> Tensor:
    """Return shares that sum to one, float32 of shape ``(n, k)``."""
    # `torch.distributions` takes no generator; float64, as small alphas underflow in float32
    concentration = torch.full((n, k), float(alpha), dtype=torch.float64)
    sample = torch._sample_dirichlet  # pyright: ignore[reportPrivateImportUsage]
    return sample(concentration, generator=generator).float()
