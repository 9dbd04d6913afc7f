"""From a prescription and the time there is to a search that is ready to run."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from equipoise.errors import InputError
from equipoise.experiment import Experiment
from equipoise.fitting import Fit
from equipoise.runs import Run
from equipoise.settings import from_text
from equipoise.spec import resolve
from equipoise.specialized.posthoc import POSTHOCS
from equipoise.specialized.posthoc.base import PostHoc
from equipoise.task import Task
from equipoise.tuning.clock import Clock
from equipoise.tuning.folds import require_held_out
from equipoise.tuning.identity import write_identity
from equipoise.tuning.layout import Layout, lay_out, store_layout, stored_layout
from equipoise.tuning.options import Options
from equipoise.tuning.portfolio import first_points
from equipoise.tuning.records import fold_folder, read_records
from equipoise.tuning.scores import BALANCED
from equipoise.tuning.search import Search
from equipoise.tuning.space import Role, component_with_fields, search_space
from equipoise.tuning.study import Address
from equipoise.tuning.variations import variations

N_VARIATIONS = 16
"""Recipes near the prescription that are tried before the sampler draws any."""


def laid_out(fit: Fit, options: Options, clock: Clock, n_predicted: int = 0) -> Layout:
    """Return how to search: measured anew until a trial has begun, and kept then.

    Parameters
    ----------
    fit : Fit
        The prescription, prepared.
    options : Options
        How to search.
    clock : Clock
        The time that is used and left, in the folder of the search.
    n_predicted : int, default=0
        Examples that are predicted and judged at the end, for which time is kept.

    Raises
    ------
    InputError
        If nothing can be held out, or there is no time for trials.
    """
    stored = stored_layout(clock.folder)
    if stored is not None and read_records(clock.folder):
        return stored
    require_held_out(fit.task)
    clock.require_time()
    # The search is known by these, even if there is another time for it now.
    metrics = options.metrics or (stored.metrics if stored else ())
    folds = options.n_folds or (stored.n_folds if stored else None)
    left, ensemble = clock.remaining, options.ensemble
    layout = lay_out(fit, left, metrics, folds, n_predicted=n_predicted, ensemble=ensemble)
    clock.require_time(layout.reserve)
    return layout if options.longer else replace(layout, longest=layout.epochs)


def begin(folder: Path, identity: Mapping[str, Any], layout: Layout) -> None:
    """Write what a search is of and how it is laid out; once a trial has begun, both stay.

    Parameters
    ----------
    folder : Path
        Folder of the search.
    identity : mapping of str to value
        What a resumed search shares with its start.
    layout : Layout
        How it is laid out.
    """
    # In a shared storage each search has a study of its own, found again by this name.
    write_identity(folder, {**identity, "study": f"equipoise-{secrets.token_hex(6)}"})
    # The layout second: a folder with the first is known to be that of a search.
    if stored_layout(folder) is None or not read_records(folder):
        store_layout(folder, layout)


def base_params(
    params: Mapping[str, Any], layout: Layout, given: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the prescription's parameters, with what a search's metric and time ask for.

    The metric chooses the epoch too, and if all classes count alike in it, predictions are
    corrected to the balanced prior; what is given stays.
    """
    metric = layout.metrics[0]
    prior = {"prior": "balanced"} if metric in BALANCED else {}
    network = {} if layout.backbone is None else {"backbone": layout.backbone}
    return {**params, "monitor": metric, **prior, **network, **given}


def refit_params(
    base: Mapping[str, Any], recipe: Mapping[str, Any], epochs: int, trial: Path | None = None
) -> dict[str, Any]:
    """Return the parameters by which the recipe that is taken is trained anew.

    It learns from all examples, those held out in the search included. A method after training
    that chooses a number by held-out examples keeps what it has chosen in the trial, as epochs
    are kept; one that chooses more than a number has as many held out as before.

    Parameters
    ----------
    base : mapping of str to value
        Parameters of every recipe, from `base_params`.
    recipe : mapping of str to value
        What the recipe changes of them.
    epochs : int
        Epochs of the training.
    trial : Path or None, default=None
        Folder of the recipe's trial; None: a method after training chooses anew.
    """
    params = {**base, **recipe, "epochs": epochs}
    given = from_text("posthoc", params["posthoc"])
    if given is None:
        return {**params, "validation": 0.0}
    method = resolve(given, POSTHOCS, "posthoc")
    if (chosen := _chosen_after(method, trial)) is not None:
        params["posthoc"] = method = replace(method, **chosen)
    return params if method.needs_validation else {**params, "validation": 0.0}


