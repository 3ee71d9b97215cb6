"""A random forest from the look of a patch to its motion, after Pintea 2014.

    frame [S, S, 3] --Canny--> cells that hold an edge
      each --32x32 grey patch around it--> HOG [324]
           --10 trees--> motion patch [p, p, 2] --overlaps averaged--> flow [B, g, g, 2]

Pintea, van Gemert, Smeulders 2014 ("Deja vu: motion prediction in static images")
predict motion where there is an edge: a patch without one looks like any other, and
nothing moves where no patch lies. HOG (Dalal, Triggs 2005): histograms of 9 gradient
directions in cells of 8x8 pixels, normalised in 9 overlapping blocks of 2x2 such cells.

The report's reference [11] and the strongest row without a network in Walker's tables
(HMDB-51: EPE 1.23, Dir .000). It is local: it sees edges, never the whole person.

What differs from the paper: its structured forest picks splits by a criterion of its
own for whole motion patches; scikit-learn's regression forest minimises the summed
variance of the patch's numbers. A leaf answers with its mean patch. Training patches
are limited to 50,000, an equal share from every frame.

Cost: reading patches adds 7 ms a training frame of 200x200, 50,000 patches fit in 13 s
on one core, and a frame is predicted in 17 ms. For that each tree sees half of the
patches, a split 8 of the 324 numbers (their logarithm), and a leaf holds 50 patches.
All patches, 18 numbers (the square root) and leaves of 5 take 130 s and predict worse:
EPE 0.568 px against 0.526 on 163 validation frames of HMDB-51.
"""

from typing import Any

import cv2
import numpy as np
from sklearn.ensemble import RandomForestRegressor

NUM_TREES = 10
MAX_PATCHES = 50_000
MIN_LEAF = 50
PATCH_SIZE = 32
_HOG = ((PATCH_SIZE, PATCH_SIZE), (16, 16), (8, 8), (8, 8), 9)
_MARGIN = PATCH_SIZE // 2
_CANNY_THRESHOLDS = (100, 200)


class ForestPredictor:
    """Predicts motion around edges; see the module.

    Args:
      descriptors: float32 [n, 324] from `PatchSampler`; n may be 0, and then
        nothing moves.
      motions: float32 [n, p, p, 2], pixels per step.
      grid_size: cells along one side, g.
      seed: of the trees.
    """

    def __init__(
        self, descriptors: np.ndarray, motions: np.ndarray, grid_size: int, seed: int
    ):
        self._grid_size = grid_size
        self._shape = motions.shape[1:]
        self._forest = None
        if len(descriptors):
            forest = RandomForestRegressor(
                NUM_TREES,
                max_features="log2",
                max_samples=0.5,
                min_samples_leaf=MIN_LEAF,
                n_jobs=-1,
                random_state=seed,
            )
            self._forest = forest.fit(descriptors, motions.reshape(len(motions), -1))
            # Threads would add the trees up in any order, and cost more than they save.
            self._forest.n_jobs = 1

    def __call__(self, frames: np.ndarray) -> dict[str, np.ndarray | None]:
        """Frames uint8 [B, S, S, 3] -> flow [B, g, g, 2], probabilities None."""
        edges = edge_cells(frames, self._grid_size)
        flow = [
            self._predict(frame, np.flatnonzero(has_edge))
            for frame, has_edge in zip(frames, edges, strict=True)
        ]
        return {"flow": np.stack(flow), "probabilities": None}

    def _predict(self, frame: np.ndarray, cells: np.ndarray) -> np.ndarray:
        if self._forest is None or not len(cells):
            return np.zeros((self._grid_size, self._grid_size, 2), np.float32)
        descriptors = describe(frame, cells, self._grid_size)
        motions = self._forest.predict(descriptors).reshape(-1, *self._shape)
        return average_patches(motions, cells, self._grid_size)


def motion_size(frame_size: int, grid_size: int) -> int:
    """p, side of the motion patch in cells: the odd number nearest to 32 pixels.

    A frame of 200 pixels with 20 cells a side: 32 pixels are 3.2 cells, hence 3.
    """
    cells = PATCH_SIZE * grid_size / frame_size
    return 2 * max(0, round((cells - 1) / 2)) + 1


