"""How a run was made: its settings with their reasons, and where it comes from."""

from typing import Any

from equipoise.report.formats import DASH, duration, percent, quoted, rounded, whole

_ROUNDING = 0.0005
"""Difference of two class probabilities that is no difference in per cent with one decimal."""


def network(config: dict[str, Any]) -> dict[str, Any]:
    """Return what a run's configuration says about its network; None where it says nothing.

    Parameters
    ----------
    config : dict
        The run's ``config.toml``, perhaps of a version that kept less.

    Returns
    -------
    dict
        ``parameters``, ``trainable``, ``multiply_adds`` (of one example), ``members``, the number
        of networks that predict together, and ``prior``, the probability of each class that the
        logits contain.

    Examples
    --------
    >>> network({"network": {"parameters": 650}})
    {'parameters': 650, 'trainable': None, 'multiply_adds': None, 'members': None, 'prior': None}
    """
    kept = config.get("network", {})
    sizes = {
        name: kept.get(name) for name in ("parameters", "trainable", "multiply_adds", "members")
    }
    prior = [float(p) for p in kept["prior"]] if "prior" in kept else None
    if prior is not None and len(prior) != len(config["data"]["classes"]):
        raise ValueError("network.prior needs one probability for each class")
    return {**{k: None if n is None else int(n) for k, n in sizes.items()}, "prior": prior}


def pretraining(config: dict[str, Any]) -> dict[str, Any] | None:
    """Return the objective and the further examples of pre-training; None for another run.

    >>> pretraining({"pretraining": {"unlabelled": 9}, "classifier": {"auxiliary": "SimCLR()"}})
    {'objective': 'SimCLR()', 'unlabelled': 9, 'source': None}
    """
    if "pretraining" not in config:
        return None
    kept = config["pretraining"]
    return {
        "objective": str(config["classifier"]["auxiliary"]),
        "unlabelled": int(kept.get("unlabelled", 0)),
        "source": kept.get("source"),
    }


def settings(run: dict[str, Any]) -> list[dict[str, str]]:
    """Return every setting with its value and, where it was chosen, the reason and its source.

    Parameters
    ----------
    run : dict
        A summary with ``classifier`` and ``choices``.

    Examples
    --------
    >>> choice = {"field": "epochs", "value": "40", "reason": "It fits the time."}
    >>> settings({"classifier": {"epochs": 40, "amp": "bf16"}, "choices": [choice]})[0]
    {'field': 'epochs', 'value': '40', 'reason': 'It fits the time.', 'source': ''}
    """
    reasons = {choice["field"]: choice for choice in run["choices"]}
    given = {field: str(value) for field, value in run["classifier"].items()}
    values = given | {f: str(c["value"]) for f, c in reasons.items() if f not in given}
    return [
        {"field": f, "value": value, **_why(reasons.get(f, {"reason": ""}))}
        for f, value in values.items()
    ]


def _why(choice: dict[str, Any]) -> dict[str, str]:
    # Earlier versions kept no source.
    return {"reason": choice["reason"], "source": choice.get("source", "")}


def provenance(run: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what someone needs to repeat the run, as names and texts.

    Parameters
    ----------
    run : dict
        A summary with ``data``, ``seeds``, ``looks``, ``environment``, ``classes``, ``recipe``,
        ``network`` and ``pretraining``.
    """
    data = run["data"]
    sizes = [sum(c[part] for c in run["classes"]) for part in ("train", "validation", "test")]
    facts: list[tuple[str, Any]] = [
        ("Run", run["name"]),
        ("Source of the data", data.get("source")),
        ("Content", _content(data)),
        ("Examples", "{} training, {} validation, {} test".format(*map(whole, sizes))),
        ("Subsampled to", _subsampling(data)),
        ("Recipe", run["recipe"]),
        ("Fingerprint (SHA-256)", data.get("fingerprint")),
        ("Further examples", _further(run["pretraining"])),
        ("Parameters", _parameters(run["network"])),
        ("Multiply-adds", _multiply_adds(run["network"])),
        ("Class probabilities in the logits", _prior(run)),
        ("Looks at the test set", run["looks"]),
        *((name.replace("_", " ").capitalize(), value) for name, value in run["seeds"].items()),
        *(
            ("Time" if name == "seconds" else name.capitalize(), _text(name, value))
            for name, value in run["environment"].items()
        ),
    ]
    return [(name, str(value)) for name, value in facts if value not in (None, "")]


def _text(name: str, value: Any) -> str:
    if name == "seconds":
        return duration(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _further(pretraining: dict[str, Any] | None) -> str:
    if not pretraining or not pretraining["unlabelled"]:
        return ""
    source = f", from {pretraining['source']}" if pretraining["source"] else ""
    return f"{whole(pretraining['unlabelled'])} without labels{source}"


def _parameters(network: dict[str, Any]) -> str:
    total, trained = network["parameters"], network["trainable"]
    if total is None:
        return ""
    if trained is None:
        return whole(total)
    return f"{whole(total)}, {'all' if trained == total else whole(trained) + ' of them'} trained"


def _multiply_adds(network: dict[str, Any]) -> str:
    count = network["multiply_adds"]
    return "" if count is None else f"{rounded(count)} for one example"


def _prior(run: dict[str, Any]) -> str:
    """Tell the probabilities that correction starts from; pre-training has none to correct."""
    prior, total = run["network"]["prior"], sum(c["train"] for c in run["classes"])
    if prior is None or run["pretraining"]:
        return ""
    pairs = list(zip(prior, run["classes"], strict=True))
    if all(abs(p - c["train"] / max(total, 1)) < _ROUNDING for p, c in pairs):
        return "those of the training examples"
    (high, most), (low, least) = (pick(pairs, key=lambda pair: pair[0]) for pick in (max, min))
    return (
        f"from {percent(high)} ({quoted(most['name'])}) to {percent(low)} "
        f"({quoted(least['name'])}), {_why_another(run['network'])}"
    )


def _why_another(network: dict[str, Any]) -> str:
    """Return why the probabilities are not those of the training examples."""
    if network["members"] is None:
        return "since targets were smoothed or weighted"
    return "a geometric mean of those of the networks"


def _content(data: dict[str, Any]) -> str:
    if data.get("columns"):
        return f"{len(data['columns'])} columns: {', '.join(map(str, data['columns']))}"
    shape = data.get("shape") or []
    return "images of " + " \N{MULTIPLICATION SIGN} ".join(map(str, shape)) if shape else DASH


def _subsampling(data: dict[str, Any]) -> str:
    named = {
        "ratio": "imbalance ratio",
        "profile": "profile",
        "order": "order",
        "largest": "largest class at most",
        "examples": "examples at most",
    }
    return ", ".join(f"{words} {_text(k, data[k])}" for k, words in named.items() if data.get(k))
