"""The all-convolutional network: table 2 of the report.

    standardised frames [B, 200, 200, 3] -> scores [B, 20, 20, 40]

Strided convolutions take the place of pooling, and nothing is fully connected: the last
layer is a linear classifier over a 512-vector in each cell of the grid (figure 5). The
table calls its third row stride 2; only stride 1 leads from 25x25 to the 22x22 that the
same row gives, and to its 7.16 million parameters (7,159,848 here).
"""

from typing import NamedTuple

import tensorflow as tf

from motionflow.errors import InputError
from motionflow.models import NetworkOptions, blocks
from motionflow.models.dilated_head import add_head, join


class Row(NamedTuple):
    """One row of table 2."""

    filters: int
    kernel: int
    stride: int
    pad: int
    has_dropout: bool = False


TABLE = (
    Row(96, 7, 4, 2),
    Row(128, 3, 2, 1),
    Row(256, 4, 1, 0),
    Row(256, 3, 1, 1, has_dropout=True),
    Row(512, 3, 1, 0, has_dropout=True),
    Row(512, 3, 1, 1, has_dropout=True),
    Row(512, 3, 1, 1),
)


def grid_size_of(frame_size: int) -> int:
    """Cells along one side of the grid that this network gives; 200 -> 20."""
    size = frame_size
    for row in TABLE:
        size = blocks.output_size(size, row.kernel, row.stride, row.pad)
    return size


def apply_table(
    inputs: tf.Tensor, options: NetworkOptions, last: str = blocks.FEATURES
) -> list[tf.Tensor]:
    """The rows of table 2 but for its last, the classifier.

    Args:
      inputs: standardised frames [B, S, S, 3].
      options: of the network; three ConvBND rows drop.
      last: the last row's name.

    Returns:
      The output of each row; the last is [B, g, g, 512 width].

    Raises:
      InputError: the network's grid is not the data's.
    """
    frame_size, grid_size = inputs.shape[1], options.grid_size
    if grid_size_of(frame_size) != grid_size:
        raise InputError(
            f"allconv gives a grid of {max(0, grid_size_of(frame_size))} cells a side "
            f"from frames of {frame_size} pixels, but the data has {grid_size}: make "
            f"the data with frame_size = 8 * (grid_size + 5) (200 for 20), "
            f"or train --model=alexnet"
        )
    outputs = [inputs]
    for number, row in enumerate(TABLE, start=1):
        filters = options.scaled(row.filters)
        rate = options.dropout if row.has_dropout else 0.0
        geometry = row.kernel, row.stride, row.pad
        name = last if row is TABLE[-1] else f"row{number}"
        x = blocks.conv_bn(outputs[-1], filters, *geometry, options.l2, rate, name=name)
        outputs.append(x)
    return outputs[1:]


def build_allconv(
    inputs: tf.Tensor,
    options: NetworkOptions,
    *,
    literal_head: bool = False,
    head: str = "plain",
) -> tf.Tensor:
    """Stacks the layers of table 2.

    Args:
      inputs: [B, S, S, 3].
      options: of the network.
      literal_head: take the table's last row, ConvBN, at its word. Its ReLU cuts
        negative scores off, so the default is a plain 1x1 convolution.
      head: "plain", or "dilated": a `dilated_head` on the first two rows, whose maps
        are finer than the grid, and the last.

    Returns:
      Scores [B, g, g, K].

    Raises:
      InputError: the network's grid is not the data's, or both other heads at once.
    """
    if head == "dilated":
        if literal_head:
            raise InputError("--literal_head and --head=dilated exclude each other")
        rows = apply_table(inputs, options, last="row7")
        maps = [*rows[:2], rows[-1]]
        return blocks.scores(add_head(join(maps, options.grid_size), options), options)
    x = apply_table(inputs, options)[-1]
    if literal_head:
        filters = options.num_clusters
        return blocks.conv_bn(x, filters, 1, 1, 0, options.l2, name=blocks.SCORES)
    return blocks.scores(x, options)
