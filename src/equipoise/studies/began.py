"""A study that is gone on with: what it began as, and what of it is finished."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from equipoise.comparison.setup import Unit, stored
from equipoise.errors import InputError
from equipoise.experiment import Experiment
from equipoise.runs import Run
from equipoise.studies.cells import AS_IT_IS, NAME, folder_of, name_of, ratios_of, read_told
from equipoise.studies.contract import Value


@dataclass(frozen=True, kw_only=True, eq=False)
class Began:
    """A study in its folder, of which a run may have begun.

    Parameters
    ----------
    folder : Path
        Of the study.
    told : mapping
        Its file.
    setup : mapping
        What all cells share but for the ratio, as the comparison of one keeps it.
    methods : mapping
        What is kept of each value by its method's name.
    """

    folder: Path
    told: Mapping[str, Any]
    setup: Mapping[str, Any]
    methods: Mapping[str, Mapping[str, Any]]

    @classmethod
    def read(cls, folder: Path) -> "Began | None":
        """Return the study in a folder; None where no comparison of one has begun.

        Raises
        ------
        InputError
            If its file is damaged.
        """
        if not (folder / NAME).exists():
            return None
        told = read_told(folder)
        each = [stored(folder / folder_of(ratio)) for ratio in ratios_of(told)]
        found = [one for one in each if one is not None]
        if not found:
            return None
        methods = {name: own for one in found for name, own in one["methods"].items()}
        return cls(folder=folder, told=told, setup=found[0]["setup"], methods=methods)

    @property
    def at(self) -> tuple[float, int]:
        """The ratio and the seed at which all that cells share was resolved."""
        # Earlier versions took the first seed at the largest ratio, and could not add a larger one.
        resolved = self.told.get("resolved", {})
        return resolved.get("ratio", max(ratios_of(self.told))), resolved.get("seed", 0)

    @property
    def n_seeds(self) -> int:
        """Seeds of each cell."""
        return int(self.told.get("n_seeds", 1))

    @cached_property
    def ratios(self) -> list[float]:
        """Ratios at which every value is finished."""
        names = [value["method"] for value in self.told["values"]]
        return [
            ratio
            for ratio in ratios_of(self.told)
            if all(self._done(name, ratio) for name in names)
        ]

    def values(self, *, is_all: bool) -> list[Value]:
        """Return the values that are finished at every ratio and the reference, or all."""
        kept = []
        for value in self.told["values"]:
            name = value["method"]
            is_finished = all(self._done(name, ratio) for ratio in ratios_of(self.told))
            is_kept = is_all or is_finished or name == self.told["reference"]
            if is_kept and name in self.methods:  # else it has not begun anywhere
                described = self.methods[name]
                params = {k: _typed(text) for k, text in described["params"].items()}
                kept.append(
                    Value(value["label"], params, value["number"], described.get("pretrain"))
                )
        return kept

    def joined(self, asked: list[float]) -> list[float]:
        """Return the ratios that are asked for and those that are finished, in their order.

        Raises
        ------
        InputError
            If data that is thinned and data as it is would be joined.
        """
        known = ratios_of(self.told)
        if (AS_IT_IS in known) != (AS_IT_IS in asked):
            raise InputError(
                "A study is of the data as it is, or of ratios that are made of it.",
                f"`{self.folder}` is of {' and '.join(map(name_of, known))}, and asked for is "
                f"{' and '.join(map(name_of, asked))}.",
                "Give the same --ratios again and more, or another --out.",
            )
        return sorted({*asked, *self.ratios})

    def require_asked(self, experiment: Experiment) -> None:
        """Raise `InputError` if other sizes are asked for than at the start."""
        was, now = self.told.get("asked"), sizes_asked(experiment)
        if was is not None and was != now:
            raise InputError(
                "A study is gone on with on as many examples as it began with.",
                f"It began with {_as_options(was)}, and now there is {_as_options(now)}.",
                "Give the same again, or another --out for a new study.",
            )

    def has_largest(self, experiment: Experiment) -> bool:
        """Whether the study has chosen the size of the largest class that its setup tells."""
        # Earlier versions did that for --examples alone, and did not keep what was asked for.
        return "asked" in self.told or experiment.examples is not None

    def _done(self, method: str, ratio: float) -> bool:
        root = self.folder / folder_of(ratio)
        units = [Unit(method=method, seed=seed) for seed in range(self.n_seeds)]
        return all(Run(unit.folder(root)).done for unit in units)


def sizes_asked(experiment: Experiment) -> dict[str, int | None]:
    """Return the limits of sizes that a user gives, as they are kept."""
    return {"examples": experiment.examples, "largest": experiment.largest}


def _as_options(sizes: Mapping[str, int | None]) -> str:
    given = [f"--{name} {n}" for name, n in sizes.items() if n is not None]
    return " and ".join(given) or "neither --examples nor --largest"


def _typed(text: str) -> int | str:
    """Return a parameter as it was given, from the text that a comparison keeps of it."""
    return int(text) if text.isdecimal() else text
