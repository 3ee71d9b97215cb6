"""What a request holds: made by a client, checked inside of the graph.

    image                       --picture, whole_picture--> image
    image, two numbers          --film--------------------> image, n, m
    Control --hints_of--> Hints --course------------------> Course

See `signatures` for what they mean. The server looks at types only: the graph refuses
shapes and values by itself, with an InvalidArgumentError that says why.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from motionflow.data.known import pack_known
from motionflow.generate.control import Control
from motionflow.generate.fitting import scale_sides
from motionflow.generate.picture_flow import MAX_ASPECT
from motionflow.generate.places import is_inside
from motionflow.generate.steering import Course
from motionflow.models.predictor import FRAMES_SIGNATURE, KNOWN_SIGNATURE, Predictor

MAX_FRAMES = 1000  # of a roll-out
MAX_BYTES = 1 << 30  # of its answer; a protocol buffer ends at 2 GiB
MAX_PLACES = 1000  # of an image: the flow between them is solved for together
PICTURE = tf.TensorSpec([None, None, None, 3], tf.uint8, name="image")
NUMBERS = [
    tf.TensorSpec([None], tf.int32, name=name)
    for name in ("num_predictions", "frames_per_prediction")
]


class Hints(NamedTuple):
    """Arrows and pins of N images; rows beyond the counts may hold anything.

    Attributes:
      arrows: float32 [N, M, 4], x, y, x2, y2.
      num_arrows: int32 [N].
      pins: float32 [N, P, 2], x, y.
      num_pins: int32 [N].
    """

    arrows: Any
    num_arrows: Any
    pins: Any
    num_pins: Any


HINTS = Hints(
    tf.TensorSpec([None, None, 4], tf.float32, name="arrows"),
    tf.TensorSpec([None], tf.int32, name="num_arrows"),
    tf.TensorSpec([None, None, 2], tf.float32, name="pins"),
    tf.TensorSpec([None], tf.int32, name="num_pins"),
)


def hints_of(control: Control, num_images: int = 1) -> Hints:
    """What is said of each picture of a request, as a client sends it: arrays.

    At least one row each, for JSON knows no [1, 0, 4].
    """
    places, num_arrows = control.places(), len(control.arrows)
    found = []
    for part in (places[:num_arrows], places[num_arrows:, :2]):
        rows = np.pad(part, [(0, int(not len(part))), (0, 0)])
        found.append(np.repeat(rows[np.newaxis], num_images, axis=0))
        found.append(np.full(num_images, len(part), np.int32))
    return Hints(*found)


def requests(
    image: np.ndarray,
    files: Sequence[bytes],
    number: int,
    known: np.ndarray | None = None,
    hints: Hints | None = None,
) -> dict[str, dict[str, np.ndarray]]:
    """A request to each signature: its inputs by their names.

    Args:
      image: uint8 [N, S, S, 3].
      files: N files of pictures.
      number: num_predictions and frames_per_prediction.
      known: float32 [N, g, g, 7], of a network that can be told, like `hints`.
      hints: of N images.
    """
    picture = {"image": image}
    frames = {"image": image.astype(np.float32)}
    numbers = {spec.name: np.full(len(image), number, np.int32) for spec in NUMBERS}
    found = {
        "serving_default": picture,
        "predict_bytes": {"image_bytes": np.array(files, object)},
        "probabilities": picture,
        "steps": picture,
        "rollout": picture | numbers,
        FRAMES_SIGNATURE: frames,
    }
    if known is not None and hints is not None:
        guided = picture | hints._asdict()
        found[KNOWN_SIGNATURE] = frames | {"known": known}
        found |= {"guided": guided, "guided_rollout": guided | numbers}
    return found


def example_known(num: int, grid_size: int) -> np.ndarray:
    """What frames are told by turns: an arrow and a pin, the past, nothing.

    float32 [num, g, g, 7], see `data.known`.
    """
    shape = num, grid_size, grid_size
    arrows, past = np.full((2, *shape, 2), np.nan)
    pins = np.zeros(shape, bool)
    arrows[::3, 0, 0], pins[::3, -1, -1], past[1::3] = (3, -1), True, (-2, 1)
    return pack_known(shape, arrows=arrows, pins=pins, past=past)


def picture(image: tf.Tensor) -> tf.Tensor:
    """An image that holds pixels."""
    image, shape = tf.ensure_shape(image, PICTURE.shape), tf.shape(image)
    holds_pixels = tf.reduce_all(shape[1:3] > 0)
    return _checked(image, holds_pixels, "image holds no pixels; its shape:", shape)


def whole_picture(image: tf.Tensor) -> tf.Tensor:
    """A picture that is answered for as a whole."""
    image = picture(image)
    height, width = tf.unstack(tf.shape(image)[1:3])
    is_no_strip = tf.maximum(height, width) <= MAX_ASPECT * tf.minimum(height, width)
    text = f"image has a side of more than {MAX_ASPECT} others:"
    return _checked(image, is_no_strip, text, height, width)


def film(
    image: tf.Tensor, num_predictions: tf.Tensor, frames_per_prediction: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """A whole picture that is played on, and its two numbers as scalars."""
    image = whole_picture(image)
    batch = tf.shape(image)[0]
    n = _common_number("num_predictions", num_predictions, batch)
    m = _common_number("frames_per_prediction", frames_per_prediction, batch)
    total = tf.cast(n, tf.int64) * tf.cast(m, tf.int64)
    num_bytes = tf.cast(tf.size(image), tf.int64) * total
    text = f"more than {MAX_FRAMES} frames:"
    image = _checked(image, total <= MAX_FRAMES, text, total)
    text = f"more than {MAX_BYTES} bytes:"
    return _checked(image, num_bytes <= MAX_BYTES, text, num_bytes), n, m


def course(predictor: Predictor, image: tf.Tensor, hints: Hints) -> Course:
    """The course of a batch of films [N, H, W, 3], of M + P places an image.

    Those that are padding are told nothing.
    """
    batch, size = tf.shape(image)[0], tf.shape(image)[1:3]
    hints = Hints(*map(tf.ensure_shape, hints, [spec.shape for spec in HINTS]))
    arrows, is_arrow = _counted("arrows", hints.arrows, hints.num_arrows, batch)
    pins, is_pin = _counted("pins", hints.pins, hints.num_pins, batch)
    targets = tf.concat([arrows[..., 2:], pins], axis=1)
    places = _checked_places(
        tf.concat([arrows[..., :2], pins], axis=1),
        targets,
        tf.concat([is_arrow, is_pin], axis=1),
        size,
    )
    cells = scale_sides(size, predictor.grid_size)
    return Course(
        places,
        targets,
        tf.concat([tf.cast(is_arrow, tf.float32), tf.zeros_like(pins[..., 0])], axis=1),
        tf.concat([tf.zeros_like(arrows[..., 0]), tf.cast(is_pin, tf.float32)], axis=1),
        tf.zeros([batch, cells[0], cells[1], 3]),
        tf.ones([1, 1, 1, 1]),
    )


def _checked(values: tf.Tensor, is_good: tf.Tensor, *found: Any) -> tf.Tensor:
    """The values, once they are good; else an error that says what was found."""
    with tf.control_dependencies([tf.debugging.Assert(is_good, list(found))]):
        return tf.identity(values)


def _common_number(name: str, values: tf.Tensor, batch: tf.Tensor) -> tf.Tensor:
    """The one number that all rows of a request hold, scalar."""
    values = tf.ensure_shape(values, [None])
    is_one = (tf.size(values) == batch) & (batch > 0)
    is_one &= tf.reduce_all(values == values[:1])
    text = f"{name} must hold one number an image, the same for all:"
    number = _checked(values, is_one, text, values)[0]
    return _checked(number, number >= 1, f"{name} is below 1:", number)


def _counted(
    name: str, values: tf.Tensor, counts: tf.Tensor, batch: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Values [N, M, C] with zeros for padding, and what is none, bool [N, M]."""
    shape = tf.shape(values)
    is_one_an_image = (shape[0] == batch) & (tf.size(counts) == batch)
    text = f"{name} and num_{name} must hold one row an image:"
    counts = _checked(counts, is_one_an_image, text, shape, tf.shape(counts))
    fits = tf.reduce_all((counts >= 0) & (counts <= shape[1]))
    text = f"num_{name} is not from 0 to the rows of {name}:"
    counts = _checked(counts, fits, text, counts, shape)
    text = f"more than {MAX_PLACES} rows of {name}:"
    counts = _checked(counts, shape[1] <= MAX_PLACES, text, shape[1])
    is_there = tf.sequence_mask(counts, shape[1])
    return tf.where(is_there[..., tf.newaxis], values, 0.0), is_there


def _checked_places(
    places: tf.Tensor, targets: tf.Tensor, is_there: tf.Tensor, size: tf.Tensor
) -> tf.Tensor:
    """Refuses what `Control` refuses."""
    is_good = is_inside(places, size) & tf.reduce_all(tf.math.is_finite(targets), -1)
    is_same = tf.reduce_all(places[:, :, tf.newaxis] == places[:, tf.newaxis], axis=-1)
    is_same &= is_there[:, :, tf.newaxis] & is_there[:, tf.newaxis]
    num_same, num_there = (
        tf.reduce_sum(tf.cast(x, tf.int32)) for x in (is_same, is_there)
    )
    starts = tf.boolean_mask(places, is_there)
    text = "an arrow or pin begins outside of the image or is no number:"
    is_good = tf.reduce_all(is_good)
    places = _checked(places, is_good, text, starts, "height, width:", size)
    text = "two arrows or pins stand at one place:"
    return _checked(places, num_same == num_there, text, starts)
