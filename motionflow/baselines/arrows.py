"""True flow -> the cells that a person would point at.

    |flow| -> mean of 3x3 -> its local maxima that move -> n, drawn by their height

As Zhan et al. (CVPR 2019, "Conditional Motion Propagation") draw guidance at the peaks
of motion. The arrow at a cell is the cell's own true flow, not the mean. Where nothing
moves, arrows are drawn all the same, and say so.

The draw depends on the seed and on the name of the sample only: the same whatever the
batch, the split or the model. Arrows are nested: the first of three is the only one.
"""

import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from motionflow.data.known import STILL

_DISTANCE = 2  # cells: nearer peaks are drawn only when no other is left


def draw_arrows(
    flow: np.ndarray, num_arrows: int, seed: int, clip: bytes, frame_index: int
) -> np.ndarray:
    """Draws the cells of a sample's arrows.

    One after the other, without replacement, from the local maxima (3x3) of the mean
    magnitude of 3x3 cells, with chances proportional to it; none within two cells of
    one before, while others are left. After the peaks come the next largest cells. A
    cell at rest counts only where all are: nobody points at noise.

    Args:
      flow: [g, g, 2], the truth.
      num_arrows: n; at most all cells are drawn.
      seed: of the draw.
      clip: the sample's clip.
      frame_index: its frame.

    Returns:
      int64 [n], cells row by row, in the order of the draw.
    """
    random = np.random.default_rng([seed, zlib.crc32(clip), int(frame_index)])
    height = smoothed_magnitude(flow)
    moves = np.linalg.norm(flow, axis=-1) >= STILL
    if moves.any():
        height = np.where(moves, height, 0.0)
    is_open, height = find_peaks(height).ravel(), height.ravel()
    # Equal heights in an order of chance: a frame at rest prefers no corner.
    order = random.permutation(height.size)
    order = order[np.argsort(-height[order], kind="stable")]
    places = np.stack(np.divmod(np.arange(height.size), flow.shape[1]), axis=-1)
    is_far = np.ones_like(is_open)
    chosen: list[int] = []
    while len(chosen) < num_arrows and is_open.any():
        free = np.flatnonzero(is_open & is_far)
        if not len(free):
            free = np.flatnonzero(is_open)
        chosen.append(random.choice(free, p=height[free] / height[free].sum()))
        is_open[chosen[-1]] = False
        distance = np.linalg.norm(places - places[chosen[-1]], axis=-1)
        is_far &= distance > _DISTANCE
    rest = order[~np.isin(order, chosen)]
    return np.array([*chosen, *rest][:num_arrows], np.int64)


def draw_batch(
    batch: Mapping[str, np.ndarray], num_arrows: int, seed: int
) -> np.ndarray:
    """Draws for each sample of a batch of `pipeline`: int64 [B, n]."""
    columns = (batch[key] for key in ("flow", "clip", "frame_index"))
    samples = zip(*columns, strict=True)
    return np.stack([draw_arrows(f, num_arrows, seed, c, i) for f, c, i in samples])


def smoothed_magnitude(flow: np.ndarray) -> np.ndarray:
    """Mean magnitude of 3x3 cells, the edge repeated: [g, g, 2] -> float64 [g, g]."""
    magnitude = np.linalg.norm(np.asarray(flow, np.float64), axis=-1)
    return _windows(magnitude).mean(axis=(-2, -1))


def find_peaks(height: np.ndarray) -> np.ndarray:
    """Which cells are above zero and below no neighbour: [g, g] -> bool [g, g]."""
    return (height > 0) & (height == _windows(height).max(axis=(-2, -1)))


def _windows(values: np.ndarray) -> np.ndarray:
    axes: Any = (0, 1)  # the types of NumPy 1.26 know one axis only
    padded = np.pad(values, 1, mode="edge")
    return np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axes)
