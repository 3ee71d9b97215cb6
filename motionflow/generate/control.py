"""What somebody says about how a picture moves.

    arrow    the place (x, y) is at (x2, y2) when the film ends
    pin      the place (x, y) stays
    mask     only what is white may move
    strength all motion is so many times as large
    past     how the cells moved just before, of a video

The past is measured as for training (`labels.samples`): optical flow (DIS) from the
last frame back to one before, the camera's motion taken out, its sign turned, on the
network's grid.

Places are pixels of the picture, x to the right, y down, counted from the centre of the
first. `steering` makes flow of it all.
"""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from motionflow.errors import InputError
from motionflow.generate import picture_flow
from motionflow.labels.flow import make_flow_function
from motionflow.labels.stabilize import StabilizedFlow, UnstableCamera, displacement
from motionflow.media.continuity import marked_steps
from motionflow.models.predictor import Predictor

Place = tuple[float, float]
Arrow = tuple[Place, Place]
STEP_SECONDS = 2 / 30  # of a step, by labels of HMDB-51's videos
_FEATHER = 0.02  # of the shorter side: how wide the edge of a mask is


@dataclasses.dataclass(frozen=True, eq=False)
class Control:
    """What is said of one picture; by default nothing.

    Attributes:
      arrows: ((x, y), (x2, y2)) each.
      pins: (x, y) each.
      mask: uint8 or bool [H, W] of the picture's size; what is 0 stays, what is largest
        moves. None: all may move.
      strength: factor on all motion, arrows too; above 0.
      past: float32 [rows, columns, 2] on the network's grid over the picture, pixels of
        the network's frame per step, NaN where it is not known. None: nothing is.

    Raises:
      InputError: an arrow of no two places, two that begin at one place, no strength.
    """

    arrows: Sequence[Arrow] = ()
    pins: Sequence[Place] = ()
    mask: np.ndarray | None = None
    strength: float = 1.0
    past: np.ndarray | None = None

    def __post_init__(self) -> None:
        """Refuses what says nothing, or two things."""
        for name, values, shape in (
            ("arrow", self.arrows, (2, 2)),
            ("pin", self.pins, (2,)),
        ):
            for value in values:
                if np.shape(value) != shape or not np.isfinite(value).all():
                    form = "((x, y), (x2, y2))" if name == "arrow" else "(x, y)"
                    raise InputError(f"the {name} {value} is no {form} of numbers")
        starts = [tuple(map(float, place)) for place in self._starts]
        if twice := {start for start in starts if starts.count(start) > 1}:
            x, y = twice.pop()
            raise InputError(f"two arrows or pins stand at ({x:g}, {y:g})")
        if not self.strength > 0:
            raise InputError(f"strength is {self.strength}, expected more than 0")
        if self.mask is not None and np.ndim(self.mask) != 2:
            raise InputError(f"the mask is {np.shape(self.mask)}, expected [H, W]")

    @property
    def is_told(self) -> bool:
        """Whether there are arrows or pins, which a network must be told."""
        return bool(len(self.arrows) or len(self.pins))

    @property
    def _starts(self) -> list[Place]:
        return [*(start for start, _ in self.arrows), *self.pins]

    def places(self) -> np.ndarray:
        """Where what is told begins and ends: float32 [n, 4], the arrows first."""
        ends = [*(end for _, end in self.arrows), *self.pins]
        pairs = np.array([self._starts, ends], np.float32).reshape(2, -1, 2)
        begin, end = pairs
        return np.concatenate([begin, begin + self.strength * (end - begin)], axis=1)

    def weights(self, height: int, width: int) -> np.ndarray:
        """How far each pixel may move: float32 [height, width, 1], 0 to 1.

        Black pixels have 0; the edge lies in the white. Without a mask [1, 1, 1].
        """
        if self.mask is None:
            return np.ones((1, 1, 1), np.float32)
        # A frame of black around it would hold back what touches the picture's edge.
        white = (self.mask > np.max(self.mask) / 2).astype(np.uint8)
        distance = cv2.distanceTransform(white, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        edge = max(1.0, _FEATHER * min(height, width))
        return np.minimum(distance / edge, 1)[..., np.newaxis].astype(np.float32)

    def fitted(self, before: tuple[int, ...], after: tuple[int, ...]) -> "Control":
        """The same of a picture that was scaled from one height and width, then cut.

        Raises:
          InputError: the mask has another size than the picture, or an arrow or pin
            stands outside of the frame or where the mask is black.
        """
        if self.mask is not None and self.mask.shape != tuple(before):
            sizes = ["{1}x{0}".format(*s) for s in (self.mask.shape, before)]
            raise InputError("the mask is {}, the picture {}".format(*sizes))
        scale = max(after[0] / before[0], after[1] / before[1])
        old, new = ((np.array(s[::-1]) - 1) / 2 for s in (before, after))

        def moved(places: Sequence) -> np.ndarray:
            return (np.reshape(places, [-1, 2]) - old) * scale + new

        control = dataclasses.replace(
            self,
            arrows=[
                ((x, y), (x2, y2)) for x, y, x2, y2 in moved(self.arrows).reshape(-1, 4)
            ],
            pins=[(x, y) for x, y in moved(self.pins)],
            mask=self._fitted_mask(scale, new - scale * old, after),
        )
        weights = control.weights(*after)
        for i, (x, y) in enumerate(self._starts):
            column, row = np.rint(control._starts[i]).astype(int)
            if not (0 <= row < after[0] and 0 <= column < after[1]):
                raise InputError(
                    f"({x:g}, {y:g}), where an arrow or pin begins, lies outside of "
                    f"the frame"
                )
            is_held = self.mask is not None and not weights[row, column]
            if is_held and i < len(self.arrows):
                raise InputError(f"the arrow at ({x:g}, {y:g}) is where nothing moves")
        return control

    def _fitted_mask(
        self, scale: float, shift: np.ndarray, size: tuple[int, ...]
    ) -> np.ndarray | None:
        if self.mask is None or self.mask.shape == size:
            return self.mask
        white = 255 * (self.mask > np.max(self.mask) / 2).astype(np.uint8)
        matrix = np.column_stack([scale * np.eye(2), shift])
        return cv2.warpAffine(white, matrix, size[::-1])


NOTHING = Control()


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
    """Measures how the last of some frames, uint8 [H, W, 3], came to be.

    Frames that repeat the one before do not count; a prediction takes `step_frames` of
    the video. None where it is not known: too few frames, a cut among them, a camera
    that cannot be followed.
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
