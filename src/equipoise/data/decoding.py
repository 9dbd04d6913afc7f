"""Many image files to one memory-mapped array: decoded once, in parallel, in bounded memory."""

import hashlib
import os
import warnings
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median_low
from typing import Literal, TypeVar

import numpy as np

from equipoise._typing import ImageArray, IndexArray
from equipoise.data.cache import Cache, Draft, Entry, content_key, sign
from equipoise.data.options import ReadOptions
from equipoise.data.pixels import (
    MAX_PIXELS,
    SENTENCES,
    BrokenImageError,
    Header,
    Picture,
    decode,
    read_header,
)
from equipoise.data.wording import counted, listing
from equipoise.errors import InputError

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")

_MAX_FILE = 2**29  # bytes: what MAX_PIXELS of 16-bit colour with transparency take uncompressed
_MOST_THREADS = 16
_AHEAD = 4  # batches a thread that may wait for the writer
_MOST_IN_BATCH = 32
_LOOKED_AT = 16  # files stored in colour that are looked at before all are decoded
_BATCH_BYTES = 2**20  # pixels in a batch, so that large images come one by one


@dataclass(frozen=True)
class Decoded:
    """Images decoded from files.

    Parameters
    ----------
    images : ndarray of uint8, shape (examples, height, width, channels)
        Memory-mapped, read-only.
    kept : ndarray of int64, shape (examples,)
        Position of each image in the list of files; broken ones are missing.
    key : str
        SHA-256 of the names, the contents and how they were decoded.
    notes : tuple of str
        What was done, as sentences for the user.
    """

    images: ImageArray
    kept: IndexArray
    key: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Probe:
    """What the first reading of a file gave: a digest, and a header or the lack's reason."""

    name: str
    digest: bytes = b""
    header: Header | None = None
    reason: str = ""


@dataclass(frozen=True)
class _Plan:
    """The common form of all images; `expected` grey is given up at the first colour."""

    height: int
    width: int
    channels: Literal[1, 3]
    expected: bool
    notes: tuple[str, ...]


class _ColourError(Exception):
    """A file holds colour where all were expected to be grey."""


def decode_files(root: Path, names: Sequence[str], options: ReadOptions) -> Decoded:
    """Decode image files into the cache, or open what an earlier call left there.

    A first reading takes digests and headers, a second one decodes. Threads do both: decoders
    and hashes release the interpreter lock, and threads are safe beside PyTorch where forked
    processes are not.

    Parameters
    ----------
    root : Path
        Folder of the files.
    names : sequence of str
        Their names below it, at least one, in the order of the result.
    options : ReadOptions
        `size`, `channels`, `skip_broken`, `cache`, `workers` and `progress` are used. Progress
        counts each file twice, and is silent if the cache is known to hold the images. The
        second count begins anew if files stored in colour are grey up to there and one is not.

    Returns
    -------
    Decoded
        Images, positions of those kept, and notes.

    Raises
    ------
    InputError
        If files are broken and `skip_broken` is false, if none is left, if sizes differ and
        no `size` is given, if files change meanwhile, or the disk is too small.
    OSError
        If the cache cannot be written to its end.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Image.new("L", (3, 2), 7).save(Path(folder, "a.png"))
    ...     decoded = decode_files(Path(folder), ["a.png"], ReadOptions(cache=Path(folder)))
    ...     decoded.images.shape, int(decoded.images.max())
    ((1, 2, 3, 1), 7)
    """
    _check(options)
    cache = Cache(options.cache)
    signature = sign(root, names, _how(options))
    entry = cache.recall(signature)
    if entry is None:
        # Pillow warns about metadata and sizes that are dealt with here. The filter is set
        # around all threads, because filters belong to the process.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            entry = _Reading(root, names, options).into(cache)
        cache.remember(signature, entry.key)
    broken = [(names[at], reason) for at, reason in entry.broken]
    if broken and not options.skip_broken:
        raise _broken(broken, len(names))
    kept = np.delete(np.arange(len(names)), [at for at, _ in entry.broken])
    return Decoded(entry.images, kept, entry.key, (*entry.notes, *_left_out(broken)))


