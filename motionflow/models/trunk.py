"""A network's trunk: layers whose weights may come from a file, and may stand still.

    model.npz, efficientnet_lite0.npz -> layers named "trunk_..." -> [some frozen]

The file holds an array for each weight under "<layer>/<weight>", as Keras names them:
"trunk_stem/kernel", "trunk_stem_norm/gamma". A packed network, as the model in the box
is one, holds the rest of its weights beside them. Layers of its block n have names
that begin with "trunk_block<n>_".
"""

import os
import re
import zipfile
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from motionflow.compat import keras
from motionflow.errors import InputError
from motionflow.models.model_path import DEFAULT, DEFAULT_FILE

# How the names of a trunk's layers with weights begin.
TRUNK = "trunk_"
PACKED_WEIGHT = "weight/"  # before the names of weights in a packed network


def freeze(model: keras.Model, train_from: int = -1) -> None:
    """Keeps a trunk as it is: nothing trains, batch norm uses its moving averages.

    Args:
      model: changed in place.
      train_from: this block and those after it train nevertheless; below 0: none.

    Raises:
      InputError: the network has no trunk, or no such block.
    """
    layers = _layers(model, "--freeze_trunk")
    last = max(map(_block_number, layers))
    if train_from > last:
        raise InputError(f"--train_trunk_from={train_from}: the last block is {last}")
    for layer in layers:
        layer.trainable = 0 <= train_from <= _block_number(layer)


def fix_norms(model: keras.Model) -> None:
    """Keeps a trunk's batch normalisation as it is, where the rest of it trains too.

    It uses its moving averages in training, and all four of its weights stay: those of
    the other pictures are better than what a few clips give.

    Raises:
      InputError: the network has no trunk.
    """
    for layer in _layers(model, "--pretrained"):
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False


def load(model: keras.Model, path: str | os.PathLike) -> None:
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
        for layer in _layers(model, "--pretrained")
        for name, weight in named_weights(layer).items()
    }
    arrays = _read(path)
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


def _layers(model: keras.Model, flag: str) -> list[keras.layers.Layer]:
    found = [layer for layer in model.layers if layer.name.startswith(TRUNK)]
    if not found:
        raise InputError(f"{model.name} has no trunk: {flag} is for efficientnet")
    return found


def _block_number(layer: keras.layers.Layer) -> int:
    """-1 for the stem."""
    found = re.match(rf"{TRUNK}block(\d+)_", layer.name)
    return int(found[1]) if found else -1


def _read(path: str | os.PathLike) -> dict[str, np.ndarray]:
    try:
        with np.load(DEFAULT_FILE if path == DEFAULT else path) as file:
            arrays = dict(file)  # a TypeError: a single array
    except (OSError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(
            f"cannot read {path}: {error}; expected {DEFAULT}, a packed model.npz or "
            f"the .npz of `motionflow convert-efficientnet`"
        ) from None
    packed = {
        name.removeprefix(PACKED_WEIGHT).partition(":")[0]: values
        for name, values in arrays.items()
        if name.startswith(PACKED_WEIGHT + TRUNK)
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
