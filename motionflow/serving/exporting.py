"""Run directory -> a model that others can run.

    saved_model   R/ -> X/<version>/   for TensorFlow Serving, see `signatures` for what
                                       it answers
    tflite        R/ -> X/<version>/model.tflite, model-dynamic.tflite,
                        model-float16.tflite, for phones and small computers
    onnx          R/ -> X/<version>/model.onnx
    packed        R/ -> X/<version>/model.npz, half the size, for this package alone

Each version has its codebook and, in assets.extra, a model card. The server polls the
folder, so a version appears by one rename and only after it was loaded back and
compared with the Keras model; nothing is written over.
"""

import logging
import os
from pathlib import Path

import numpy as np

from motionflow.compat import keras
from motionflow.models import packed
from motionflow.models.network import Network
from motionflow.models.run_dir import RunDir
from motionflow.serving import (
    folding,
    model_card,
    onnx,
    portable,
    saved_model,
    tflite,
    versions,
)

_PACKED_BOUND = 0.02  # of a probability, as of TensorFlow Lite's float16


def export_model(
    run_dir: str | os.PathLike,
    export_dir: str | os.PathLike,
    format_name: str = "saved_model",
    keep_versions: int = 0,
    data_licence: str | None = None,
) -> Path:
    """Exports the last checkpoint of a run as the next version.

    Args:
      run_dir: run directory of a training, or R/checkpoints/best in it.
      export_dir: folder of versions; created if missing.
      format_name: "saved_model", "tflite", "onnx" or "packed".
      keep_versions: how many of the newest stay, with this one; 0 keeps all.
      data_licence: for the model card; None for what is known of public data sets.

    Returns:
      The new folder, `<export_dir>/<largest version there + 1>`.

    Raises:
      InputError: `run_dir` is no run directory, `export_dir` cannot take the format, or
        a package is missing that the format needs.
      RuntimeError: the exported model does not answer like the Keras model.
    """
    run_dir, export_dir = RunDir.open(run_dir), Path(export_dir)
    versions.check_folder(export_dir, format_name)
    model = run_dir.load_model()

    def write(folder: Path) -> None:
        _WRITERS[format_name](folder, model, run_dir)
        card = model_card.make(run_dir, model, data_licence)
        model_card.write(folder / "assets.extra", card)

    return versions.publish(export_dir, format_name, write, keep_versions)


def _write_saved_model(folder: Path, model: keras.Model, run_dir: RunDir) -> None:
    served = folding.fold(run_dir.load_model())
    saved_model.write(folder, served, model, run_dir.codebook)


def _write_tflite(folder: Path, model: keras.Model, run_dir: RunDir) -> None:
    _finish(folder, run_dir, tflite.write(folder, model, run_dir.codebook.centers))


def _write_onnx(folder: Path, model: keras.Model, run_dir: RunDir) -> None:
    _finish(folder, run_dir, onnx.write(folder, model, run_dir.codebook.centers))


def _write_packed(folder: Path, model: Network, run_dir: RunDir) -> None:
    path, codebook = folder / versions.MAIN_FILES["packed"], run_dir.codebook
    packed.write(path, model, run_dir.model_config, codebook)
    back, truth = (
        portable.graph(network, codebook.centers)
        for network in (packed.read(path)[0], model)
    )

    def run(*inputs: np.ndarray) -> dict[str, np.ndarray]:
        return {key: value.numpy() for key, value in back(*inputs).items()}

    written = portable.measure(path, run, truth, _PACKED_BOUND)
    logging.getLogger(__name__).info(portable.format_table([written]))


def _finish(folder: Path, run_dir: RunDir, written: list[portable.Written]) -> None:
    run_dir.codebook.save(folder / "codebook.npz")
    logging.getLogger(__name__).info(portable.format_table(written))


_WRITERS = {
    "saved_model": _write_saved_model,
    "tflite": _write_tflite,
    "onnx": _write_onnx,
    "packed": _write_packed,
}
