"""A finished run's ``config.toml`` as options of the command that made it."""

from collections.abc import Mapping
from typing import Any

from equipoise.runs import READING

CUT = ("ratio", "profile", "order", "largest", "examples", "test", "rare", "index")
"""Options of `Imbalance` that a run keeps with its data."""

SEEDS = ("seed", "split_seed")

REPEATED = (
    "backbone",
    "head",
    "norm",
    "initial",
    "finetuning",
    "augmentation",
    "mixing",
    "resampling",
    "sampler",
    "scaling",
    "loss",
    "weighting",
    "stages",
    "smoothing",
    "auxiliary",
    "optimizer",
    "sharpness",
    "schedule",
    "constraint",
    "average",
    "posthoc",
    "batch_size",
    "epochs",
    "clip_norm",
    "validation",
    "monitor",
    "patience",
    "prior",
    "device",
    "precision",
    "devices",
)
"""The classifier's parameters; whatever else a stranger's file names is not taken over."""


def is_run(config: Mapping[str, Any]) -> bool:
    """Whether a TOML file's content is that of a run, not a file of options."""
    return {"classifier", "data", "seeds", "environment"} <= set(config)


def replayed(config: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return a table of options, as ``--config`` takes them, that repeats a run.

    Where the data is must still be said, and options on the command line come first.

    Parameters
    ----------
    config : mapping
        What a run's ``config.toml`` holds.

    Examples
    --------
    >>> replayed({"classifier": {"epochs": 3}, "data": {"ratio": 10.0}, "seeds": {"seed": 1}})
    {'fit': {'epochs': '3', 'ratio': 10.0, 'seed': 1}}
    """
    data = config["data"]
    reading = {k: v for k, v in data.get("reading", {}).items() if k in READING and v}
    options = {
        **{k: str(v) for k, v in config["classifier"].items() if k in REPEATED},
        **{name: data[name] for name in CUT if name in data},
        **reading,
        **{name: config["seeds"][name] for name in SEEDS if name in config["seeds"]},
    }
    if "pretraining" not in config:
        recipe = config.get("recipe", {}).get("name")
        return {"fit": {**options, **({"recipe": recipe} if recipe else {})}}
    options["objective"] = options.pop("auxiliary")
    extra = config["pretraining"].get("source")
    return {"pretrain": {**options, **({"unlabelled": extra} if extra else {})}}
