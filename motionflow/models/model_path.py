"""What a user calls a model -> the folder that holds it.

R, R/checkpoints/best    a run directory, its last weights or those of its best epoch
X/3                      an exported version
X                        a folder of versions: the newest
"""

import os
from pathlib import Path

from motionflow.errors import InputError

SAVED_MODEL = "saved_model.pb"


def find_model(path: str | os.PathLike) -> Path:
    """The run directory or exported version that a path means.

    Raises:
      InputError: it means neither, or the newest version is no SavedModel.
    """
    path = Path(path)
    if is_export(path):
        return path
    run = path.parents[1] if path.parts[-2:] == ("checkpoints", "best") else path
    if (run / "config.json").is_file():
        return path
    if found := versions(path):
        if is_export(found[-1]):
            return found[-1]
        raise InputError(
            f"{found[-1]} is the newest version and holds no {SAVED_MODEL}: expected "
            f"an export with --format=saved_model"
        )
    is_file = "is a file" if path.exists() else "does not exist"
    raise InputError(
        f"{path} {'holds no model' if path.is_dir() else is_file}: expected a run "
        f"directory (with config.json), its checkpoints/best, an exported version "
        f"(with {SAVED_MODEL}), or a folder of versions"
    )


def is_export(path: Path) -> bool:
    """Whether a folder is an exported version."""
    return (path / SAVED_MODEL).is_file()


def versions(export_dir: Path) -> list[Path]:
    """The versions in a folder of them, oldest first; [] where there is none."""
    if not export_dir.is_dir():
        return []
    found = [path for path in export_dir.iterdir() if path.name.isdecimal()]
    return sorted(found, key=lambda version: int(version.name))
