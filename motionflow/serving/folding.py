"""Batch normalisation put into the convolutions before it: the same answers, sooner.

    w <- w gamma / sqrt(variance + epsilon)
    b <- (b - mean) gamma / sqrt(variance + epsilon) + beta

TensorFlow merges the two by itself where the convolution has no bias, and only there.
The report's have one.
"""

import numpy as np
import tensorflow as tf

from motionflow.compat import keras
from motionflow.models import blocks


def fold(model: keras.Model) -> keras.Model:
    """Folds a model in place, for predictions only.

    Args:
      model: a copy that nothing else uses; training it on makes no sense.

    Returns:
      The model.
    """
    for norm in model.layers:
        if not isinstance(norm, keras.layers.BatchNormalization):
            continue
        layer = norm.inbound_nodes[0].inbound_layers
        kinds = keras.layers.Conv2D, blocks.PaddedConv2D
        if type(layer) not in kinds or not layer.use_bias:
            continue  # TensorFlow's to merge, or a kernel of another layout
        gamma, beta, mean, variance = map(np.float64, norm.get_weights())
        factor = gamma / np.sqrt(variance + norm.epsilon)
        kernel, bias = layer.get_weights()
        layer.set_weights([kernel * factor, (bias - mean) * factor + beta])
        norm.call = _identity
    return model


def _identity(inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
    del training
    return inputs
