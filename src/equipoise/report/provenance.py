"""How a run was made: its settings with their reasons, and where it comes from."""

from typing import Any

from equipoise.report.formats import DASH, duration, whole


def settings(run: dict[str, Any]) -> list[dict[str, str]]:
    """Return every setting with its value and, where it was chosen automatically, the reason.

    Parameters
    ----------
    run : dict
        A summary with ``classifier`` and ``choices``.

    Examples
    --------
    >>> choice = {"field": "epochs", "value": "40", "reason": "It fits the time."}
    >>> settings({"classifier": {"epochs": 40, "amp": "bf16"}, "choices": [choice]})[0]
    {'field': 'epochs', 'value': '40', 'reason': 'It fits the time.'}
    """
    reasons = {choice["field"]: choice for choice in run["choices"]}
    given = {field: str(value) for field, value in run["classifier"].items()}
    values = given | {f: str(c["value"]) for f, c in reasons.items() if f not in given}
    return [
        {"field": f, "value": value, "reason": reasons[f]["reason"] if f in reasons else ""}
        for f, value in values.items()
    ]


def provenance(run: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what someone needs to repeat the run, as names and texts.

    Parameters
    ----------
    run : dict
        A summary with ``data``, ``seeds``, ``looks``, ``environment``, ``classes``.
    """
    data = run["data"]
    sizes = [sum(c[part] for c in run["classes"]) for part in ("train", "validation", "test")]
    facts: list[tuple[str, Any]] = [
        ("Run", run["name"]),
        ("Source of the data", data.get("source")),
        ("Content", _content(data)),
        ("Examples", "{} training, {} validation, {} test".format(*map(whole, sizes))),
        ("Subsampled to", _subsampling(data)),
        ("Fingerprint (SHA-256)", data.get("fingerprint")),
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


def _content(data: dict[str, Any]) -> str:
    if data.get("columns"):
        return f"{len(data['columns'])} columns: {', '.join(map(str, data['columns']))}"
    shape = data.get("shape") or []
    return "images of " + " \N{MULTIPLICATION SIGN} ".join(map(str, shape)) if shape else DASH


def _subsampling(data: dict[str, Any]) -> str:
    named = {"ratio": "imbalance ratio", "profile": "profile", "order": "order"}
    return ", ".join(f"{words} {_text(k, data[k])}" for k, words in named.items() if data.get(k))
