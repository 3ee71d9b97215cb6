"""A network that can be told: an arrow, a pin, what moved just before, or nothing.

    frames [B, S, S, 3] -> EfficientNet's trunk -> maps on the grid -> first block
    features, known [B, g, g, 7] -> `Spread` -> hints, added to the features
      -> further blocks -> scores, gates -> `Guidance` -> logits, flow [B, g, g, 2]

It begins with the naive answer and learns where that is wrong. Where nothing is known
the logits are the scores and the flow is their expectation, as in `efficientnet`. Told
cells keep their own vector. See `data.known` for the channels; image and sparse
guidance to dense motion as in Zhan et al. 2019 (arXiv 1903.11412).

An arrow reaches as far as what it holds. Cell j hears the arrow of cell i with weight

    a_ij = mean_h exp(-d_ij^2 / 2 width_h^2) sigmoid(q_hj . k_hi / sqrt(D) + bias_h)

q and k being made from the features, d the distance in cells: attention of several
heads to the told cells (Vaswani et al. 2017), from near to far. The naive answer v
mixes their mean with the past; it enters the scores as a Gaussian over the codebook's
centres m_c:

    logits = scores - w |m_c - v|^2 / 2 s^2,   s = s0 + s1 |v|
    flow = E + b (v - E),                      E = sum_c softmax(logits)_c m_c

w, b and how arrows and past are mixed are gates of each cell, from its features.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from motionflow.compat import keras
from motionflow.data.known import NUM_KNOWN, split_known
from motionflow.data.pipeline import unpack_targets
from motionflow.errors import InputError
from motionflow.models import NetworkOptions, blocks, decoding, efficientnet, naive
from motionflow.models.dilated_head import JOINED, add_head, join
from motionflow.models.losses import sum_cells
from motionflow.models.network import Network, declares

KNOWN, GUIDANCE = "known", "guidance"  # names of layers
PIXELS = 5.0  # vectors are divided by it, to be as large as other activations
_NUM_HINTS = 64  # features of what is known
_NUM_EMBEDDED, _NUM_KEYS = 96, 16  # features; D, of what cells are compared by
_WIDTHS = (2.0, 4.5, 10.0)  # of the heads, cells; where they begin
_LEAST_SPREAD = 0.05  # pixels, of the Gaussian over the centres
_TINY = 1e-3  # of a weight
_LOWEST = -30.0  # of its logarithm


class GuidedNetwork(Network):
    """A network that is called with frames alone, or with what is known, too.

    Attributes:
      flow_weight: of the EPE of the samples of which something is known, beside their
        cross-entropy; both are sums over the cells.
      guided: frames [B, S, S, 3] and known [B, g, g, 7] -> logits [B, 1, g, g, K], flow
        float32 [B, g, g, 2].
      guided_maps: the same with the trunk's maps in the place of frames.
    """

    takes_known = True
    flow_weight: float = 0.1
    guided: Callable[..., tuple[tf.Tensor, tf.Tensor]]
    guided_maps: Callable[..., tuple[tf.Tensor, tf.Tensor]]
    _trained: Callable[..., tuple[tf.Tensor, tf.Tensor]]

    def connect(self) -> None:
        """Adds the way from frames and what is known to logits and flow."""
        self.guided = self._trained = self._way_from(self.input)
        self.guided_maps = self._way_from(self.get_layer(JOINED).output)

    def start_from_maps(self) -> None:
        """See `Network.start_from_maps`."""
        super().start_from_maps()
        self._trained = self.guided_maps

    def set_up(self, centers: np.ndarray, **training: float) -> None:
        """Takes the codebook and the weight of the flow's error."""
        self.get_layer(GUIDANCE).centers.assign(centers)
        self.flow_weight = training["flow_weight"]

    def _way_from(self, inputs: tf.Tensor) -> Callable:
        known = self.get_layer(KNOWN).output
        flow = self.get_layer(GUIDANCE).output[1]
        way = keras.Model([inputs, known], [self.output, flow], name="guided")
        # In a function, so that Keras counts no layer twice.
        return lambda *values, **options: way([*values], **options)

    def forward(
        self, inputs: Any, targets: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor | float]:
        """Frames or maps, and what is known -> logits, weighted EPE where it is."""
        inputs, known = inputs
        _, true = unpack_targets(targets)
        channels = split_known(known)
        is_known = tf.reduce_max(
            tf.maximum(channels.told, channels.past_mask), axis=[1, 2, 3]
        )
        logits, flow = self._trained(inputs, known, training=True)
        squares = tf.reduce_sum((flow - true[:, 0]) ** 2, axis=-1)
        epe = sum_cells(tf.sqrt(squares + 1e-4))
        return logits, self.flow_weight * tf.reduce_mean(epe * is_known)


