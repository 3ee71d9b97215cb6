"""The flow of several steps from one frame, by a convolutional LSTM over flow.

    features --+--> state h, c at the start
               +------------------------------+
    flow of step t - 1, features --> ConvLSTM --> h --> scores of step t --> its flow

The report's second extension (section 5): a warped image as the only input "does not
explicitly take into account the temporal structure of past flow patterns. For example,
if the optical flow in a frame of someone walking points to the right, it is very likely
that the optical flow at the next frame will also point to the right". A step is as long
as a label: the motion of `step_frames` frames of the video.

    i, f, o = sigmoid(W * [x_t, h_{t-1}] + b),   g = tanh(W_g * [x_t, h_{t-1}] + b_g)
    c_t = f c_{t-1} + i g,   h_t = o tanh(c_t)

with * a 3x3 convolution (Shi et al. 2015, equation 3, without peepholes). In training
x_t holds the true flow of the step before (teacher forcing), or with a growing
probability the network's own (scheduled sampling, Bengio et al. 2015); otherwise always
its own, or one that is drawn.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from motionflow.compat import keras
from motionflow.data.pipeline import unpack_targets
from motionflow.models import NetworkOptions, allconv, blocks, decoding, dense
from motionflow.models.network import Network, declares

UNITS = 128  # of the state
STEPS = "steps"  # name of the layer that goes through the steps


class ConvLSTM(keras.layers.Layer):
    """One step of a convolutional LSTM; its first state is made from features."""

    def __init__(self, units: int, l2: float, **kwargs: Any):
        super().__init__(**kwargs)
        options = blocks.kernel_options(l2)
        self._start = keras.layers.Conv2D(
            2 * units, 1, activation="tanh", name="start", **options
        )
        self._gates = blocks.SharedConv2D(
            4 * units, 3, padding="same", name="gates", **options
        )

    def start(self, features: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """H and c, [B, g, g, units] each, from features [B, g, g, C]."""
        return tuple(tf.split(self._start(features), 2, axis=-1))

    def call(self, inputs: Sequence[tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        """X [B, g, g, C], h, c -> the next h, c."""
        x, h, c = inputs
        gates = self._gates(tf.concat([x, h], axis=-1))
        i, f, o, g = tf.split(gates, 4, axis=-1)
        # One more at the start: what is known is kept (Jozefowicz et al. 2015).
        c = tf.sigmoid(f + 1) * c + tf.sigmoid(i) * tf.tanh(g)
        return tf.sigmoid(o) * tf.tanh(c), c


class Steps(keras.layers.Layer):
    """Goes through the steps: features -> scores of each, on the grid or upsampled."""

    def __init__(
        self,
        num_steps: int,
        options: NetworkOptions,
        upsampler: dense.Upsampler | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self._num_steps, self._num_clusters = num_steps, options.num_clusters
        kernel = blocks.kernel_options(options.l2)
        units = options.scaled(UNITS)
        self._seen = keras.layers.Conv2D(
            units, 1, activation="relu", name="seen", **kernel
        )
        self._cell = ConvLSTM(units, options.l2, name="cell")
        self._upsampler = upsampler
        self._scores = upsampler or blocks.SharedConv2D(
            options.num_clusters, 1, name=blocks.SCORES, **kernel
        )

    def build(self, input_shape: Sequence[tf.TensorShape]) -> None:
        """Creates the codebook [K, 2], zero until `centers.assign` sets it."""
        self.centers = blocks.add_centers(self, self._num_clusters)
        super().build(input_shape)

    def call(
        self,
        inputs: Sequence[tf.Tensor],
        truth: Sequence[tf.Tensor] | None = None,
        noise: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Scores of all steps.

        Args:
          inputs: [features [B, g, g, C], *skips of the upsampler].
          truth: the true flow [B, T, g, g, 2], and whether step t is given that of the
            step before it, float [B, T]: 1 yes, 0 no.
          noise: Gumbel noise [B, g, g, K]: each step is given a flow that is drawn.

        Returns:
          [B, T, s, s, K], s = g or D.
        """
        features, *skips = inputs
        seen, (h, c) = self._seen(features), self._cell.start(features)
        flow = tf.zeros_like(features[..., :2])
        scores = []
        for step in range(self._num_steps):
            h, c = self._cell([tf.concat([flow, seen], axis=-1), h, c])
            x = tf.concat([features, h], axis=-1)
            scores.append(self._scores([x, *skips] if self._upsampler else x))
            flow = self._flow(scores[-1], features.shape[1], noise)
            if truth is not None and step + 1 < self._num_steps:
                share = tf.reshape(truth[1][:, step + 1], [-1, 1, 1, 1])
                flow += share * (truth[0][:, step] - flow)
            # Flow of a few pixels, whatever the data: as large as other activations.
            flow = tf.cast(flow / self._scale(), features.dtype)
        return tf.stack(scores, axis=1)

    def _flow(
        self, scores: tf.Tensor, grid_size: int, noise: tf.Tensor | None
    ) -> tf.Tensor:
        """Expected or drawn flow of a step, on the grid; without a gradient."""
        probabilities = decoding.probabilities(tf.stop_gradient(scores))
        cells = decoding.to_grid(probabilities, grid_size)
        if noise is None:
            return cells @ self.centers
        return decoding.decode(cells, self.centers, 0, noise)

    def _scale(self) -> tf.Tensor:
        return tf.sqrt(tf.reduce_mean(self.centers**2)) + 1e-3


