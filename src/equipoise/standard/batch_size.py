"""The batch size, and what depends on it: learning rate, accumulation and length of training."""

import math
from dataclasses import dataclass

import numpy as np

from equipoise.errors import InputError
from equipoise.spaces import Options
from equipoise.spec import Component, bounded, resolve


@dataclass(eq=False, repr=False, kw_only=True)
class BatchSize(Component):
    r"""How many examples a step learns from, and what else changes with that number.

    Small batches do better under class imbalance, even though many then hold no example of a
    rare class [1]_. A comparison of batch sizes is only fair if the learning rate follows, and if
    it is said whether epochs or steps are held equal. A plain number stands for
    ``BatchSize(size=number)``.

    Parameters
    ----------
    size : int, default=64
        Largest number of examples in a step, over all devices, at least 1.
    rule : {"none", "linear", "sqrt"}, default="none"
        How the learning rate follows the size: not at all, in proportion [2]_, which suits SGD,
        or with the square root [3]_, which suits Adam and its relatives.
    reference : int or None, default=None
        Batch size for which the optimizer's rate is meant, at least 1; None: the one that
        ``"auto"`` would choose for the data.
    accumulate : int, default=1
        Pieces in which a batch is computed one after the other, at least 1; saves memory. The
        gradient is that of the whole batch; batch norm sees the pieces.
    budget : {"epochs", "steps"}, default="epochs"
        What `epochs` of training mean: so many passes over the data, or as many steps as so many
        passes take in batches of `reference`.

    Notes
    -----
    With size :math:`B` and reference :math:`B_0` the learning rate is multiplied by
    :math:`B / B_0` (linear) or :math:`\sqrt{B / B_0}` (sqrt), and with ``budget="steps"`` the
    number of epochs by :math:`B / B_0`, rounded, at least 1.

    References
    ----------
    .. [1] R. Shwartz-Ziv et al., "Simplifying neural network training under class imbalance",
       NeurIPS 2023.
    .. [2] P. Goyal et al., "Accurate, large minibatch SGD: training ImageNet in 1 hour", 2017,
       section 2.1.
    .. [3] S. Malladi et al., "On the SDEs and scaling rules for adaptive gradient algorithms",
       NeurIPS 2022.

    Examples
    --------
    >>> small = BatchSize(size=16, rule="linear", reference=64, budget="steps")
    >>> small.rate, small.epochs(40)
    (0.25, 10)
    """

    tuned_for = ("images", "table")

    size: int = bounded(64, low=1, integer=True, tune=Options((16, 32, 64, 128, 256)))
    rule: str = bounded("none", choices=("none", "linear", "sqrt"))
    reference: int | None = bounded(None, low=1, integer=True, optional=True)
    accumulate: int = bounded(1, low=1, integer=True)
    budget: str = bounded("epochs", choices=("epochs", "steps"))

    def validate(self) -> None:
        """Raise `InputError` if a field is out of bounds or a piece would be empty."""
        super().validate()
        if self.accumulate > self.size:
            raise InputError(
                "A batch must have an example for each piece in which it is computed.",
                f"The size is {self.size} and `accumulate` {self.accumulate}.",
                "Give a larger size or fewer pieces.",
            )

    @property
    def rate(self) -> float:
        """Factor on the optimizer's learning rate; 1 as long as there is no reference."""
        ratio = self.size / (self.reference or self.size)
        return {"none": 1.0, "linear": ratio, "sqrt": math.sqrt(ratio)}[self.rule]

    @property
    def piece(self) -> int:
        """Examples that are computed together, at most."""
        return math.ceil(self.size / self.accumulate)

    @property
    def passes_an_epoch(self) -> float:
        """Passes over the data that an epoch at the reference size stands for, not rounded."""
        if self.budget == "epochs" or self.reference is None:
            return 1.0
        return self.size / self.reference

    def epochs(self, epochs: int) -> int:
        """Return the passes over the data for `epochs` passes at the reference size."""
        return max(1, round(epochs * self.passes_an_epoch))


BATCH_SIZES: dict[str, type[BatchSize]] = {"BatchSize": BatchSize}
"""Batch sizes by name."""


def resolve_batch_size(value: object) -> BatchSize:
    """Return the component that a number or a text stands for.

    Parameters
    ----------
    value : BatchSize, str or int
        A component is returned itself.

    Raises
    ------
    InputError
        If it is neither a positive whole number nor the text of a `BatchSize`.

    Examples
    --------
    >>> resolve_batch_size(32)
    BatchSize(size=32)
    """
    if isinstance(value, float):
        raise InputError(
            "`batch_size` must be a whole number.", f"It is {value!r}.", "Give one, such as 64."
        )
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        value = BatchSize(size=int(value))
    return resolve(value, BATCH_SIZES, "batch_size")  # type: ignore[arg-type]  # it checks the type
