"""``python -m equipoise``, and the console script."""

import sys


def main() -> None:
    """Run the command line and end the process with its exit status."""
    from equipoise.cli import main as run  # noqa: PLC0415 (keeps the import of this file free)

    sys.exit(run())


if __name__ == "__main__":
    main()
