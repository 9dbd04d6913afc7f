"""What a component is that can be studied, a value of it, and how a study of it is laid out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from equipoise.settings import Settings

Kind = Literal["images", "table"]
"""What the examples are."""


@dataclass(frozen=True)
class Value:
    """One value of the component that is studied.

    Parameters
    ----------
    label : str
        What it is called.
    params : mapping of str to value
        Parameters of `Classifier` that it is made of.
    number : float or None, default=None
        Where it stands on a scale; None: it has no place on one.
    pretrain : str or None, default=None
        Self-supervised loss by which the backbone is trained first; None: by none.
    """

    label: str
    params: Mapping[str, Any]
    number: float | None = None
    pretrain: str | None = None


@dataclass(frozen=True)
class Base:
    """The settings that every cell of a study shares, resolved.

    Parameters
    ----------
    kind : {"images", "table"}
        What the examples are.
    settings : Settings
        Of the recipe at the largest ratio.
    epochs : int
        Its passes over the data.
    hold : {"epochs", "steps"}
        What all batch sizes have in common.
    """

    kind: Kind
    settings: Settings
    epochs: int
    hold: str = "epochs"


@dataclass(frozen=True)
class Component:
    """A component that can be studied.

    Parameters
    ----------
    name : str
        What it is called on the command line.
    claim : str
        What the paper says about it, in a sentence.
    params : tuple of str
        Parameters of `Classifier` that its values set.
    values : callable
        From a base to the values, that of the base among them.
    read : callable
        From a base and a text of ``--values`` to a value.
    unit : str or None, default=None
        What its numbers count; None: its values are no numbers.
    own : callable or None, default=None
        From a base to its own number; None: its first value is the base's own.
    """

    name: str
    claim: str
    params: tuple[str, ...]
    values: Callable[[Base], list[Value]]
    read: Callable[[Base, str], Value]
    unit: str | None = None
    own: Callable[[Base], float] | None = None

    def reference(self, base: Base, values: Sequence[Value]) -> Value:
        """Return the value that others are measured against: the base's own, or the first."""
        number = None if self.own is None else self.own(base)
        return next((v for v in values if number is not None and v.number == number), values[0])


@dataclass(frozen=True, kw_only=True)
class Choices:
    """How a study is laid out.

    Parameters
    ----------
    ratios : tuple of float
        Imbalance ratios of training; empty: the data stays as it is.
    n_seeds : int
        Seeds of each cell. Each draws its own subset and, unless the order of classes is given,
        its own order, so that rarity is not confounded with how hard a class is.
    fixed : {"majority", "total"}, default="majority"
        Whether the size of the largest class or the number of all examples is the same at all
        ratios.
    hold : {"epochs", "steps"}, default="epochs"
        What all batch sizes have in common.
    values : tuple of str, default=()
        Values of the component; none: the usual ones.
    retune : tuple of str, default=()
        Parameters whose numbers are searched again in each cell.
    n_trials : int, default=8
        Recipes in each such search.
    budget : float or None, default=None
        Seconds of each run; None: as long as its epochs take.
    metric : str or None, default=None
        What epochs and numbers are chosen by; None: by the size of the rarest class.
    """

    ratios: tuple[float, ...]
    n_seeds: int
    fixed: str = "majority"
    hold: str = "epochs"
    values: tuple[str, ...] = ()
    retune: tuple[str, ...] = ()
    n_trials: int = 8
    budget: float | None = None
    metric: str | None = None
