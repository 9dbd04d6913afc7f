"""A search that is killed again and again, and one whose workers are: what is lost, what counts.

The first part kills `equipoise tune` with SIGKILL at random moments and goes on with --resume;
the second kills a worker of `--executor processes` or of Ray in the midst of a trial. Told is
whether trials are numbered without gaps or repetitions, whether the times of trials fit into the
time that was used, and how many trials a killed worker took with it.

    python benchmarks/kills.py FOLDER/yeast.csv --label target [--budget 60] [--kills 4]
    python benchmarks/kills.py FOLDER/yeast.csv --label target --executor ray
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ENDED = ("complete", "stopped", "unfinished", "failed")


def main() -> None:
    """Kill, go on, and tell."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("data", help="as for `equipoise tune`")
    parser.add_argument("--label")
    parser.add_argument("--budget", type=float, default=60.0, help="seconds")
    parser.add_argument("--kills", type=int, default=4)
    parser.add_argument("--executor", choices=("here", "processes", "ray"), default="here")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        out = Path(name, "run")
        told = killed_search(args, out) if args.executor == "here" else killed_worker(args, out)
        print(json.dumps({**told, **counted(out)}, indent=1))


def killed_search(args: argparse.Namespace, out: Path) -> dict[str, Any]:
    """Kill the whole search at random moments, then let it end."""
    draw = random.Random(args.seed)
    lived, before = [], []
    for _ in range(args.kills):
        seconds = draw.uniform(0.15, 0.35) * args.budget
        process = start(args, out)
        time.sleep(seconds)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        lived.append(round(seconds, 1))
        before.append(numbers(out))
    begun = time.monotonic()
    process = start(args, out)
    process.wait()
    last = time.monotonic() - begun
    kept = all(
        set(one) <= set(two) for one, two in zip(before, [*before[1:], numbers(out)], strict=True)
    )
    return {
        "killed_after": lived,
        "last_part_took": round(last, 1),
        "status": process.returncode,
        "trials_that_had_ended_stay": kept,
    }


def killed_worker(args: argparse.Namespace, out: Path) -> dict[str, Any]:
    """Kill one worker after another while the search goes on."""
    process, killed = start(args, out, "--executor", args.executor, "--workers", "2"), 0
    ends = time.monotonic() + 0.7 * args.budget
    while process.poll() is None and killed < args.kills and time.monotonic() < ends:
        time.sleep(args.budget / 8)
        pid = busy(process.pid, "ray::_outcome" if args.executor == "ray" else "spawn_main")
        if pid is not None and any(out.glob("search/trials/*/fold0")):
            os.kill(pid, signal.SIGKILL)
            killed += 1
    process.wait()
    return {"workers_killed": killed, "status": process.returncode}


def start(args: argparse.Namespace, out: Path, *more: str) -> subprocess.Popen[bytes]:
    """Begin the search, or go on with it."""
    command = [sys.executable, "-m", "equipoise", "tune", args.data, "--budget", f"{args.budget}s"]
    command += ["--out", str(out), "--resume", "--device", "cpu", *more]
    command += ["--label", args.label] if args.label else []
    return subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL)


def busy(parent: int, wanted: str) -> int | None:
    """Return the process below another that works most, by a part of its command; None: none."""
    command = ["ps", "-e", "-o", "pid=,ppid=,pcpu=,args="]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 3) for line in listed.splitlines()]
    below = {parent}
    for _ in rows:  # as deep as there are processes, at most
        below |= {int(pid) for pid, above, *_ in rows if int(above) in below}
    own = [
        (float(load), int(pid))
        for pid, _, load, text in rows
        if int(pid) in below and int(pid) != parent and wanted in text
    ]
    return max(own)[1] if own else None


def numbers(out: Path) -> list[int]:
    """Return the numbers of the trials that have ended."""
    found = [json.loads(p.read_text()) for p in sorted(out.glob("search/trials/*/trial.json"))]
    return [record["number"] for record in found if record["state"] in ENDED]


def counted(out: Path) -> dict[str, Any]:
    """Return whether every trial counts once, and what the search used."""
    records = [json.loads(p.read_text()) for p in sorted(out.glob("search/trials/*/trial.json"))]
    own = [record["number"] for record in records]
    states = [record["state"] for record in records]
    told = json.loads((out / "tuning.json").read_text())
    return {
        "numbered_without_gap": own == list(range(len(own))),
        "told_once_each": [t["number"] for t in told["trials"]] == own,
        "states": {state: states.count(state) for state in sorted(set(states))},
        "seconds_of_trials": round(sum(record["seconds"] for record in records), 1),
        "seconds_used": round(json.loads((out / "search/clock.json").read_text())["used"], 1),
    }


if __name__ == "__main__":
    main()