@declares(model_class=GuidedNetwork, pixel_mean=efficientnet.PIXEL_MEAN)
def build_guided(
    inputs: tf.Tensor,
    options: NetworkOptions,
    *,
    blind: bool = False,
    head: str = "dilated",
) -> tf.Tensor:
    """EfficientNet's trunk, what is known, and the head that looks around.

    Args:
      inputs: [B, S, S, 3], (frame - 127) / 255.
      options: of the head; the trunk is what it is.
      blind: do not look at the frame, only at what is known.
      head: "dilated", the only one.

    Returns:
      Logits [B, g, g, K], where nothing is known; any grid.

    Raises:
      InputError: frames too small for the trunk, or another head.
    """
    if head != "dilated":
        raise InputError("guided has one head, dilated")
    joined = join(efficientnet.trunk_maps(inputs), options.grid_size)
    known = Nothing(name=KNOWN, dtype="float32")(joined)
    if blind:
        joined = keras.layers.Rescaling(0.0, name="blind")(joined)
    spreads = []

    def guide(features: tf.Tensor) -> tf.Tensor:
        spread = Spread(options.l2, name="spread", dtype="float32")([features, known])
        spreads.append(spread)
        return _hints(known, spread, features.shape[-1], options.l2)

    features = add_head(joined, options, guide)
    scores = blocks.scores(features, options)
    guidance = Guidance(options.num_clusters, name=GUIDANCE, dtype="float32")
    logits, _ = guidance([scores, _gates("gates")(features), known, *spreads])
    return logits


def _hints(
    known: tf.Tensor, spread: tf.Tensor, num_features: int, l2: float
) -> tf.Tensor:
    """What is known as features [B, g, g, num_features]."""
    x = keras.layers.Concatenate(name="hints", dtype="float32")([known, spread])
    x = keras.layers.Rescaling(1 / PIXELS, name="hints_scaled")(x)
    options = blocks.kernel_options(l2)
    x = keras.layers.Conv2D(
        _NUM_HINTS, 1, activation="relu", name="hints_in", **options
    )(x)
    return keras.layers.Conv2D(num_features, 1, name="hints_out", **options)(x)


