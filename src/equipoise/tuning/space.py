"""The search space, read off the components themselves.

A *role* is a parameter of the classifier, such as ``optimizer``. The search chooses the
component of a role under the role's name, and the component's fields under
``role.Component.field``, which exist only where that component was chosen. Names and values are
plain text and numbers, as Optuna keeps them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, replace
from typing import Any, Protocol

from equipoise.data.wording import suggestion
from equipoise.errors import InputError
from equipoise.settings import COMPONENTS, OPTIONAL, Settings
from equipoise.spaces import Options, Space, Span
from equipoise.spec import Component
from equipoise.standard.batch_size import BatchSize

NONE = "None"
"""Name of the choice of no component."""

ROLES = (
    *("backbone", "head", "scaling", "augmentation", "mixing", "smoothing", "auxiliary"),
    *("optimizer", "schedule", "sharpness", "batch_size"),
)
"""What can be searched, in the order in which it is chosen."""

SCALINGS = ("robust", "standard", "quantile")
"""Ways to scale a table's numbers that a search tries."""


class Suggester(Protocol):
    """What chooses values: a trial of Optuna, or anything with its three methods."""

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """Return one of the choices."""
        ...

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        """Return a number between two ends."""
        ...

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = False) -> int:
        """Return a whole number between two ends."""
        ...


@dataclass(frozen=True, eq=False)
class Role:
    """One parameter of the classifier, and what a search may put there.

    Parameters
    ----------
    name : str
        Name of the parameter.
    prescribed : str
        Name of the candidate that stands there without a search.
    candidates : mapping of str to Component, str or None
        What may stand there, by the name under which it is chosen.
    needs : str or None, default=None
        A role without whose component nothing may stand here.
    """

    name: str
    prescribed: str
    candidates: Mapping[str, Component | str | None]
    needs: str | None = None

    def suggest(self, trial: Suggester, before: Mapping[str, str | None]) -> str | None:
        """Return what a trial puts there, as text that a classifier takes.

        Parameters
        ----------
        trial : Suggester
            What chooses; it is not asked where nothing may stand here.
        before : mapping of str to str or None
            What stands at the roles that are searched before this one.
        """
        if self.needs is not None and before.get(self.needs, "") is None:
            return None
        name = trial.suggest_categorical(self.name, list(self.candidates))
        chosen = self.candidates[name]
        if not isinstance(chosen, Component):
            return chosen
        values = {f.name: getattr(chosen, f.name) for f in fields(chosen)}
        for field, space in self.spaces(name).items():
            values[field] = _suggest(trial, f"{self.name}.{name}.{field}", space)
        return self._text(name, type(chosen)(**values))

    def spaces(self, name: str) -> dict[str, Space]:
        """Return what is tried for the fields of a candidate, by field.

        A field at ``"auto"`` is chosen by the component itself, and not searched.
        """
        chosen = self.candidates[name]
        if not isinstance(chosen, Component):
            return {}
        values = {f.name: getattr(chosen, f.name) for f in fields(chosen)}
        spaces = {f.name: f.metadata.get("tune") for f in fields(chosen)}
        searched = {k: s for k, s in spaces.items() if s is not None and values[k] != "auto"}
        return {k: _widened(space, values[k]) for k, space in searched.items()}

    def _text(self, name: str, chosen: Component) -> str:
        """Return an augmentation behind the prescribed one, anything else alone."""
        first = self.candidates[self.prescribed]
        is_alone = self.name != "augmentation" or first is None or name == self.prescribed
        return repr(chosen) if is_alone else f"{first!r} | {chosen!r}"

    def start(self) -> dict[str, Any]:
        """Return names and values at which a trial is the prescription."""
        chosen = self.candidates[self.prescribed]
        begin = f"{self.name}.{self.prescribed}"
        found = {f"{begin}.{k}": getattr(chosen, k) for k in self.spaces(self.prescribed)}
        return {self.name: self.prescribed, **found}


