"""``python -m equipoise``, and the console script."""

import gc
import sys


def main() -> None:
    """Run the command line and end the process with its exit status."""
    from equipoise.cli import main as run  # noqa: PLC0415 (keeps the import of this file free)

    status = run()
    gc.freeze()  # collecting what the system frees anyway takes a second or two at the end
    sys.exit(status)


if __name__ == "__main__":
    main()
