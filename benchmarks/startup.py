"""Time to `equipoise --help` and to `equipoise report` on a finished run.

python benchmarks/startup.py RUN [--repeats 7] [--out FILE]
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import record, summary


def seconds(command: list[str], repeats: int) -> list[float]:
    """Return the wall-clock seconds of each repetition, after one that is not counted."""
    times = []
    for _ in range(repeats + 1):
        started = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        times.append(time.perf_counter() - started)
    return times[1:]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    program = str(Path(sys.executable).with_name("equipoise"))
    with tempfile.TemporaryDirectory() as folder:
        report = [program, "report", str(args.run), "--out", str(Path(folder, "report.html"))]
        result = {
            "what": "seconds of wall clock, whole process",
            "help": summary(seconds([program, "--help"], args.repeats)),
            "report": summary(seconds(report, args.repeats)),
        }
    record(args.out, result)


if __name__ == "__main__":
    main()
