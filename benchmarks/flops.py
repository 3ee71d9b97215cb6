"""What a training step computes: floating-point operations, from the layers' shapes.

    Keras model -> operations an image

Convolutions and fully connected layers count, two operations a multiplication and
addition. A step computes each layer's output, the gradient of its weights and the
gradient of its input, which cost the same; nobody needs that of the frames. Biases,
normalisation, activations, pooling and the optimizer are left out: together they are a
few operations a value, and peak rates are measured on matrices.
"""

import math

from motionflow.compat import keras


def forward_flops(model: keras.Model) -> list[int]:
    """Operations of each convolution and fully connected layer on one image.

    Args:
      model: a functional model whose layers lie in a row.

    Returns:
      the counts, from input to output.
    """
    counts = []
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D):
            height, width = layer.output_shape[1:3]
            counts.append(2 * height * width * math.prod(layer.kernel.shape))
        elif isinstance(layer, keras.layers.Dense):
            counts.append(2 * math.prod(layer.kernel.shape))
    return counts


def training_flops(model: keras.Model) -> int:
    """Operations of one training step on one image."""
    counts = forward_flops(model)
    return 3 * sum(counts) - counts[0]
