"""The same search in this process, in two local processes and on Ray: time and bookkeeping.

The number of recipes and of epochs is fixed and nothing is stopped early, so all searches try the
same; what they have recorded of each recipe must be equal, and the time is over that of one
process. The searches take turns.

    python benchmarks/executors.py [--pairs 3] [--trials 8] [--out FILE]
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

from common import record, summary

from equipoise.executors import open_executor
from equipoise.experiment import Experiment
from equipoise.tuning.options import Options
from equipoise.tuning.tuner import Tuner
from equipoise.tuning.winner import choose_winner

PLACES = ("here", "processes", "ray")

EPOCHS = 12

METRICS = ("balanced_log_loss", "accuracy")
"""With two of them no recipe is stopped early."""


def searched(place: str, trials: int) -> dict[str, Any]:
    """Search once; return the time of the search and what was recorded of each recipe."""
    params = {"epochs": EPOCHS, "device": "cpu", "precision": "fp32"}
    experiment = Experiment(source="digits", ratio=20.0, params=params)
    options = Options(budget=3600.0, metrics=METRICS, n_trials=trials, n_folds=1, sampler="random")
    workers = 1 if place == "here" else 2
    with tempfile.TemporaryDirectory() as name:
        tuner = Tuner.make(experiment, Path(name, "run"), options)
        with open_executor(place, workers=workers, threads=1 if workers > 1 else None) as executor:  # type: ignore[arg-type]
            begun = time.monotonic()
            tuner.search(executor)
            seconds = time.monotonic() - begun
        records = tuner.records
        winner = choose_winner(tuner.search_folder, records, METRICS[0])
    told = [[r.number, r.params, r.state, r.best_epochs, r.scores] for r in records]
    return {"seconds": seconds, "records": told, "best": winner.best.number}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--trials", type=int, default=8)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    ratios: dict[str, list[float]] = {place: [] for place in PLACES[1:]}
    alike, best = True, []
    for _ in range(args.pairs):
        found = {place: searched(place, args.trials) for place in PLACES}
        for place in PLACES[1:]:
            ratios[place].append(found["here"]["seconds"] / found[place]["seconds"])
            alike &= found[place]["records"] == found["here"]["records"]
        best.append([found[place]["best"] for place in PLACES])
        print({place: round(found[place]["seconds"], 1) for place in PLACES}, alike, flush=True)
    result: dict[str, Any] = {"what": "speed-up of two workers over this process alone"}
    result.update({place: summary(values) for place, values in ratios.items()})
    record(args.out, {**result, "records_are_equal": alike, "best": best, "trials": args.trials})


if __name__ == "__main__":
    main()
