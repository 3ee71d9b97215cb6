"""Where results go: refused before the work begins, not after it.

    folder --check_folder--> nothing, or why nothing can be written there
    folder --make_folder---> the same, and it is there
    file   --check_file----> nothing, or why it cannot be written
    path   --check_name----> nothing, or why TensorFlow cannot take it
    name   --shown---------> the same as text

A check writes a file without a name and lets it go: that tells missing rights, a
file system that is read only, and what only looks like a folder, for every user.
"""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from motionflow.errors import InputError
from motionflow.files.file_names import is_hidden

_REACH = 2**16  # bytes at both ends of a file that are searched


def check_folder(path: str | os.PathLike) -> None:
    """Refuses a folder that cannot be written to, or could not be made."""
    place = Path(path)
    try:
        while not _is_there(place):
            place = place.parent
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        raise _refused(path, error) from error


def make_folder(path: str | os.PathLike) -> Path:
    """Makes a folder for results, with those above it; or says why not."""
    check_folder(path)
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _refused(path, error) from error
    return Path(path)


def check_file(path: str | os.PathLike, suffixes: Sequence[str] = ()) -> None:
    """Refuses a file that could not be written, or replaced.

    Args:
      path: the file.
      suffixes: in lower case, one of which it must have; none: any.

    Raises:
      InputError: it has another suffix, is a folder, a device or a pipe; its own folder
        does not exist, or that cannot be written to.
    """
    path = Path(path)
    if suffixes and path.suffix.lower() not in suffixes:
        raise InputError(f"{path} must end in {' or '.join(suffixes)}")
    if path.exists() and not path.is_file():
        kind = "a folder" if path.is_dir() else "a device or a pipe"
        raise InputError(f"{path} is {kind}, expected a file to write")
    if path.is_symlink():
        path = Path(os.path.realpath(path))  # the link stays, see `drafts.draft`
    if not path.parent.is_dir():
        raise InputError(f"there is no folder {path.parent} to write {path.name} into")
    check_folder(path.parent)


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


def check_name(path: str | os.PathLike) -> None:
    """Refuses a name that is no UTF-8: TensorFlow writes checkpoints and exports."""
    try:
        os.fspath(path).encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"TensorFlow cannot take the name {path}, which is not UTF-8: rename it"
        ) from error


def shown(name: str) -> str:
    r"""A file's name as text for figures; a byte that is no UTF-8 is \xe9."""
    return os.fsencode(name).decode(errors="backslashreplace")


def _is_there(path: Path) -> bool:
    try:
        os.lstat(path)  # of a link that leads nowhere, too
    except FileNotFoundError:
        return False
    return True


def _refused(path: str | os.PathLike, error: OSError) -> InputError:
    return InputError(f"nothing can be written into {path}: {error.strerror}")


def _holds(path: Path, mark: str) -> bool:
    if not path.is_file():  # a device may have no end
        return False
    with path.open("rb") as file:
        start = file.read(_REACH)
        file.seek(-min(_REACH, path.stat().st_size), 2)
        return mark.encode() in start or mark.encode() in file.read()
