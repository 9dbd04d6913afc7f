"""Whether a verdict keeps its word: copies are not told apart, and what it can see is found.

In each repetition one method is trained under two names, with other seeds for training and the
same splits, and judged as `equipoise compare` judges it. Then the second name's right answers are
spoilt, in all classes alike, by the difference that the first verdict said would be found with
a chance of 80 %, and judged again.

    python benchmarks/planted.py FOLDER/yeast.csv --label target --repetitions 20 --seeds 5
    python benchmarks/planted.py --table
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from common import add_line, read_lines

from equipoise.classifier import Classifier
from equipoise.data.options import ReadOptions
from equipoise.data.sources import load
from equipoise.data.splits import split
from equipoise.seeds import derive_seed
from equipoise.statistics.paired import Predictions, differences
from equipoise.statistics.verdict import verdict

RESULTS = Path(__file__).parent / "results" / "planted.jsonl"

NAMES = ("plain", "copy")


def main() -> None:
    """Measure, or print what was measured."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("data", nargs="?", help="as for `equipoise fit`")
    parser.add_argument("--label", help="label column of a table")
    parser.add_argument("--repetitions", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--table", action="store_true", help="print the results")
    args = parser.parse_args()
    if args.table:
        print(table(read_lines(RESULTS)))
        return
    if not args.data:
        parser.error("give DATA or --table")
    name = Path(args.data).stem
    done = {(r["data"], r["seeds"], r["repetition"]) for r in read_lines(RESULTS)}
    for repetition in range(args.repetitions):
        if (name, args.seeds, repetition) not in done:
            told = {"data": name, "seeds": args.seeds, "repetition": repetition}
            add_line(RESULTS, {**told, **measured(args, repetition)})


def measured(args: argparse.Namespace, repetition: int) -> dict[str, Any]:
    """Return what the verdicts of one repetition say about a copy and about a spoilt copy."""
    data = load(args.data, ReadOptions(label=args.label))
    found: dict[str, list[Predictions]] = {name: [] for name in NAMES}
    for seed in range(args.seeds):
        of_split = derive_seed(repetition, "split", seed) % 2**31
        parts = split(data.codes, classes=data.classes, test=0.2, validation=0.0, seed=of_split)
        for name in NAMES:
            own = derive_seed(repetition, name, seed) % 2**31
            model = Classifier(epochs=args.epochs, validation=0.0, device="cpu", random_state=own)
            model.fit(data.X.iloc[parts.train], data.codes[parts.train])
            logits = model.predict_logits(data.X.iloc[parts.test])
            codes = data.codes[parts.test]
            found[name].append(Predictions(codes=codes, logits=logits, ids=parts.test))
    null = judged(found)
    size = null["detectable"]
    random = np.random.default_rng(derive_seed(repetition, "spoil"))
    spoilt = {**found, "copy": [spoil(each, size, random) for each in found["copy"]]}
    effect = judged(spoilt)
    return {"detectable": size, "null": null["told"], "effect": effect["told"], "p": null["p"]}


def judged(found: dict[str, list[Predictions]]) -> dict[str, Any]:
    """Return whether a verdict tells the copy from the control, and what it could have seen."""
    [fact] = verdict(differences(found), control="plain").facts["to_control"]
    return {"told": fact["told_apart"], "detectable": fact["detectable"], "p": fact["p_adjusted"]}


def spoil(given: Predictions, size: float, random: np.random.Generator) -> Predictions:
    """Turn right answers wrong, so that the recall of each class falls by `size` on average."""
    logits, codes = given.logits.copy(), given.codes
    for code in np.unique(codes):
        own = np.flatnonzero(codes == code)
        right = own[logits[own].argmax(axis=1) == code]
        chance = min(size * len(own) / max(len(right), 1), 1.0)
        wrong = right[random.random(len(right)) < chance]
        logits[wrong, code] = logits[wrong].min(axis=1) - 1
    return Predictions(codes=codes, logits=logits, ids=given.ids)


def table(lines: list[dict[str, Any]]) -> str:
    """Return how often copies and spoilt copies were told apart, as a Markdown table."""
    told = [
        "| data | seeds | repetitions | copies told apart | spoilt copies told apart | by points |",
        "|" + "---|" * 6,
    ]
    for key in sorted({(r["data"], r["seeds"]) for r in lines}):
        own = [r for r in lines if (r["data"], r["seeds"]) == key]
        sizes = [100 * r["detectable"] for r in own]
        told.append(
            f"| {key[0]} | {key[1]} | {len(own)} | {sum(r['null'] for r in own)} | "
            f"{sum(r['effect'] for r in own)} | {min(sizes):.1f} to {max(sizes):.1f} |"
        )
    return "\n".join(told)


if __name__ == "__main__":
    main()
