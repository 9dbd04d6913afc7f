"""Options that several commands share; none of them needs torch."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from equipoise._typing import ProgressCallback
from equipoise.data.options import Channels, Dates, Decimal, ReadOptions
from equipoise.errors import InputError
from equipoise.runs import READING, Run, require_writable

if TYPE_CHECKING:
    from equipoise.executors import Executor

Flag = Annotated[bool, Parameter(negative="")]
"""An option without a value that is off unless given."""


_NOT_GIVEN = ReadOptions()


@dataclass(kw_only=True)
class Reading:
    """How DATA is read.

    Parameters
    ----------
    label : str
        Column of the class in a table or an index of images.
    image : str
        Column of the image paths in an index of images.
    drop : list of str
        Columns of a table to leave out.
    decimal : {"auto", "point", "comma"}
        Decimal mark of the numbers in a table; the other one separates thousands.
    missing : list of str
        Texts that mean a missing value in a table, beside NA, NaN, null, None and ?.
    dates : {"auto", "day-first", "month-first"}
        What stands first in dates of a table that end with the year, such as 03.04.2022.
    encoding : str
        Encoding of a text file, such as cp1252.
    size : int
        Side in pixels to which image files are resized.
    channels : {"auto", "grey", "rgb"}
        Channels of image files.
    skip_broken : bool
        Leave out image files that cannot be read, and list them.
    cache : Path
        Folder of decoded images.
    download : bool
        Fetch a named data set that is not on this machine.
    """

    label: str | None = None
    image: str | None = None
    drop: list[str] = field(default_factory=list)
    decimal: Decimal = "auto"
    missing: Annotated[list[str], Parameter(allow_leading_hyphen=True)] = field(
        default_factory=list
    )
    dates: Dates = "auto"
    encoding: str = "utf-8"
    size: int | None = None
    channels: Channels = "auto"
    skip_broken: Flag = False
    cache: Path | None = None
    download: Flag = False

    def options(self, progress: ProgressCallback | None = None) -> ReadOptions:
        """Return them as the readers take them."""
        return ReadOptions(
            label=self.label,
            image=self.image,
            drop=tuple(self.drop),
            decimal=self.decimal,
            missing=tuple(self.missing),
            dates=self.dates,
            encoding=self.encoding,
            size=self.size,
            channels=self.channels,
            skip_broken=self.skip_broken,
            cache=self.cache,
            progress=progress,
        )

    def as_trained(self, run: Run, progress: ProgressCallback | None = None) -> ReadOptions:
        """Return them with what is not given taken from how the run's data was read."""
        given = self.options(progress)
        trained = run.config["data"].get("reading", {})
        # Only these: a run may come from a stranger, and must not say where files are written.
        kept = {
            name: _plain(trained[name])
            for name in READING
            if name in trained and getattr(given, name) == getattr(_NOT_GIVEN, name)
        }
        if given.channels == "auto" and "shape" in run.config["data"]:
            kept["channels"] = "grey" if run.config["data"]["shape"][2] == 1 else "rgb"
        # To what meant a missing value in training, texts can only be added.
        missing = (*given.missing, *_plain(trained.get("missing", [])))
        return replace(given, **{**kept, "missing": missing}, kinds=_kinds(run))


def _kinds(run: Run) -> dict[str, str] | None:
    """Return what the run's columns hold; None if it was made from images."""
    # Here, because `--help` need not wait for pandas.
    from equipoise.data.features import known_kinds  # noqa: PLC0415

    if run.config["data"]["kind"] != "table":
        return None
    state = run.read_json("preprocessing.json")
    try:
        return known_kinds(state["encoder"]["features"])
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(
            "A run's preprocessing.json must describe the columns of its table.",
            f"It is damaged: {error!r}.",
            "Fit again, or restore the file.",
        ) from None


def _plain(value: object) -> Any:
    match value:
        case list():
            return tuple(str(item) for item in value)
        case str() | bool() | int():
            return value
    raise InputError(
        "How a run's data was read is kept as text, numbers and lists of text.",
        f"In this run's config.toml it is {value!r}.",
        "Restore the file, or fit again.",
    )


