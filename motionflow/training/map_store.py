"""Maps of samples in files: found by the sample, added a chunk at a time.

    ids, maps [n, g, g, C], flow and past [n, g, g, 2] --add--> chunk-*.npy, chunk-*.npz
    ids --places, labels, opened--> file and row of their maps; their flow and past

A chunk is whole or not there, whenever a process ends.
"""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from motionflow.files import drafts


class MapStore:
    """Files of one view: chunk-n.npy holds maps, chunk-n.npz whose, flow and past.

    Attributes:
      places: sample id -> file of its maps, row.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.places: dict[str, tuple[str, int]] = {}
        for labels in sorted(folder.glob("chunk-*.npz")):
            self._enter(labels)

    def _enter(self, labels: Path) -> None:
        with np.load(labels) as file:
            for row, one in enumerate(file["ids"]):
                self.places[str(one)] = str(labels.with_suffix(".npy")), row

    def add(self, maps: np.ndarray, **labels: Any) -> None:
        """Writes a chunk; its labels come last and say that it is there."""
        name = f"chunk-{labels['ids'][0]}"
        with drafts.drafts(self.folder, name, last=f"{name}.npz") as new:
            drafts.write_array(new / f"{name}.npy", maps)
            drafts.write_arrays(new / f"{name}.npz", labels)
        self._enter(self.folder / f"{name}.npz")

    def labels(
        self, places: Sequence[tuple[str, int]]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Flow and past of samples, float32 [N, g, g, 2]."""
        files = {}
        for file in {file for file, _ in places}:
            with np.load(Path(file).with_suffix(".npz")) as labels:
                files[file] = labels["flow"], labels["past"]
        both = [[files[file][i][row] for file, row in places] for i in (0, 1)]
        return np.stack(both[0]), np.stack(both[1])


@functools.cache
def opened(file: str) -> np.ndarray:
    """A file of maps float16 [n, g, g, C], read where it is touched."""
    return np.load(file, "r")
