"""Sizes of imbalanced classes: which class becomes how rare."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from equipoise._typing import CountArray, IndexArray
from equipoise.data.wording import counted
from equipoise.errors import InputError
from equipoise.seeds import derive_seed

Profile = Literal["exp", "step", "binary"]
"""How class sizes fall from the largest to the smallest; see `target_counts`."""

Order = Literal["label", "random", "size"]
"""Which classes become rare; see `class_order`."""

# Keeps a product that should be a whole number from being floored to the one below.
_ROUNDING = 1e-9


def class_order(counts: ArrayLike, order: Order = "label", seed: int = 0) -> IndexArray:
    """Return class codes from the class that stays largest to the one that becomes rarest.

    Parameters
    ----------
    counts : array-like of int, shape (classes,)
        Examples of each class.
    order : {"label", "random", "size"}, default="label"
        ``"label"``: as numbered. ``"random"``: drawn by the seed, so that rarity is not
        confounded with how hard a class is. ``"size"``: largest first, which keeps most
        examples of data that is imbalanced already; equal classes as numbered.
    seed : int, default=0
        Seed of ``"random"``.

    Raises
    ------
    InputError
        If there is no such order.

    Examples
    --------
    >>> class_order([5, 9, 7], "size")
    array([1, 2, 0])
    """
    sizes = np.asarray(counts)
    if order == "label":
        return np.arange(len(sizes))
    if order == "random":
        random = np.random.default_rng(derive_seed(seed, "order of classes"))
        return random.permutation(len(sizes))
    if order == "size":
        return np.argsort(-sizes, kind="stable")
    raise InputError(
        "The order of classes must be label, random or size.",
        f"It is {order!r}.",
        "The default is label.",
    )


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How many examples are kept at most.

    Parameters
    ----------
    largest : int or None, default=None
        In the largest class, at least 1; None: all that the ratio allows.
    examples : int or None, default=None
        In all classes together, at least 1; None: all that the ratio allows.
    """

    largest: int | None = None
    examples: int | None = None

    def check(self) -> None:
        """Raise `InputError` if one is below 1."""
        for name, value in vars(self).items():
            if value is not None and value < 1:
                raise InputError(
                    f"--{name} is how many examples are kept at most, at least 1.",
                    f"It is {value}.",
                    "Give for example 500, or leave it out.",
                )


NO_LIMITS = Limits()


class RatioOutOfReachError(InputError):
    """An imbalance ratio that would leave a class without examples.

    Attributes
    ----------
    reachable : int
        The largest whole ratio that would not; 0: there is none.
    """

    reachable: int = 0


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """Which classes are to be large, and why, in words.

    Parameters
    ----------
    names : tuple of str
        Of the classes from the one that is to be the largest to the rarest.
    how : str
        What the order follows.
    """

    names: tuple[str, ...]
    how: str


def target_counts(
    available: ArrayLike,
    ratio: float,
    profile: Profile = "exp",
    limits: Limits = NO_LIMITS,
    ranking: Ranking | None = None,
) -> CountArray:
    r"""Return the size of each class, from rank 0 (largest) to rank K - 1.

    Parameters
    ----------
    available : array-like of int, shape (classes,)
        Examples there are, by rank.
    ratio : float
        Imbalance ratio :math:`\rho`, at least 1.
    profile : {"exp", "step", "binary"}, default="exp"
        ``"exp"``: a long tail. ``"step"``: half of the classes are rare; of an odd number the
        odd one stays large. ``"binary"``: the last class alone is rare.
    limits : Limits
        How many examples are kept at most; by default all that the ratio allows.
    ranking : Ranking or None, default=None
        What is said of the classes where a ratio is out of reach; None: their numbers.

    Returns
    -------
    ndarray of int64, shape (classes,)
        Sizes that every class can supply.

    Raises
    ------
    InputError
        If there are fewer than two classes, or one would be left without examples.

    Notes
    -----
    With :math:`n` the size of the largest class:

    .. math::
        n_k = \lfloor n \rho^{-k/(K-1)} \rfloor \text{ (exp)}, \quad
        n_k = n \text{ or } \lfloor n / \rho \rfloor \text{ (step, binary)}

    Where every class has as many examples as rank 0, :math:`n` is all of these, as in the
    published data sets. Otherwise :math:`n` is the smallest size that leaves the rarest class
    as large as the examples of all classes permit. So :math:`n_0 / n_{K-1}` is :math:`\rho`
    itself if that is a whole number, and else exceeds it by less than :math:`1 / n_{K-1}`.

    References
    ----------
    .. [1] Y. Cui et al., "Class-balanced loss based on effective number of samples", CVPR
       2019 (the exponential profile on CIFAR).
    .. [2] M. Buda, A. Maki, M. A. Mazurowski, "A systematic study of the class imbalance
       problem in convolutional neural networks", Neural Networks 2018 (the step profile).

    Examples
    --------
    >>> target_counts([5000] * 10, 100)
    array([5000, 2997, 1796, 1077,  645,  387,  232,  139,   83,   50])
    >>> target_counts([500, 500, 20], 10, "binary")
    array([200, 200,  20])
    >>> target_counts([5000] * 3, 100, limits=Limits(examples=1000))
    array([901,  90,   9])
    """
    sizes = np.asarray(available, dtype=np.int64)
    if len(sizes) < 2:
        raise InputError(
            "Imbalance needs at least two classes.",
            f"There is {counted(len(sizes), 'class', 'classes')}.",
            "Add another class.",
        )
    if sizes.min() < 1:
        raise InputError(
            "Every class must have an example to choose.",
            f"{counted(int((sizes < 1).sum()), 'class has', 'classes have')} none.",
            "Leave these classes out, or choose from another part of the data.",
        )
    shares = _shares(len(sizes), ratio, profile)
    largest = _limited(_largest(sizes, shares), shares, limits)
    targets = _floor(largest * shares)
    if sizes.min() < sizes[0]:
        # More in the largest class would move the ratio away, and make no rarest class larger.
        targets = _floor(math.ceil(targets[-1] / shares[-1] * (1 - _ROUNDING)) * shares)
    if targets.min() < 1:
        raise _out_of_reach(sizes, ratio, profile, limits, ranking)
    return targets


