"""The time that a search has, also over stops and resumptions."""

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from equipoise.durations import format_duration
from equipoise.errors import InputError
from equipoise.runs import Run
from equipoise.shapes import NUMBER
from equipoise.tuning.files import read_shaped, require_sound

NAME = "clock.json"
"""The file, in the folder of the search."""

LEAST_TIMES = 3
"""A budget should be so many times what reading and measuring take, or little is left for trials.
"""


def time_used(folder: Path) -> float:
    """Return the seconds that the search in a folder has used; 0 if it has not begun.

    Raises
    ------
    InputError
        If its file is damaged.
    """
    if not Run(folder).has(NAME):
        return 0.0
    used = read_shaped(folder, NAME, {"used": NUMBER})["used"]
    require_sound(folder, NAME, f"used is {used}" if used < 0 else None)
    return float(used)


@dataclass(eq=False)
class Clock:
    """Counts the time that a search has used, and keeps it in a file.

    Parameters
    ----------
    folder : Path
        Folder of the search; what was used before a stop is read from it.
    budget : float
        Seconds that there are in all.
    reserve : float, default=0.0
        Seconds of these that are kept for what comes after the search.
    begun : float or None, default=None
        Time of `time.monotonic` from which it counts; None: now.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     clock = Clock(Path(folder), 60.0)
    ...     clock.left > 59
    True
    """

    folder: Path
    budget: float
    reserve: float = 0.0
    begun: float | None = None
    _begun: float = field(init=False)
    _before: float = field(init=False)

    def __post_init__(self) -> None:
        self._begun = time.monotonic() if self.begun is None else self.begun
        self._before = time_used(self.folder)

    @property
    def before(self) -> float:
        """Seconds used before this process."""
        return self._before

    @property
    def used(self) -> float:
        """Seconds used, those before a stop included."""
        return self._before + time.monotonic() - self._begun

    @property
    def remaining(self) -> float:
        """Seconds that are left in all; below 0 when the time is up."""
        return self.budget - self.used

    @property
    def left(self) -> float:
        """Seconds that are left for trials."""
        return self.remaining - self.reserve

    @property
    def until(self) -> float:
        """Time of `time.time` at which trials end."""
        return time.time() + self.left

    def require_time(self, reserve: float = 0.0) -> None:
        """Raise `InputError` if reading and measuring have left no time for trials."""
        used, budget = self.used, self.budget
        if budget - used - reserve > 0:
            return
        raise InputError(
            "A search needs time after its data is read and this machine is measured.",
            f"These took {format_duration(used)} of {format_duration(budget)}.",
            f"Give at least --budget {format_duration(math.ceil(LEAST_TIMES * used))}.",
        )

    @contextmanager
    def running(self) -> Iterator[None]:
        """Keep the time that is used, second by second, so that a kill loses no more.

        Raises
        ------
        OSError
            If it cannot be written at the end. One second's note that cannot be is made up for
            by that of the next.
        """
        ended = threading.Event()
        noting = threading.Thread(target=self._note, args=(ended,), daemon=True)
        noting.start()
        try:
            yield
        finally:
            ended.set()
            noting.join()
            self._keep()

    def _note(self, ended: threading.Event) -> None:
        """Keep the time that was used, at once and each second."""
        while not ended.is_set():
            with suppress(OSError):  # the disk may be full for a moment
                self._keep()
            ended.wait(1)

    def _keep(self) -> None:
        Run(self.folder).write_json(NAME, {"used": self.used})
