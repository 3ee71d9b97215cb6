"""How the places of a frame moved just before, as a network is told.

frames of a video, the last one is played on --measure_past--> Past

Measured as for training (`labels.samples`): optical flow (DIS) from the last frame back
to one before, the camera's motion taken out, its sign turned, on the network's grid.
"""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from motionflow.generate import picture_flow
from motionflow.labels.flow import make_flow_function
from motionflow.labels.stabilize import StabilizedFlow, UnstableCamera, displacement
from motionflow.media.continuity import marked_steps
from motionflow.models.predictor import Predictor

STEP_SECONDS = 2 / 30  # of a step, by labels of HMDB-51's videos


class Past(NamedTuple):
    """What moved, in pixels of the network's frame per step.

    Attributes:
      scene: float32 [rows, columns, 2], as a camera that stands still would see it.
      camera: the same of what stands still, before a camera that goes on as it went.
    """

    scene: np.ndarray
    camera: np.ndarray


def measure_past(
    predictor: Predictor, frames: Sequence[np.ndarray], step_frames: float
) -> Past | None:
    """Measures how the last of some frames came to be.

    Args:
      predictor: predicts squares.
      frames: uint8 [H, W, 3], one after the other; frames that repeat the one before
        do not count.
      step_frames: frames of the video that one prediction takes.

    Returns:
      None where it is not known: too few frames, a cut among them, a camera that cannot
      be followed.
    """
    grid = picture_flow.grid_shape(predictor, *frames[-1].shape[:2])
    pixels = predictor.frame_size // predictor.grid_size
    size = grid[1] * pixels, grid[0] * pixels
    small = (cv2.resize(f, size, interpolation=cv2.INTER_AREA) for f in frames)
    steps = list(marked_steps(small, skip_duplicates=True))
    steps = steps[-1 - max(1, round(step_frames)) :]
    span = steps[-1].index - steps[0].index
    if not span or any(step.mark for step in steps[1:]):
        return None
    last, first = (cv2.cvtColor(steps[i].frame, cv2.COLOR_RGB2GRAY) for i in (-1, 0))
    stabilized = StabilizedFlow(make_flow_function("dis"))
    try:
        back = stabilized(last, first)
    except UnstableCamera:
        return None
    (camera,) = stabilized.estimates
    onward = displacement(np.linalg.inv(camera.homography), last.shape)
    scene, camera = (
        (flow * step_frames / span)
        .reshape(grid[0], pixels, grid[1], pixels, 2)
        .mean(axis=(1, 3), dtype=np.float32)
        for flow in (-back, onward)
    )
    return Past(scene, camera)
