"""Flow that does as it is told, one prediction after the other.

    Control --start--> Course --predict--> flow [B, H, W, 2] --advance--> Course ...

What is told travels with what it holds: an arrow stands where its place has come to,
its vector is what is left of the way, divided by the predictions that are left. The
measured past of a video goes along, too; what was predicted is not told as the past of
the next prediction, for then it shrinks from one to the next. The network hears all of
this on its grid (`data.known`); between the centres of its cells the flow of a told
place is mixed with its surroundings', so `places.keep_places` gives each its own vector
again. A place told to be somewhere arrives.

All but `start` and `Steering` run in a graph, too.
"""

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from motionflow.errors import InputError
from motionflow.generate import picture_flow, warp
from motionflow.generate.control import Control
from motionflow.generate.fitting import resize
from motionflow.generate.places import along_ways, flow_at, is_inside, keep_places
from motionflow.models.predictor import Predictor


class Course(NamedTuple):
    """What is told, as far as the film has come.

    Attributes:
      places: float32 [B, M, 2], x and y of what is told, pixels of the frame.
      targets: float32 [B, M, 2], where they shall be in the end.
      arrows, pins: float32 [B, M], 1 for those that are there.
      past: float32 [B, rows, columns, 3], 1 where it is known and the motion before the
        film, pixels of the network's frame per step; it goes along with what it holds.
      weights: float32 [B, H, W, 1], how far each pixel may move; [1, 1, 1, 1] where all
        may.
    """

    places: tf.Tensor
    targets: tf.Tensor
    arrows: tf.Tensor
    pins: tf.Tensor
    past: tf.Tensor
    weights: tf.Tensor


def check(predictor: Predictor, control: Control) -> None:
    """Refuses arrows and pins for a model that cannot be told.

    Raises:
      InputError: it cannot.
    """
    if control.is_told and not predictor.takes_known:
        raise InputError(
            "this model cannot be told what moves, only guided networks can: "
            "--model=default, the model in the box, is one"
        )


def start(control: Control, predictor: Predictor, size: tuple[int, ...]) -> Course:
    """The course of one film: `control` is fitted to frames of this size."""
    told = tf.constant(control.places()[np.newaxis])
    is_arrow = np.arange(told.shape[1]) < len(control.arrows)
    arrows = tf.constant(is_arrow[np.newaxis], tf.float32)
    past = np.zeros((1, *picture_flow.grid_shape(predictor, *size), 3), np.float32)
    if control.past is not None:
        is_known = np.isfinite(control.past).all(axis=-1, keepdims=True)
        motion = np.where(is_known, control.past, 0)
        past[0] = np.concatenate([is_known, motion], axis=-1)
    return Course(
        told[..., :2],
        told[..., 2:],
        arrows,
        1 - arrows,
        tf.constant(past),
        tf.constant(control.weights(*size)[np.newaxis]),
    )


