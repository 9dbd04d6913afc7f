"""What training starts from: the backbone and the preprocessing of an earlier run."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from torch import Tensor

from equipoise._typing import ImageArray, IndexArray
from equipoise.batches import Source
from equipoise.checkpoints import read_tensors
from equipoise.data.hashing import HashArray, image_hashes, row_hashes
from equipoise.errors import InputError
from equipoise.preprocessing import (
    ImagePreprocessing,
    Preprocessing,
    preprocessing_from_state,
)
from equipoise.runs import Run
from equipoise.standard.networks import Network

PIECE_BYTES = 2**22
"""Images are hashed in pieces of this size, so that a data set larger than memory can be."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Initial:
    """The trained backbone of a run.

    Parameters
    ----------
    path : Path
        The run's folder.
    backbone : str
        Text of the backbone.
    norm : str
        What stood where it has batch norm.
    learnt : ndarray of uint64
        Hashes of the examples that it learnt from, and that its own start had learnt from.
    scaling : str
        How the numbers of a table were scaled.
    preprocessing : ImagePreprocessing or TablePreprocessing
        How its inputs were made.
    tensors : mapping of str to Tensor
        Its weights and buffers.
    """

    path: Path
    backbone: str
    norm: str
    learnt: HashArray
    scaling: str
    preprocessing: Preprocessing
    tensors: Mapping[str, Tensor]

    @classmethod
    def read(cls, folder: str | Path) -> "Initial":
        """Read a finished run of `equipoise fit` or `equipoise pretrain`.

        Raises
        ------
        InputError
            If the folder holds no finished run, or a file of it is damaged.
        """
        run = Run.open(Path(folder))
        run.require_done()
        settings = run.config["classifier"]
        tensors = read_tensors(run.path / "model.safetensors")
        start = "backbone."
        return cls(
            path=run.path,
            backbone=settings["backbone"],
            norm=settings.get("norm", "batch"),
            learnt=read_learnt(run),
            scaling=settings.get("scaling", "auto"),
            preprocessing=preprocessing_from_state(run.read_json("preprocessing.json")),
            tensors={k[len(start) :]: v for k, v in tensors.items() if k.startswith(start)},
        )

    def check_unseen(
        self, X: "ImageArray | pd.DataFrame", sealed: Mapping[str, IndexArray]
    ) -> None:
        """Refuse to start from a run that learnt from what is to be tested on.

        Parameters
        ----------
        X : ndarray of uint8 or DataFrame
            All examples.
        sealed : mapping of str to ndarray of int
            Positions of the parts that the run must not have learnt from, by name.

        Raises
        ------
        InputError
            If it did: an example is known again by its content, whichever file it is in.
        """
        for name, positions in sealed.items():
            if n := int(np.isin(example_hashes(X, positions), self.learnt).sum()):
                raise InputError(
                    f"No {name} example may be one that the run to start from has learnt from.",
                    f"`{self.path}` has learnt from {n} of {len(positions)}.",
                    "Give both runs the same --test, --split-seed, --ratio and --validation.",
                )

    def params(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return a classifier's parameters with ``"auto"`` replaced by what the run had.

        Raises
        ------
        InputError
            If another backbone is asked for.
        """
        given = dict(params)
        if given["scaling"] not in ("auto", self.scaling):
            raise InputError(
                "Training must start with the scaling of the run that it starts from.",
                f"`{self.path}` has {self.scaling!r}, and scaling is {given['scaling']!r}.",
                "Leave the scaling out.",
            )
        given["scaling"] = self.scaling
        if given["backbone"] == "auto":
            given["backbone"] = self.backbone
        if given["norm"] == "auto" and self.norm == "group":
            given["norm"] = "group"
        if self.norm == "group" and given["norm"] != "group":
            raise InputError(
                "Training must start with the norm of the run that it starts from.",
                f"`{self.path}` was trained with norm='group', and norm is {given['norm']!r}.",
                "Leave the norm out.",
            )
        return given

    def check(self, X: "ImageArray | pd.DataFrame") -> None:
        """Refuse examples that the run's backbone cannot read.

        Raises
        ------
        InputError
            If they are of the other kind, or images of another shape.
        """
        if isinstance(X, np.ndarray) and isinstance(self.preprocessing, ImagePreprocessing):
            self.preprocessing.transform(X)
        elif isinstance(X, np.ndarray) or isinstance(self.preprocessing, ImagePreprocessing):
            raise InputError(
                "A run can only start from a run on examples of the same kind.",
                f"That in `{self.path}` was on {self.preprocessing.kind} data.",
                "Give another run, or leave it out.",
            )

    def load(self, network: Network) -> None:
        """Give a network's backbone the run's weights.

        Raises
        ------
        InputError
            If they are of another backbone.
        """
        try:
            network.backbone.load_state_dict(self.tensors)
        except RuntimeError as error:
            reason = " ".join(str(error).split())[:200]
            raise InputError(
                f"The backbone must be the one of the run to start from, {self.backbone}.",
                f"The weights in `{self.path}` do not fit: {reason}",
                "Leave the backbone out to take that of the run.",
            ) from None


def example_hashes(X: "ImageArray | pd.DataFrame", rows: IndexArray) -> HashArray:
    """Return a hash of the content of each of these examples; images are read in pieces."""
    if isinstance(X, pd.DataFrame):
        return row_hashes(X.iloc[rows])
    source = Source(X, rows)
    pieces = np.array_split(np.arange(len(rows)), 1 + len(rows) * X[:1].nbytes // PIECE_BYTES)
    taken = (source.take(piece).permute(0, 2, 3, 1).numpy() for piece in pieces)
    return np.concatenate([image_hashes(images) for images in taken])


def write_learnt(run: Run, hashes: HashArray, initial: str | None) -> None:
    """Keep the hashes of what a run has learnt from, with those of the run it started from."""
    before = np.array([], np.uint64) if initial is None else read_learnt(Run.open(Path(initial)))
    run.write_arrays("learnt.npz", {"hashes": np.union1d(hashes, before)})


def read_learnt(run: Run) -> HashArray:
    """Return the hashes of what a run has learnt from.

    Raises
    ------
    InputError
        If the file is missing or damaged.
    """
    hashes = run.read_arrays("learnt.npz").get("hashes")
    if hashes is None or hashes.dtype != np.uint64 or hashes.ndim != 1:
        raise InputError(
            "A run to start from must say what it has learnt from.",
            f"`{run.path / 'learnt.npz'}` does not hold that.",
            "Fit or pre-train again.",
        )
    return hashes