class SequenceNetwork(Network):
    """A network of steps, trained with teacher forcing.

    Attributes:
      teacher_steps: training steps until the network hears only itself; the probability
        of hearing the truth falls linearly from 1.
    """

    teacher_steps: float = 0.0
    _forced: Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]

    def connect(self) -> None:
        """Adds the ways from frames to logits that `call` does not go."""
        steps = self.get_layer(STEPS)
        inputs = steps.input if isinstance(steps.input, list) else [steps.input]
        shape = inputs[0].shape[1:3]
        flow = keras.Input([self.num_steps, *shape, 2], name="flow", dtype="float32")
        is_given = keras.Input([self.num_steps], name="is_given", dtype="float32")
        noise = keras.Input([*shape, steps.output.shape[-1]], name="noise")

        def logits(scores: tf.Tensor) -> tf.Tensor:
            return self.get_layer("logits")(self.get_layer("cells")(scores))

        forced = keras.Model(
            [self.input, flow, is_given],
            logits(steps(inputs, truth=[flow, is_given])),
            name="forced",
        )
        drawn = keras.Model(
            [self.input, noise], logits(steps(inputs, noise=noise)), name="drawn"
        )
        # In functions, so that Keras counts no layer twice.
        self._forced = lambda *values: forced([*values], training=True)
        self.draw = lambda frames, noise: drawn([frames, noise], training=False)

    def set_up(self, centers: np.ndarray, **training: float) -> None:
        """Takes the codebook, and in how many steps the truth falls silent."""
        self.get_layer(STEPS).centers.assign(centers)
        self.teacher_steps = training["teacher_steps"]

    def forward(
        self, inputs: tf.Tensor, targets: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor | float]:
        """As the class before it, but for the flow that the steps are given."""
        _, flow = unpack_targets(targets)
        flow = decoding.to_grid(flow, self.grid_size)
        return self._forced(inputs, flow, self._is_given(tf.shape(inputs)[0])), 0.0

    def _is_given(self, num_frames: tf.Tensor) -> tf.Tensor:
        """Drawn by the training's step, so that a resumed one draws the same."""
        step = self.optimizer.iterations
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        seed = tf.stack([tf.cast(step, tf.int32), tf.cast(replica, tf.int32)])
        draws = tf.random.stateless_uniform([num_frames, self.num_steps], seed)
        share = 1 - tf.cast(step, tf.float32) / max(self.teacher_steps, 1e-9)
        return tf.cast(draws < share, tf.float32)


@declares(model_class=SequenceNetwork)
def build_sequence(
    inputs: tf.Tensor, options: NetworkOptions, *, sequence_length: int
) -> tf.Tensor:
    """The rows of table 2 on standardised frames, then the steps.

    Args:
      inputs: [B, S, S, 3].
      options: of the network; three rows of the trunk drop.
      sequence_length: T.

    Returns:
      Scores [B, T, g, g, K].

    Raises:
      InputError: a grid that this network does not give.
    """
    features = allconv.apply_table(inputs, options)[-1]
    return Steps(sequence_length, options, name=STEPS)([features])


@declares(model_class=SequenceNetwork)
def build_dense_sequence(
    inputs: tf.Tensor,
    options: NetworkOptions,
    *,
    sequence_length: int,
    dense_size: int,
) -> tf.Tensor:
    """Both extensions: each step of `build_sequence` is upsampled as in `dense`.

    Returns:
      Scores [B, T, D, D, K].

    Raises:
      InputError: a grid or D that this network does not give.
    """
    rows = allconv.apply_table(inputs, options)
    joined = dense.skips(inputs, rows, dense_size, options)
    frame_size = inputs.shape[1]
    upsampler = dense.Upsampler(options, dense_size, frame_size, name="upsampler")
    steps = Steps(sequence_length, options, upsampler, name=STEPS)
    return steps([rows[-1], *joined])
