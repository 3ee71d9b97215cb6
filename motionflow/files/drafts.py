"""Whatever is written appears whole or not at all, and what failed is one line.

    write(path, content), write_array, write_arrays   a file
    draft(path) ----> a path to write to, which becomes a file or folder `path`
    drafts(folder) -> a folder to write to; what lies in it moves into `folder`
    naming(path)      for libraries that write by themselves, as TensorFlow does

A draft lies in a hidden folder beside what it becomes, so on the same file system. It
is flushed to the disk and then renamed; what an error, SIGTERM or Ctrl-C leaves of it
is removed, what a kill leaves is for `remove_stale`.
"""

import contextlib
import errno
import io
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from motionflow.errors import InputError, NotWritten

_PREFIX = ".draft-"
# Errors of libraries, which are not OSError, hold one of these texts.
_REFUSALS = [
    os.strerror(getattr(errno, name))
    for name in ("ENOSPC", "EDQUOT", "EFBIG", "EROFS", "EACCES", "EIO")
    if hasattr(errno, name)  # Windows lacks one
]


def write(path: str | Path, content: str | bytes) -> None:
    r"""Writes a file; text as UTF-8.

    A byte of a file's name that is no UTF-8 stands there as \udce9. JSON says it so by
    itself, and gives back the name.

    Raises:
      NotWritten: it could not be; a file that was there is as before.
    """
    with draft(path) as file:
        if isinstance(content, str):
            content = content.encode(errors="backslashreplace")
        file.write_bytes(content)


def write_array(path: str | Path, array: np.ndarray) -> None:
    """Writes an .npy. `np.save` may lose the end of one: C's buffer, silently."""
    with draft(path) as one, one.open("wb") as file:
        np.save(_Plain(file), array)


def write_arrays(
    path: str | Path, arrays: Mapping[str, Any], compress: bool = False
) -> None:
    """Writes an .npz; in memory first, for `np.savez` leaves half a file open."""
    file = io.BytesIO()
    (np.savez_compressed if compress else np.savez)(file, **arrays)
    write(path, file.getvalue())


class _Plain:
    """A file that NumPy takes for something else: it writes through Python."""

    def __init__(self, file: io.BufferedWriter):
        self.write = file.write


@contextlib.contextmanager
def draft(path: str | Path) -> Iterator[Path]:
    """Yields a path of the same name, which is renamed to `path` in the end.

    Args:
      path: of a file or folder; one that is there is replaced. Of a link the link
        stays, and what it leads to is replaced.

    Raises:
      NotWritten: see `drafts`; or a device or a pipe is there.
    """
    path = Path(path)
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise NotWritten(path, "a device or a pipe is there")
    path = Path(os.path.realpath(path)) if path.is_symlink() else path
    with drafts(path.parent, path.name) as folder:
        yield folder / path.name


@contextlib.contextmanager
def drafts(
    folder: str | Path, name: str = "", last: str | None = None
) -> Iterator[Path]:
    """Yields an empty folder; the files and folders in it move into `folder` together.

    Args:
      folder: exists; what it has of the same names is replaced.
      name: what an error that names nothing is about, inside of `folder`.
      last: name of the file that says that the others are there.

    Raises:
      NotWritten: a full disk, no right to write, ...; nothing was replaced.
    """
    folder, work = Path(folder), ""
    try:
        with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=folder) as work:
            yield Path(work)
            _move(Path(work), folder, last)
    except Exception as error:
        reason, place = _refusal(error), getattr(error, "filename", None)
        if work and place:
            name = os.path.relpath(place, work)
        if reason is None or name.startswith(os.pardir):  # something else was
            raise
        raise NotWritten(folder / name, reason) from error


def _move(work: Path, folder: Path, last: str | None) -> None:
    # What lies in another draft is flushed with that.
    is_inner = any(part.startswith(_PREFIX) for part in folder.parts)
    for file in () if is_inner else work.rglob("*"):
        if file.is_file():
            with file.open("rb+") as written:
                os.fsync(written.fileno())
    for path in sorted(work.iterdir(), key=lambda path: (path.name == last, path.name)):
        target = folder / path.name
        if path.is_dir() and target.is_dir():
            os.rename(target, work / f"{_PREFIX}{path.name}")
        os.replace(path, target)


@contextlib.contextmanager
def naming(path: str | Path) -> Iterator[None]:
    """Inside, `path` is written by somebody whose errors do not name it: NotWritten."""
    try:
        yield
    except Exception as error:
        if (reason := _refusal(error)) is None or isinstance(error, NotWritten):
            raise
        raise NotWritten(path, reason) from error


def _refusal(error: Exception) -> str | None:
    """What the system says against writing something; None: it is another error."""
    if isinstance(error, InputError):
        return error.reason if isinstance(error, NotWritten) else None
    text = next((text for text in _REFUSALS if text in str(error)), None)
    if isinstance(error, OSError):
        return text or error.strerror or str(error).strip().partition("\n")[0]
    return text


def remove_stale(folder: str | Path) -> None:
    """Removes what processes that were killed left in a folder."""
    for found in Path(folder).glob(f"{_PREFIX}*"):
        shutil.rmtree(found, ignore_errors=True)
