"""How many examples the ratios of a study keep, for every seed and before anything is trained."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from equipoise._typing import CountArray
from equipoise.classifier import Classifier
from equipoise.data.dataset import Dataset
from equipoise.data.profiles import RatioOutOfReachError
from equipoise.experiment import Experiment, cut, draw
from equipoise.recipes import find_recipe
from equipoise.statistics.wording import counted, listed
from equipoise.studies.began import Began
from equipoise.studies.cells import AS_IT_IS

ROUNDING = 0.05
"""Sizes that differ by such a share or less are the same but for whole examples; totals too that
differ by two examples of each class, for each class is rounded down."""


FEW = 5
"""A ratio at which no class has more examples than that is told."""

OFF = 0.1
"""A ratio that is off by such a share in whole examples is told."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Drawn:
    """The data of every ratio.

    Parameters
    ----------
    by_ratio : dict of float to Experiment
        For each ratio how the data is cut; `AS_IT_IS` alone where nothing is thinned.
    kept : dict of float to list of ndarray of int, shape (classes,)
        For each ratio and seed, the examples of each class that are learnt from or held out.
    fixed : {"majority", "total"}
        What shall be equal at all ratios.
    note : str or None, default=None
        What was done for that, as a sentence.
    """

    by_ratio: Mapping[float, Experiment]
    kept: Mapping[float, list[CountArray]]
    fixed: str
    note: str | None = None

    @property
    def is_held(self) -> bool:
        """Whether each seed has as many at all ratios, as far as whole examples allow."""
        by_seed = zip(*map(self._fixed, self.kept), strict=True)
        return all(max(own) - min(own) <= self._rounding(max(own)) for own in by_seed)

    @property
    def cautions(self) -> list[str]:
        """What to mind about the sizes, as sentences."""
        said = [*self._of_ratios(), *self._of_few()]
        return [*said, *([] if self.is_held else [self._of_sizes()])]

    def _of_ratios(self) -> list[str]:
        """Say which ratios are others in whole examples."""
        said = []
        for ratio, own in self.kept.items():
            found = [counts.max() / counts.min() for counts in own if counts.min()]
            if ratio != AS_IT_IS and any(abs(each / ratio - 1) > OFF for each in found):
                low, high = min(found), max(found)
                each = f"{low:.3g}" if low == high else f"{low:.3g} to {high:.3g} by the seed"
                said.append(f"In whole examples ratio {ratio:g} is {each}.")
        return said

    def _of_few(self) -> list[str]:
        """Say at which ratios there is next to nothing to learn from."""
        largest = {ratio: max(int(n.max()) for n in own) for ratio, own in self.kept.items()}
        few = {ratio: n for ratio, n in largest.items() if n <= FEW and ratio != AS_IT_IS}
        if not few:
            return []
        each = [f"{counted(n, 'example')} at ratio {ratio:g}" for ratio, n in few.items()]
        return [
            f"No class has more than {listed(each)}, held-out ones included: hardly anything is "
            "learnt from so few. Near ratio 1 all classes are as small as the smallest; larger "
            "--ratios keep more examples."
        ]

    def _of_sizes(self) -> str:
        """Say which sizes differ that shall not."""
        what = "largest class is" if self.fixed == "majority" else "number of examples is"
        each = [f"{_span(self._fixed(ratio))} at ratio {ratio:g}" for ratio in self.kept]
        return (
            f"The {what} not the same at all ratios, for the data, whole examples or the limits "
            f"given do not allow it: {listed(each)}. What seems to change with the ratio may be "
            "due to that."
        )

    @property
    def smallest_majority(self) -> int:
        """The size of the largest class in the cell where that is smallest."""
        return _smallest_majority(self.kept)

    def _fixed(self, ratio: float) -> list[int]:
        """Return the size of each seed's largest class at a ratio, or of all of its classes."""
        own = self.kept[ratio]
        return [int(n.max() if self.fixed == "majority" else n.sum()) for n in own]

    def _rounding(self, size: int) -> float:
        """Return by how much a size may differ for want of parts of examples."""
        n_classes = len(next(iter(self.kept.values()))[0])
        return max(ROUNDING * size, 0 if self.fixed == "majority" else 2 * n_classes)


