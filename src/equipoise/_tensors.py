"""The vocabulary of tensors; inside training everything is one of these."""

from jaxtyping import Float, Int64, Shaped
from torch import Tensor

Logits = Float[Tensor, "batch classes"]
"""Unnormalised log-probabilities, one row an example."""

Targets = Float[Tensor, "batch classes"]
"""Soft targets: each row is non-negative and sums to one."""

Labels = Int64[Tensor, " batch"]
"""Class codes, from 0 to classes - 1."""

ClassCounts = Float[Tensor, " classes"]
"""Number of training examples of each class."""

Losses = Float[Tensor, " batch"]
"""One loss an example, in nats."""

Inputs = Shaped[Tensor, "batch *features"]
"""Images ``(batch, channels, height, width)``, or encoded table rows ``(batch, features)``."""

ImageBatch = Shaped[Tensor, "batch channels height width"]
"""Images from 0 to 255: uint8 as stored, or floating point after augmentation."""

Features = Float[Tensor, "batch features"]
"""What a backbone returns: one vector an example."""
