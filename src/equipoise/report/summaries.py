"""From a run folder to plain data: everything the page says, before any HTML."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from equipoise.errors import InputError
from equipoise.report.cautions import cautions
from equipoise.report.findings import confused_pairs, counted_accuracy, worst_class
from equipoise.report.provenance import network, pretraining
from equipoise.report.reading import read_aloud
from equipoise.report.search import read_search
from equipoise.runs import Run

Summary = dict[str, Any]
"""One run as `summarise` returns it."""

MISTAKES = 24
"""Most mistakes that are shown."""

CONFUSIONS = 10
"""Most pairs of confused classes that are listed."""

_PRIORS = ("balanced", "as_is")


def summarise(path: Path) -> Summary:
    """Return what the report says about one run, as plain data.

    Parameters
    ----------
    path : Path
        A run folder. It may be unfinished: what is not there yet is None or empty.

    Returns
    -------
    dict
        Numbers, texts and lists of these only, so that it can be written as JSON:

        - ``name``, ``title``, ``complete``, ``progress`` (epochs done and planned), ``seconds``;
        - ``data``, ``classifier``, ``recipe``, ``choices``, ``seeds``, ``looks``, ``environment``
          and ``history`` as the run kept them; ``network`` and ``pretraining`` as
          `equipoise.report.provenance` takes them from the configuration;
        - ``classes``: name and counts of each class in label order; ``ratio``: largest over
          smallest training count, None if a class has no training example;
        - ``results``: the test metrics ``as_is`` and ``balanced``, or None;
        - ``search``: the search that led to the run, as `equipoise.report.search.read_search`
          returns it, or None;
        - ``counted_accuracy``: the share of right answers on the test set as it is, for both;
        - ``best_epoch``, the one that the validation examples chose, or None;
        - ``headline``, ``reading``, ``cautions``, ``confusions`` and ``mistakes``.

    Raises
    ------
    InputError
        If the folder is no run, is damaged, or was written in another format.

    Examples
    --------
    A run that has only begun:

    >>> import tempfile
    >>> counts = {f"counts_{part}": [90, 9] for part in ("train", "validation", "test")}
    >>> data = {"name": "pets", "kind": "table", "n": 297, "classes": ["cat", "lynx"], **counts}
    >>> config = {"data": data, "classifier": {"backbone": "MLP()", "epochs": 40}}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     summary = summarise(Run.create(Path(folder) / "run", config).path)
    >>> summary["progress"], summary["ratio"], summary["results"]
    ({'epoch': 0, 'epochs': 40}, 10.0, None)
    """
    run = Run.open(path)
    try:
        return _summary(run)
    except InputError:
        raise
    except (KeyError, TypeError, IndexError, ValueError, AttributeError) as error:
        raise InputError(
            "The files of a run must hold what Equipoise wrote into them.",
            f"`{path}` does not fit together: {type(error).__name__}: {error}.",
            "Restore the folder from a copy, or fit again into another folder.",
        ) from error


def _summary(run: Run) -> Summary:
    config, history = run.config, run.history
    classes = _classes(config["data"])
    summary: Summary = {
        "name": run.path.resolve().name,
        "title": _title(config, tuned=run.has("tuning.json")),
        "complete": run.done,
        "data": config["data"],
        "classes": classes,
        "ratio": _ratio([c["train"] for c in classes]),
        "classifier": config["classifier"],
        "recipe": config.get("recipe", {}).get("name"),
        "choices": config.get("choices", []),
        "seeds": config.get("seeds", {}),
        "looks": config.get("test", {}).get("looks"),
        "environment": config.get("environment", {}),
        "network": network(config),
        "pretraining": pretraining(config),
        "history": history,
        "best_epoch": _best_epoch(history),
        "results": run.read_json("metrics.json").get("test") if run.has("metrics.json") else None,
        "search": read_search(run.read_json("tuning.json")) if run.has("tuning.json") else None,
        "mistakes": _mistakes(run, config["data"]["classes"]),
    }
    finished_in = summary["environment"].get("seconds") if run.done else None
    summary["seconds"] = _time_spent(history) if finished_in is None else finished_in
    summary["progress"] = _progress(summary)
    return summary | _findings(summary)


def _findings(summary: Summary) -> dict[str, Any]:
    results = summary["results"]
    names = [c["name"] for c in summary["classes"]]
    return {
        "confusions": confused_pairs(results["balanced"]["confusion"], names)[:CONFUSIONS]
        if results
        else [],
        "counted_accuracy": {prior: counted_accuracy(results[prior]) for prior in _PRIORS}
        if results
        else None,
        "headline": _headline(results) if results else None,
        "reading": read_aloud(summary),
        "cautions": cautions(results),
    }


def _classes(data: dict[str, Any]) -> list[dict[str, Any]]:
    columns = zip(
        data["classes"],
        data["counts_train"],
        data["counts_validation"],
        data["counts_test"],
        strict=True,
    )
    return [
        {"name": str(name), "train": train, "validation": validation, "test": test}
        for name, train, validation, test in columns
    ]


def _title(config: dict[str, Any], *, tuned: bool) -> str:
    name, backbone = config["data"]["name"], config["classifier"]["backbone"]
    how = "pre-training of " if "pretraining" in config else "tuned " if tuned else ""
    return f"{name}, {how}{backbone}"


def _best_epoch(history: Sequence[dict[str, Any]]) -> int | None:
    chosen = [row["epoch"] for row in history if row.get("best") and row.get("validation")]
    return chosen[-1] if chosen else None


def _ratio(counts: Sequence[int]) -> float | None:
    return max(counts) / min(counts) if counts and min(counts) > 0 else None


def _time_spent(history: Sequence[dict[str, Any]]) -> float | None:
    return sum(row.get("seconds", 0.0) for row in history) if history else None


def _progress(summary: Summary) -> dict[str, int | None]:
    planned = str(summary["classifier"].get("epochs", ""))
    history = summary["history"]
    return {
        "epoch": history[-1]["epoch"] if history else 0,
        "epochs": int(planned) if planned.isdecimal() else None,
    }


def _headline(results: dict[str, Any]) -> dict[str, Any]:
    """Return the numbers at the top of the page, the same four for each prior."""
    return {prior: _headline_of(results[prior]) for prior in _PRIORS}


def _headline_of(metrics: dict[str, Any]) -> dict[str, Any]:
    groups = metrics.get("groups") or {}
    fewest = "few" if "few" in groups else next(reversed(groups), None)
    return {
        "balanced_accuracy": metrics["overall"]["balanced_accuracy"],
        "macro_f1": metrics["overall"]["macro_f1"],
        "worst_class_recall": metrics["overall"]["worst_class_recall"],
        "worst": worst_class(metrics),
        "few": {"name": fewest, **groups[fewest]} if fewest is not None else None,
    }


def _mistakes(run: Run, classes: Sequence[str]) -> list[dict[str, Any]]:
    if run.has("mistakes.npz"):
        return _pictured(run, classes)
    if run.has("mistakes.json"):
        return [_named(row, classes) for row in run.read_json("mistakes.json")[:MISTAKES]]
    return []


def _pictured(run: Run, classes: Sequence[str]) -> list[dict[str, Any]]:
    from equipoise.report.pictures import data_uri  # noqa: PLC0415 (tables need no Pillow)

    arrays = run.read_arrays("mistakes.npz")
    columns = zip(
        *(arrays[k] for k in ("images", "ids", "true", "predicted", "confidence")), strict=True
    )
    return [
        _named(
            {
                "id": str(identifier),
                "true": int(true),
                "predicted": int(predicted),
                "confidence": float(confidence),
                "picture": data_uri(image),
            },
            classes,
        )
        for image, identifier, true, predicted, confidence in list(columns)[:MISTAKES]
    ]


def _named(mistake: dict[str, Any], classes: Sequence[str]) -> dict[str, Any]:
    """Replace class codes by names."""
    codes = {key: mistake[key] for key in ("true", "predicted")}
    return mistake | {k: classes[v] if isinstance(v, int) else v for k, v in codes.items()}
