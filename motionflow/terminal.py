"""What reaches the terminal: results and remarks of ours, and nothing of others.

with remarks_shown(): ...      the logger "motionflow", plainly
with others_silenced(): ...    TensorFlow, OpenCV and their like say nothing
with stderr_held_back(): ...   not even their C++ code
"""

import contextlib
import gc
import importlib.abc
import importlib.util
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from types import ModuleType

_LEVEL, _QUIET = "TF_CPP_MIN_LOG_LEVEL", "3"  # who sets less wants to hear it
_OTHERS = (None, "tensorflow", "absl", "tf_keras")  # None: whoever has no level


def open_standard_streams() -> None:
    """Where one is closed, a result would get its number, and messages meant for it."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(number)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)


def close_stdout() -> None:
    """Nothing more is written there: Python's flush at the end must not complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextlib.contextmanager
def remarks_shown() -> Iterator[None]:
    """Shows what the package logs."""
    logger, handler = logging.getLogger("motionflow"), _Remarks()
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False  # others give the root a handler of their own
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = True


class _Remarks(logging.Handler):
    """Writes remarks on standard output, warnings on standard error.

    A bug behind the page is one of them, with its trace.
    """

    def emit(self, record: logging.LogRecord) -> None:
        stream = sys.stderr if record.levelno >= logging.WARNING else sys.stdout
        tqdm = sys.modules.get("tqdm")  # a bar that is shown makes room
        write = tqdm.tqdm.write if tqdm else print
        write(self.format(record), file=stream)
        stream.flush()


@contextlib.contextmanager
def others_silenced() -> Iterator[None]:
    """Silences what is not ours, unless TensorFlow's level was lowered to hear it.

    "E ... Unable to register cuFFT" on a machine without a GPU is an error to
    TensorFlow; what goes wrong for good is raised as an exception all the same.
    """
    if os.environ.setdefault(_LEVEL, _QUIET) != _QUIET:
        yield
        return
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    loggers = [logging.getLogger(name) for name in _OTHERS]
    levels = [logger.level for logger in loggers]
    finder = _QuietImport()
    if "tensorflow" not in sys.modules:
        sys.meta_path.insert(0, finder)
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
            if finder in sys.meta_path:
                sys.meta_path.remove(finder)


class _QuietImport(importlib.abc.MetaPathFinder):
    """Holds standard error back while TensorFlow is imported, and the collector.

    TensorFlow 2.21 writes some lines before it has read how much it should write. What
    an import makes stays: Python need not look through it for garbage again and again.
    """

    def find_spec(self, fullname: str, *_: object) -> ModuleSpec | None:
        """Finds TensorFlow as others would, once."""
        if fullname != "tensorflow":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec and spec.loader:
            load = spec.loader.exec_module

            def load_quietly(module: ModuleType) -> None:
                with stderr_held_back(), nothing_collected():
                    load(module)

            spec.loader.exec_module = load_quietly  # type: ignore[method-assign]
        return spec


@contextlib.contextmanager
def nothing_collected() -> Iterator[None]:
    """Makes no garbage collections; what is there in the end is not looked at again."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()


@contextlib.contextmanager
def stderr_held_back() -> Iterator[None]:
    """Keeps what is written to standard error, by whomever; an error brings it out."""
    sys.stderr.flush()
    with tempfile.TemporaryFile() as held, os.fdopen(os.dup(2), "wb") as stderr:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except Exception:
            held.seek(0)
            stderr.write(held.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(stderr.fileno(), 2)
