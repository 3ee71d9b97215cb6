"""A network that can be told: an arrow, a pin, what moved just before, or nothing.

    frames [B, S, S, 3] -> EfficientNet's trunk -> maps on the grid ("joined")
    known [B, g, g, 7] --+-> spread over what looks alike -> naive answer v [B, g, g, 2]
                         +-> added to the head's features
    maps, known -> head that looks around -> scores, a weight w and gates a, b a cell
      -> logits = scores - w |m_c - v|^2 / 2 s^2,   s = s0 + s1 |v|
      -> flow = E + b (v - E),   E = sum_c softmax(logits)_c m_c

So the network begins with the naive answer, a Gaussian over the codebook's centres m_c
around what is told, and learns where it is wrong. Where nothing is known w and b are
zero: the logits are the scores, the flow is their expectation E as in `efficientnet`.
Told cells keep their own vector.

An arrow reaches as far as what it holds. Cell j hears the arrow of cell i with weight

    a_ij = exp(-d_ij^2 / 2 width^2) sigmoid(q_j . k_i / sqrt(D) + bias)

q and k being 1x1 convolutions of the maps, d the distance in cells: attention to the
told cells (Vaswani et al. 2017), among neighbours. See `data.known` for the channels;
image and sparse guidance to dense motion as in Zhan et al. 2019 (arXiv 1903.11412).
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from motionflow.compat import keras
from motionflow.data.known import NUM_KNOWN, split_known
from motionflow.data.pipeline import unpack_targets
from motionflow.errors import InputError
from motionflow.models import blocks, dilated_head, efficientnet, naive, spatial_softmax
from motionflow.models.network import Network

KNOWN, GUIDANCE = "known", "guidance"  # names of layers
PIXELS = 5.0  # vectors are divided by it, to be as large as other activations
_NUM_KEYS = 32  # D, of what cells are compared by
_NUM_HINTS = 64  # features of what is known
_LEAST_SPREAD = 0.05  # pixels, of the Gaussian over the centres
_TINY = 1e-3  # of a weight
_LOWEST = -30.0  # of its logarithm


class Nothing(keras.layers.Layer):
    """What is known where nobody says anything: zeros [B, g, g, 7]."""

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Maps [B, g, g, C] -> float32 zeros."""
        return tf.zeros([*tf.unstack(tf.shape(inputs)[:3]), NUM_KNOWN])


class Spread(keras.layers.Layer):
    """Told vectors spread over the cells that look alike; see the module.

    Args:
      l2: weight of the L2 regularisation.
    """

    def __init__(self, l2: float, **kwargs: Any):
        super().__init__(**kwargs)
        options = blocks.kernel_options(l2)
        self._queries, self._keys = (
            keras.layers.Conv2D(_NUM_KEYS, 1, use_bias=False, name=name, **options)
            for name in ("queries", "keys")
        )

    def build(self, input_shape: Sequence[tf.TensorShape]) -> None:
        """Creates the width in cells, the bias of the likeness, the weight of rest."""
        self.width, self.bias, self.rest = (
            _scalar(self, name, value)
            for name, value in (("width", 4.0), ("bias", 0.0), ("rest", 0.1))
        )
        super().build(input_shape)

    def call(self, inputs: Sequence[tf.Tensor]) -> tf.Tensor:
        """Maps [B, g, g, C], known [B, g, g, 7] -> vector, share: [B, g, g, 3].

        The share, in 0..1, says how much of a cell's motion is told.
        """
        maps, known = inputs
        channels, grid_size = split_known(known), maps.shape[1]
        cells = grid_size**2
        queries, keys = (
            tf.reshape(layer(maps), [-1, cells, _NUM_KEYS])
            for layer in (self._queries, self._keys)
        )
        alike = tf.matmul(queries, keys, transpose_b=True) / math.sqrt(_NUM_KEYS)
        near = -naive.squared_distances(grid_size) / (2 * self.width**2)
        weights = tf.sigmoid(tf.cast(alike, tf.float32) + self.bias) * tf.exp(near)
        told = tf.concat([channels.told, channels.arrows], axis=-1)
        sums = tf.matmul(weights, tf.reshape(told, [-1, cells, 3]))
        sums = tf.reshape(sums, [-1, grid_size, grid_size, 3])
        total, rest = sums[..., :1], tf.abs(self.rest) + _TINY
        flow = naive.keep_told(sums[..., 1:] / (total + _TINY), channels)
        share = tf.maximum(channels.told, total / (total + rest))
        return tf.concat([flow, share], axis=-1)