ReadingOptions = Annotated[Reading, Parameter(name="*")]
"""`Reading` as a command takes it: each field is an option."""


@dataclass(kw_only=True)
class Imbalance:
    """How the training part is made imbalanced, and how parts are cut.

    Parameters
    ----------
    ratio : float
        Imbalance ratio to which the training part is subsampled: largest over smallest
        class, at least 1; 0.01 is read as 100.
    profile : {"exp", "step", "binary"}
        Shape of the imbalance.
    order : {"label", "random", "size"}
        Which classes become rare: the last in label order, an order drawn from the seed,
        or the smallest.
    largest : int
        With --ratio, how many training examples of the largest class are kept at most.
    examples : int
        With --ratio, how many training examples are kept at most, of all classes together.
    index : list of Path
        Files of `data subsample`: of each part that a file names examples of, only these
        are used.
    test : float
        Share of the examples sealed as the test set, cut within each class, where DATA
        brings none.
    rare : {"refuse", "merge", "drop"}
        What happens to classes of a single example.
    split_seed : int
        Seed of the test split, the subsampling and the validation split.
    """

    ratio: float | None = None
    profile: Literal["exp", "step", "binary"] = "exp"
    order: Literal["label", "random", "size"] = "label"
    largest: int | None = None
    examples: int | None = None
    index: list[Path] = field(default_factory=list)
    test: float = 0.2
    rare: Literal["refuse", "merge", "drop"] = "refuse"
    split_seed: int = 0


ImbalanceOptions = Annotated[Imbalance, Parameter(name="*")]
"""`Imbalance` as a command takes it: each field is an option."""


@dataclass(kw_only=True)
class Place:
    """Where trials and runs are carried out.

    Parameters
    ----------
    executor : {"here", "processes", "ray"}
        Where they run: in this process, in several of this machine, on a Ray cluster.
    workers : int
        How many run at once.
    threads : int
        Threads of each worker; by default the processors of this machine are shared out. On a
        Ray cluster, the processors that each asks for, by default 1.
    address : str
        Address of a Ray cluster; by default one is started on this machine.
    """

    executor: Literal["here", "processes", "ray"] = "here"
    workers: int = 1
    threads: int | None = None
    address: str | None = None

    def check(self) -> None:
        """Raise `InputError` if they do not fit together; nothing is opened."""
        # Here, because `--help` need not wait for torch.
        from equipoise.executors import check_executor  # noqa: PLC0415

        check_executor(
            self.executor, workers=self.workers, address=self.address, threads=self.threads
        )

    @property
    def worker_threads(self) -> int | None:
        """Threads that each worker will have; None: as many as this process."""
        from equipoise.executors import worker_threads  # noqa: PLC0415

        return worker_threads(
            self.executor, workers=self.workers, address=self.address, threads=self.threads
        )

    def open(self) -> "Executor":
        """Return the executor, to be used in a ``with`` statement."""
        from equipoise.executors import open_executor  # noqa: PLC0415

        return open_executor(
            self.executor, workers=self.workers, address=self.address, threads=self.threads
        )


PlaceOptions = Annotated[Place, Parameter(name="*")]
"""`Place` as a command takes it: each field is an option."""


def require_new(out: Path, what: str, *, overwrite: bool) -> None:
    """Raise `InputError` if a result would replace a file that may be somebody's data, or cannot.

    Parameters
    ----------
    out : Path
        Where it is to be written.
    what : str
        What it is, with its verb, to begin the message.
    overwrite : bool
        Whether the file may be replaced.
    """
    if out.exists() and not overwrite:
        raise InputError(
            f"{what} written to a new file.",
            f"`{out}` already exists.",
            "Give another --out, or --overwrite to replace it.",
        )
    require_writable(out.parent)


def require_page(out: Path) -> None:
    """Raise `InputError` if no page can be written to a file, before anything is read.

    Parameters
    ----------
    out : Path
        Where it is to be written; a page that is there is replaced.
    """
    if out.suffix.lower() not in (".html", ".htm"):
        raise InputError(
            "A report is an HTML file.",
            f"--out is `{out}`.",
            "Give a name that ends in .html; what is in such a file already is replaced.",
        )
    require_writable(out.parent)
