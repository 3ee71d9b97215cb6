"""A VGG-like network: the one that the report could not train (section 4, its [14]).

    standardised frames [B, 200, 200, 3] -> scores [B, 16000] (400 cells of 40)

Configuration D (16 layers with weights) of Simonyan and Zisserman 2015: thirteen 3x3
convolutions in five stages, a 2x2 pooling after each (200 -> 100 -> 50 -> 25 -> 12 ->
6), and the fully connected layers of table 1, which see 6x6x512 numbers. 172,549,568
parameters, 158 million of them fully connected.

Each convolution is a ConvBN, as in the report's other networks. Xavier's weights do not
make up for what a ReLU cuts off, and without normalisation the signal fades: frames of
root mean square 0.15 arrive at the thirteenth as 0.0006 (normalised: 0.7), and training
stays at the class prior, "no motion" everywhere. With He's larger weights alone it gets
out, later than with normalisation. Measurements are in configs/vgg.flags.
"""

import tensorflow as tf

from motionflow.compat import keras
from motionflow.errors import InputError
from motionflow.models import blocks

# Configuration D: (filters, number of convolutions) of each stage.
STAGES = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))


def build_vgg(
    inputs: tf.Tensor,
    grid_size: int,
    num_clusters: int,
    *,
    width: float = 1.0,
    l2: float = 0.0,
    dropout: float = 0.5,
    literal_head: bool = False,
) -> tf.Tensor:
    """Stacks the layers of configuration D on standardised frames.

    Args:
      inputs: [B, S, S, 3].
      grid_size: cells along one side of the data's grid; any will do.
      num_clusters: K, the size of the codebook.
      width: factor on every number of filters and units but the last.
      l2: weight of the L2 regularisation.
      dropout: share dropped after the first two fully connected layers.
      literal_head: belongs to the report's table 2 and must be False.

    Returns:
      Scores [B, grid_size * grid_size * K].

    Raises:
      InputError: frames too small for five poolings, or `literal_head`.
    """
    frame_size, smallest = inputs.shape[1], 2 ** len(STAGES)
    if literal_head:
        raise InputError("vgg has no literal head: --literal_head is for allconv")
    if frame_size < smallest:
        raise InputError(f"vgg needs frames of {smallest} pixels, found {frame_size}")
    x = inputs
    for stage, (num_filters, num_convolutions) in enumerate(STAGES, start=1):
        filters = blocks.scaled(num_filters, width)
        for i in range(1, num_convolutions + 1):
            x = blocks.conv_bn(x, filters, 3, 1, 1, l2, name=f"stage{stage}_{i}")
        x = keras.layers.MaxPooling2D(2, name=f"stage{stage}_pool")(x)
    num_scores = grid_size * grid_size * num_clusters
    return blocks.fully_connected(x, num_scores, width, l2, dropout)
