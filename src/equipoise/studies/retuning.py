"""The values of a study as methods of a comparison, and what of each is searched again."""

import re
import shlex
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from equipoise.comparison.methods import Method, make_method
from equipoise.defaults import DataFacts
from equipoise.errors import InputError
from equipoise.initial import Initial
from equipoise.material import facts_of
from equipoise.plan import Plan
from equipoise.settings import Settings, resolve_resampling, resolve_settings
from equipoise.statistics.wording import listed
from equipoise.studies.contract import Value
from equipoise.tuning.space import Role, search_space

LONG_NAME = 50
"""Names of methods are cut after so many characters."""

WORDS = {"optimizer": "rate, weight-decay and optimizer"}
"""What asks for a search of a parameter's numbers, where that is not its name."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Methods:
    """The values of a study as methods.

    Parameters
    ----------
    each : list of Method
        A method for each value.
    note : str or None
        Which values lack something that is searched, as a sentence; None: none does.
    """

    each: list[Method]
    note: str | None


def methods_of(
    values: Sequence[Value],
    plan: Plan,
    own: Mapping[str, Any],
    retune: tuple[str, ...],
    *,
    is_new: bool = True,
) -> Methods:
    """Return the values as methods, each of which resolves and leaves to a search what it says.

    Parameters
    ----------
    values : sequence of Value
        What is compared.
    plan : Plan
        Of the cell by which all that cells share is resolved.
    own : mapping of str to value
        What a value is where it is silent.
    retune : tuple of str
        Parameters whose numbers are searched again in each cell. A value whose component has no
        numbers there is searched by the others alone.
    is_new : bool, default=True
        Whether the study is new; one that is gone on with may search what values say.

    Raises
    ------
    InputError
        If a value cannot be resolved, a search would replace what it says, or there is nothing to
        search for it.
    """
    methods, lacking = [], dict[str, list[str]]()
    for value in values:
        roles = _searched(value, plan, own, retune)
        for name in retune:
            if name in roles and is_new:
                _require_silent(value, roles[name], plan.fit.settings, values)
            elif name not in roles:
                lacking.setdefault(name, []).append(value.label)
        if retune and not roles:
            raise _nothing_to_search(value, retune)
        methods.append(
            make_method(
                _name(value),
                {**own, **value.params},
                over=plan.experiment.recipe,
                within=tuple(roles),
                pretrain=value.pretrain,
            )
        )
    told = [f"{name} of all but {listed(labels)}" for name, labels in lacking.items()]
    note = f"retuned: {listed(told)}, which have no numbers there" if told else None
    return Methods(each=methods, note=note)


def _name(value: Value) -> str:
    """Return what a value's method is called, which is also the name of a folder."""
    name = re.sub(r"[^\w.()=,-]+", "-", value.label, flags=re.ASCII).strip("-.(")
    if len(name) > LONG_NAME:
        name = f"{name[:LONG_NAME]}-{zlib.crc32(value.label.encode()):08x}"
    return name


def _searched(
    value: Value, plan: Plan, own: Mapping[str, Any], retune: tuple[str, ...]
) -> dict[str, Role]:
    """Return those of the parameters of which a value has numbers, resolving all that it sets."""
    params = {**plan.params, **own, **value.params}
    if params["initial"] is not None:
        params = Initial.read(params["initial"]).params(params)
    known = facts_of(plan.fit.task, resolve_resampling(params))
    is_pretrained = params["initial"] is not None
    facts = DataFacts(**known, device=plan.fit.device.name, pretrained=is_pretrained)
    settings, _ = resolve_settings(params, facts)
    found = {name: search_space(settings, facts.kind, (), (name,)) for name in retune}
    return {name: roles[0] for name, roles in found.items() if roles}


def _require_silent(value: Value, role: Role, base: Settings, values: Sequence[Value]) -> None:
    """Raise `InputError` if a search would replace numbers by which a value differs from others."""
    text = str(value.params.get(role.name))
    if text == repr(getattr(base, role.name)):
        return
    said = [name for name in role.spaces(role.prescribed) if re.search(rf"\b{name}\s*=", text)]
    if said:
        word = WORDS.get(role.name, role.name)
        raise InputError(
            "What a value says must not be what --retune searches: it would be replaced.",
            f"{value.label} gives {listed(said)} of the {role.name}.",
            f"Leave {word} out of --retune, or give values without these numbers"
            f"{_silent(role.name, values)}.",
        )


def _silent(name: str, values: Sequence[Value]) -> str:
    """Return how a study is asked for in which values leave a parameter's numbers to a search."""
    texts = [str(value.params.get(name)).partition("(") for value in values]
    bare = list(dict.fromkeys(f"{kind}()" if given else kind for kind, given, _ in texts))
    if len(bare) < 2:
        return ""
    searched = "rate" if name == "optimizer" else f"rate,{name}"
    return f", as with --values {' '.join(map(shlex.quote, bare))} --retune {searched}"


def _nothing_to_search(value: Value, retune: Sequence[str]) -> InputError:
    return InputError(
        "Every value must have numbers that --retune searches, or some are tuned and some are not.",
        f"{value.label} has none of its {listed(retune)}.",
        "Retune the rate as well, leave out --retune, or give other values.",
    )