def predict(
    predictor: Predictor,
    frames: tf.Tensor,
    course: Course,
    num_left: int | tf.Tensor,
    strength: float = 1.0,
    along: bool = False,
    **options: Any,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Flow that does as it is told.

    Args:
      predictor: predicts squares.
      frames: float32 [B, H, W, 3] in 0..255.
      course: of the film up to these frames; not told where that is not possible.
      num_left: predictions up to the end of the film, this one too.
      strength: factor on all motion.
      along: one flow serves for all of the film: a told place goes all of its way.
      **options: of `picture_flow.cell_flow`.

    Returns:
      float32 [B, T, H, W, 2], pixels of the frames per prediction, and the
      distributions of the cells, see `picture_flow.cell_flow`.
    """
    size = tf.shape(frames)[1:3]
    cells = cell_flow(predictor, frames, course, num_left, strength, **options)
    flow = course.weights[:, tf.newaxis] * resize(cells[0], size[0], size[1])
    if predictor.takes_known:
        cell = tf.cast(tf.reduce_min(size), tf.float32) / predictor.grid_size
        told = course.places, _vectors(course, num_left), _told(course, size)
        if along:
            told = along_ways(told[0], course.targets, *told[1:], cell)
        steps = [
            keep_places(step, course.weights, *told, cell)
            for step in tf.unstack(flow, axis=1)
        ]
        flow = tf.stack(steps, axis=1)
    return flow, cells[1]


def cell_flow(
    predictor: Predictor,
    frames: tf.Tensor,
    course: Course,
    num_left: int | tf.Tensor,
    strength: float = 1.0,
    **options: Any,
) -> tuple[tf.Tensor, tf.Tensor]:
    """What the network makes of what is told, on its grid; see `predict`."""
    size = tf.shape(frames)[1:3]
    known = None
    if predictor.takes_known:
        known = _on_grid(predictor, course, num_left, strength, size)
    flow, probabilities = picture_flow.cell_flow(predictor, frames, known, **options)
    scale = picture_flow.pixel_scale(predictor, size, tf.shape(flow)[2:4])
    return flow * strength * scale, probabilities


def advance(predictor: Predictor, course: Course, flow: tf.Tensor) -> Course:
    """The course, all but its past, after frames have moved by flow [B, H, W, 2]."""
    if course.weights.shape[1] != 1:
        moved, _ = warp.forward(course.weights, flow, "magnitude")
        course = course._replace(weights=moved)
    if not predictor.takes_known:
        return course
    return course._replace(places=course.places + flow_at(flow, course.places))


def carry_past(course: Course, flow: tf.Tensor) -> Course:
    """The course, its past where flow [B, H, W, 2] has moved what it belongs to."""
    size, cells = tf.shape(flow)[1:3], tf.shape(course.past)[1:3]
    pixels = tf.cast(size[::-1] / cells[::-1], tf.float32)  # of a cell
    coarse = tf.image.resize(flow, cells, "area") / pixels
    came_from, _ = warp.invert(coarse, "magnitude")
    known, past = tf.split(warp.backward(course.past, came_from), [1, 2], axis=-1)
    is_known = tf.cast(known > 0.5, tf.float32)
    past = is_known * tf.math.divide_no_nan(past, known)
    return course._replace(past=tf.concat([is_known, past], axis=-1))


class Steering:
    """A flow model with a memory: of one film, asked in the film's order.

    Args:
      predictor: predicts squares.
      control: of a frame of this size, see `Control.fitted`.
      size: height and width of the frame.
      num_predictions: of the film.
      along: see `predict`: one prediction serves for all of the film.
      **options: of `picture_flow.cell_flow`.

    Attributes:
      probabilities: of the last prediction, float32 [1, T, rows, columns, K].

    Raises:
      InputError: arrows or pins for a model that cannot be told.
    """

    def __init__(
        self,
        predictor: Predictor,
        control: Control,
        size: tuple[int, ...],
        num_predictions: int,
        along: bool = False,
        **options: Any,
    ):
        check(predictor, control)
        self._predictor, self._control = predictor, control
        self._course = start(control, predictor, size)
        self._left, self._along, self._options = num_predictions, along, options
        self.probabilities: tf.Tensor | None = None

    def __call__(self, frames: tf.Tensor) -> tf.Tensor:
        """Frames float32 [1, H, W, 3] -> flow [1, T, H, W, 2]."""
        flow, self.probabilities = predict(
            self._predictor,
            frames,
            self._course,
            self._left,
            self._control.strength,
            self._along,
            **self._options,
        )
        for step in tf.unstack(flow, axis=1):
            if self._control.past is not None:
                self._course = carry_past(self._course, step)
            self._course = advance(self._predictor, self._course, step)
            self._left -= 1
        return flow


def _vectors(course: Course, num_left: int | tf.Tensor) -> tf.Tensor:
    """How far each place goes in this prediction, [B, M, 2], pixels of the frame."""
    return (course.targets - course.places) / tf.cast(num_left, tf.float32)


def _told(course: Course, size: tf.Tensor) -> tf.Tensor:
    """1 for what is told and has not left the frame, [B, M]."""
    is_there = tf.cast(is_inside(course.places, size), tf.float32)
    return (course.arrows + course.pins) * is_there


def _on_grid(
    predictor: Predictor,
    course: Course,
    num_left: int | tf.Tensor,
    strength: float,
    size: tf.Tensor,
) -> tf.Tensor:
    """What a network is told, see `data.known`: float32 [B, rows, columns, 7].

    Of several arrows in a cell it is told the mean; of an arrow and a pin the arrow.
    """
    cells = tf.shape(course.past)[1:3]
    scale = strength * picture_flow.pixel_scale(predictor, size, cells)
    vectors = _vectors(course, num_left) / scale
    share = (course.places + 0.5) / tf.cast(size[::-1], tf.float32)
    column, row = tf.unstack(
        tf.cast(share * tf.cast(cells[::-1], tf.float32), tf.int32), axis=-1
    )
    is_there = tf.one_hot(row * cells[1] + column, cells[0] * cells[1])
    is_there *= _told(course, size)[..., None]
    arrows, pins = course.arrows[..., None], course.pins[..., None]
    values = tf.concat([arrows, arrows * vectors, pins], axis=-1)
    sums = tf.matmul(is_there, values, transpose_a=True)
    sums = tf.reshape(sums, [-1, cells[0], cells[1], 4])
    is_arrow = tf.minimum(sums[..., :1], 1)
    mean = tf.math.divide_no_nan(sums[..., 1:3], sums[..., :1])
    pinned = tf.minimum(sums[..., 3:], 1) * (1 - is_arrow)
    return tf.concat([is_arrow, mean, pinned, course.past], axis=-1)
