"""A network by its name, with the mean frame in front and float32 logits at the end.

frames [B, S, S, 3] in 0..255 -> Standardize -> network -> logits [B, cells, K]
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from motionflow.compat import keras
from motionflow.data.data_dir import DataDir
from motionflow.models import (
    OWN_HEADS,
    blocks,
    choose_head,
    efficientnet,
    find_builder,
    trunk,
)
from motionflow.models.guided import GuidedNetwork
from motionflow.models.network import Network
from motionflow.models.sequence import SequenceNetwork

# Networks whose weights expect a fixed value of 0..255 in place of the mean frame.
PIXEL_MEANS = dict.fromkeys(("efficientnet", "guided"), efficientnet.PIXEL_MEAN)
# What a network predicts besides the next step on the grid; the data must keep it.
_EXTRAS = {
    "dense": ("dense_size",),
    "sequence": ("sequence_length",),
    "dense_sequence": ("dense_size", "sequence_length"),
}

_KINDS: dict[str, type[Network]] = {
    "guided": GuidedNetwork,
    "sequence": SequenceNetwork,
    "dense_sequence": SequenceNetwork,
}


def target_view(name: str, data: DataDir) -> DataDir:
    """The data directory with the targets of a network.

    Raises:
      InputError: the data do not keep them.
    """
    extras = _EXTRAS.get(name, ())
    past = name == "guided" and data.labels.past_frames > 0
    return data.view("dense_size" in extras, "sequence_length" in extras, past)


def target_options(name: str, data: DataDir) -> dict[str, int]:
    """What `build_model` must be told of them: dense_size, sequence_length."""
    steps, side = data.labels.sequence_length, data.labels.store_dense_flow
    sizes = {"dense_size": side, "sequence_length": steps}
    return {option: sizes[option] for option in _EXTRAS.get(name, ())}


@contextlib.contextmanager
def in_float32() -> Iterator[None]:
    """Inside, networks are built in float32 whatever they are trained in."""
    policy = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy("float32")
    try:
        yield
    finally:
        keras.mixed_precision.set_global_policy(policy)


@tf.autograph.experimental.do_not_convert
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
    untilt: bool = False,
    head: str = "",
    freeze_trunk: bool = False,
    train_trunk_from: int = -1,
    fixed_norm: bool = False,
    blind: bool = False,
    **targets: int,
) -> keras.Model:
    """Builds a network with the mean frame as its first layer and float32 logits.

    Args:
      name: of `network_names`.
      mean_frame: float32 [S, S, 3], 0..255; its side is the size of the input. The
        networks of `PIXEL_MEANS` have their own values instead.
      num_clusters: K, the size of the codebook.
      grid_size: cells along one side of the flow grid.
      width: factor on the numbers of filters and units.
      l2: weight of the L2 regularisation, in Torch7's sense.
      dropout: share dropped where the tables say dropout.
      literal_head: see `allconv.build_allconv`.
      untilt: end with `blocks.Untilt`, whose tilt is zero until it is assigned.
      head: see `choose_head`.
      freeze_trunk: train the head of a network with a trunk only, see `trunk.freeze`.
      train_trunk_from: freeze the trunk but for this block and those after it; below 0:
        as `freeze_trunk` says.
      fixed_norm: keep the trunk's batch normalisation as it is, see `trunk.fix_norms`.
      blind: guided: do not look at the frame.
      **targets: dense_size and sequence_length, see `target_options`.

    Returns:
      A model from frames [B, S, S, 3] in 0..255 (float32; uint8 is cast) to logits
      [B, T, s, s, K] in float32. T is 1 and s is grid_size, but for the networks that
      take `targets`.

    Raises:
      InputError: unknown name, a grid or head that the network does not have, or no
        trunk (or block of it) to freeze.
    """
    build = find_builder(name)
    chosen_head = choose_head(name, head)
    options: dict[str, Any] = {"head": chosen_head} if name in OWN_HEADS else {}
    if name == "guided":
        options["blind"] = blind
    frames = keras.Input(mean_frame.shape, dtype="float32", name="frames")
    standardize = blocks.Standardize(name="standardize")
    scores = build(
        standardize(frames),
        grid_size,
        num_clusters,
        width=width,
        l2=l2,
        dropout=dropout,
        literal_head=literal_head,
        **options,
        **targets,
    )
    num_steps = targets.get("sequence_length", 1)
    fine_size = targets.get("dense_size", grid_size)
    shape = num_steps, fine_size, fine_size, num_clusters
    cells = keras.layers.Reshape(shape, name="cells")(scores)
    if untilt:
        end = blocks.Untilt(dtype="float32", name="logits")
    else:
        end = keras.layers.Activation("linear", dtype="float32", name="logits")
    logits = end(cells)
    mean = PIXEL_MEANS.get(name, mean_frame)
    standardize.mean_frame.assign(np.broadcast_to(np.float32(mean), mean_frame.shape))
    model = _KINDS.get(name, Network)(frames, logits, name=name)
    model.grid_size = grid_size
    model.connect()
    if freeze_trunk or train_trunk_from >= 0:
        trunk.freeze(model, train_trunk_from)
    if fixed_norm:
        trunk.fix_norms(model)
    return model
