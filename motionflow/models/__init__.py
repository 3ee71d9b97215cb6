"""Networks: frames -> scores of the codebook's vectors in every cell of the grid.

    frames [B, S, S, 3] in 0..255 -> Standardize -> network -> logits [B, cells, K]

Adding a network is one function and one line in `BUILDERS`. One of its layers has the
name `blocks.FEATURES`: scores are made from its output, [B, D] or [B, h, w, C]. Names
that begin with `trunk.TRUNK` belong to layers that can be loaded and frozen.
"""

import numpy as np

from motionflow.compat import keras
from motionflow.errors import InputError
from motionflow.models import blocks, efficientnet, trunk
from motionflow.models.alexnet import build_alexnet
from motionflow.models.allconv import build_allconv
from motionflow.models.convnext import build_convnext
from motionflow.models.efficientnet import build_efficientnet
from motionflow.models.network import Network
from motionflow.models.vgg import build_vgg
from motionflow.models.walker import build_walker

BUILDERS = {
    "allconv": build_allconv,
    "alexnet": build_alexnet,
    "walker": build_walker,
    "vgg": build_vgg,
    "convnext": build_convnext,
    "efficientnet": build_efficientnet,
}
# Networks whose weights expect a fixed value of 0..255 in place of the mean frame.
PIXEL_MEANS = {"efficientnet": efficientnet.PIXEL_MEAN}


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
    freeze_trunk: bool = False,
) -> keras.Model:
    """Builds a network with the mean frame as its first layer and float32 logits.

    Args:
      name: a key of `BUILDERS`.
      mean_frame: float32 [S, S, 3], 0..255; its side is the size of the input. The
        networks of `PIXEL_MEANS` have their own values instead.
      num_clusters: K, the size of the codebook.
      grid_size: cells along one side of the flow grid.
      width: factor on the numbers of filters and units.
      l2: weight of the L2 regularisation, in Torch7's sense.
      dropout: share dropped where the tables say dropout.
      literal_head: see `allconv.build_allconv`.
      untilt: end with `blocks.Untilt`, whose tilt is zero until it is assigned.
      freeze_trunk: train the head of a network with a trunk only, see `trunk.freeze`.

    Returns:
      A model from frames [B, S, S, 3] in 0..255 (float32; uint8 is cast) to logits
      [B, grid_size * grid_size, K] in float32, cells row by row.

    Raises:
      InputError: unknown name, a grid that the network does not give, or no trunk to
        freeze.
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
    options = {"dtype": "float32", "name": "logits"}
    end = keras.layers.Activation("linear", **options)
    if untilt:
        end = blocks.Untilt(**options)
    logits = end(cells)
    mean = PIXEL_MEANS.get(name, mean_frame)
    standardize.mean_frame.assign(np.broadcast_to(np.float32(mean), mean_frame.shape))
    model = Network(frames, logits, name=name)
    if freeze_trunk:
        trunk.freeze(model)
    return model
