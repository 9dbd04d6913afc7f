"""The critical-difference diagram: average ranks of methods, and which do not differ."""

from collections.abc import Mapping, Sequence

from equipoise.report.plots.theme import CORRECTED, INK, MUTED, Picture, Tip, canvas, label, svg


def critical_differences(
    ranks: Mapping[str, float], cliques: Sequence[Sequence[str]], critical: float | None
) -> Picture:
    """Draw average ranks as points, and bars over methods whose ranks do not differ.

    Parameters
    ----------
    ranks : mapping of str to float
        Average rank of each method, the best first.
    cliques : sequence of sequence of str
        The largest groups of methods whose ranks do not differ.
    critical : float or None
        From which difference on ranks differ; None: from none on.
    """
    names = list(ranks)
    figure = canvas(70 + 22 * len(names) + 12 * len(cliques))
    axes = figure.subplots()
    tips = []
    for i, name in enumerate(names):
        axes.hlines(i, 1, ranks[name], color=MUTED, linewidth=0.5)
        axes.plot([ranks[name]], [i], "o", color=CORRECTED, markersize=4.6)
        text = f"{label(name, 30)}: average rank {ranks[name]:.2f}, {_alike(name, names, cliques)}"
        tips.append(Tip(axes, ranks[name], i, text, name))
    for k, clique in enumerate(cliques):
        ends = [ranks[name] for name in clique]
        axes.hlines(-1 - 0.55 * k, min(ends), max(ends), color=INK, linewidth=3)
    axes.set_yticks(range(len(names)), [label(name, 26) for name in names])
    axes.set_ylim(len(names) - 0.5, -1.4 - 0.55 * len(cliques))
    axes.set_xlim(0.8, len(names) + 0.2)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(
        "average rank, 1 is best; "
        + ("no ranks differ" if critical is None else f"ranks differ from {critical:.2f} on")
    )
    axes.grid(axis="x")
    told = "; ".join(f"{name} {rank:.2f}" for name, rank in ranks.items())
    groups = "; ".join(", ".join(clique) for clique in cliques) or "none"
    which = "" if critical is None else f" that differ by less than {critical:.2f}"
    return Picture(
        svg(figure, tips),
        f"Average ranks: {told}. Ranks{which} are not told apart; groups of such: {groups}.",
    )


def _alike(name: str, names: Sequence[str], cliques: Sequence[Sequence[str]]) -> str:
    """Return in words which methods a method is not told apart from.

    >>> _alike("a", ["a", "b", "c"], [["a", "b"]]), _alike("c", ["a", "b", "c"], [["a", "b"]])
    ('not told apart from b', 'told apart from all others')
    """
    near = [label(o, 30) for o in names if o != name and any({o, name} <= set(c) for c in cliques)]
    return f"not told apart from {', '.join(near)}" if near else "told apart from all others"
