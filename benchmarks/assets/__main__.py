"""Fetch and convert the real data sets and pretrained weights of tests and benchmarks.

    python benchmarks/assets                    # everything
    python benchmarks/assets cifar10 shuttle    # some assets
    python benchmarks/assets --list             # what there is, and what is already made

Exit status: 0 if all is well, 1 if an asset failed (the others are still made), 2 for an unknown
name or option.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from catalog import ASSETS
from preparation import main_output, prepare, up_to_date


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    options = _parser().parse_args(arguments)
    names = list(dict.fromkeys(options.names)) or list(ASSETS)
    out = options.out.expanduser().resolve()
    if options.list:
        print(f"folder: {out}")
        for name in names:
            print(_state(name, out))
        return 0
    return 1 if prepare(names, out) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python benchmarks/assets",
        description="Fetch and convert the real data sets and pretrained weights.",
        epilog="assets: " + ", ".join(ASSETS),
    )
    parser.add_argument("names", nargs="*", type=_name, metavar="NAME", help="asset (default: all)")
    parser.add_argument(
        "--out",
        type=Path,
        default=_default_folder(),
        metavar="DIR",
        help="folder for the outputs (default: %(default)s)",
    )
    parser.add_argument("--list", action="store_true", help="show the assets and their state")
    return parser


def _name(text: str) -> str:
    if text not in ASSETS:
        raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(ASSETS)}")
    return text


def _default_folder() -> Path:
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "imbalance-assets"
    return Path(os.environ.get("EQUIPOISE_ASSETS") or default)


def _state(name: str, out: Path) -> str:
    state = "ready" if up_to_date(name, out) else "to make"
    return f"{name:<19} {state:<8} {main_output(ASSETS[name].outputs):<31} {ASSETS[name].package}"


if __name__ == "__main__":
    sys.exit(main())
