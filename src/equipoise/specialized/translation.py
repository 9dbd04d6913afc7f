"""Translation of images: those of common classes are changed until they are of rare ones."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from equipoise._tensors import ClassCounts, ImageBatch, Labels

TINY = 1e-12
"""A gradient shorter than this is divided by it, not by its length."""


@dataclass(frozen=True, kw_only=True)
class Translation:
    r"""How images are translated from one class to another; see `stages.M2m`.

    Parameters
    ----------
    beta : float, default=0.999
        How soon a class is large enough to translate from, from 0 to below 1.
    lam : float, default=0.5
        Strength with which the source class is left, at least 0.
    gamma : float, default=0.9
        Least probability of the target class with which a translated image is taken.
    steps : int, default=10
        Gradient steps, at least 1.
    step_size : float, default=0.1
        L2 length of each, in images from 0 to 1.

    Examples
    --------
    >>> Translation(beta=0.9).chances(torch.tensor([30.0, 10.0]))
    tensor([[0.0000, 0.0000],
            [0.8784, 0.0000]])
    """

    beta: float = 0.999
    lam: float = 0.5
    gamma: float = 0.9
    steps: int = 10
    step_size: float = 0.1

    def chances(self, counts: ClassCounts) -> Tensor:
        r"""Return how likely a translation is to be kept, by target and source.

        Parameters
        ----------
        counts : Tensor of float, shape (classes,)
            Training examples :math:`n_k` of each class.

        Returns
        -------
        Tensor of float, shape (classes, classes)
            :math:`1 - \beta^{(n_j - n_k)^+}` in row :math:`k`, the target, and column :math:`j`,
            the source: 0 from classes that are no larger.
        """
        return 1 - self.beta ** (counts[None, :] - counts[:, None]).clamp(min=0)

    def draw(
        self, labels: Labels, counts: ClassCounts, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        r"""Return which examples of a balanced batch to replace, and from which classes.

        Parameters
        ----------
        labels : Tensor of int64, shape (batch,)
            Class codes; the replacements shall be of the same.
        counts : Tensor of float, shape (classes,)
            Training examples :math:`n_k` of each class.
        generator : torch.Generator
            The only source of randomness, on the CPU.

        Returns
        -------
        rows : Tensor of int64, shape (replaced,)
            Positions in the batch: an example of class :math:`k` is among them with the
            probability :math:`1 - n_k / n_{max}`, times that of its source to be kept.
        sources : Tensor of int64, shape (replaced,)
            Class to translate each from, drawn in proportion to `chances`.
        """
        sizes, codes = counts.double().cpu(), labels.cpu()
        wanted = torch.rand(len(codes), dtype=torch.float64, generator=generator)
        rows = (wanted < 1 - sizes[codes] / sizes.max()).nonzero().flatten()
        chances = self.chances(sizes)[codes[rows]]
        if not len(rows):
            return rows, rows
        sources = torch.multinomial(chances, 1, generator=generator).flatten()
        kept = torch.rand(len(rows), dtype=torch.float64, generator=generator)
        taken = kept < chances[torch.arange(len(rows)), sources]
        return rows[taken], sources[taken]

    def translated(
        self, images: ImageBatch, classes: tuple[Labels, Labels], networks: tuple[nn.Module, ...]
    ) -> tuple[Tensor, Tensor]:
        r"""Return images that are of another class to a guide, and whether they are so enough.

        Parameters
        ----------
        images : Tensor, shape (images, channels, height, width)
            What is changed, from 0 to 255.
        classes : (Tensor, Tensor) of int64, each of shape (images,)
            Source and target of each image.
        networks : (Module, Module)
            The guide :math:`g`, which tells what is of a class, and the network :math:`f` that
            shall learn from the images; both in evaluation mode. They are left as they are.

        Returns
        -------
        images : Tensor of float32, shape (images, channels, height, width)
            From 0 to 255.
        accepted : Tensor of bool, shape (images,)
            Where the guide gives the target at least the probability `gamma`.

        Notes
        -----
        For an image :math:`x` with pixels from 0 to 1, its source :math:`j` and target :math:`k`,
        each step descends along the direction of the gradient of

        .. math:: -\log \operatorname{softmax}(g(x))_k + \lambda f_j(x)

        with the logit :math:`f_j`, by `step_size`, and puts pixels back between 0 and 1.
        """
        (source, target), (guide, network) = classes, networks
        pixels = images.float() / 255
        for _ in range(self.steps):
            pixels = pixels.detach().requires_grad_()
            told = F.cross_entropy(guide(255 * pixels).float(), target, reduction="sum")
            left = network(255 * pixels).float().gather(1, source[:, None]).sum()
            [slope] = torch.autograd.grad(told + self.lam * left, pixels)
            pixels = (pixels.detach() - self.step_size * _directions(slope)).clamp(0, 1)
        with torch.no_grad():
            proba = guide(255 * pixels).float().softmax(dim=1)
        return 255 * pixels, proba.gather(1, target[:, None]).flatten() >= self.gamma

    def disturbed(self, images: ImageBatch, generator: torch.Generator) -> Tensor:
        """Return images, from 0 to 255, after noise of half the length of all steps together."""
        noise = _directions(torch.randn(images.shape, generator=generator)).to(images.device)
        length = self.steps * self.step_size / 2
        return 255 * (images.float() / 255 + length * noise).clamp(0, 1)


def _directions(values: Tensor) -> Tensor:
    """Return each example's values at an L2 norm of 1."""
    lengths = values.flatten(1).norm(dim=1).clamp(min=TINY)
    return values / lengths.view(-1, *[1] * (values.ndim - 1))