def edge_cells(frames: np.ndarray, grid_size: int) -> np.ndarray:
    """Which cells hold at least one pixel of a Canny edge: bool [B, g * g], row-major.

    `cv2.Canny` on the grey frame with hysteresis thresholds 100 and 200 on |dI/dx| +
    |dI/dy| (3x3 Sobel, grey levels 0-255), the values of OpenCV's own tutorial: the
    papers that score this mask name none. Frames are uint8 RGB [B, H, W, 3].
    """
    cells = np.zeros((len(frames), grid_size, grid_size), bool)
    # The first pixel of each cell.
    rows, columns = (
        -(-np.arange(grid_size) * side // grid_size) for side in frames.shape[1:3]
    )
    for index, frame in enumerate(frames):
        grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
        edges = cv2.Canny(grey, *_CANNY_THRESHOLDS)
        bands = np.maximum.reduceat(edges, rows, axis=0)
        cells[index] = np.maximum.reduceat(bands, columns, axis=1)
    return cells.reshape(len(frames), -1)


def describe(frame: np.ndarray, cells: np.ndarray, grid_size: int) -> np.ndarray:
    """HOG of the grey 32x32 patches around the centres of some cells [n]: [n, 324].

    The edge of the frame, uint8 RGB [S, S, 3], is repeated where a patch leaves it.
    """
    hog = cv2.HOGDescriptor(*_HOG)
    if not len(cells):
        return np.zeros((0, hog.getDescriptorSize()), np.float32)
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    # Gradients at a patch's border need a pixel more.
    side = _MARGIN + 1
    grey = cv2.copyMakeBorder(
        grey, side, side, side, side, borderType=cv2.BORDER_REPLICATE
    )
    # The patch starts 16 pixels before the centre of its cell.
    corners = (2 * np.arange(grid_size) + 1) * len(frame) // (2 * grid_size) + 1
    rows, columns = np.divmod(cells, grid_size)
    places = [
        (int(corners[c]), int(corners[r])) for r, c in zip(rows, columns, strict=True)
    ]
    return np.asarray(hog.compute(grey, locations=places)).reshape(len(cells), -1)


def motion_patches(flow: np.ndarray, cells: np.ndarray, size: int) -> np.ndarray:
    """The flow [g, g, 2] around some cells [n], p x p with p odd: [n, p, p, 2].

    The grid's edge is repeated beyond it.
    """
    margin = size // 2
    padded = np.pad(flow, [(margin, margin), (margin, margin), (0, 0)], mode="edge")
    axes: Any = (0, 1)  # the types of NumPy 1.26 know one axis only
    windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), axes)
    rows, columns = np.divmod(cells, len(flow))
    return np.moveaxis(windows[rows, columns], 1, -1)


def average_patches(
    patches: np.ndarray, cells: np.ndarray, grid_size: int
) -> np.ndarray:
    """Lays motion patches [n, p, p, 2] on the grid and averages where they overlap.

    float32 [g, g, 2], zero where no patch lies.
    """
    size = patches.shape[1]
    side = grid_size + size - 1
    total, count = np.zeros((side, side, 2)), np.zeros((side, side, 1))
    rows, columns = np.divmod(cells, grid_size)
    for row, column in np.ndindex(size, size):
        place = rows + row, columns + column
        np.add.at(total, place, patches[:, row, column])
        np.add.at(count, place, 1)
    margin = size // 2
    inside = (slice(margin, margin + grid_size),) * 2
    return (total / np.maximum(count, 1))[inside].astype(np.float32)


class PatchSampler:
    """Draws training patches while the frames pass by.

    Each frame gives an equal share of `max_patches`, drawn from its edge cells, so that
    a frame full of edges does not count for more; frames with fewer give all.

    Args:
      num_frames: how many frames will pass.
      grid_size: cells along one side, g.
      max_patches: at most so many are kept.
      seed: of the draw.
    """

    def __init__(self, num_frames: int, grid_size: int, max_patches: int, seed: int):
        # Frame i gives ends[i + 1] - ends[i]: max_patches together, even if N is more.
        self._ends = np.arange(num_frames + 1) * max_patches // num_frames
        self._grid_size = grid_size
        self._random = np.random.default_rng(seed)
        self._num_seen = 0
        self._descriptors: list[np.ndarray] = []
        self._motions: list[np.ndarray] = []

    def add(self, frames: np.ndarray, flow: np.ndarray) -> None:
        """Takes a batch: frames uint8 [B, S, S, 3] and flow float32 [B, g, g, 2]."""
        size = motion_size(frames.shape[1], self._grid_size)
        edges = edge_cells(frames, self._grid_size)
        for frame, motion, has_edge in zip(frames, flow, edges, strict=True):
            share = np.diff(self._ends[self._num_seen :][:2])[0]
            self._num_seen += 1
            cells = self._random.permutation(np.flatnonzero(has_edge))[:share]
            self._descriptors.append(describe(frame, cells, self._grid_size))
            self._motions.append(motion_patches(motion, cells, size))

    def result(self) -> tuple[np.ndarray, np.ndarray]:
        """Descriptors float32 [n, 324] and motion patches float32 [n, p, p, 2]."""
        return np.concatenate(self._descriptors), np.concatenate(self._motions)