class Guidance(keras.layers.Layer):
    """Scores and what is known -> logits and flow; see the module.

    Attributes:
      centers: [K, 2], the codebook; zero until it is assigned.
      factor: how much of the past goes on.

    Args:
      num_clusters: K.
    """

    def __init__(self, num_clusters: int, **kwargs: Any):
        super().__init__(**kwargs)
        self._num_clusters = num_clusters
        self._hint_gates = _gates("hint_gates", dtype="float32")

    def build(self, input_shape: Sequence[tf.TensorShape]) -> None:
        """Creates the codebook and the few numbers that are learned."""
        self.centers = self.add_weight(
            name="centers",
            shape=(self._num_clusters, 2),
            dtype=tf.float32,
            initializer="zeros",
            trainable=False,
            experimental_autocast=False,
        )
        values = {"factor": naive.FACTOR, "least": 0.1, "slope": 0.25, "trust": 0.0}
        self.factor, self.least, self.slope, self.trust = (
            _scalar(self, name, value) for name, value in values.items()
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
        expected = tf.matmul(spatial_softmax.probabilities(logits), self.centers)
        flow = naive.keep_told(expected + gate * (guess - expected), channels)
        return logits, flow


def _gates(name: str, **options: Any) -> keras.layers.Layer:
    """Three numbers a cell, zero at first, before a softplus or sigmoid."""
    return keras.layers.Conv2D(
        3, 1, kernel_initializer="zeros", use_bias=False, name=name, **options
    )


def _scalar(layer: keras.layers.Layer, name: str, value: float) -> tf.Variable:
    return layer.add_weight(
        name=name,
        shape=(),
        dtype=tf.float32,
        initializer=keras.initializers.Constant(value),
        experimental_autocast=False,
    )


def build_guided(
    inputs: tf.Tensor,
    grid_size: int,
    num_clusters: int,
    *,
    width: float = 1.0,
    l2: float = 0.0,
    dropout: float = 0.2,
    literal_head: bool = False,
    blind: bool = False,
    head: str = "dilated",
) -> tf.Tensor:
    """EfficientNet's trunk, what is known, and the head that looks around.

    Args:
      inputs: [B, S, S, 3], (frame - 127) / 255.
      grid_size: cells along one side of the data's grid.
      num_clusters: K, the size of the codebook.
      width: factor on the number of features; the trunk is what it is.
      l2: weight of the L2 regularisation of the head.
      dropout: share dropped in the head.
      literal_head: belongs to the report's table 2 and must be False.
      blind: do not look at the frame, only at what is known.
      head: "dilated", the only one.

    Returns:
      Scores [B, grid_size, grid_size, K], where nothing is known.

    Raises:
      InputError: frames too small for the trunk, `literal_head` or another head.
    """
    if literal_head or head != "dilated":
        raise InputError("guided has one head, dilated")
    joined = dilated_head.join(efficientnet.trunk_maps(inputs), grid_size)
    known = Nothing(name=KNOWN, dtype="float32")(joined)
    if blind:
        joined = keras.layers.Rescaling(0.0, name="blind")(joined)
    spread = Spread(l2, name="spread", dtype="float32")([joined, known])
    hints = keras.layers.Concatenate(name="hints", dtype="float32")([known, spread])
    hints = keras.layers.Rescaling(1 / PIXELS, name="hints_scaled")(hints)
    num_features = blocks.scaled(dilated_head.NUM_FEATURES, width)
    options = blocks.kernel_options(l2)
    for name, filters, activation in (
        ("hints_in", _NUM_HINTS, "relu"),
        ("hints_out", num_features, None),
    ):
        layer = keras.layers.Conv2D(
            filters, 1, activation=activation, name=name, **options
        )
        hints = layer(hints)
    features = dilated_head.look_around(
        joined, width=width, l2=l2, dropout=dropout, added=hints
    )
    scores = blocks.scores(features, num_clusters, l2)
    gates = _gates("gates")(features)
    guidance = Guidance(num_clusters, name=GUIDANCE, dtype="float32")
    logits, _ = guidance([scores, gates, known, spread])
    return logits


class GuidedNetwork(Network):
    """A network that is called with frames alone, or told what is known.

    Attributes:
      flow_weight: of the EPE of the samples that are told something, beside their
        cross-entropy; both are sums over the cells.
      told: frames [B, S, S, 3] and known [B, g, g, 7] -> logits [B, cells, K], flow
        float32 [B, g, g, 2].
      told_maps: the same with the trunk's maps in the place of frames.
    """

    flow_weight: float = 0.1
    told: Callable[..., tuple[tf.Tensor, tf.Tensor]]
    told_maps: Callable[..., tuple[tf.Tensor, tf.Tensor]]
    _trained: Callable[..., tuple[tf.Tensor, tf.Tensor]]

    def connect(self) -> None:
        """Adds the way from frames and what is known to logits and flow."""
        self.told = self._trained = self._way_from(self.input)
        self.told_maps = self._way_from(self.get_layer(dilated_head.JOINED).output)

    def start_from_maps(self) -> None:
        """See `Network.start_from_maps`."""
        super().start_from_maps()
        self._trained = self.told_maps

    def _way_from(self, inputs: tf.Tensor) -> Callable:
        known = self.get_layer(KNOWN).output
        flow = self.get_layer(GUIDANCE).output[1]
        way = keras.Model([inputs, known], [self.output, flow], name="told")
        # In a function, so that Keras counts no layer twice.
        return lambda *values, **options: way([*values], **options)

    def train_step(self, data: tuple[Any, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Keras' own, with what is known and the EPE of the flow."""
        (inputs, known), targets = data
        _, true = unpack_targets(targets)
        is_told = tf.reduce_max(split_known(known).told, axis=[1, 2, 3])
        is_told = tf.maximum(
            is_told, tf.reduce_max(split_known(known).past_mask, axis=[1, 2, 3])
        )
        with tf.GradientTape() as tape:
            logits, flow = self._trained(inputs, known, training=True)
            errors = tf.reshape(flow, tf.shape(true)) - true
            epe = tf.sqrt(tf.reduce_sum(errors**2, axis=-1) + 1e-4)
            epe = tf.reduce_mean(tf.reduce_sum(epe, axis=-1) * is_told)
            loss = self.compute_loss(inputs, targets, logits) + self.flow_weight * epe
        self.optimizer.minimize(loss, self.trainable_variables, tape=tape)
        return self.compute_metrics(inputs, targets, logits, None)
