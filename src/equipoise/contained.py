"""The class probabilities and margins that logits contain after training; whether exactly."""

import torch

from equipoise._typing import CountArray, MarginArray, PriorArray
from equipoise.settings import Settings
from equipoise.stage import Stage
from equipoise.standard.backbones.base import InputFormat
from equipoise.standard.losses import Loss
from equipoise.standard.smoothing import smoothed_prior
from equipoise.task import Task


def contained_prior(
    stage: Stage, progress: float, *, task: Task, shown: CountArray, inputs: InputFormat
) -> PriorArray:
    """Return what logits contain after a stage: its mean targets, less what its loss takes out.

    Class shares, as they are resampled, sampled, mixed, weighted and smoothed in that stage.

    Parameters
    ----------
    stage : Stage
        The stage whose weights are kept.
    progress : float
        How much of it was done in the epoch that is kept, from 0 in its first to 1 in its last: a
        sampler may show other shares then.
    task : Task
        The examples.
    shown : ndarray of int, shape (classes,)
        Examples of each class that training learns from, resampling included.
    inputs : InputFormat
        What the inputs look like.
    """
    counts, weights = torch.from_numpy(task.counts).double(), task.class_weights
    shares = torch.from_numpy(shown).double()
    shares = shares if stage.sampler is None else stage.sampler.shares(shares, progress)
    shares = shares / shares.sum()
    if stage.mixing is not None:
        shares = stage.mixing.mean_shares(shares, counts, inputs)
    # Each half of a mixture has its own weight.
    if weights is not None:
        shares = shares * torch.from_numpy(weights / task.counts)
    if stage.weighting is not None:
        shares = shares * stage.weighting.weights(counts)
    shares = smoothed_prior(shares / shares.sum(), stage.rates(counts))
    return (shares if stage.loss is None else stage.loss.prior(shares, counts)).numpy()


def contained_margins(stage: Stage, counts: CountArray) -> MarginArray | None:
    """Return the margins that logits contain after a stage, in nats, by class; None: none."""
    if stage.loss is None:
        return None
    margins = stage.loss.margins(torch.from_numpy(counts).double())
    return None if margins is None or not margins.any() else margins.numpy()


def is_exact(stage: Stage, settings: Settings, *, is_last: bool, is_adjusted: bool) -> bool:
    """Return whether correction to other class frequencies is Bayes' rule, and no heuristic.

    It is where the network is free to fit what it is shown, if that is examples as they are.

    Parameters
    ----------
    stage : Stage
        The stage whose weights are kept.
    settings : Settings
        Those of the training.
    is_last : bool
        Whether it is the last of several, which a component has made what it is.
    is_adjusted : bool
        Whether a method after training has changed the head.
    """
    parts = [stage.loss, stage.mixing, stage.sampler, settings.resampling]
    parts += [settings.stages] if is_last else []
    parts += [settings.posthoc] if is_adjusted else []
    if stage.loss is not None and not _is_plain(stage.loss, settings, is_adjusted=is_adjusted):
        return False
    return all(part is None or part.exact_prior for part in parts)


def _is_plain(loss: Loss, settings: Settings, *, is_adjusted: bool) -> bool:
    """Return whether nothing has come between the logits of a loss and what corrects them.

    A head is changed as if its logits were log-probabilities; the probabilities of members are
    averaged before margins are taken out.
    """
    margins = loss.margins(torch.ones(2))
    has_margins = margins is not None and bool(margins.any())
    if is_adjusted and (loss.maps_logits or has_margins):
        return False
    return not (has_margins and getattr(settings.backbone, "members", 1) > 1)
