"""A network that can be told: an arrow, a pin, what moved just before, or nothing.

    frames [B, S, S, 3] -> EfficientNet's trunk -> maps on the grid -> first block
    features, known [B, g, g, 7] -> `guidance.Spread` -> hints, added to the features
      -> further blocks -> scores, gates -> `guidance.Guidance` -> logits, flow

It begins with the naive answer and learns where that is wrong. Where nothing is known
the logits are the scores and the flow is their expectation, as in `efficientnet`. Told
cells keep their own vector. See `data.known` for the channels; image and sparse
guidance to dense motion as in Zhan et al. 2019 (arXiv 1903.11412).
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from motionflow.compat import keras
from motionflow.data.known import split_known
from motionflow.data.pipeline import unpack_targets
from motionflow.errors import InputError
from motionflow.models import blocks, dilated_head, efficientnet, spatial_softmax
from motionflow.models.guidance import Guidance, Nothing, Spread, make_gates
from motionflow.models.network import Network

KNOWN, GUIDANCE = "known", "guidance"  # names of layers
PIXELS = 5.0  # vectors are divided by it, to be as large as other activations
_NUM_HINTS = 64  # features of what is known


def build_guided(
    inputs: tf.Tensor,
    grid_size: int,
    num_clusters: int,
    *,
    width: float = 1.0,
    l2: float = 0.0,
    dropout: float = 0.2,
    literal_head: bool = False,
    blind: bool = False,
    head: str = "dilated",
) -> tf.Tensor:
    """EfficientNet's trunk, what is known, and the head that looks around.

    Args:
      inputs: [B, S, S, 3], (frame - 127) / 255.
      grid_size: cells along one side of the data's grid.
      num_clusters: K, the size of the codebook.
      width: factor on the number of features; the trunk is what it is.
      l2: weight of the L2 regularisation of the head.
      dropout: share dropped in the head.
      literal_head: belongs to the report's table 2 and must be False.
      blind: do not look at the frame, only at what is known.
      head: "dilated", the only one.

    Returns:
      Scores [B, grid_size, grid_size, K], where nothing is known.

    Raises:
      InputError: frames too small for the trunk, `literal_head` or another head.
    """
    if literal_head or head != "dilated":
        raise InputError("guided has one head, dilated")
    joined = dilated_head.join(efficientnet.trunk_maps(inputs), grid_size)
    known = Nothing(name=KNOWN, dtype="float32")(joined)
    if blind:
        joined = keras.layers.Rescaling(0.0, name="blind")(joined)
    spreads = []

    def tell(features: tf.Tensor) -> tf.Tensor:
        spread = Spread(l2, name="spread", dtype="float32")([features, known])
        spreads.append(spread)
        return _hints(known, spread, features.shape[-1], l2)

    features = dilated_head.look_around(
        joined, width=width, l2=l2, dropout=dropout, tell=tell
    )
    scores = blocks.scores(features, num_clusters, l2)
    guidance = Guidance(num_clusters, name=GUIDANCE, dtype="float32")
    logits, _ = guidance([scores, make_gates("gates")(features), known, *spreads])
    return logits


def _hints(
    known: tf.Tensor, spread: tf.Tensor, num_features: int, l2: float
) -> tf.Tensor:
    """What is known as features [B, g, g, num_features]."""
    x = keras.layers.Concatenate(name="hints", dtype="float32")([known, spread])
    x = keras.layers.Rescaling(1 / PIXELS, name="hints_scaled")(x)
    options = blocks.kernel_options(l2)
    x = keras.layers.Conv2D(
        _NUM_HINTS, 1, activation="relu", name="hints_in", **options
    )(x)
    return keras.layers.Conv2D(num_features, 1, name="hints_out", **options)(x)


class GuidedNetwork(Network):
    """A network that is called with frames alone, or told what is known.

    Attributes:
      flow_weight: of the EPE of the samples that are told something, beside their
        cross-entropy; both are sums over the cells.
      told: frames [B, S, S, 3] and known [B, g, g, 7] -> logits [B, 1, g, g, K], flow
        float32 [B, g, g, 2].
      told_maps: the same with the trunk's maps in the place of frames.
    """

    flow_weight: float = 0.1
    told: Callable[..., tuple[tf.Tensor, tf.Tensor]]
    told_maps: Callable[..., tuple[tf.Tensor, tf.Tensor]]
    _trained: Callable[..., tuple[tf.Tensor, tf.Tensor]]

    def connect(self) -> None:
        """Adds the way from frames and what is known to logits and flow."""
        self.told = self._trained = self._way_from(self.input)
        self.told_maps = self._way_from(self.get_layer(dilated_head.JOINED).output)

    def start_from_maps(self) -> None:
        """See `Network.start_from_maps`."""
        super().start_from_maps()
        self._trained = self.told_maps

    def _way_from(self, inputs: tf.Tensor) -> Callable:
        known = self.get_layer(KNOWN).output
        flow = self.get_layer(GUIDANCE).output[1]
        way = keras.Model([inputs, known], [self.output, flow], name="told")
        # In a function, so that Keras counts no layer twice.
        return lambda *values, **options: way([*values], **options)

    def forward(
        self, inputs: Any, targets: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor | float]:
        """Frames or maps, and what is known -> logits, weighted EPE of told samples."""
        inputs, known = inputs
        _, true = unpack_targets(targets)
        channels = split_known(known)
        is_known = tf.maximum(channels.told, channels.past_mask)
        is_told = tf.reduce_max(is_known, axis=[1, 2, 3])
        logits, flow = self._trained(inputs, known, training=True)
        squares = tf.reduce_sum((flow - true[:, 0]) ** 2, axis=-1)
        epe = spatial_softmax.sum_cells(tf.sqrt(squares + 1e-4))
        epe = tf.reduce_mean(epe * is_told)
        return logits, self.flow_weight * epe
