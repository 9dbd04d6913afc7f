"""Under which terms the runs of a comparison are made, and what is said when they change."""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import torch

from equipoise.devices import Device
from equipoise.executors import Executor
from equipoise.statistics.wording import counted

PACKAGES = ("equipoise", "torch")
"""Whose versions are kept: what a recipe is and how it trains may change with them."""

PLACE = ("executor", "workers", "threads")
"""Where runs are carried out; how much of a machine each has."""


def terms_of(device: Device) -> dict[str, Any]:
    """Return versions and the device, as JSON holds them."""
    # A processor's name holds its threads, which are kept apart.
    named = device.name if device.kind == "cpu" else str(device)
    return {**{name: version(name) for name in PACKAGES}, "device": named}


def place_of(executor: Executor) -> dict[str, Any]:
    """Return the kind of an executor, its workers and the threads of each.

    Examples
    --------
    >>> from equipoise.executors import Processes
    >>> with Processes(2, threads=3) as executor:
    ...     place_of(executor)
    {'executor': 'processes', 'workers': 2, 'threads': 3}
    """
    threads = getattr(executor, "threads", None) or torch.get_num_threads()
    name = type(executor).__name__.lower()
    return {"executor": name, "workers": executor.workers, "threads": int(threads)}


def cautions(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return what to mind when runs are added under other terms, as sentences.

    Parameters
    ----------
    before, now : mapping of str to value
        Terms of the runs that are there, and of those to come. What earlier versions did not keep
        is taken to be the same.

    Examples
    --------
    >>> was = {"torch": "2.6.0", "executor": "here", "workers": 1, "threads": 4}
    >>> cautions(was, {**was, "torch": "2.7.1"})
    ['Earlier runs were made with torch 2.6.0, later ones with 2.7.1: they may differ for it.']
    >>> cautions(was, {**was, "threads": 1})[0][:70]
    'Earlier runs were made by here, 1 worker of 4 threads, later ones by h'
    >>> cautions(was, was), cautions({}, was)
    ([], [])
    """
    was = {**now, **before}
    found = [
        f"Earlier runs were made with {name} {was[name]}, later ones with {now[name]}: they may "
        "differ for it."
        for name in PACKAGES
        if name in now and was[name] != now[name]
    ]
    if any(was.get(name) != now.get(name) for name in PLACE):
        found.append(
            f"Earlier runs were made by {_told(was)}, later ones by {_told(now)}: their times "
            "cannot be compared, and in the same time they train less or more."
        )
    return found


def _told(place: Mapping[str, Any]) -> str:
    workers, threads = counted(place["workers"], "worker"), counted(place["threads"], "thread")
    return f"{place['executor']}, {workers} of {threads}"
