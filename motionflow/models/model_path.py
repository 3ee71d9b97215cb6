"""What a user calls a model -> the folder or file that holds it.

default                  the model in the box
R, R/checkpoints/best    a run directory, its last weights or those of its best epoch
X/3                      an exported version
X                        a folder of versions: the newest
X/3/model.npz            a network packed in one file
"""

import os
from pathlib import Path

from motionflow.errors import InputError

SAVED_MODEL, PACKED = "saved_model.pb", "model.npz"
DEFAULT = "default"  # its name; ./default is a folder of yours
DEFAULT_FILE = Path(__file__).parent / "default" / PACKED
DEFAULT_DIGEST = "9b7926adb1f39914703646b795b9b04cb2f3e3c3062ea275b8e1dc1a72b030cd"


def find_model(path: str | os.PathLike) -> Path:
    """The run directory, exported version or packed file that a path means.

    Raises:
      InputError: it means none, or the newest version is none that can be loaded.
    """
    path = DEFAULT_FILE if path == DEFAULT else Path(path)
    if path.name == PACKED and path.is_file():
        return path
    if version := _loadable(path):
        return version
    run = path.parents[1] if path.parts[-2:] == ("checkpoints", "best") else path
    if (run / "config.json").is_file():
        return path
    if found := versions(path):
        if version := _loadable(found[-1]):
            return version
        raise InputError(
            f"{found[-1]} is the newest version and holds no {SAVED_MODEL}: expected "
            f"an export with --format=saved_model or --format=packed"
        )
    is_file = "is a file" if path.exists() else "does not exist"
    raise InputError(
        f"{path} {'holds no model' if path.is_dir() else is_file}: expected a run "
        f"directory (with config.json), its checkpoints/best, an exported version "
        f"(with {SAVED_MODEL} or {PACKED}), or a folder of versions"
    )


def _loadable(version: Path) -> Path | None:
    """What is loaded of an exported version; None where it holds nothing for us."""
    if is_export(version):
        return version
    return version / PACKED if (version / PACKED).is_file() else None


def is_export(path: Path) -> bool:
    """Whether a folder is a version exported as a program."""
    return (path / SAVED_MODEL).is_file()


def versions(export_dir: Path) -> list[Path]:
    """The versions in a folder of them, oldest first; [] where there is none."""
    if not export_dir.is_dir():
        return []
    found = [path for path in export_dir.iterdir() if path.name.isdecimal()]
    return sorted(found, key=lambda version: int(version.name))
