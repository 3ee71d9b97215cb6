"""Arrows and pins of a request -> the course of its films, or an error that says why.

    Control --inputs--> arrows, num_arrows, pins, num_pins
    image, arrows, num_arrows, pins, num_pins --course--> Course

See `signatures` for what they mean. Rows beyond the counts may hold anything.
"""

import numpy as np
import tensorflow as tf

from motionflow.generate.control import Control
from motionflow.generate.fitting import scale_sides
from motionflow.generate.places import is_inside
from motionflow.generate.steering import Course
from motionflow.models.predictor import Predictor

MAX_PLACES = 1000  # of an image: the flow between them is solved for together
SPECS = (
    tf.TensorSpec([None, None, 4], tf.float32, name="arrows"),
    tf.TensorSpec([None], tf.int32, name="num_arrows"),
    tf.TensorSpec([None, None, 2], tf.float32, name="pins"),
    tf.TensorSpec([None], tf.int32, name="num_pins"),
)


def inputs(control: Control) -> dict[str, np.ndarray]:
    """What is said of one picture, as a client sends it.

    Returns:
      By the names of `SPECS`, N = 1. At least one row each: JSON knows no [1, 0, 4].
    """
    places, num_arrows = control.places(), len(control.arrows)
    parts = {"arrows": places[:num_arrows], "pins": places[num_arrows:, :2]}
    said = {}
    for name, rows in parts.items():
        padding = [(0, int(not len(rows))), (0, 0)]
        said[name] = np.pad(rows, padding)[np.newaxis]
        said[f"num_{name}"] = np.array([len(rows)], np.int32)
    return said


def course(
    predictor: Predictor,
    image: tf.Tensor,
    arrows: tf.Tensor,
    num_arrows: tf.Tensor,
    pins: tf.Tensor,
    num_pins: tf.Tensor,
) -> Course:
    """The course of a batch of films, in a graph.

    Args:
      predictor: can be told.
      image: [N, H, W, 3].
      arrows: as in `SPECS`, like the others.
      num_arrows: how many of M count.
      pins: places that stay.
      num_pins: how many of P count.

    Returns:
      The course, of M + P places an image; those that are padding are told nothing.
    """
    batch, size = tf.shape(image)[0], tf.shape(image)[1:3]
    said = arrows, num_arrows, pins, num_pins
    arrows, num_arrows, pins, num_pins = (
        tf.ensure_shape(values, spec.shape)
        for values, spec in zip(said, SPECS, strict=True)
    )
    arrows, is_arrow = _counted("arrows", arrows, num_arrows, batch)
    pins, is_pin = _counted("pins", pins, num_pins, batch)
    places = tf.concat([arrows[..., :2], pins], axis=1)
    targets = tf.concat([arrows[..., 2:], pins], axis=1)
    checks = _checks(places, targets, tf.concat([is_arrow, is_pin], axis=1), size)
    with tf.control_dependencies(checks):
        places = tf.identity(places)
    cells = scale_sides(size, predictor.grid_size)
    return Course(
        places,
        targets,
        tf.concat([tf.cast(is_arrow, tf.float32), tf.zeros_like(pins[..., 0])], axis=1),
        tf.concat([tf.zeros_like(arrows[..., 0]), tf.cast(is_pin, tf.float32)], axis=1),
        tf.zeros([batch, cells[0], cells[1], 3]),
        tf.ones([1, 1, 1, 1]),
    )


def _counted(
    name: str, values: tf.Tensor, counts: tf.Tensor, batch: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Values [N, M, C] with zeros for padding, and what is none, bool [N, M]."""
    shape = tf.shape(values)
    is_one_an_image = tf.debugging.Assert(
        (shape[0] == batch) & (tf.size(counts) == batch),
        [f"{name} and num_{name} must hold one row an image:", shape, tf.shape(counts)],
    )
    fits = tf.debugging.Assert(
        tf.reduce_all((counts >= 0) & (counts <= shape[1])),
        [f"num_{name} is not from 0 to the rows of {name}:", counts, shape],
    )
    is_bounded = tf.debugging.Assert(
        shape[1] <= MAX_PLACES, [f"more than {MAX_PLACES} rows of {name}:", shape[1]]
    )
    with tf.control_dependencies([is_one_an_image, fits, is_bounded]):
        is_there = tf.sequence_mask(counts, shape[1])
    return tf.where(is_there[..., tf.newaxis], values, 0.0), is_there


def _checks(
    places: tf.Tensor, targets: tf.Tensor, is_there: tf.Tensor, size: tf.Tensor
) -> list[tf.Operation]:
    """What `Control` refuses."""
    is_good = is_inside(places, size) & tf.reduce_all(tf.math.is_finite(targets), -1)
    is_same = tf.reduce_all(places[:, :, tf.newaxis] == places[:, tf.newaxis], axis=-1)
    is_same &= is_there[:, :, tf.newaxis] & is_there[:, tf.newaxis]
    num_same, num_there = (
        tf.reduce_sum(tf.cast(x, tf.int32)) for x in (is_same, is_there)
    )
    starts = tf.boolean_mask(places, is_there)
    text = "an arrow or pin begins outside of the image or is no number:"
    return [
        tf.debugging.Assert(
            tf.reduce_all(is_good), [text, starts, "height, width:", size]
        ),
        tf.debugging.Assert(
            num_same == num_there, ["two arrows or pins stand at one place:", starts]
        ),
    ]
