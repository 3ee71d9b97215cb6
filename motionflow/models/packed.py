"""A network in one small file, for this package alone.

    network, codebook --write--> model.npz --read--> the same, in float32

Kernels are float16, which moves flow by some thousandths of a pixel; whatever is small
(biases, statistics, the codebook) keeps its float32. The file holds numbers and no
program: it is safe to load, and both lines of the stack read it.
"""

import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from motionflow.errors import InputError
from motionflow.files import drafts
from motionflow.labels.codebook import Codebook
from motionflow.models.building import build_model, in_float32
from motionflow.models.network import Network
from motionflow.models.trunk import PACKED_WEIGHT

_SMALL = 4096  # numbers; fewer keep float32


def write(
    path: Path, model: Network, config: dict[str, Any], codebook: Codebook
) -> None:
    """Writes a network.

    Args:
      path: of the file.
      model: what `build_model` made of the config, with its weights.
      config: see `RunDir.model_config`.
      codebook: that it was trained with.
    """
    arrays = {PACKED_WEIGHT + weight.name: weight.numpy() for weight in _floats(model)}
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


def read(path: Path, digest: str | None = None) -> tuple[Network, Codebook]:
    """Reads what `write` wrote.

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
            weight.assign(arrays[PACKED_WEIGHT + weight.name].astype(np.float32))
    except (OSError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{path} is no model of `motionflow export --format=packed`, or a damaged "
            f"one: {error}"
        ) from error
    return model, codebook


def _floats(model: Network) -> list[Any]:
    """All weights but the counters of dropout."""
    return [weight for weight in model.weights if weight.dtype.is_floating]
