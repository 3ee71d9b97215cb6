"""Batch normalisation put into the convolutions before it: the same answers, sooner.

    w <- w gamma / sqrt(variance + epsilon)
    b <- (b - mean) gamma / sqrt(variance + epsilon) + beta

TensorFlow merges the two by itself where the convolution has no bias, and only there.
The report's have one.
"""

import itertools

import numpy as np

from motionflow.compat import keras


def fold(model: keras.Model) -> keras.Model:
    """Folds a model in place, for predictions only.

    Args:
      model: a copy that nothing else uses; training it on makes no sense.

    Returns:
      The model.
    """
    for layer, norm in itertools.pairwise(model.layers):
        if isinstance(norm, keras.layers.BatchNormalization) and layer.use_bias:
            gamma, beta, mean, variance = map(np.float64, norm.get_weights())
            factor = gamma / np.sqrt(variance + norm.epsilon)
            kernel, bias = layer.get_weights()
            layer.set_weights([kernel * factor, (bias - mean) * factor + beta])
            norm.call = _identity
    return model


def _identity(inputs, training=None):
    del training
    return inputs