def _out_of_reach(
    sizes: np.ndarray, ratio: float, profile: Profile, limits: Limits, ranking: Ranking | None
) -> RatioOutOfReachError:
    """Return the error that says which class keeps the ratio from being reached."""
    shares = _shares(len(sizes), ratio, profile)
    free = _largest(sizes, shares)
    largest = _limited(free, shares, limits)
    short, most = int(((sizes + 1) / shares).argmin()), int(sizes.argmax())
    told = f"With {largest} in the largest class, a ratio of {ratio:g} leaves the rarest none."
    reachable = _reachable(sizes, ratio, profile, limits)
    remedy = "Choose "
    if reachable:
        remedy += f"a ratio of at most {reachable}, "
    if largest < free:
        told += f" Without limits there would be {free}."
        remedy += "larger limits, "
    elif sizes[short] < sizes[most]:
        known = ranking or Ranking(names=tuple(map(str, range(len(sizes)))), how="as given")
        place = "the largest" if short == 0 else f"number {short + 1} from the largest on"
        told += (
            f" In the order of classes, {known.how}, {known.names[short]} is to be {place} and has "
            f"{counted(int(sizes[short]), 'example')}; the largest class there is, "
            f"{known.names[most]}, has {sizes[most]}."
        )
        if (np.diff(sizes) > 0).any():
            remedy += "the order by size (--order size), "
    fault = RatioOutOfReachError(
        "Every class must keep at least one example.", told, f"{remedy}or another profile."
    )
    fault.reachable = reachable
    return fault


def _reachable(sizes: np.ndarray, ratio: float, profile: Profile, limits: Limits) -> int:
    """Return the largest whole ratio that leaves no class empty, below one that does; 0: none."""
    whole = math.ceil(ratio) - 1
    while whole >= 1:
        shares = _shares(len(sizes), whole, profile)
        largest = _limited(_largest(sizes, shares), shares, limits)
        if _floor(largest * shares).min() >= 1:
            break
        # Smaller ratios want more of the classes between, so they allow no larger a class.
        whole = min(whole - 1, largest)
    return max(whole, 0)


def _shares(classes: int, ratio: float, profile: Profile) -> np.ndarray:
    """Return the size of each rank as a share of the largest."""
    rank = np.arange(classes)
    if not 1 <= ratio < math.inf:
        raise InputError(
            "The imbalance ratio must be at least 1.", f"It is {ratio:g}.", "Give for example 100."
        )
    if profile == "exp":
        return ratio ** (-rank / (classes - 1))
    if profile == "step":
        return np.where(rank < (classes + 1) // 2, 1.0, 1 / ratio)
    if profile == "binary":
        return np.where(rank < classes - 1, 1.0, 1 / ratio)
    raise InputError(
        "The profile must be exp, step or binary.", f"It is {profile!r}.", "The default is exp."
    )


def _largest(sizes: np.ndarray, shares: np.ndarray) -> int:
    """Return the largest size of rank 0 for which every class has enough examples."""
    # The first size that asks for too much of some class; one below is the largest that does
    # not, up to the rounding that the loop settles.
    largest = int(np.ceil((sizes + 1) / shares).min())
    while largest > 0 and (_floor(largest * shares) > sizes).any():
        largest -= 1
    return largest


def _limited(largest: int, shares: np.ndarray, limits: Limits) -> int:
    """Return the largest size of rank 0 within limits."""
    limits.check()
    if limits.largest is not None:
        largest = min(largest, limits.largest)
    if limits.examples is not None:
        # Floors leave up to one example a class beside what the shares alone would take.
        largest = min(largest, math.ceil((limits.examples + len(shares)) / shares.sum()))
        while largest > 0 and _floor(largest * shares).sum() > limits.examples:
            largest -= 1
    return largest


def _floor(sizes: np.ndarray) -> CountArray:
    return np.floor(sizes * (1 + _ROUNDING)).astype(np.int64)