def search_space(
    settings: Settings, kind: str, names: Sequence[str] = ROLES, within: Sequence[str] = ()
) -> list[Role]:
    """Return the roles that a search goes through.

    Parameters
    ----------
    settings : Settings
        The prescription, resolved; always inside the space.
    kind : {"images", "table"}
        What the examples are.
    names : sequence of str
        Roles to search, by default all of `ROLES`; the others stay as prescribed.
    within : sequence of str, default=()
        Roles, of all components of a classifier, whose component stays while its fields are
        searched.

    Returns
    -------
    list of Role
        Those with more than one candidate, or fields to tune. A backbone that no search
        proposes, such as a pretrained one, stays.

    Raises
    ------
    InputError
        If a name is not one of `ROLES`, or not the role of a component.

    Examples
    --------
    >>> from equipoise.classifier import Classifier
    >>> from equipoise.defaults import DataFacts
    >>> from equipoise.settings import resolve_settings
    >>> facts = DataFacts(kind="table", n_train=1000, pixels=0, channels=0, device="cpu")
    >>> settings, _ = resolve_settings(Classifier().get_params(deep=False), facts)
    >>> [role] = search_space(settings, "table", ["sharpness"])
    >>> list(role.candidates), sorted(role.spaces("SAM"))
    (['None', 'SAM', 'SAMA'], ['every', 'rho'])
    """
    check_roles(names)
    check_roles(within, (*COMPONENTS, "batch_size"))
    free = [name for name in ROLES if name in names and name not in within]
    found = [_fields_of(name, getattr(settings, name)) for name in within]
    found += [_role(name, getattr(settings, name), kind) for name in free]
    roles = [role for role in found if role is not None]
    return roles if kind == "table" else _with_two_views(roles, settings)


def _with_two_views(roles: list[Role], settings: Settings) -> list[Role]:
    """Return roles of images: an auxiliary loss needs an augmentation, or both views are one."""
    by_name = {role.name: role for role in roles}
    augmentation, auxiliary = by_name.get("augmentation"), by_name.get("auxiliary")
    if augmentation is None and settings.augmentation is None:
        by_name.pop("auxiliary", None)
    elif auxiliary is not None:
        by_name["auxiliary"] = replace(auxiliary, needs="augmentation")
    elif augmentation is not None and settings.auxiliary is not None:
        some = {k: each for k, each in augmentation.candidates.items() if each is not None}
        by_name["augmentation"] = replace(augmentation, candidates=some)
    return list(by_name.values())


def check_roles(names: Sequence[str], known: Sequence[str] = ROLES) -> None:
    """Raise `InputError` if a name is not a known one."""
    for name in names:
        if name not in known:
            raise InputError(
                f"What is searched must be of {', '.join(known)}.",
                f"One is {name!r}.",
                suggestion(name, known, "Choose of these."),
            )


def suggest(trial: Suggester, roles: Sequence[Role]) -> dict[str, str | None]:
    """Return a trial's parameters of the classifier."""
    params: dict[str, str | None] = {}
    for role in roles:
        params[role.name] = role.suggest(trial, params)
    return params


def starting_point(roles: Sequence[Role]) -> dict[str, Any]:
    """Return names and values at which a trial is the prescription."""
    point: dict[str, Any] = {}
    for role in roles:
        if role.needs is None or point.get(role.needs) != NONE:
            point |= role.start()
    return point


def _role(name: str, prescribed: Any, kind: str) -> Role | None:
    if name == "scaling":
        options = dict.fromkeys((prescribed, *SCALINGS)) if kind == "table" else {}
        return Role(name, prescribed, {each: each for each in options}) if options else None
    kinds = [BatchSize] if name == "batch_size" else COMPONENTS[name].values()
    own = NONE if prescribed is None else type(prescribed).__name__
    proposed = {each.__name__: each for each in kinds if kind in each.tuned_for}
    if name == "backbone" and own not in proposed:
        return None
    candidates: dict[str, Component | str | None] = {own: prescribed}
    if name in OPTIONAL:
        candidates.setdefault(NONE, None)
    for each, build in proposed.items():
        candidates.setdefault(each, build())
    role = Role(name, own, candidates)
    return role if len(candidates) > 1 or role.spaces(own) else None


def _fields_of(name: str, given: Any) -> Role | None:
    """Return a role at which only the fields of what stands there are searched, if it has any."""
    own = type(given).__name__
    role = Role(name, own, {own: given})
    return role if role.spaces(own) else None


def component_with_fields(name: str) -> str | None:
    """Return the first component of a role that has fields to search; None if there is none.

    >>> component_with_fields("loss"), component_with_fields("schedule")
    ('Focal', None)
    """
    for kind, make in COMPONENTS[name].items():
        is_complete = all(field.default is not MISSING for field in fields(make))
        if is_complete and _fields_of(name, make()) is not None:
            return kind
    return None


def _widened(space: Space, value: Any) -> Space:
    """Return a space that holds a value too: the prescription is always inside."""
    if value in space:
        return space
    if isinstance(space, Options):
        return Options((*space.values, value))
    if value == 0 and space.log:  # which no logarithmic scale reaches
        return Options((0.0, space.low, (space.low * space.high) ** 0.5, space.high))
    return Span(min(space.low, value), max(space.high, value), space.log, space.integer)


def _suggest(trial: Suggester, name: str, space: Space) -> Any:
    if isinstance(space, Options):
        return trial.suggest_categorical(name, list(space.values))
    method: Callable[..., Any] = trial.suggest_int if space.integer else trial.suggest_float
    return method(name, space.low, space.high, log=space.log)
