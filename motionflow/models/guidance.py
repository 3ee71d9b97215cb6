"""Layers that are told what is known, and what a network makes of it.

    features, known [B, g, g, 7] -> Spread -> vector and share of what is told, a cell
    scores, gates, known, spread -> Guidance -> logits [B, g, g, K], flow [B, g, g, 2]

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
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from motionflow.compat import keras
from motionflow.data.known import NUM_KNOWN, split_known
from motionflow.models import blocks, naive, spatial_softmax

_NUM_EMBEDDED, _NUM_KEYS = 96, 16  # features; D, of what cells are compared by
_WIDTHS = (2.0, 4.5, 10.0)  # of the heads, cells; where they begin
_LEAST_SPREAD = 0.05  # pixels, of the Gaussian over the centres
_TINY = 1e-3  # of a weight
_LOWEST = -30.0  # of its logarithm


class Nothing(keras.layers.Layer):
    """What is known where nobody says anything: zeros [B, g, g, 7]."""

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Maps [B, g, g, C] -> float32 zeros."""
        return tf.zeros([tf.shape(inputs)[0], *inputs.shape[1:3], NUM_KNOWN])


class Spread(keras.layers.Layer):
    """Told vectors spread over the cells that look alike; see the module.

    Args:
      l2: weight of the L2 regularisation.
    """

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

    Attributes:
      centers: [K, 2], the codebook; zero until it is assigned.
      factor: how much of the past goes on.

    Args:
      num_clusters: K.
    """

    def __init__(self, num_clusters: int, **kwargs: Any):
        super().__init__(**kwargs)
        self._num_clusters = num_clusters
        self._hint_gates = make_gates("hint_gates", dtype="float32")

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
        expected = tf.matmul(spatial_softmax.probabilities(logits), self.centers)
        flow = naive.keep_told(expected + gate * (guess - expected), channels)
        return logits, flow


def make_gates(name: str, **options: Any) -> keras.layers.Layer:
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
