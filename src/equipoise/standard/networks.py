"""Networks: a backbone and a head, joined."""

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from equipoise._tensors import ClassCounts, Features, Inputs, Labels, Logits, Losses, Targets
from equipoise.errors import InputError
from equipoise.standard.backbones.base import Backbone, Extractor, ImageInput, TableInput
from equipoise.standard.heads import Head
from equipoise.standard.losses import Loss


class Network(nn.Module):
    """A classifier network: inputs to features by the backbone, to logits by the head.

    The head is computed in float32, also under autocast: it costs next to nothing, and
    logits of eight bits would coarsen every loss and probability.

    The backbone may be an ensemble, whose members each have features and a head of their own.
    In training mode `forward` then returns each member's logits, for `member_losses`; in
    evaluation mode the logarithm of the members' mean probability. What reads the logits of a
    trained network need not know of members.

    `loss` is what has fitted the head, None: not known. In evaluation mode logits are those of its
    `Loss.posterior_logits`; in training mode those that it is called with.

    Parameters
    ----------
    backbone : Extractor
        From inputs to features ``(batch, n_features)``, or ``(batch, members, n_features)``.
    head : Module
        From features to logits ``(batch, classes)``, or ``(batch, members, classes)``.
    """

    def __init__(self, backbone: Extractor, head: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head
        self.loss: Loss | None = None
        self.frozen: set[str] = set()
        self.held: set[str] = set()

    def features(self, inputs: Inputs) -> Features:
        """Return the features, float32 ``(batch, n_features)``; of members, their mean."""
        features = self.backbone(inputs).float()
        return features if features.ndim == 2 else features.mean(dim=1)

    def forward(self, inputs: Inputs) -> Tensor:
        """Return the logits, float32 ``(batch, classes)``.

        In training mode those of an ensemble are ``(batch, members, classes)``.
        """
        features = self.backbone(inputs).float()
        with torch.autocast(features.device.type, enabled=False):
            logits = self.head(features)
            return logits if self.training else self.predicted(logits)

    def predicted(self, logits: Tensor) -> Logits:
        """Return the logits by which the network predicts, of those of its head.

        Parameters
        ----------
        logits : Tensor of float, shape (batch, classes) or (batch, members, classes)
            What the head returns.

        Returns
        -------
        Tensor of float, shape (batch, classes)
            As the loss maps them; of members the logarithm of their mean probability.
        """
        if self.loss is not None and self.loss.maps_logits:
            flat = logits.flatten(0, -2)
            logits = self.loss.posterior_logits(flat).view(logits.shape)
        return logits if logits.ndim == 2 else pooled_logits(logits)

    def train(self, mode: bool = True) -> "Network":
        """Set training or evaluation mode; what is held by `freeze` stays in evaluation mode."""
        super().train(mode)
        for name in self.held:
            self.get_submodule(name).eval()
        return self

    def freeze_backbone(self) -> None:
        """Exclude the backbone from training, its batch statistics included."""
        names = (name for name, _ in self.backbone.named_modules(prefix="backbone"))
        self.freeze((n for n, _ in self.backbone.named_parameters(prefix="backbone")), names)

    def freeze(self, parameters: Iterable[str], modules: Iterable[str] = ()) -> None:
        """Exclude parameters from training, and hold submodules in evaluation mode.

        Parameters
        ----------
        parameters : iterable of str
            Names of parameters, which get no gradient from now on.
        modules : iterable of str, default=()
            Names of submodules that stay in evaluation mode whatever `train` is told: no
            dropout, and batch norm by its running statistics.
        """
        for name in parameters:
            if (parameter := self.get_parameter(name)).requires_grad:
                parameter.requires_grad_(False)
                self.frozen.add(name)
        self.held.update(modules)
        self.train(self.training)

    def thaw(self) -> None:
        """Undo every `freeze`; parameters that were without gradient before stay without."""
        for name in self.frozen:
            self.get_parameter(name).requires_grad_(True)
        self.frozen, self.held = set(), set()
        self.train(self.training)


def pooled_logits(logits: Tensor) -> Logits:
    r"""Return the logarithm of the mean over members of their probabilities.

    Notes
    -----
    For logits :math:`z` of shape ``(batch, members, classes)`` and :math:`M` members

    .. math:: \bar z_k = \log \frac{1}{M} \sum_m \operatorname{softmax}(z_m)_k

    so that the softmax of :math:`\bar z` is the mean probability.

    Examples
    --------
    >>> certain = torch.tensor([[[50.0, 0.0], [0.0, 50.0]]])
    >>> pooled_logits(certain).exp()
    tensor([[0.5000, 0.5000]])
    """
    log_proba = F.log_softmax(logits, dim=2)
    return log_proba.logsumexp(dim=1) - math.log(logits.shape[1])


def member_losses(
    loss: Loss,
    logits: Tensor,
    targets: Targets,
    labels: Labels,
    counts: ClassCounts,
    features: Tensor | None = None,
) -> Losses:
    """Return the loss of each example; of an ensemble, the mean of its members' losses.

    Each member is trained to predict on its own: the loss is never that of their mean
    prediction.

    Parameters
    ----------
    loss : Loss
        Gives one value an example. For an ensemble it is called once, on a batch in which
        every example occurs once a member, one after the other.
    logits : Tensor, shape (batch, classes) or (batch, members, classes)
        What a network in training mode returns.
    targets : Tensor, shape (batch, classes)
        Soft targets.
    labels : Tensor of int64, shape (batch,)
        Class codes.
    counts : Tensor, shape (classes,)
        Training examples of each class.
    features : Tensor, shape (batch, n_features) or (batch, members, n_features), or None
        What the logits were made of, for a loss that needs it.

    Returns
    -------
    Tensor, shape (batch,)
        In nats.

    Examples
    --------
    >>> from equipoise.standard.losses import CrossEntropy
    >>> logits = torch.tensor([[[0.0, 0.0], [50.0, 0.0]]])
    >>> labels, counts = torch.tensor([0]), torch.tensor([1.0, 1.0])
    >>> member_losses(CrossEntropy(), logits, torch.tensor([[1.0, 0.0]]), labels, counts)
    tensor([0.3466])
    """
    if logits.ndim == 2:
        return loss(logits, targets, labels, counts, **_asked(loss, features))
    batch, members, _ = logits.shape
    each_target, each_label = (t.repeat_interleave(members, dim=0) for t in (targets, labels))
    asked = _asked(loss, None if features is None else features.flatten(0, 1))
    losses = loss(logits.flatten(0, 1), each_target, each_label, counts, **asked)
    return losses.view(batch, members).mean(dim=1)


def _asked(loss: Loss, features: Tensor | None) -> dict[str, Tensor]:
    """Return the features for a loss that needs them."""
    return {"features": features} if loss.needs_features and features is not None else {}


def build_network(
    backbone: Backbone[Any],
    head: Head,
    inputs: ImageInput | TableInput,
    n_classes: int,
    examples: Inputs | None = None,
) -> Network:
    """Return a new network, ready to be trained.

    Parameters
    ----------
    backbone, head : Backbone, Head
        Validated components.
    inputs : ImageInput or TableInput
        What the inputs look like.
    n_classes : int
        Number of logits.
    examples : Tensor, shape (examples, ...), optional
        Encoded training inputs, for what is initialised from data.

    Returns
    -------
    Network
        On the CPU, in training mode. Initial weights are drawn from torch's global
        generator: seed it for a repeatable network.

    Raises
    ------
    InputError
        If the backbone is for the other kind of input, or cannot be built for these.

    Examples
    --------
    >>> from equipoise.standard.backbones import ResNet
    >>> from equipoise.standard.heads import Linear
    >>> inputs = ImageInput(32, 32, 3, (0.5,) * 3, (0.25,) * 3)
    >>> count_parameters(build_network(ResNet(depth=32), Linear(), inputs, n_classes=10))
    464154
    """
    _check_modality(backbone, inputs)
    extractor = backbone.build(inputs, examples)
    return Network(extractor, head.build(extractor.n_features, n_classes, extractor.members))


def rebuild_network(
    backbone: Backbone[Any], head: Head, inputs: ImageInput | TableInput, n_classes: int
) -> Network:
    """Return a network of the shape that `build_network` gives, to be filled by stored weights.

    It reads no pretrained weights, and leaves torch's global generator as it was.
    """
    _check_modality(backbone, inputs)
    with torch.random.fork_rng(devices=[]):
        extractor = backbone.rebuild(inputs)
        return Network(extractor, head.build(extractor.n_features, n_classes, extractor.members))


def count_parameters(module: nn.Module) -> int:
    """Return the number of parameters; buffers, such as running means, are not counted."""
    return sum(parameter.numel() for parameter in module.parameters())


def decay_groups(module: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Split the trainable parameters into those that decay towards zero and those that do not.

    Biases, the parameters of normalisation and whatever a submodule names in its
    ``no_weight_decay()`` (timm's convention: position embeddings, frequencies) do not
    decay: zero is no sensible value for them to be drawn to. All else decays.

    Returns
    -------
    (list of Parameter, list of Parameter)
        With decay and without.

    Examples
    --------
    >>> decay, no_decay = decay_groups(nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)))
    >>> [p.ndim for p in decay], [p.ndim for p in no_decay]
    ([4], [1, 1, 1])
    """
    spared = _spared_names(module)
    decay: list[nn.Parameter] = []
    no_decay: list[nn.Parameter] = []
    for name, parameter in module.named_parameters():
        if parameter.requires_grad:
            small = parameter.ndim <= 1 or name.endswith("bias") or name in spared
            (no_decay if small else decay).append(parameter)
    return decay, no_decay


def _spared_names(module: nn.Module) -> set[str]:
    spared: set[str] = set()
    for path, part in module.named_modules():
        names: Callable[[], set[str]] | None = getattr(part, "no_weight_decay", None)
        if names is not None:
            spared.update(f"{path}.{name}" if path else name for name in names())
    return spared


def _check_modality(backbone: Backbone[Any], inputs: ImageInput | TableInput) -> None:
    if backbone.modality != inputs.kind:
        raise InputError(
            f"The backbone must be one for {'a table' if inputs.kind == 'table' else 'images'}.",
            f"`{type(backbone).__name__}` is for {backbone.modality}.",
            "Choose `MLP`, `TabularResNet` or `TabM` for a table, `ResNet` or `Timm` for images.",
        )
