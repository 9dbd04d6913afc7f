"""How to search, as the user wants it."""

from dataclasses import dataclass
from numbers import Integral
from typing import Any

from equipoise.data.wording import suggestion
from equipoise.errors import InputError
from equipoise.selection import MONITORS
from equipoise.settings import COMPONENTS
from equipoise.tuning.scores import check_metric
from equipoise.tuning.space import ROLES, check_roles
from equipoise.tuning.study import SAMPLERS, address_of

SECONDS = "seconds"
"""A second metric: the time of an epoch, for full trainings take about the same time all."""

NUMBERS = {"n_trials": "trials", "n_folds": "folds", "ensemble": "recipes in an ensemble"}
"""What the numbers among the options count."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to search.

    Parameters
    ----------
    budget : float
        Seconds that there are in all, above 0.
    metrics : tuple of str, default=()
        What to search for; the first decides. Empty: what the held-out examples allow.
    roles : tuple of str
        Parameters that are searched; those that the experiment gives stay as given.
    within : tuple of str, default=()
        Parameters whose component stays, as given or prescribed, while its numbers are searched.
    n_trials : int or None, default=None
        At most so many recipes are tried.
    n_folds : int or None, default=None
        Folds of a trial; None: by the size of the rarest class and the time.
    sampler : {"tpe", "random"}, default="tpe"
        How recipes are drawn.
    portfolio : bool, default=True
        Whether recipes that helped elsewhere are tried first.
    ensemble : int, default=1
        Recipes that are combined, at most, counted as often as they are drawn; 1: the one that
        is taken is trained anew on all examples instead.
    storage : str or None, default=None
        URL of a data base for the study; None: a file in the run's folder.
    longer : bool, default=True
        Whether recipes may be trained for more than the prescription's automatic number of
        epochs where there is time.
    """

    budget: float
    metrics: tuple[str, ...] = ()
    roles: tuple[str, ...] = ROLES
    within: tuple[str, ...] = ()
    n_trials: int | None = None
    n_folds: int | None = None
    sampler: str = "tpe"
    portfolio: bool = True
    ensemble: int = 1
    storage: str | None = None
    longer: bool = True

    def validate(self) -> None:
        """Raise `InputError` if a value cannot be used.

        Raises
        ------
        InputError
            If a metric is unknown or given twice, the first is no score, the sampler is unknown,
            or a number is not whole or too small.
        """
        if self.storage is not None:
            address_of(self.storage)
        known = (*MONITORS, SECONDS)
        for metric in self.metrics:
            check_metric(metric, known)
        if len(set(self.metrics)) < len(self.metrics) or self.metrics[:1] == (SECONDS,):
            raise InputError(
                "The metrics of a search are different ones, and the first is a score.",
                f"They are {', '.join(self.metrics)}.",
                f"Put {SECONDS} last, and name each once.",
            )
        check_roles(self.roles)
        check_roles(self.within, (*COMPONENTS, "batch_size"))
        if self.sampler not in SAMPLERS:
            raise InputError(
                f"A sampler is one of {', '.join(SAMPLERS)}.",
                f"It was given as {self.sampler!r}.",
                suggestion(str(self.sampler), list(SAMPLERS), "Choose one of these names."),
            )
        for name in NUMBERS:
            _check_number(name, getattr(self, name))


def _check_number(name: str, value: Any) -> None:
    """Refuse what counts nothing; None leaves a number to be chosen, but that of an ensemble."""
    is_whole = isinstance(value, Integral) and not isinstance(value, bool)
    if (is_whole and int(value) >= 1) or (value is None and name != "ensemble"):
        return
    raise InputError(
        f"The number of {NUMBERS[name]} must be a whole number of at least 1.",
        f"It is {value!r}.",
        "Leave it out to have it chosen."
        if name != "ensemble"
        else "Leave it out to train the best recipe anew.",
    )
