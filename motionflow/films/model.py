"""A trained network as something to ask about pictures.

model = load("runs/allconv")
model.flow("photo.jpg")       ->  Motion: what moves where in the next step
model.animate("photo.jpg")    ->  Film: how it goes on
"""

import dataclasses
import json
import logging
import os
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tensorflow as tf

from motionflow.drawing import flow_drawing
from motionflow.files import drafts
from motionflow.files.outputs import check_file
from motionflow.films.film import Film
from motionflow.generate import steering
from motionflow.generate.animation import Animation
from motionflow.generate.control import (
    NOTHING,
    STEP_SECONDS,
    Arrow,
    Control,
    Place,
    measure_past,
)
from motionflow.media import picture as pictures
from motionflow.media import still, video
from motionflow.media.still import Picture
from motionflow.models import predictor
from motionflow.models.model_path import DEFAULT, PACKED, find_model, is_export
from motionflow.models.run_dir import STUCK_SHARE, RunDir

MAX_SIZE = 4096  # pixels of the longer side of a film
MOTION_SUFFIXES = (".png", ".flo", ".npy")


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

        Raises:
          InputError: see `check_motion_output`.
        """
        check_motion_output(path)
        path = Path(path)
        if path.suffix.lower() == ".png":
            pictures.write_png(path, self.draw(), mark)
        elif path.suffix.lower() == ".npy":
            drafts.write_array(path, self.flow)
        else:  # OpenCV's own writer says of half a file that it is written
            height, width = self.flow.shape[:2]
            head = struct.pack("<fii", 202021.25, width, height)
            drafts.write(path, head + self.flow.astype("<f4").tobytes())

    def _repr_png_(self) -> bytes:
        """What a notebook shows."""
        return cv2.imencode(".png", self.draw()[..., ::-1])[1].tobytes()


class Model:
    """A network that predicts how pictures move.

    Attributes:
      predictor: the network itself, for batches of squares: see `Predictor`.
    """

    def __init__(self, network: predictor.Predictor, remarks: list[str] | None = None):
        self.predictor = network
        self._remarks = remarks or []

    def __repr__(self) -> str:
        """What it sees and what it chooses among."""
        network = self.predictor
        return (
            f"Model(frames of {network.frame_size} pixels, {network.grid_size}x"
            f"{network.grid_size} cells, {len(network.centers)} motions)"
        )

    def flow(
        self,
        picture: Picture,
        *,
        arrows: Sequence[Arrow] = (),
        pins: Sequence[Place] = (),
        mask: Picture | None = None,
        strength: float = 1.0,
    ) -> Motion:
        """Predicts how each cell of a picture moves in its next step.

        Args:
          picture: a file, a PIL image, or an array [H, W], [H, W, 3] or [H, W, 4] of
            uint8; any size. Of a video its last frame goes on as those before it moved.
          arrows: ((x, y), (x2, y2)), the motion of this step, pixels of the picture.
          pins: (x, y): what is there stays.
          mask: see `animate`.
          strength: see `animate`.

        Raises:
          InputError: it is no picture, one side is more than 16 times the other, what
            is said does not fit it, or the model cannot be told.
        """
        moment = still.as_moment(picture)
        control = Control(arrows, pins, _white(mask), strength)
        control = self.told(control, moment, moment.frame)
        return predict_motion(self.predictor, moment.frame, control)

    def animate(
        self,
        picture: Picture,
        *,
        max_size: int = MAX_SIZE,
        crop: bool = False,
        show_flow: bool = False,
        show_arrows: bool = False,
        fps: float = 10.0,
        arrows: Sequence[Arrow] = (),
        pins: Sequence[Place] = (),
        mask: Picture | None = None,
        strength: float = 1.0,
        **animation: Any,
    ) -> Film:
        """Plays a picture on.

        Args:
          picture: as in `flow`.
          arrows: ((x, y), (x2, y2)) in pixels of the picture: what is at (x, y) is at
            (x2, y2) when the film ends; in a loop, half way.
          pins: (x, y): what is there stays.
          mask: a picture of the same size; only where it is white may anything move.
          strength: factor on all motion.
          max_size: longer sides are shrunk to this; 0: no bound.
          crop: takes the centre square at the size of the network.
          show_flow: puts the flow beside each frame.
          show_arrows: draws the flow over the frames.
          fps: frames a second.
          **animation: num_predictions=5, frames_per_prediction=5, mode="composed",
            temperature=1.0, num_futures=0, seed=0: see `Animation`.

        Raises:
          InputError: `picture` is none, what is said does not fit it, the model cannot
            be told, or an option of `animation` is refused.
        """
        moment = still.as_moment(picture)
        frame = self.fit(moment.frame, max_size, crop)
        control = Control(arrows, pins, _white(mask), strength)
        options = Animation(control=self.told(control, moment, frame), **animation)
        return Film(self.predictor, frame, options, show_flow, show_arrows, fps)

    def fit(self, frame: np.ndarray, max_size: int, crop: bool = False) -> np.ndarray:
        """A frame at the size of its film, see `animate`; uint8 [H, W, 3]."""
        if crop:
            return video.fit_frame(frame, self.predictor.frame_size)
        bounded = still.bound_size(frame, max_size)
        if bounded is not frame:
            sizes = [f"{f.shape[1]}x{f.shape[0]}" for f in (frame, bounded)]
            text = "shrunk from %s to %s (max_size=%d)"
            logging.getLogger(__name__).info(text, *sizes, max_size)
        return bounded

    def told(
        self, control: Control, moment: still.Moment, frame: np.ndarray
    ) -> Control:
        """What is said of a moment, and how it moved before, for its fitted frame."""
        before, after = moment.frame.shape[:2], frame.shape[:2]
        past = None
        if self.predictor.takes_known and len(moment.before):
            frames = [*moment.before, moment.frame]
            if after == 2 * (self.predictor.frame_size,):  # a square, cut out
                frames = [video.fit_frame(f, after[0]) for f in frames]
            step = STEP_SECONDS * (moment.fps or 30)
            measured = measure_past(self.predictor, frames, step)
            past = measured and measured.scene
        control = dataclasses.replace(control, past=past)
        return control.fitted(before, after)

    def remarks(self) -> list[str]:
        """What one should know before one looks at its films.

        Returns:
          Sentences; mostly none: that it predicts one class everywhere.
        """
        return list(self._remarks)


def load(path: str | os.PathLike = DEFAULT) -> Model:
    """Loads a model from wherever one lies.

    Args:
      path: "default", the model in the box; or a run directory, its checkpoints/best,
        an exported version, or a folder of versions (the newest). An export is a
        program: load only what you trust.

    Raises:
      InputError: `path` is none of these, or holds a damaged model.
    """
    path = find_model(path)
    return Model(predictor.load(path), _remarks(path))


def _white(mask: Picture | None) -> np.ndarray | None:
    """Brightness [H, W] of a mask."""
    return None if mask is None else still.as_moment(mask).frame.max(axis=-1)


def _remarks(path: Path) -> list[str]:
    """What the history of a model says that its user should know."""
    if is_export(path) or path.name == PACKED:
        folder = path if path.is_dir() else path.parent
        card = folder / "assets.extra" / "model_card.json"
        found = json.loads(card.read_text()) if card.is_file() else {}
        result = found.get("training", {}).get("result") or {}
        row = result.get("validation") or result.get("training", {})
    else:
        row = (RunDir(path).read_history() or [{}])[-1]
    share = row.get("val_most_predicted", row.get("most_predicted", 0.0))
    if share < STUCK_SHARE:
        return []
    return [
        f"this model predicts one and the same class in {share:.2%} of all cells, "
        f"whatever the picture: it has not learned to tell motions apart"
    ]


def predict_motion(
    network: predictor.Predictor, frame: np.ndarray, control: Control = NOTHING
) -> Motion:
    """Predicts how a picture of any size moves in its next step.

    Its arrows are the motion of this step.

    Raises:
      InputError: one side is more than 16 times the other, or the model cannot be told.
    """
    steering.check(network, control)
    height, width = frame.shape[:2]
    course = steering.start(control, network, (height, width))
    flow, probabilities = steering.cell_flow(
        network, frame[np.newaxis], course, 1, control.strength, num_steps=1
    )
    if control.mask is not None:
        flow *= tf.image.resize(course.weights, tf.shape(flow)[2:4], "area")
    return Motion(frame, flow[0, 0].numpy(), probabilities[0, 0].numpy())


def check_motion_output(path: str | Path) -> None:
    """Refuses what `Motion.save` cannot write."""
    check_file(path, MOTION_SUFFIXES)
