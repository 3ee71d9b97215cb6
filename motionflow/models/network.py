"""The Keras model around a network's layers.

It takes empty batches, and it knows how long its training waited for input.
"""

from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

from motionflow.compat import keras
from motionflow.models.dilated_head import JOINED


class InputClock:
    """Seconds that training steps waited for their batches, since it was last read."""

    def __init__(self) -> None:
        self._seconds = tf.Variable(0.0, trainable=False, dtype=tf.float64)

    def next(self, iterator: Iterator[Any]) -> Any:
        """Takes the next batch, inside a graph."""
        begin = tf.timestamp()
        with tf.control_dependencies([begin]):
            batch = next(iterator)
        with tf.control_dependencies(tf.nest.flatten(batch, expand_composites=True)):
            self._seconds.assign_add(tf.timestamp() - begin)
        return batch

    def read(self) -> float:
        """The seconds; begins anew."""
        seconds = float(self._seconds.numpy())
        self._seconds.assign(0.0)
        return seconds


class Network(keras.Model):
    """A functional model; see the module.

    Attributes:
      grid_size: g, cells along one side of the grid of its features.
      input_clock: what `fit` counts its waiting with; None before the first.
    """

    grid_size: int
    input_clock: InputClock | None = None
    _after: Callable[..., tf.Tensor] | None = None
    train_function: Callable[..., Any] | None

    def call(
        self,
        inputs: tf.Tensor,
        training: bool | None = None,
        mask: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Puts one black frame in the place of none, and drops its logits.

        A replica's share of the last validation batch may be empty, and TensorFlow's
        convolution on CPUs (oneDNN, both 2.15 and 2.21) then returns the input's shape.
        """
        if training:
            return super().call(inputs, training, mask)
        num_frames = tf.shape(inputs)[0]
        missing = tf.cast(num_frames == 0, tf.int32)
        frames = tf.pad(inputs, [[0, missing], [0, 0], [0, 0], [0, 0]])
        return super().call(frames, training, mask)[:num_frames]

    @property
    def num_steps(self) -> int:
        """T, how many steps ahead it looks; 1 but for sequences."""
        return self.output_shape[1]

    @property
    def fine_size(self) -> int:
        """s, cells along one side of each step's flow; g but for dense networks."""
        return self.output_shape[2]

    def connect(self) -> None:
        """Adds the ways to logits that `call` does not go."""

    def start_from_maps(self) -> None:
        """Training and validation are fed the trunk's maps in the place of frames."""
        after = keras.Model(self.get_layer(JOINED).output, self.output, name="after")
        # In a function, so that Keras counts no layer twice.
        self._after = lambda inputs, training: after(inputs, training=training)

    def train_step(self, data: tuple[Any, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Keras' own, but for what `forward` makes of the batch."""
        inputs, targets = data
        with tf.GradientTape() as tape:
            logits, more_loss = self.forward(inputs, targets)
            loss = self.compute_loss(inputs, targets, logits) + more_loss
        self.optimizer.minimize(loss, self.trainable_variables, tape=tape)
        return self.compute_metrics(inputs, targets, logits, None)

    def forward(
        self, inputs: Any, targets: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor | float]:
        """A training batch -> logits, and what the loss has beside their own."""
        return (self._after or self)(inputs, training=True), 0.0

    def test_step(self, data: tuple[tf.Tensor, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Keras' own, also from maps on."""
        inputs, targets = data
        logits = (self._after or self)(inputs, training=False)
        self.compute_loss(inputs, targets, logits)
        return self.compute_metrics(inputs, targets, logits, None)

    def make_train_function(self, force: bool = False) -> Callable[..., Any]:
        """One step of `fit`, as Keras makes it, but for the clock."""
        if self.train_function is None or force:
            strategy = self.distribute_strategy
            with strategy.scope():
                clock = InputClock()
            self.input_clock = clock

            def train_function(iterator: Iterator[Any]) -> Any:
                batch = clock.next(iterator)
                logs = strategy.run(self.train_step, args=(batch,))
                # Metrics are the same on every replica.
                return tf.nest.map_structure(
                    lambda value: strategy.experimental_local_results(value)[0], logs
                )

            self.train_function = tf.function(
                train_function, reduce_retracing=True, autograph=False
            )
        return self.train_function
