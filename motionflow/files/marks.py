"""Whose file is this? A command writes its mark into films and pictures that it makes.

    motionflow animate -> "motionflow animate" in the comment of an MP4 or GIF, or in a
                          PNG's text

So it can be run again, and still replaces nothing that somebody else made.
"""

from pathlib import Path

from motionflow.errors import InputError
from motionflow.files.file_names import is_hidden

_REACH = 2**16  # bytes at both ends of a file that are searched


def check_replaceable(
    path: str | Path, mark: str, overwrite: bool = False, sign: str | None = None
) -> None:
    """Refuses an output that is there and does not hold the mark.

    Args:
      path: a file, or a folder of PNG frames, that is about to be written.
      mark: what the writer puts into its files.
      overwrite: whatever is there may go.
      sign: what all such files hold, where they have no room for a mark.

    Raises:
      InputError: it was not made by the same command.
    """
    path = Path(path)
    files = [path]
    if path.is_dir():
        visible = (file for file in path.iterdir() if not is_hidden(file.name))
        files = sorted(visible)[:1]
    sign = sign or mark
    if overwrite or all(not file.exists() or _holds(file, sign) for file in files):
        return
    raise InputError(
        f"{path} is there already and was not made by {mark}: name another --output, "
        f"or replace it with --overwrite"
    )


def _holds(path: Path, mark: str) -> bool:
    if not path.is_file():  # a device may have no end
        return False
    with path.open("rb") as file:
        start = file.read(_REACH)
        file.seek(-min(_REACH, path.stat().st_size), 2)
        return mark.encode() in start or mark.encode() in file.read()
