"""A folder of numbered versions, as TensorFlow Serving polls it each second.

    X/1/  X/2/  --publish--> X/3/

A version is written under another name and appears by one rename, complete or not at
all. Nothing that is there is ever written over.
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from motionflow.errors import InputError
from motionflow.files import drafts, outputs
from motionflow.files.lock import alone
from motionflow.models.model_path import PACKED, SAVED_MODEL, versions

# The file that makes a version of a format what it is.
MAIN_FILES = {
    "saved_model": SAVED_MODEL,
    "tflite": "model.tflite",
    "onnx": "model.onnx",
    "packed": PACKED,
}


def publish(
    export_dir: str | os.PathLike,
    format_name: str,
    write: Callable[[Path], None],
    keep_versions: int = 0,
) -> Path:
    """Lets `write` fill a folder and makes it the next version.

    Args:
      export_dir: folder of versions; created if missing.
      format_name: of `MAIN_FILES`; a folder of versions holds one format.
      write: fills an empty folder; what it raises leaves no version behind.
      keep_versions: how many of the newest stay, with this one; 0 keeps all.

    Returns:
      The new folder, `export_dir`/<largest version there + 1>.

    Raises:
      InputError: `export_dir` is a version itself, holds another format, cannot be
        written to, or is being written by another process.
    """
    export_dir = Path(export_dir)
    check_folder(export_dir, format_name)
    with alone(export_dir):
        version = export_dir / str(max(_numbers(export_dir), default=0) + 1)
        with drafts.drafts(export_dir, version.name) as work:
            written = work / version.name
            written.mkdir()
            write(written)
            os.rename(written, version)  # where no lock holds, another may be faster
        if keep_versions:
            for old in versions(export_dir)[:-keep_versions]:
                _remove(old)
    return version


def check_folder(export_dir: Path, format_name: str) -> None:
    """Refuses a folder that no version of a format may lie in.

    Raises:
      InputError: see `publish`.
    """
    outputs.check_name(export_dir)
    outputs.check_folder(export_dir)
    for name, main_file in MAIN_FILES.items():
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


def _numbers(export_dir: Path) -> list[int]:
    return [int(version.name) for version in versions(export_dir)]


def _remove(version: Path) -> None:
    # Out of the server's sight first: it would read half a version.
    hidden = version.with_name(f".removed-{version.name}")
    os.rename(version, hidden)
    shutil.rmtree(hidden)