def ordered_map(
    function: Callable[[ItemT], ResultT], items: Sequence[ItemT], workers: int, batch: int = 1
) -> Iterator[ResultT]:
    """Yield ``function(item)`` in order from threads, with few results waiting.

    Parameters
    ----------
    function : callable
        Called with one item.
    items : sequence
        What it is called with.
    workers : int
        Number of threads, at least 1; one means the caller's own.
    batch : int, default=1
        Items that a thread takes at a time, at least 1; more cost less where each is little
        work. At most ``4 * workers * batch`` results wait for the caller.

    Examples
    --------
    >>> list(ordered_map(abs, [-1, -2, 3], workers=2))
    [1, 2, 3]
    """
    if workers == 1:
        yield from map(function, items)
        return
    with ThreadPoolExecutor(workers, "equipoise-decode") as pool:
        waiting = deque()
        try:
            for start in range(0, len(items), batch):
                waiting.append(pool.submit(_each, function, items[start : start + batch]))
                if len(waiting) >= _AHEAD * workers:
                    yield from waiting.popleft().result()
            while waiting:
                yield from waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _each(function: Callable[[ItemT], ResultT], items: Sequence[ItemT]) -> list[ResultT]:
    return [function(item) for item in items]


class _Reading:
    """One reading of files that the cache does not know by their signature."""

    def __init__(self, root: Path, names: Sequence[str], options: ReadOptions) -> None:
        self.root, self.names, self.options = root, names, options
        self.workers = options.workers or _processors()
        self.done, self.total = 0, 2 * len(names)

    def into(self, cache: Cache) -> Entry:
        found = ordered_map(self._probe, self.names, self.workers, _MOST_IN_BATCH)
        probes = [*self._advancing(found)]
        key = content_key(_how(self.options), self.names, (probe.digest for probe in probes))
        entry = cache.open(key)
        if entry is not None:
            self._advance(len(self.names))
            return entry
        plan = self._plan(probes)
        try:
            return self._written(cache, key, probes, plan)
        except _ColourError:
            self.done = len(self.names)
            return self._written(cache, key, probes, replace(plan, channels=3, expected=False))

    def _written(self, cache: Cache, key: str, probes: Sequence[_Probe], plan: _Plan) -> Entry:
        with cache.writing(key, (len(probes), plan.height, plan.width, plan.channels)) as draft:
            self._fill(draft, probes, plan)
        return cache.written(key)

    def _probe(self, name: str) -> _Probe:
        path = self.root / name
        try:
            if not path.is_file():
                return _Probe(name, reason="does not exist" if not path.exists() else "is no file")
            if path.stat().st_size > _MAX_FILE:
                return _Probe(name, reason=f"is larger than {_MAX_FILE >> 20} MiB")
            data = path.read_bytes()
        except OSError as error:
            return _Probe(name, reason=f"cannot be read ({error.strerror})")
        digest = hashlib.sha256(data).digest()
        try:
            return _Probe(name, digest, read_header(data))
        except BrokenImageError as error:
            return _Probe(name, digest, reason=str(error))

    def _plan(self, probes: Sequence[_Probe]) -> _Plan:
        headers = [probe.header for probe in probes if probe.header is not None]
        if not headers:
            raise _broken([(probe.name, probe.reason) for probe in probes], len(probes))
        size = self.options.size
        sizes = Counter((header.width, header.height) for header in headers)
        ((width, height),) = _one_size(sizes) if size is None else [(size, size)]
        scaled = f"Images were scaled and cropped in the centre to {width}x{height}."
        notes = () if set(sizes) == {(width, height)} else (scaled,)
        plan = _Plan(height, width, 1, self.options.channels == "auto", notes)
        grey = self.options.channels == "grey" or (plan.expected and self._looks_grey(probes, plan))
        return plan if grey else replace(plan, channels=3, expected=False)

    def _looks_grey(self, probes: Sequence[_Probe], plan: _Plan) -> bool:
        """Return whether a few files, spread among those stored in colour, hold none."""
        stored = [p for p in probes if p.header is not None and not p.header.grey]
        chosen = np.unique(np.linspace(0, len(stored) - 1, _LOOKED_AT).astype(int))
        pictures = (self._picture(stored[at], plan) for at in chosen if stored)
        return all(isinstance(picture, str) or picture.grey for picture in pictures)

    def _fill(self, draft: Draft, probes: Sequence[_Probe], plan: _Plan) -> None:
        def picture(probe: _Probe) -> Picture | str:
            return self._picture(probe, plan)

        remarks, n_grey, n = Counter(), 0, len(probes)
        batch = min(
            max(_BATCH_BYTES // (plan.height * plan.width * plan.channels), 1), _MOST_IN_BATCH
        )
        pictures = ordered_map(picture, probes, self.workers, batch)
        for at, outcome in enumerate(self._advancing(pictures)):
            if isinstance(outcome, str):
                draft.broken.append((at, outcome))
            elif plan.expected and not outcome.grey:
                raise _ColourError
            else:
                draft.append(outcome.pixels.data)
                remarks.update(outcome.remarks)
                n_grey += outcome.grey
        if len(draft.broken) == n:
            raise _broken([(probes[at].name, why) for at, why in draft.broken], n)
        draft.notes += _colour_notes(probes, plan, n_grey, n - len(draft.broken) - n_grey)
        draft.notes += plan.notes
        draft.notes += [f"{SENTENCES[r]} in {counted(n, 'file')}." for r, n in remarks.items()]

    def _picture(self, probe: _Probe, plan: _Plan) -> Picture | str:
        """Return the decoded file, or the reason why there is none."""
        if probe.header is None:
            return probe.reason
        data = (self.root / probe.name).read_bytes()
        if hashlib.sha256(data).digest() != probe.digest:
            raise InputError(
                "Image files must not change while they are read.",
                f"{probe.name} did.",
                "Start again when nothing writes to them.",
            )
        try:
            picture = decode(data, plan.channels, self.options.size)
        except BrokenImageError as error:
            return str(error)
        if picture.pixels.shape != (plan.height, plan.width, plan.channels):
            return "is not of the size that its header declares"
        return picture

    def _advancing(self, results: Iterator[ResultT]) -> Iterator[ResultT]:
        for result in results:
            self._advance(1)
            yield result

    def _advance(self, steps: int) -> None:
        self.done += steps
        if self.options.progress is not None:
            self.options.progress(self.done, self.total)


def _check(options: ReadOptions) -> None:
    most = int(MAX_PIXELS**0.5)
    if options.size is not None and not 1 <= options.size <= most:
        raise InputError(
            f"`size` must be a whole number of pixels from 1 to {most}.",
            f"It is {options.size!r}.",
            "Give for example `--size 64`.",
        )
    if options.channels not in ("auto", "grey", "rgb"):
        raise InputError(
            "`channels` must be auto, grey or rgb.",
            f"It is {options.channels!r}.",
            "The default is auto.",
        )
    if options.workers is not None and options.workers < 1:
        raise InputError(
            "`workers` must be at least 1.", f"It is {options.workers}.", "Leave it out."
        )


def _how(options: ReadOptions) -> tuple[object, ...]:
    # What an earlier version, which went by modes alone, took for colour must not be found.
    channels = "auto, by pixels" if options.channels == "auto" else options.channels
    return ("files", options.size, channels)


def _processors() -> int:
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(allowed or 1, _MOST_THREADS)


def _colour_notes(probes: Sequence[_Probe], plan: _Plan, n_grey: int, n_colour: int) -> list[str]:
    if n_colour and plan.channels == 1:
        return [f"Colour was turned into grey in {counted(n_colour, 'file')}."]
    if n_colour and n_grey:
        files = counted(n_grey, "grey file")
        return [f"{files} among {n_colour:,} in colour got three channels."]
    stored = sum(probe.header is not None and not probe.header.grey for probe in probes)
    if stored and plan.expected:
        files = counted(stored, "file is", "files are")
        return [f"{files} stored in colour and hold only grey: all were read as grey."]
    return []


def _one_size(sizes: Counter[tuple[int, int]]) -> list[tuple[int, int]]:
    if len(sizes) > 1:
        by_area = sorted(sizes, key=lambda size: (size[0] * size[1], size))
        (small_w, small_h), (large_w, large_h) = by_area[0], by_area[-1]
        shorter = median_low(min(size) for size in sizes.elements())
        raise InputError(
            "Images must be equal in size.",
            f"They have {len(sizes):,} sizes, from {small_w}x{small_h} to {large_w}x{large_h}.",
            f"Resize them with `--size N`; `--size {shorter}` is the median of the shorter sides.",
        )
    return list(sizes)


def _broken(broken: Sequence[tuple[str, str]], n: int) -> InputError:
    first = [f"{name} {reason}" for name, reason in broken[:5]]
    more = f"; and {len(broken) - 5:,} more" if len(broken) > 5 else ""
    everything = len(broken) == n
    return InputError(
        "Image files must be complete and readable.",
        f"{len(broken):,} of {counted(n, 'file')} cannot be used: {'; '.join(first)}{more}.",
        "Check that this is the right folder."
        if everything
        else "Repair or remove them, or leave them out with `--skip-broken`.",
    )


def _left_out(broken: Sequence[tuple[str, str]]) -> list[str]:
    if not broken:
        return []
    files = listing((f"{name} ({reason})" for name, reason in broken), 20)
    return [f"{counted(len(broken), 'broken file')} left out: {files}."]
