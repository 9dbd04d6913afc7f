"""Noticing that training has diverged, before its weights are kept."""

import math

import numpy as np
from torch import nn

from equipoise.errors import TrainingError
from equipoise.standard.optimizers import Optimizer

DIVERGED = "Training diverged"
"""How the message begins, by which the record of a trial tells this from other failures."""


def require_finite(
    network: nn.Module, loss: float, logits: np.ndarray, *, epoch: int, optimizer: Optimizer
) -> None:
    """Raise `TrainingError` if training has diverged.

    Parameters
    ----------
    network : Module
        What is validated and kept.
    loss : float
        Mean training loss of the epoch.
    logits : ndarray of float, shape (examples, classes)
        Of the validation examples.
    epoch : int
        Number of the epoch, from 1.
    optimizer : Optimizer
        Whose learning rate the message advises to lower.

    Raises
    ------
    TrainingError
        If the loss, the weights or the logits are not all finite numbers.

    Examples
    --------
    >>> from equipoise.standard.optimizers import SGD
    >>> found = dict(logits=np.zeros((1, 2)), epoch=3, optimizer=SGD(lr=9.0))
    >>> require_finite(nn.Linear(1, 2), math.nan, **found)
    Traceback (most recent call last):
    ...
    equipoise.errors.TrainingError: Training diverged: ... training loss in epoch 3. ...
    """
    state = network.state_dict().values()
    whole = {
        "training loss": math.isfinite(loss),
        "weights": all(bool(tensor.isfinite().all()) for tensor in state),
        "validation logits": bool(np.isfinite(logits).all()),
    }
    if broken := [name for name, is_whole in whole.items() if not is_whole]:
        raise TrainingError(
            f"{DIVERGED}: infinite or undefined {' and '.join(broken)} in epoch {epoch}. "
            f"Lower the learning rate of {optimizer!r}, or set a clip_norm."
        )
