"""Recipes that are tried first: the prescription, then what has helped elsewhere."""

from collections.abc import Mapping, Sequence
from typing import Any

from equipoise.tuning.space import Role, starting_point

CHANGES: Mapping[str, Sequence[Mapping[str, Any]]] = {
    "images": (
        {"backbone.ResNet18.width": 32},
        {"smoothing": "Uniform"},
        {"optimizer.SGD.weight_decay": 0.0005},
        {"head": "Cosine"},
    ),
    "table": (
        {"backbone": "TabularResNet", "backbone.TabularResNet.numeric": None},
        {"backbone.MLP.numeric": "piecewise"},
        {"scaling": "standard", "schedule": "Constant", "batch_size.BatchSize.size": 256},
        {"batch_size.BatchSize.size": 32},
    ),
}
"""What each recipe of the portfolio changes of the prescription, in the order of trial.

Images: of the rows of ``benchmarks/results/ablation`` (Fashion-MNIST-LT) those with the largest
gain in corrected balanced accuracy that change different parts and cost less than three times as
much: 0.5 to 1.0 points, with standard errors of 0.1 to 0.4 over 3 seeds.

Tables: hardly any recipe of ``benchmarks/results/table_defaults.jsonl`` is better on all 18
tables, but different ones are better on different tables. The portfolio is greedy: the next
recipe is the one that lowers the geometric mean over tables of the best balanced log-loss so far
the most (``python benchmarks/table_defaults.py --portfolio``). The third stands for the naive
recipe.
"""


def first_points(roles: Sequence[Role], kind: str) -> list[dict[str, Any]]:
    """Return the prescription, and the portfolio as far as it lies in the space.

    Parameters
    ----------
    roles : sequence of Role
        The space.
    kind : {"images", "table"}
        What the examples are.

    Returns
    -------
    list of dict
        Names and values of the space.
    """
    start = starting_point(roles)
    points = [start]
    for change in CHANGES[kind]:
        if (point := _changed(start, change, roles)) is not None and point not in points:
            points.append(point)
    return points


def _changed(
    start: Mapping[str, Any], change: Mapping[str, Any], roles: Sequence[Role]
) -> dict[str, Any] | None:
    """Return the prescription with a change; None if the change is not in the space."""
    by_name = {role.name: role for role in roles}
    point = dict(start)
    for name, value in change.items():
        if name in by_name and value in by_name[name].candidates:
            point = {k: v for k, v in point.items() if not k.startswith(f"{name}.")}
            point |= {name: value, **_defaults(by_name[name], str(value))}
        elif "." in name and name in point and _holds(by_name, name, value):
            point[name] = value
        else:
            return None
    return point


def _holds(roles: Mapping[str, Role], path: str, value: Any) -> bool:
    """Whether a value of ``role.Component.field`` may be tried."""
    role, component, field = path.split(".")
    return value in roles[role].spaces(component)[field]


def _defaults(role: Role, name: str) -> dict[str, Any]:
    chosen = role.candidates[name]
    return {f"{role.name}.{name}.{k}": getattr(chosen, k) for k in role.spaces(name)}
