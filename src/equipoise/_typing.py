"""The vocabulary of arrays: numpy only, so that results open without torch.

Tensors have their own vocabulary in ``equipoise._tensors``.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Integer, Shaped, UInt8

LogitArray = Float[np.ndarray, "examples classes"]
"""Unnormalised log-probabilities, one row an example, columns in the order of the classes."""

ProbaArray = Float[np.ndarray, "examples classes"]
"""Probabilities; each row sums to one."""

CodeArray = Integer[np.ndarray, " examples"]
"""Class codes, from 0 to classes - 1."""

CountArray = Integer[np.ndarray, " classes"]
"""Number of training examples of each class."""

PriorArray = Float[np.ndarray, " classes"]
"""Class probabilities; they are positive and sum to one."""

MarginArray = Float[np.ndarray, " classes"]
"""What a loss takes off the logit of the true class, in nats, at least 0, by class."""

WeightArray = Float[np.ndarray, " examples"]
"""Non-negative weight of each example."""

NameArray = Shaped[np.ndarray, " examples"]
"""One text an example: an identifier, a class name, the name of a part."""

ImageArray = UInt8[np.ndarray, "examples height width channels"]
"""Images from 0 to 255, channels last: 1 (grey) or 3 (red, green, blue)."""

IndexArray = Integer[np.ndarray, " selected"]
"""Positions of examples in their data set."""

ProgressCallback = Callable[[int, int], None]
"""Called with (done, total) while long work advances."""
