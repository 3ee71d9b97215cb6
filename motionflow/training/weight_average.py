"""An exponential moving average of the weights, which predicts instead of them.

    average += (1 - decay) (weights - average)        after each step

The last steps of a training scatter around where they tend to; their average is nearer
to it (Polyak and Juditsky 1992). At the beginning the decay is smaller, (1 + n) / (10 +
n) after n steps, as in TensorFlow's own average. Batch normalisation's statistics are
averaged too, since they belong to the weights.
"""

import tensorflow as tf

from motionflow.compat import keras


class WeightAverage:
    """A second model that follows the trained one.

    Args:
      model: what is trained.
      average: a model of the same kind; takes the average.
      decay: of the average, below 1.
    """

    def __init__(self, model: keras.Model, average: keras.Model, decay: float):
        self._decay = decay
        for averaged, weight in zip(average.weights, model.weights, strict=True):
            averaged.assign(weight)
        # A frozen layer stays what it is.
        self._pairs = [
            pair
            for layers in zip(average.layers, model.layers, strict=True)
            if layers[1].trainable
            for pair in zip(*(layer.weights for layer in layers), strict=True)
        ]

    @tf.function
    def update(self, num_updates: tf.Tensor) -> None:
        """Follows the model by a step.

        Args:
          num_updates: int64 scalar, finished steps of the training, this one included.
        """
        num_updates = tf.cast(num_updates, tf.float32)
        decay = tf.minimum(self._decay, (1 + num_updates) / (10 + num_updates))
        for averaged, weight in self._pairs:
            if weight.dtype.is_floating:
                averaged.assign_add((1 - decay) * (weight - averaged))
