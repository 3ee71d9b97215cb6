"""A guided network that is asked, and asked again about the same frames.

frames [B, S, S, 3] -> trunk -> maps, kept
maps, known [B, g, g, 7] -> head -> predictions
"""

import numpy as np
import tensorflow as tf

from motionflow.compat import keras
from motionflow.data.known import NUM_KNOWN
from motionflow.models import spatial_softmax
from motionflow.models.dilated_head import JOINED
from motionflow.models.guided import GuidedNetwork


class Teller:
    """Frames and what is known -> predictions of a guided network.

    What its trunk says of the last frames is kept: who tries other arrows on a picture
    waits for the head only.
    """

    def __init__(self, model: GuidedNetwork, centers: np.ndarray):
        shape, grid = model.input_shape, [model.grid_size, model.grid_size]
        trunk = keras.Model(model.input, model.get_layer(JOINED).output)
        specs = [
            tf.TensorSpec([None, *grid, trunk.output_shape[-1]]),
            tf.TensorSpec([None, *grid, NUM_KNOWN]),
        ]

        @tf.function(
            input_signature=[tf.TensorSpec(shape, tf.float32)], autograph=False
        )
        def see(frames: tf.Tensor) -> tf.Tensor:
            return trunk(frames, training=False)

        @tf.function(input_signature=specs, autograph=False)
        def say(maps: tf.Tensor, known: tf.Tensor) -> dict[str, tf.Tensor]:
            logits, flow = model.told_maps(maps, known, training=False)
            found = spatial_softmax.predictions(logits, centers, model.grid_size)
            return found | {"flow": flow}

        self._see, self._say = see, say
        self._frames, self._maps = np.zeros(0), tf.zeros(0)

    def __call__(self, frames: tf.Tensor, known: np.ndarray) -> dict[str, tf.Tensor]:
        """As `Predictor.__call__`."""
        known = tf.cast(known, tf.float32)
        if not tf.executing_eagerly():
            return self._say(self._see(frames), known)
        values = frames.numpy()
        if not np.array_equal(values, self._frames):
            self._frames, self._maps = values, self._see(frames)
        return self._say(self._maps, known)
