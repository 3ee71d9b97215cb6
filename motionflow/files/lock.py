"""One process at a time writes a folder.

folder --alone--> held while the block runs; a second process is told who holds it

The lock is the kernel's (flock) on a file `.lock` in the folder: it is gone with the
process, however that ends. An orderly end removes the file; where a killed process left
it, it holds nothing and counts as nothing. On NFS the lock holds between machines if
the mount has locks (not with nolock or local_lock). A file system that has none, and
Windows, go without.

A child never holds it: a program that is started does not inherit the file, and a fork
closes it.
"""

import contextlib
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from motionflow.errors import InputError
from motionflow.files.outputs import make_folder

if sys.platform != "win32":
    import fcntl

LOCK = ".lock"
# Of this process: (folder, thread) -> file. A thread that holds a folder may ask again.
_held: dict[tuple[Path, int], int] = {}


@contextlib.contextmanager
def alone(folder: str | os.PathLike, waits: bool = False) -> Iterator[None]:
    """Keeps others from writing a folder, which is made where it is missing.

    Args:
      folder: what is written.
      waits: until it is free.

    Raises:
      InputError: another process holds it: its number and since when; or nothing can be
        written there.
    """
    key = make_folder(folder).resolve(), threading.get_ident()
    if key in _held:
        yield
        return
    path = key[0] / LOCK
    _held[key] = _locked(path, folder, waits)
    try:
        yield
    finally:
        if file := _held.pop(key, None):  # a fork has none
            path.unlink(missing_ok=True)
            os.close(file)


def _locked(path: Path, folder: str | os.PathLike, waits: bool) -> int:
    """An open file that holds the lock."""
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            if not _lock(file, waits):
                holder = os.read(file, 200).decode() or "another process"
                raise InputError(
                    f"{folder} is being written by {holder}: wait for it to end, or "
                    f"name another folder"
                )
            if _is_at(file, path):  # whoever held it may have removed it
                os.truncate(file, 0)
                os.write(file, _description().encode())
                return file
        except BaseException:
            os.close(file)
            raise
        os.close(file)


def _lock(file: int, waits: bool) -> bool:
    if sys.platform == "win32":
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if waits else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True


def _is_at(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), os.stat(path))
    except FileNotFoundError:
        return False


def _description() -> str:
    started = time.strftime("%Y-%m-%d %H:%M:%S")
    return f"process {os.getpid()} of {socket.gethostname()}, since {started}"


def _let_go() -> None:
    # Closing a copy leaves the lock to the parent.
    for file in _held.values():
        os.close(file)
    _held.clear()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_let_go)
