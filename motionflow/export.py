"""Run directory -> a model that others can run.

    python -m motionflow.export --run_dir=runs/demo --export_dir=exported

    --format=saved_model   R/ -> X/<version>/   for TensorFlow Serving, see
                           motionflow.serving.signatures for what it answers
    --format=tflite        R/ -> X/<version>/model.tflite, model-dynamic.tflite,
                           model-float16.tflite, for phones and small computers
    --format=onnx          R/ -> X/<version>/model.onnx

Each version has its codebook and, in assets.extra, a model card. The server polls the
folder, so a version appears by one rename and only after it was loaded back and
compared with the Keras model; nothing is written over.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from absl import flags

from motionflow import cli
from motionflow.compat import keras
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


def define_flags(flag_values: flags.FlagValues = flags.FLAGS) -> None:
    """Defines this command's flags on a registry."""
    own: dict[str, Any] = {"flag_values": flag_values}
    for name, default, text in (
        ("run_dir", "runs/allconv", "Run directory of a training."),
        (
            "export_dir",
            "exported",
            "Folder of versions, the model base path of TensorFlow Serving.",
        ),
        (
            "data_licence",
            None,
            "Of the training data, for the model card. Default: what is known of "
            "hmdb51 and ucf101.",
        ),
    ):
        flags.DEFINE_string(name, default, text, **own)
    flags.DEFINE_enum(
        "format",
        "saved_model",
        list(_WRITERS),
        "What to write; a folder of versions holds one format.",
        **own,
    )
    flags.DEFINE_integer(
        "keep_versions",
        0,
        "Delete all but so many of the newest versions; 0: none.",
        lower_bound=0,
        **own,
    )


def export(
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
      format_name: "saved_model", "tflite" or "onnx".
      keep_versions: how many of the newest stay, with this one; 0 keeps all.
      data_licence: for the model card; None for what is known of public data sets.

    Returns:
      The new folder, `export_dir`/<largest version there + 1>.

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


def _finish(folder: Path, run_dir: RunDir, written: list[portable.Written]) -> None:
    run_dir.codebook.save(folder / "codebook.npz")
    print(portable.format_table(written))


_WRITERS = {
    "saved_model": _write_saved_model,
    "tflite": _write_tflite,
    "onnx": _write_onnx,
}


def main(argv: Sequence[str]) -> None:
    """Runs the command."""
    del argv
    values = flags.FLAGS
    version = export(
        values.run_dir,
        values.export_dir,
        values.format,
        values.keep_versions,
        values.data_licence,
    )
    print(f"exported {values.run_dir} to {version}")


if __name__ == "__main__":
    cli.run(main, define_flags)
