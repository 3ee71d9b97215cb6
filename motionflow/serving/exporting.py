"""Run directory -> a model that others can run: the next version in a folder of them.

    R/ --export_model--> X/1/, X/2/, ...

    saved_model   for TensorFlow Serving, see `signatures` for what it answers
    the others    see `portable`

Each version has its codebook and, in assets.extra, a model card. The server polls the
folder each second, so a version is written under another name and appears by one
rename, only after it was loaded back and compared with the Keras model: complete or not
at all. Nothing that is there is ever written over.
"""

import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from motionflow.errors import InputError
from motionflow.files import drafts, outputs
from motionflow.files.lock import alone
from motionflow.models.model_path import versions
from motionflow.models.run_dir import RunDir
from motionflow.serving import FORMATS, model_card, portable, saved_model


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
      format_name: of `serving.FORMATS`: "saved_model", "tflite", ...
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
    check_folder(export_dir, format_name)
    model = run_dir.load_model()

    def write(folder: Path) -> None:
        if format_name == "saved_model":
            served = saved_model.fold(run_dir.load_model())
            saved_model.write(folder, served, model, run_dir.codebook)
        else:
            written = portable.WRITERS[format_name](folder, model, run_dir)
            logging.getLogger(__name__).info(portable.format_table(written))
        card = model_card.make(run_dir, model, data_licence)
        model_card.write(folder / "assets.extra", card)

    return publish(export_dir, format_name, write, keep_versions)


def publish(
    export_dir: str | os.PathLike,
    format_name: str,
    write: Callable[[Path], None],
    keep_versions: int = 0,
) -> Path:
    """Lets `write` fill an empty folder and makes it the next version.

    What `write` raises leaves no version behind. The other arguments and the result are
    those of `export_model`.

    Raises:
      InputError: `export_dir` is a version itself, holds another format, cannot be
        written to, or is being written by another process.
    """
    export_dir = Path(export_dir)
    check_folder(export_dir, format_name)
    with alone(export_dir):
        numbers = [int(version.name) for version in versions(export_dir)]
        version = export_dir / str(max(numbers, default=0) + 1)
        with drafts.drafts(export_dir, version.name) as work:
            written = work / version.name
            written.mkdir()
            write(written)
            os.rename(written, version)  # where no lock holds, another may be faster
        if keep_versions:
            for old in versions(export_dir)[:-keep_versions]:
                # Out of the server's sight first: it would read half a version.
                hidden = old.with_name(f".removed-{old.name}")
                os.rename(old, hidden)
                shutil.rmtree(hidden)
    return version


def check_folder(export_dir: Path, format_name: str) -> None:
    """Refuses a folder that no version of a format may lie in.

    Raises:
      InputError: see `publish`.
    """
    outputs.check_name(export_dir)
    outputs.check_folder(export_dir)
    for name, main_file in FORMATS.items():
        if (export_dir / main_file).exists():
            raise InputError(
                f"export_dir {export_dir} holds {main_file}: it is a version itself, "
                f"expected the folder of versions above it"
            )
        if name == format_name:
            continue
        for version in versions(export_dir):
            if (version / main_file).exists():
                raise InputError(
                    f"{version} has the format {name}; give {format_name} a folder of "
                    f"its own"
                )