def _chosen_after(method: PostHoc, trial: Path | None) -> dict[str, Any] | None:
    """Return the numbers that a method after training has chosen in a trial; None: it has not."""
    place = None if trial is None else Run(fold_folder(trial, 0))
    if place is None or not place.has("posthoc.json"):
        return None
    found = place.read_json("posthoc.json")["found"]
    open_fields = [f.name for f in fields(method) if getattr(method, f.name) == "auto"]
    return {name: found[name] for name in open_fields if name in found} or None


def searched_roles(fit: Fit, options: Options, given: Mapping[str, Any]) -> list[Role]:
    """Return the space of a search.

    Parameters
    ----------
    fit : Fit
        The prescription, prepared.
    options : Options
        Which parameters shall be searched.
    given : mapping of str to value
        Parameters that the user has given, which are not searched.

    Raises
    ------
    InputError
        If nothing is left to search, or a component whose numbers shall be searched has none.
    """
    names = [name for name in options.roles if name not in given]
    roles = search_space(fit.settings, fit.task.facts["kind"], names, options.within)
    _check_within(fit, options.within, roles)
    if not roles:
        raise InputError(
            "A search needs a parameter that is not given and has something to choose from.",
            f"It was to go through {', '.join((*options.roles, *options.within)) or 'none'}, "
            "and given are "
            f"{', '.join(given) or 'none'}.",
            "Search others too, or use `equipoise fit`, which trains one recipe.",
        )
    return roles


def _check_within(fit: Fit, within: Sequence[str], roles: Sequence[Role]) -> None:
    for name in within:
        if name not in [role.name for role in roles]:
            other, option = component_with_fields(name), name.replace("_", "-")
            out = f"leave {name} out of --within"
            raise InputError(
                "A component whose numbers are searched must have some that can be.",
                f"The {name} is {getattr(fit.settings, name)!r}, which has none.",
                f'Give another, such as --{option} "{other}()", or {out}.'
                if other is not None
                else f"{out.capitalize()}.",
            )


def set_up(  # noqa: PLR0913 (each is a part of the search)
    fit: Fit,
    layout: Layout,
    options: Options,
    *,
    folder: Path,
    data: Experiment | Task,
    base: Mapping[str, Any],
    given: Mapping[str, Any],
    address: Address,
    data_hash: str = "",
) -> Search:
    """Return a search that is ready to run.

    Parameters
    ----------
    fit : Fit
        The prescription, prepared.
    layout, options : Layout and Options
        How to search.
    folder : Path
        Where the search is kept.
    data : Experiment or Task
        Where the examples are, or they themselves.
    base : mapping of str to value
        Parameters of every recipe, from `base_params`.
    given : mapping of str to value
        Parameters that the user has given, which are not searched.
    address : Address
        Where the study is kept.
    data_hash : str, default=""
        By which a worker knows that it has read the same.
    """
    roles, kind = searched_roles(fit, options, given), fit.task.facts["kind"]
    if layout.backbone is not None:
        roles = [role for role in roles if role.name != "backbone"]
    first = first_points(roles, kind)
    if options.portfolio and not layout.alone:
        first += variations(roles, N_VARIATIONS, fit.seed)
    return Search(
        folder=folder,
        data=data,
        data_hash=data_hash,
        base=base,
        roles=roles,
        first=first if options.portfolio else first[:1],
        metrics=layout.metrics,
        n_folds=layout.n_folds,
        seconds=layout.seconds,
        most_epochs=layout.most_epochs if options.longer else layout.epochs,
        n_trials=1 if layout.alone else options.n_trials,
        sampler=options.sampler,
        keeps_folds=options.ensemble > 1,
        seed=fit.seed,
        address=address,
    )
