"""The AlexNet-like network: table 1 of the report, after Walker et al. 2015.

    standardised frames [B, 200, 200, 3] -> scores [B, 16000] (400 cells of 40)

Five ConvBN layers and three poolings shrink the frame to 5x5x256; three fully
connected layers then see all of it for each cell (figure 4). 112,299,008 parameters,
nearly all of them fully connected.
"""

import tensorflow as tf

from motionflow.compat import keras
from motionflow.errors import InputError
from motionflow.models import blocks

POOL = "pool"
# Table 1: (filters, kernel, stride, pad), or a 3x3 pooling with stride 2.
TABLE: tuple[tuple[int, int, int, int] | str, ...] = (
    (96, 11, 4, 2),
    POOL,
    (256, 5, 1, 2),
    POOL,
    (384, 3, 1, 1),
    (384, 3, 1, 1),
    (256, 3, 1, 1),
    POOL,
)


def final_size(frame_size: int) -> int:
    """Pixels along one side of the last feature map; 200 -> 5."""
    size = frame_size
    for row in TABLE:
        kernel, stride, pad = (3, 2, 0) if isinstance(row, str) else row[1:]
        size = blocks.output_size(size, kernel, stride, pad)
    return size


def build_alexnet(
    inputs: tf.Tensor,
    grid_size: int,
    num_clusters: int,
    *,
    width: float = 1.0,
    l2: float = 0.0,
    dropout: float = 0.5,
    literal_head: bool = False,
) -> tf.Tensor:
    """Stacks the layers of table 1 on standardised frames.

    Args:
      inputs: [B, S, S, 3].
      grid_size: cells along one side of the data's grid; any will do.
      num_clusters: K, the size of the codebook.
      width: factor on every number of filters and units but the last.
      l2: weight of the L2 regularisation.
      dropout: share dropped after the first two fully connected layers.
      literal_head: belongs to table 2 and must be False.

    Returns:
      Scores [B, grid_size * grid_size * K].

    Raises:
      InputError: frames too small for three poolings, or `literal_head`.
    """
    frame_size = inputs.shape[1]
    if literal_head:
        raise InputError("alexnet has no literal head: --literal_head is for allconv")
    if final_size(frame_size) < 1:
        raise InputError(f"alexnet needs frames of 63 pixels, found {frame_size}")
    x = inputs
    for number, row in enumerate(TABLE, start=1):
        name = f"row{number}"
        if isinstance(row, str):
            x = keras.layers.MaxPooling2D(3, 2, name=name)(x)
        else:
            filters = blocks.scaled(row[0], width)
            x = blocks.conv_bn(x, filters, *row[1:], l2, name=name)
    num_scores = grid_size * grid_size * num_clusters
    return blocks.fully_connected(x, num_scores, width, l2, dropout)
