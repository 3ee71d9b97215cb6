"""Weights in .npz files, under "<layer>/<weight>" as Keras names them.

    network, codebook --pack--> model.npz --unpack--> the same, in float32
    model.npz, efficientnet_lite0.npz --load_trunk--> layers named "trunk_..."

A packed network's kernels are float16, which moves flow by some thousandths of a pixel;
whatever is small (biases, statistics, the codebook) keeps its float32. The files hold
numbers and no program: they are safe to load, and both lines of the stack read them.
"""

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from motionflow.compat import keras
from motionflow.errors import InputError
from motionflow.files import drafts
from motionflow.labels.codebook import Codebook
from motionflow.models import blocks
from motionflow.models.model_path import DEFAULT, DEFAULT_FILE
from motionflow.models.network import Network, build_model, in_float32, trunk_layers

_PACKED = "weight/"  # before the names of weights in a packed network
_SMALL = 4096  # numbers; fewer keep float32


def pack(
    path: Path, model: Network, config: dict[str, Any], codebook: Codebook
) -> None:
    """Writes a network.

    Args:
      path: of the file.
      model: what `build_model` made of the config, with its weights.
      config: see `RunDir.model_config`.
      codebook: that it was trained with.

    Raises:
      InputError: a weight that float16 cannot hold.
    """
    arrays = {_PACKED + weight.name: weight.numpy() for weight in _floats(model)}
    assert len(arrays) == len(_floats(model)), "two weights of one name"
    for name, values in arrays.items():
        if values.size >= _SMALL:
            arrays[name] = values.astype(np.float16)
            if not np.isfinite(arrays[name]).all():
                raise InputError(f"{name} is too large for float16: it is not packed")
    text = json.dumps(config | {"frame_size": model.input_shape[1]})
    about = {"centers": codebook.centers, "counts": codebook.counts}
    about["config"] = np.array(text)
    drafts.write_arrays(path, about | arrays, compress=True)


def unpack(path: Path, digest: str | None = None) -> tuple[Network, Codebook]:
    """Reads what `pack` wrote.

    Args:
      path: of the file.
      digest: its SHA-256 in hexadecimal, where it is known.

    Returns:
      the network in float32, and its codebook.

    Raises:
      InputError: the file is missing, is another, or is damaged.
    """
    try:
        content = path.read_bytes()
        if digest and hashlib.sha256(content).hexdigest() != digest:
            raise InputError(f"{path} is not the file that belongs there: SHA-256")
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            arrays = dict(file)
        config = json.loads(str(arrays.pop("config")))
        codebook = Codebook(arrays.pop("centers"), arrays.pop("counts"))
        side = config.pop("frame_size")
        mean_frame = np.zeros([side, side, 3], np.float32)  # a weight, too
        with in_float32():
            model = build_model(**config, mean_frame=mean_frame)
        for weight in _floats(model):
            weight.assign(arrays[_PACKED + weight.name].astype(np.float32))
    except (OSError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{path} is no model of `motionflow export --format=packed`, or a damaged "
            f"one: {error}"
        ) from error
    return model, codebook


def _floats(model: Network) -> list[Any]:
    """All weights but the counters of dropout."""
    return [weight for weight in model.weights if weight.dtype.is_floating]


def load_trunk(model: keras.Model, path: str | os.PathLike) -> None:
    """Puts the weights of a file into the model's trunk.

    Args:
      model: changed in place.
      path: an .npz of exactly the trunk's arrays; a packed network, whose trunk is
        taken; or `DEFAULT`.

    Raises:
      InputError: the network has no trunk; the file is none, or its arrays are not the
        trunk's.
    """
    weights = {
        name: weight
        for layer in trunk_layers(model, "--pretrained")
        for name, weight in named_weights(layer).items()
    }
    arrays = _read_trunk(path)
    if problem := _difference(arrays, weights):
        raise InputError(f"{path} does not fit the trunk of {model.name}: {problem}")
    for name, weight in weights.items():
        weight.assign(arrays[name])


def named_weights(layer: keras.layers.Layer) -> dict[str, tf.Variable]:
    """A layer's weights by "<layer>/<weight>"."""
    return {
        f"{layer.name}/{weight.name.split('/')[-1].split(':')[0]}": weight
        for weight in layer.weights
    }


def _read_trunk(path: str | os.PathLike) -> dict[str, np.ndarray]:
    try:
        with np.load(DEFAULT_FILE if path == DEFAULT else path) as file:
            arrays = dict(file)  # a TypeError: a single array
    except (OSError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(
            f"cannot read {path}: {error}; expected {DEFAULT}, a packed model.npz or "
            f"the .npz of `motionflow convert-efficientnet`"
        ) from None
    packed = {
        name.removeprefix(_PACKED).partition(":")[0]: values
        for name, values in arrays.items()
        if name.startswith(_PACKED + blocks.TRUNK)
    }
    return packed or arrays


def _difference(
    arrays: Mapping[str, np.ndarray], weights: Mapping[str, tf.Variable]
) -> str | None:
    if missing := sorted(weights.keys() - arrays.keys()):
        return f"{len(missing)} arrays are missing, the first is {missing[0]}"
    if unknown := sorted(arrays.keys() - weights.keys()):
        return f"{len(unknown)} arrays have no place, the first is {unknown[0]}"
    for name, weight in weights.items():
        if arrays[name].shape != tuple(weight.shape):
            return (
                f"{name} has the shape {arrays[name].shape}, "
                f"expected {tuple(weight.shape)}"
            )
    return None
