"""Scaling of numeric columns: fitted once, kept as plain numbers."""

from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import InputError

Scaling = Literal["standard", "quantile", "robust", "none"]
"""How numeric columns are scaled."""

Matrix = NDArray[np.float64]
"""Numeric columns without missing values, shape ``(examples, columns)``."""

MOST_QUANTILES = 1000
"""Largest number of quantiles that are kept for each column."""

# Ties would otherwise put the smallest value, say the zeros of a count, at the far end of the
# normal distribution instead of in its place among the ranks. The published code of
# Gorishniy et al. (NeurIPS 2021) fits on noisy values for the same reason.
_JITTER = 1e-5


@dataclass(frozen=True, kw_only=True, eq=False)
class Scaler:
    r"""An affine map of each column, followed for two of the scalings by a bounded curve.

    Parameters
    ----------
    scaling : {"standard", "quantile", "robust", "none"}
        ``"standard"``: mean 0 and standard deviation 1. ``"quantile"``: through the ranks of
        the training values to a normal distribution, within -5.2 and 5.2. ``"robust"``:
        median 0 and interquartile range 1 (standard deviation 1 where that range is 0), then
        squashed smoothly into (-3, 3). ``"none"``: as it is.
    center, scale : ndarray of float64, shape (columns,)
        What is subtracted, and what the difference is divided by.
    flags : ndarray of bool, shape (columns,)
        Columns of zeros and ones (booleans, marks of missing values): never changed.
    quantiles : ndarray of float64, shape (quantiles, columns), or None
        Evenly spaced training quantiles; for ``"quantile"`` only.

    Notes
    -----
    With a training value's median :math:`m` and interquartile range :math:`r`, ``"robust"``
    maps a value :math:`x` to

    .. math:: \frac{z}{\sqrt{1 + (z/3)^2}}, \quad z = \frac{x - m}{r}

    References
    ----------
    .. [1] D. Holzmüller, L. Grinsztajn, I. Steinwart, "Better by default: strong pre-tuned
       MLPs and boosted trees on tabular data", NeurIPS 2024 (the smooth clipping).

    Examples
    --------
    >>> values = np.array([[0.0], [1.0], [2.0], [1000.0]])
    >>> flags = np.array([False])
    >>> for scaling in "none", "standard", "robust":
    ...     print(Scaler.fit(values, flags, scaling).transform(values).ravel().round(2))
    [   0.    1.    2. 1000.]
    [-0.58 -0.58 -0.58  1.73]
    [-0.01 -0.    0.    2.4 ]
    """

    scaling: Scaling
    center: NDArray[np.float64]
    scale: NDArray[np.float64]
    flags: NDArray[np.bool_]
    quantiles: NDArray[np.float64] | None = None

    @classmethod
    def fit(cls, values: Matrix, flags: NDArray[np.bool_], scaling: Scaling) -> Self:
        """Return the scaler of these training values."""
        center, scale = _location_and_spread(values, scaling)
        return cls(
            scaling=scaling,
            center=np.where(flags, 0.0, center),
            scale=np.where(flags, 1.0, scale),
            flags=flags,
            quantiles=_quantiles(values) if scaling == "quantile" else None,
        )

    def transform(self, values: Matrix) -> Matrix:
        """Return scaled values; they are finite for every finite value."""
        scaled = (values - self.center) / self.scale
        if self.scaling == "robust":
            scaled = np.where(self.flags, scaled, _squash(scaled))
        elif self.quantiles is not None and values.size:
            scaled = np.where(self.flags, scaled, _normal_ranks(values, self.quantiles))
        return scaled

    def to_state(self) -> dict[str, Any]:
        """Return the scaler as plain lists."""
        return {
            "scaling": self.scaling,
            "center": self.center.tolist(),
            "scale": self.scale.tolist(),
            "flags": self.flags.tolist(),
            "quantiles": None if self.quantiles is None else self.quantiles.tolist(),
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Return the scaler that `to_state` described."""
        center, kept = np.asarray(state["center"], dtype=np.float64), state["quantiles"]
        return cls(
            scaling=state["scaling"],
            center=center,
            scale=np.asarray(state["scale"], dtype=np.float64),
            flags=np.asarray(state["flags"], dtype=bool),
            # The shape is given, because an array of no columns has lost it.
            quantiles=None if kept is None else np.reshape(kept, (len(kept), len(center))),
        )


def check_scaling(scaling: str) -> None:
    """Raise `InputError` unless this is a scaling."""
    known = ("standard", "quantile", "robust", "none")
    if scaling not in known:
        raise InputError(
            f"The scaling of numeric columns must be one of {', '.join(known)}.",
            f"It is {scaling!r}.",
            "The default is 'standard'.",
        )


def _location_and_spread(values: Matrix, scaling: Scaling) -> tuple[np.ndarray, np.ndarray]:
    if scaling == "standard":
        return _mean_and_deviation(values)
    if scaling == "robust":
        lower, median, upper = np.percentile(values, [25, 50, 75], axis=0)
        deviation = _mean_and_deviation(values)[1]
        return median, np.where(upper > lower, upper - lower, deviation)
    return np.zeros(values.shape[1]), np.ones(values.shape[1])


def _mean_and_deviation(values: Matrix) -> tuple[np.ndarray, np.ndarray]:
    # Here, because scikit-learn takes a second to import.
    from sklearn.preprocessing import StandardScaler  # noqa: PLC0415

    if values.shape[1] == 0:
        return np.zeros(0), np.ones(0)
    fitted = StandardScaler().fit(values)
    return np.asarray(fitted.mean_), np.asarray(fitted.scale_)


def _squash(scaled: Matrix) -> Matrix:
    # z / sqrt(1 + (z/3)^2), written with hypot so that huge z do not overflow.
    return 3 * scaled / np.hypot(3, scaled)


def _quantiles(values: Matrix) -> np.ndarray:
    number = min(MOST_QUANTILES, len(values))
    noise = np.random.default_rng(0).standard_normal(values.shape)
    spread, size = np.std(values, axis=0), np.abs(values).max(axis=0, initial=1)
    jittered = values + _JITTER * np.where(spread > 0, spread, size) * noise
    # np.quantile gives the same, but selecting 1,000 ranks is slower than one sort.
    ordered = np.sort(jittered, axis=0)
    ranks = np.linspace(0, len(values) - 1, number)
    below = ranks.astype(np.intp)
    above = np.minimum(below + 1, len(values) - 1)
    fraction = (ranks - below)[:, np.newaxis]
    return ordered[below] + fraction * (ordered[above] - ordered[below])


def _normal_ranks(values: Matrix, quantiles: np.ndarray) -> Matrix:
    """Apply scikit-learn's transformer with the quantiles that were kept."""
    from sklearn.preprocessing import QuantileTransformer  # noqa: PLC0415

    number = len(quantiles)
    transformer = QuantileTransformer(n_quantiles=number, output_distribution="normal")
    transformer.quantiles_ = quantiles
    transformer.references_ = np.linspace(0, 1, number)
    transformer.n_quantiles_ = number
    return np.asarray(transformer.transform(values))
