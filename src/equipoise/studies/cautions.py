"""What to mind before a number of a study is believed."""

from collections.abc import Sequence

from equipoise.statistics.wording import counted, listed
from equipoise.studies.cells import AS_IT_IS, Cells, name_of

MOST_NAMES = 3
"""Most runs that a caution names."""


def cautions(cells: Cells) -> list[str]:
    """Return what to mind, in sentences.

    Parameters
    ----------
    cells : Cells
        What is finished of a study.

    Returns
    -------
    list of str
        What the study noted when it was laid out, such as sizes that differ over ratios; that
        there are one or two seeds; values and seeds that are in no number, since all values
        are compared by the same seeds at all ratios, and some run failed or is still to be made;
        batch sizes that were not retuned; and what `equipoise.comparison` has noted of the runs
        of each ratio.
    """
    said, without = list(cells.told.get("cautions", [])), _seeds_left_out(cells)
    n = len(cells.seeds)
    if n == 1:
        said.append(
            "All of this is from one seed: what another draw of examples, another order of the "
            "classes or training again would change is not known."
        )
    elif n == 2:
        more = "" if without else "; add seeds with --resume"
        said.append(f"Two seeds tell only large changes from chance{more}.")
    said += [*_values_left_out(cells), *without]
    if cells.told["component"] == "batch-size" and not cells.told.get("retune"):
        said.append(
            "Rate and weight decay were not tuned for each batch size, so part of the effect may "
            "be theirs: --retune rate,weight-decay searches them in each cell."
        )
    return [*said, *_of_runs(cells)]


def _values_left_out(cells: Cells) -> list[str]:
    said = []
    for name, label in cells.labels.items():
        without = [ratio for ratio, own in cells.by_ratio.items() if name not in own.methods]
        if without:
            said.append(
                f"{label} is left out of all numbers: no run of it is finished {_where(without)}. "
                "--resume tries again."
            )
    return said


def _seeds_left_out(cells: Cells) -> list[str]:
    done = {
        (ratio, name): {seed for seed, _ in own.entries[name]}
        for ratio, own in cells.by_ratio.items()
        for name in cells.methods
    }
    seeds = sorted(set.union(*done.values()) - set(cells.seeds))
    if not seeds:
        return []
    lacking = [
        f"{cells.labels[name]} {_where([ratio])}, seed {seed}"
        for seed in seeds
        for (ratio, name), own in done.items()
        if seed not in own
    ]
    more = len(lacking) - MOST_NAMES
    shown = [*lacking[:MOST_NAMES], *([counted(more, "more run")] if more > 0 else [])]
    which = "Seed {} is" if len(seeds) == 1 else "Seeds {} are"
    return [
        f"{which.format(listed([str(seed) for seed in seeds]))} left out of all numbers, for some "
        f"runs are not finished: {'; '.join(shown)}. --resume tries again."
    ]


def _of_runs(cells: Cells) -> list[str]:
    """Return what to mind about the runs of each ratio, as its comparison has noted it."""
    noted: dict[str, list[float]] = {}
    for ratio, results in cells.by_ratio.items():
        for line in results.cautions:
            noted.setdefault(line, []).append(ratio)
    everywhere = len(cells.by_ratio)
    return [
        line if len(ratios) == everywhere else f"Of runs {_where(ratios)}: {line}"
        for line, ratios in noted.items()
    ]


def _where(ratios: Sequence[float]) -> str:
    names = [name_of(ratio) for ratio in ratios]
    return "with the data as it is" if ratios[0] == AS_IT_IS else f"at ratio {listed(names)}"
