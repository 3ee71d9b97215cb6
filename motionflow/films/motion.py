"""How a picture is expected to move next: flow of its cells, how sure, a drawing of it.

picture uint8 [H, W, 3] --predict_motion--> Motion --save--> .png, .flo, .npy
"""

import dataclasses
import struct
from pathlib import Path

import cv2
import numpy as np
import tensorflow as tf

from motionflow.drawing import flow_drawing
from motionflow.files import drafts
from motionflow.files.outputs import check_file
from motionflow.generate import steering
from motionflow.generate.control import NOTHING, Control
from motionflow.media import picture
from motionflow.models.predictor import Predictor

SUFFIXES = (".png", ".flo", ".npy")


@dataclasses.dataclass(frozen=True, repr=False, eq=False)
class Motion:
    """The motion that is expected in one picture.

    Attributes:
      picture: uint8 [H, W, 3] RGB.
      flow: float32 [h, w, 2], the expected motion of each cell of a grid over the whole
        picture: dx right, dy down, pixels of the picture per step (the time that a
        training label speaks of).
      probabilities: float32 [h, w, K], over the vectors of the model's codebook.
    """

    picture: np.ndarray
    flow: np.ndarray
    probabilities: np.ndarray

    def __repr__(self) -> str:
        """Its cells, and the fastest of them."""
        rows, columns = self.speed.shape
        return f"Motion({columns}x{rows} cells, up to {self.speed.max():.2f} pixels)"

    @property
    def speed(self) -> np.ndarray:
        """float32 [h, w], the length of the flow."""
        return np.linalg.norm(self.flow, axis=-1)

    def draw(self) -> np.ndarray:
        """The flow over the picture, see `flow_drawing.draw_motion`."""
        return flow_drawing.draw_motion(self.picture, self.flow)

    def save(self, path: str | Path, mark: str = "") -> None:
        """Writes the drawing (.png), or the flow (.flo of Middlebury, .npy).

        Args:
          path: the file; one that is there is replaced.
          mark: a text for the PNG that says who made it.

        Raises:
          InputError: another suffix, or a folder that does not exist.
        """
        check_output(path)
        path = Path(path)
        if path.suffix.lower() == ".png":
            picture.write_png(path, self.draw(), mark)
        elif path.suffix.lower() == ".npy":
            drafts.write_array(path, self.flow)
        else:  # OpenCV's own writer says of half a file that it is written
            height, width = self.flow.shape[:2]
            head = struct.pack("<fii", 202021.25, width, height)
            drafts.write(path, head + self.flow.astype("<f4").tobytes())

    def _repr_png_(self) -> bytes:
        """What a notebook shows."""
        return cv2.imencode(".png", self.draw()[..., ::-1])[1].tobytes()


def predict_motion(
    predictor: Predictor, frame: np.ndarray, control: Control = NOTHING
) -> Motion:
    """Predicts how a picture of any size moves in its next step.

    Args:
      predictor: predicts squares.
      frame: uint8 [H, W, 3] RGB.
      control: what is said of it; its arrows are the motion of this step.

    Raises:
      InputError: one side is more than 16 times the other, or the model cannot be told.
    """
    steering.check(predictor, control)
    height, width = frame.shape[:2]
    course = steering.start(control, predictor, (height, width))
    seen: list[tf.Tensor] = []
    arguments = predictor, frame[np.newaxis], course, 1, control.strength
    flow = steering.cell_flow(*arguments, num_steps=1, observe=seen.append)
    if control.mask is not None:
        flow *= tf.image.resize(course.weights, tf.shape(flow)[2:4], "area")
    return Motion(frame, flow[0, 0].numpy(), seen[0][0, 0].numpy())


def check_output(path: str | Path) -> None:
    """Refuses what `Motion.save` cannot write.

    Raises:
      InputError: another suffix, or see `check_file`.
    """
    check_file(path, SUFFIXES)
