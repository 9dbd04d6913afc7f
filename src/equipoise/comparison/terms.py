"""Under which terms the runs of a comparison are made, and what is said when they change."""

import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from equipoise.devices import Device
from equipoise.executors import Executor
from equipoise.statistics.wording import counted

PACKAGES = ("equipoise", "torch")
"""Whose versions are kept: what a recipe is and how it trains may change with them."""

PLACE = ("executor", "workers", "threads")
"""Where runs are carried out; how much of a machine each has."""


TIMES = "their times cannot be compared, and in the same time they train less or more."
"""What follows where runs have more or less of a computer, or another one."""

CPUINFO = Path("/proc/cpuinfo")
"""Where Linux tells the model of the processor."""


def terms_of(device: Device) -> dict[str, Any]:
    """Return versions, the device, and the processor if it is known, as JSON holds them."""
    # A processor's name holds its threads, which are kept apart.
    named = device.name if device.kind == "cpu" else str(device)
    own = processor()
    return {
        **{name: version(name) for name in PACKAGES},
        "device": named,
        **({} if own is None else {"processor": own}),
    }


def processor() -> str | None:
    """Return the model of this computer's processor; None: it cannot be read."""
    try:
        lines = CPUINFO.read_text("utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    fields = (line.partition(":") for line in lines)
    models = [value.strip() for name, _, value in fields if name.strip() == "model name"]
    return next(filter(None, (*models, platform.processor())), None)


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
    # Of a folder or a computer without a name for it nothing is known, so nothing is said.
    own = now.get("processor")
    if own is not None and was["processor"] != own:
        found.append(
            f"Earlier runs were made on the processor {was['processor']}, later ones on {own}: "
            f"{TIMES}"
        )
    if any(was.get(name) != now.get(name) for name in PLACE):
        found.append(f"Earlier runs were made by {_told(was)}, later ones by {_told(now)}: {TIMES}")
    return found


def _told(place: Mapping[str, Any]) -> str:
    workers, threads = counted(place["workers"], "worker"), counted(place["threads"], "thread")
    return f"{place['executor']}, {workers} of {threads}"
