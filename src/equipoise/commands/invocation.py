"""When the command that is under way began: loading this package counts, as it does to users."""

import time

_begun: list[float] = []


def begin() -> None:
    """Note that a command begins."""
    _begun[:] = [time.monotonic()]


def begun() -> float:
    """Return the time of `time.monotonic` at which the command began; now, if none has."""
    return _begun[0] if _begun else time.monotonic()
