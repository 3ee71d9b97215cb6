"""Frames to flow labels: a flow method, an average over a few frames, a coarse grid.

    gray frames t .. t+n, uint8 [H, W] --average_flow--> float32 [H, W, 2]
                                       --to_grid-------> float32 [g, g, 2]

Flow is where a pixel goes: the last axis is (dx right, dy down) in pixels of the frame.
The report (section 2) uses DeepFlow, "averaging the flow between the frame and the
subsequent three frames". That can be read three ways:

    anchored     mean of flow(t, t+1), flow(t, t+2), flow(t, t+3): the literal reading
    consecutive  mean of flow(t, t+1), flow(t+1, t+2), flow(t+2, t+3): Walker, Im2Flow
    velocity     mean of flow(t, t+k) / k

For something that moves at a steady v, `anchored` with three frames gives 2v, the other
two give v.

OpenCV's DeepFlow has no DeepMatching term, so very fast motion is lost.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np

from motionflow.errors import InputError

FlowFunction = Callable[[np.ndarray, np.ndarray], np.ndarray]

# Any: the types of OpenCV refuse that `calc` begins without a flow.
FLOW_METHODS: dict[str, Callable[[], Any]] = {
    "deepflow": lambda: cv2.optflow.createOptFlow_DeepFlow(),
    "dis": lambda: cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM),
    "farneback": lambda: cv2.optflow.createOptFlow_Farneback(),
    "tvl1": lambda: cv2.optflow.createOptFlow_DualTVL1(),
    "pcaflow": lambda: cv2.optflow.createOptFlow_PCAFlow(),
}
PCAFLOW_SIZE = 72  # on fewer pixels OpenCV's PCAFlow writes beyond its memory
FLOW_AVERAGES = ("anchored", "consecutive", "velocity")
GRID_SAMPLINGS = ("area", "point")


def make_flow_function(method: str) -> FlowFunction:
    """Returns a function from two gray frames to the flow of the first.

    The function takes uint8 [H, W] twice and returns float32 [H, W, 2]. It wraps an
    OpenCV object that cannot be pickled: make one in each process.

    Raises:
      InputError: unknown method.
    """
    if method not in FLOW_METHODS:
        raise InputError(f"flow_method {method!r} is none of {', '.join(FLOW_METHODS)}")
    algorithm = FLOW_METHODS[method]()

    def compute(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        # DIS refuses a view of a larger frame.
        pair = np.ascontiguousarray(first), np.ascontiguousarray(second)
        return algorithm.calc(*pair, None)

    return compute


def average_flow(
    frames: Sequence[np.ndarray], compute: FlowFunction, average: str = "anchored"
) -> np.ndarray:
    """Averages the flow between a frame and those after it.

    Args:
      frames: n + 1 gray frames, uint8 [H, W]: the frame itself and the next n.
      compute: from `make_flow_function`.
      average: one of FLOW_AVERAGES, see above.

    Returns:
      float32 [H, W, 2], pixels.
    """
    gaps = range(1, len(frames))
    if average == "anchored":
        flows = [compute(frames[0], frames[k]) for k in gaps]
    elif average == "consecutive":
        flows = [compute(frames[k - 1], frames[k]) for k in gaps]
    elif average == "velocity":
        flows = [compute(frames[0], frames[k]) / k for k in gaps]
    else:
        raise InputError(f"flow_average {average!r} is none of {FLOW_AVERAGES}")
    return functools.reduce(np.add, flows) / np.float32(len(flows))


def to_grid(flow: np.ndarray, grid_size: int, sampling: str = "area") -> np.ndarray:
    """Reduces dense flow to a coarse grid; vectors stay in pixels of the frame.

    Args:
      flow: float32 [S, S, 2], S a multiple of `grid_size`.
      grid_size: cells a side; 20 in the report.
      sampling: "area" is the mean over each block (the report's "resize"), "point" the
        flow at the block's centre, pixels 5, 15, ..., 195 (Walker).

    Returns:
      float32 [grid_size, grid_size, 2].
    """
    size = flow.shape[0]
    if flow.shape[1] != size or size % grid_size:
        raise InputError(
            f"flow {flow.shape} does not divide into {grid_size}x{grid_size} cells"
        )
    block = size // grid_size
    if sampling == "point":
        return flow[block // 2 :: block, block // 2 :: block]
    if sampling != "area":
        raise InputError(f"grid_sampling {sampling!r} is none of {GRID_SAMPLINGS}")
    blocks = flow.reshape(grid_size, block, grid_size, block, 2)
    # `mean` adds in the same order and takes twice as long.
    return np.einsum("aibjc->abc", blocks) / np.float32(block**2)