class Nothing(keras.layers.Layer):
    """What is known where nobody says anything: zeros [B, g, g, 7]."""

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Maps [B, g, g, C] -> float32 zeros."""
        return tf.zeros([tf.shape(inputs)[0], *inputs.shape[1:3], NUM_KNOWN])


class Spread(keras.layers.Layer):
    """Told vectors spread over the cells that look alike; see the module."""

    def __init__(self, l2: float, **kwargs: Any):
        super().__init__(**kwargs)
        options = blocks.kernel_options(l2)
        self._embed = keras.layers.Conv2D(
            _NUM_EMBEDDED, 1, use_bias=False, name="embed", **options
        )
        self._norm = blocks.batch_norm("embed_norm")
        self._queries, self._keys = (
            keras.layers.Conv2D(len(_WIDTHS) * _NUM_KEYS, 1, name=name, **options)
            for name in ("queries", "keys")
        )

    def build(self, input_shape: Sequence[tf.TensorShape]) -> None:
        """Creates widths in cells, biases of the likeness, the weight of rest."""
        self.widths = _number(self, "widths", np.reshape(_WIDTHS, [-1, 1, 1]))
        self.biases = _number(self, "biases", np.zeros([len(_WIDTHS), 1, 1]))
        self.rest = _number(self, "rest", 0.1)
        super().build(input_shape)

    def call(self, inputs: Sequence[tf.Tensor]) -> tf.Tensor:
        """Features [B, g, g, C], known [B, g, g, 7] -> vector, share: [B, g, g, 3].

        The share, in 0..1, says how much of a cell's motion is told.
        """
        features, known = inputs
        channels, grid_size = split_known(known), features.shape[1]
        cells = grid_size**2
        index = _told_cells(tf.reshape(channels.told, [-1, cells]))
        told = tf.concat([channels.told, channels.arrows], axis=-1)
        told = tf.gather(tf.reshape(told, [-1, cells, 3]), index, batch_dims=1)
        weights = self._weights(features, index)
        sums = tf.reshape(tf.matmul(weights, told), [-1, grid_size, grid_size, 3])
        total, vectors = sums[..., :1], sums[..., 1:]
        flow = naive.keep_told(vectors / (total + _TINY), channels)
        rest = tf.abs(self.rest) + _TINY
        share = tf.maximum(channels.told, total / (total + rest))
        return tf.concat([flow, share], axis=-1)

    def _weights(self, features: tf.Tensor, index: tf.Tensor) -> tf.Tensor:
        """How each cell hears those of `index` [B, n]: float32 [B, g * g, n]."""
        grid_size = features.shape[1]
        embedded = tf.nn.relu(self._norm(self._embed(features)))
        shape = [-1, grid_size**2, len(_WIDTHS), _NUM_KEYS]
        queries, keys = (
            tf.reshape(layer(embedded), shape) for layer in (self._queries, self._keys)
        )
        keys = tf.gather(keys, index, batch_dims=1)
        alike = tf.matmul(
            tf.transpose(queries, [0, 2, 1, 3]), tf.transpose(keys, [0, 2, 3, 1])
        )
        squares = tf.gather(naive.squared_distances(grid_size), index)
        near = -tf.transpose(squares, [0, 2, 1])[:, None] / (2 * self.widths**2)
        alike = tf.cast(alike, tf.float32) / math.sqrt(_NUM_KEYS)
        likeness = tf.sigmoid(alike + self.biases)
        return tf.reduce_mean(likeness * tf.exp(near), axis=1)


def _told_cells(is_told: tf.Tensor) -> tf.Tensor:
    """The told of [B, cells], and others where another frame has more: int32 [B, n]."""
    most = tf.reduce_max(tf.reduce_sum(tf.cast(is_told, tf.int32), axis=1))
    return tf.math.top_k(is_told, tf.maximum(most, 1)).indices


class Guidance(keras.layers.Layer):
    """Scores and what is known -> logits and flow; see the module.

    `factor` says how much of the past goes on.
    """

    def __init__(self, num_clusters: int, **kwargs: Any):
        super().__init__(**kwargs)
        self._num_clusters = num_clusters
        self._hint_gates = _gates("hint_gates", dtype="float32")

    def build(self, input_shape: Sequence[tf.TensorShape]) -> None:
        """Creates the codebook and the few numbers that are learned."""
        self.centers = blocks.add_centers(self, self._num_clusters)
        values = {"factor": naive.FACTOR, "least": 0.1, "slope": 0.25, "trust": 0.0}
        self.factor, self.least, self.slope, self.trust = (
            _number(self, name, value) for name, value in values.items()
        )
        super().build(input_shape)

    def call(self, inputs: Sequence[tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        """Scores, gates [B, g, g, 3], known, what `Spread` gave.

        Returns:
          logits float32 [B, g, g, K] and flow [B, g, g, 2].
        """
        scores, gates, known, spread = inputs
        channels = split_known(known)
        vector, share, past = spread[..., :2], spread[..., 2:], channels.past_mask
        goes_on = self.factor * channels.past
        is_known = tf.maximum(share, past)
        # Vectors of length zero have no gradient.
        lengths = [
            tf.norm(flow + 1e-6, axis=-1, keepdims=True)
            for flow in (vector, goes_on, (vector - goes_on) * past)
        ]
        hints = tf.concat([share, past, *lengths], axis=-1)
        gates = gates + self._hint_gates(hints)

        # Where the past is known, an arrow is heard as far as it is believed.
        share *= 1 - past * tf.sigmoid(gates[..., 2:])
        guess = naive.keep_told(share * vector + (1 - share) * goes_on, channels)
        weight = is_known * tf.nn.softplus(gates[..., :1] + self.trust)
        gate = is_known * tf.sigmoid(gates[..., 1:2])

        length = tf.norm(guess + 1e-6, axis=-1, keepdims=True)
        scale = _LEAST_SPREAD + tf.abs(self.least) + tf.abs(self.slope) * length
        squares = tf.reduce_sum((guess[..., None, :] - self.centers) ** 2, axis=-1)
        bell = tf.maximum(-squares / (2 * scale**2), _LOWEST)
        logits = tf.cast(scores, tf.float32) + weight * bell
        expected = tf.matmul(decoding.probabilities(logits), self.centers)
        flow = naive.keep_told(expected + gate * (guess - expected), channels)
        return logits, flow


def _gates(name: str, **options: Any) -> keras.layers.Layer:
    """Three numbers a cell, zero at first, before a softplus or sigmoid."""
    return keras.layers.Conv2D(
        3, 1, kernel_initializer="zeros", use_bias=False, name=name, **options
    )


def _number(
    layer: keras.layers.Layer, name: str, value: float | np.ndarray
) -> tf.Variable:
    return layer.add_weight(
        name=name,
        shape=np.shape(value),
        dtype=tf.float32,
        initializer=keras.initializers.Constant(value),
        experimental_autocast=False,
    )
