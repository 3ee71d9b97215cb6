"""What is known of the motion beside the frame: arrows, pins, the past.

    arrows, pins, flow of the frames before --pack_known--> known [B, g, g, 7]
    place of a training sample --draw_chances--> chances [NUM_CHANCES + g * g]
    flow, past, chances of training samples --tell--> known [B, g, g, 7]

Seven channels on the grid of the flow, vectors in pixels of the frame per step:

    0     1 where an arrow says how the cell moves     1, 2  its vector
    3     1 where a pin says that the cell stays
    4     1 where the motion just before is known      5, 6  its vector

A vector is zero where its mask is. A cell with an arrow or a pin is *told*. Training
draws what is told from the truth, as a person would tell it: at the peaks of the motion
(Zhan et al. 2019, arXiv 1903.11412), and at places that move.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from motionflow.errors import InputError

NUM_KNOWN = 7
NUM_CHANCES = 5  # of a sample, besides those of its cells; see `draw_known`
MAX_ARROWS, MAX_PINS = 10, 3
# Shares of the training samples: two thirds are told something. Where more are, the
# frame alone is forgotten.
PAST_SHARE = (0.33, 0.78)  # of the first chance: the past
ARROWS_SHARE = 0.60  # and above this one arrows, so some samples have both
PINS_SHARE = 0.2  # of the samples with arrows
NUM_ARROWS = (1, 1, 1, 2, 3, 4, 6, MAX_ARROWS)  # equally likely
STILL = 0.5  # pixels per step; less is rest


class Known(NamedTuple):
    """The channels apart.

    Attributes:
      arrow_mask, pins, past_mask: [B, g, g, 1].
      arrows, past: [B, g, g, 2].
    """

    arrow_mask: tf.Tensor
    arrows: tf.Tensor
    pins: tf.Tensor
    past_mask: tf.Tensor
    past: tf.Tensor

    @property
    def told(self) -> tf.Tensor:
        """1 where a cell has an arrow or a pin, [B, g, g, 1]."""
        return tf.maximum(self.arrow_mask, self.pins)


def split_known(known: tf.Tensor) -> Known:
    """The channels of [B, g, g, 7]."""
    return Known(*tf.split(known, [1, 2, 1, 1, 2], axis=-1))


def pack_known(
    shape: tuple[int, int, int],
    *,
    arrows: np.ndarray | None = None,
    pins: np.ndarray | None = None,
    past: np.ndarray | None = None,
) -> np.ndarray:
    """Puts together what is known; what is left out is not: float32 [B, g, g, 7].

    Args:
      shape: (B, g, g).
      arrows: [B, g, g, 2], pixels per step; NaN where there is none.
      pins: bool [B, g, g].
      past: [B, g, g, 2], pixels per step; NaN where it is not known.

    Raises:
      InputError: another shape, or a cell with an arrow and a pin.
    """
    known = np.zeros((*shape, NUM_KNOWN), np.float32)
    for name, values, first in (("arrows", arrows, 0), ("past", past, 4)):
        if values is not None:
            if values.shape != (*shape, 2):
                raise InputError(f"{name} are {values.shape}, expected {(*shape, 2)}")
            is_there = np.isfinite(values).all(axis=-1)
            known[..., first] = is_there
            known[is_there, first + 1 : first + 3] = values[is_there]
    if pins is not None:
        if pins.shape != shape:
            raise InputError(f"pins are {pins.shape}, expected {shape}")
        known[..., 3] = pins
    if (known[..., 0] * known[..., 3]).any():
        raise InputError("a cell has an arrow and a pin, expected one of them")
    return known


def draw_chances(
    seed: Sequence[int], place: tf.Tensor | int, grid_size: int
) -> tf.Tensor:
    """The draws of a place of an epoch: float32 [NUM_CHANCES + grid_size^2]."""
    fold = tf.random.experimental.stateless_fold_in
    own = fold(tf.constant(seed, tf.int64), tf.cast(place, tf.int64))
    return tf.random.stateless_uniform([NUM_CHANCES + grid_size**2], own)


def tell(flow: tf.Tensor, past: tf.Tensor, chances: tf.Tensor) -> tf.Tensor:
    """Draws what samples are told [B, g, g, 7], each by its `draw_chances`."""
    cells = tf.reshape(chances[:, NUM_CHANCES:], [-1, *flow.shape[1:3]])
    return draw_known(flow, past, chances[:, :NUM_CHANCES], cells)


def draw_known(
    flow: tf.Tensor, past: tf.Tensor, chances: tf.Tensor, cells: tf.Tensor
) -> tf.Tensor:
    """Draws what training samples are told.

    Args:
      flow: [B, g, g, 2], the truth, pixels per step.
      past: [B, g, g, 2], NaN where it is not known.
      chances: [B, NUM_CHANCES] in [0, 1): what is told, how many arrows, whether at
        peaks, whether with pins, how many pins.
      cells: [B, g, g] in [0, 1): which cells.

    Returns:
      float32 [B, g, g, 7].
    """
    kind, number, at_peaks, with_pins, num_pins = tf.unstack(chances, axis=-1)
    has_past = (kind >= PAST_SHARE[0]) & (kind < PAST_SHARE[1])
    has_arrows = tf.cast(kind >= ARROWS_SHARE, tf.int32)
    index = tf.cast(number * len(NUM_ARROWS), tf.int32)
    num_arrows = has_arrows * tf.gather(tf.constant(NUM_ARROWS), index)
    num_pins = 1 + tf.cast(num_pins * MAX_PINS, tf.int32)
    num_pins *= has_arrows * tf.cast(with_pins < PINS_SHARE, tf.int32)

    speed = tf.norm(flow, axis=-1)
    moving = tf.where(speed > STILL, tf.minimum(speed, 8.0), 0.0) + 0.02
    weights = tf.where(at_peaks[:, None, None] < 0.5, moving * _peaks(speed), moving)
    arrows = _choose(weights, cells, num_arrows, MAX_ARROWS)
    # The same chances serve again: other cells are at rest than move.
    rests = tf.where(speed < STILL, 1.0, 1e-6) * (1 - arrows)
    pins = _choose(rests, cells, num_pins, MAX_PINS) * (1 - arrows)
    is_known = has_past[:, None, None] & tf.reduce_all(tf.math.is_finite(past), -1)
    known_past = tf.where(is_known[..., None], past, 0.0)
    return tf.concat(
        [
            arrows[..., None],
            flow * arrows[..., None],
            pins[..., None],
            tf.cast(is_known, tf.float32)[..., None],
            known_past,
        ],
        axis=-1,
    )


def _peaks(speed: tf.Tensor) -> tf.Tensor:
    """1 where no neighbour is faster, next to 0 elsewhere: [B, g, g] -> [B, g, g]."""
    highest = tf.nn.max_pool2d(speed[..., None], 3, 1, "SAME")[..., 0]
    return tf.where(speed >= highest, 1.0, 1e-3)


def _choose(
    weights: tf.Tensor, chances: tf.Tensor, num: tf.Tensor, most: int
) -> tf.Tensor:
    """Draws cells without replacement: 1 for `num` [B] of [B, g, g], `most` at most.

    The cells with the largest chance^(1 / weight) (Efraimidis and Spirakis 2006).
    """
    size, grid = tf.shape(weights)[0], weights.shape[1]
    keys = tf.math.log(chances + 1e-9) / weights
    keys = tf.reshape(keys, [size, grid * grid])
    most = min(most, grid * grid)
    index = tf.math.top_k(keys, most).indices
    chosen = tf.cast(tf.range(most) < num[:, None], tf.float32)
    marks = tf.reduce_sum(tf.one_hot(index, grid * grid) * chosen[..., None], axis=1)
    return tf.reshape(marks, [size, grid, grid])
