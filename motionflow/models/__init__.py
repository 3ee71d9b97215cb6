"""Networks: frames -> scores of the codebook's vectors in every cell of the grid.

    frames [B, S, S, 3] in 0..255 -> Standardize -> network -> logits [B, cells, K]

Adding a network is one function and one line in `BUILDERS`. One of its layers has the
name `blocks.FEATURES`: scores are made from its output, [B, D] or [B, h, w, C].
"""

import numpy as np
import tensorflow as tf

from motionflow.compat import keras
from motionflow.errors import InputError
from motionflow.models import blocks
from motionflow.models.alexnet import build_alexnet
from motionflow.models.allconv import build_allconv
from motionflow.models.walker import build_walker

BUILDERS = {
    "allconv": build_allconv,
    "alexnet": build_alexnet,
    "walker": build_walker,
}


class Network(keras.Model):
    """A functional model that also takes empty batches.

    A replica's share of the last validation batch may be empty, and TensorFlow's
    convolution on CPUs (oneDNN, both 2.15 and 2.21) then returns the input's shape.
    """

    def call(self, inputs, training=None, mask=None):
        """Puts one black frame in the place of none, and drops its logits."""
        if training:
            return super().call(inputs, training, mask)
        num_frames = tf.shape(inputs)[0]
        missing = tf.cast(num_frames == 0, tf.int32)
        frames = tf.pad(inputs, [[0, missing], [0, 0], [0, 0], [0, 0]])
        return super().call(frames, training, mask)[:num_frames]


def build_model(
    name: str,
    *,
    mean_frame: np.ndarray,
    num_clusters: int,
    grid_size: int,
    width: float = 1.0,
    l2: float = 0.0,
    dropout: float = 0.0,
    literal_head: bool = False,
) -> keras.Model:
    """Builds a network with the mean frame as its first layer and float32 logits.

    Args:
      name: a key of `BUILDERS`.
      mean_frame: float32 [S, S, 3], 0..255; its side is the size of the input.
      num_clusters: K, the size of the codebook.
      grid_size: cells along one side of the flow grid.
      width: factor on the numbers of filters and units.
      l2: weight of the L2 regularisation, in Torch7's sense.
      dropout: share dropped where the tables say dropout.
      literal_head: see `allconv.build_allconv`.

    Returns:
      A model from frames [B, S, S, 3] in 0..255 (float32; uint8 is cast) to logits
      [B, grid_size * grid_size, K] in float32, cells row by row.

    Raises:
      InputError: unknown name, or a grid that the network does not give.
    """
    if name not in BUILDERS:
        raise InputError(f"no model {name!r}; choose one of {', '.join(BUILDERS)}")
    frames = keras.Input(mean_frame.shape, dtype="float32", name="frames")
    standardize = blocks.Standardize(name="standardize")
    scores = BUILDERS[name](
        standardize(frames),
        grid_size,
        num_clusters,
        width=width,
        l2=l2,
        dropout=dropout,
        literal_head=literal_head,
    )
    cells = keras.layers.Reshape((grid_size * grid_size, num_clusters))(scores)
    logits = keras.layers.Activation("linear", dtype="float32", name="logits")(cells)
    standardize.mean_frame.assign(mean_frame)
    return Network(frames, logits, name=name)