def draw_ratios(
    dataset: Dataset,
    experiment: Experiment,
    ratios: Sequence[float],
    fixed: str,
    n_seeds: int,
    began: Began | None = None,
) -> Drawn:
    """Return the data of each ratio, with the largest class or all examples equal in number.

    Parameters
    ----------
    dataset : Dataset
        The data.
    experiment : Experiment
        How it is cut but for the ratio.
    ratios : sequence of float
        Imbalance ratios; `AS_IT_IS` stands alone.
    fixed : {"majority", "total"}
        What is equal at all ratios.
    n_seeds : int
        Seeds of each cell.
    began : Began or None, default=None
        The study that is gone on with, whose largest class stays as large.

    Raises
    ------
    InputError
        If a seed cannot have one of the ratios, or a study began with other sizes.
    """
    if began is not None:
        began.require_asked(experiment)
    if list(ratios) == [AS_IT_IS]:
        by_ratio = {AS_IT_IS: experiment}
        return Drawn(by_ratio=by_ratio, kept=_kept(dataset, by_ratio, n_seeds), fixed=fixed)
    each = {ratio: replace(experiment, ratio=ratio) for ratio in ratios}
    if fixed == "majority" and began is not None and began.has_largest(experiment):
        largest = began.setup["largest"]
        each = {r: replace(one, largest=largest, examples=None) for r, one in each.items()}
    elif fixed == "majority" and experiment.examples is not None:
        # So many in all at the largest ratio; its largest class is that of all ratios.
        most = max(ratios)
        largest = _smallest_majority(_kept(dataset, {most: each[most]}, n_seeds))
        each = {r: replace(one, largest=largest, examples=None) for r, one in each.items()}
    drawn = Drawn(by_ratio=each, kept=_kept(dataset, each, n_seeds), fixed=fixed)
    is_settled = drawn.is_held or fixed == "total" or began is not None
    return drawn if is_settled else _lowered(dataset, drawn, n_seeds)


def _lowered(dataset: Dataset, drawn: Drawn, n_seeds: int) -> Drawn:
    """Return data whose largest class has the least of its sizes at all ratios, if that can be."""
    largest = _smallest_majority(drawn.kept)
    each = {ratio: replace(one, largest=largest) for ratio, one in drawn.by_ratio.items()}
    try:
        kept = _kept(dataset, each, n_seeds)
    except RatioOutOfReachError:
        return drawn
    at = next(r for r, own in drawn.kept.items() if largest in [n.max() for n in own])
    note = f"sizes: the largest class keeps {largest:,} at all ratios, what ratio {at:g} leaves it"
    lowered = Drawn(by_ratio=each, kept=kept, fixed=drawn.fixed, note=note)
    return lowered if lowered.is_held else drawn


def of_seed(experiment: Experiment, seed: int) -> Experiment:
    """Return the experiment of one seed of a study, cut as the runs of that seed are."""
    return replace(experiment, split_seed=experiment.split_seed + seed)


def scarcest_seed(dataset: Dataset, experiment: Experiment, n_seeds: int) -> int:
    """Return the seed of which the rarest class has the fewest examples, the first of several.

    Parameters
    ----------
    dataset : Dataset
        The data.
    experiment : Experiment
        How it is cut, with any parameters that its recipe is given.
    n_seeds : int
        Seeds of each cell.

    Returns
    -------
    int
        Examples that are held out decide, then those that are learnt from.
    """
    given = {**find_recipe(experiment.recipe).params, **experiment.params}
    validation = given.get("validation", Classifier().validation)

    def scarcity(seed: int) -> tuple[int, int, int]:
        parts = cut(dataset, of_seed(experiment, seed), validation)
        trained, held = (_counted(dataset, rows) for rows in (parts.train, parts.validation))
        return int(held.min()), int(trained.min()), len(parts.train)

    return min(range(n_seeds), key=scarcity)


def _kept(
    dataset: Dataset, by_ratio: Mapping[float, Experiment], n_seeds: int
) -> dict[float, list[CountArray]]:
    """Return the examples of each class by ratio and seed, or say which seed lacks the most."""
    kept: dict[float, list[CountArray]] = {ratio: [] for ratio in by_ratio}
    faults = []
    for ratio, experiment in by_ratio.items():
        for seed in range(n_seeds):
            found = _drawn(dataset, experiment, ratio, seed)
            if isinstance(found, RatioOutOfReachError):
                faults.append(found)
            else:
                kept[ratio].append(found)
    if faults:
        raise min(faults, key=lambda fault: fault.reachable)
    return kept


def _drawn(
    dataset: Dataset, experiment: Experiment, ratio: float, seed: int
) -> CountArray | RatioOutOfReachError:
    """Return the examples of each class for one seed, or why the ratio is out of reach."""
    try:
        return _counted(dataset, draw(dataset, of_seed(experiment, seed)).train)
    except RatioOutOfReachError as fault:
        told = RatioOutOfReachError(
            fault.requirement,
            f"At ratio {ratio:g}, seed {seed}: {fault.actual}",
            f"{fault.remedy} A study takes the data as it is with --ratios own.",
        )
        told.reachable = fault.reachable
        return told


def _counted(dataset: Dataset, rows: np.ndarray) -> CountArray:
    return np.bincount(dataset.codes[rows], minlength=len(dataset.classes))


def _span(sizes: Sequence[int]) -> str:
    low, high = min(sizes), max(sizes)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _smallest_majority(kept: Mapping[float, list[CountArray]]) -> int:
    return min(int(counts.max()) for each in kept.values() for counts in each)
