"""``equipoise toy``: decision regions around a few minority points."""

from pathlib import Path

import numpy as np
from rich.table import Table

from equipoise.commands import console
from equipoise.commands.options import Flag, require_new
from equipoise.errors import InputError
from equipoise.report.plots.regions import SUFFIXES, decision_regions, save
from equipoise.toy import EDGE, METHODS, Panel, make_toy


def toy(  # noqa: PLR0913 (each is an option)
    *,
    out: Path = Path("toy.svg"),
    minority: int = 10,
    majority: int = 300,
    seeds: int = 3,
    epochs: int = 60,
    rho: float = 0.05,
    overwrite: Flag = False,
    json: Flag = False,
) -> int:
    """Draw what methods make of a few minority points in a plane: one picture.

    Plain training, the same corrected to equal frequencies, re-weighted, over-sampled, SAM and
    SAM-A, with the same network, points and epochs. Recall is measured on many new points.

    Parameters
    ----------
    out : Path
        The picture: .svg, .png or .pdf.
    minority : int
        Training points of the rare class.
    majority : int
        Training points of the frequent class.
    seeds : int
        Draws of the points; the first is drawn, recall is told over all.
    epochs : int
        Passes over the points.
    rho : float
        Radius of SAM and SAM-A.
    overwrite : bool
        Replace --out if it exists.
    json : bool
        Print recall as JSON.
    """
    if out.suffix.lower() not in SUFFIXES:
        raise InputError(
            f"The picture must end in {', '.join(SUFFIXES)}.", f"It is `{out}`.", "Rename it."
        )
    require_new(out, "The picture is", overwrite=overwrite)
    with console.counting_bar("trainings", len(METHODS) * max(seeds, 1)) as advance:
        made = make_toy(
            n_majority=majority,
            n_minority=minority,
            n_seeds=seeds,
            epochs=epochs,
            rho=rho,
            watch=advance,
        )
    panels = [(panel.name, panel.proba, _note(panel)) for panel in made.panels]
    save(decision_regions(made.X, made.codes, panels, EDGE), out)
    if json:
        recall = {panel.name: panel.recall.tolist() for panel in made.panels}
        console.print_json({"out": str(out), "recall": recall, "classes": ["majority", "minority"]})
        return 0
    console.results.print(_table(made.panels))
    console.say(f"The picture is {out}.")
    return 0


def _note(panel: Panel) -> str:
    both = 100 * panel.recall.mean(axis=0)
    return f"recall {both[0]:.0f} % and {both[1]:.0f} % of the minority"


def _table(panels: tuple[Panel, ...]) -> Table:
    n = len(panels[0].recall)
    table = Table(
        title=f"Recall on new points, {n} draws, standard deviation", title_justify="left"
    )
    for name in ("method", "majority", "minority", "balanced accuracy"):
        table.add_column(name, justify="left" if name == "method" else "right")
    for panel in panels:
        each = [*panel.recall.T, panel.recall.mean(axis=1)]
        table.add_row(panel.name, *(_figure(values) for values in each))
    return table


def _figure(values: np.ndarray) -> str:
    spread = f" ± {100 * values.std(ddof=1):.1f}" if len(values) > 1 else ""
    return f"{100 * values.mean():.1f} %{spread}"
