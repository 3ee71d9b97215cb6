"""How every command starts: reads flags, keeps others quiet, ends with one line.

    motionflow VERB [WORD...] [--flag=value...]  ->  commands/<verb>.py

A command is a module of `motionflow.commands` with

    __doc__              its help; the first line is its line in `motionflow --help`
    define_flags(values) defines its flags; imports nothing heavy
    main(values)         does the work; returns an exit code, or None for 0
    WORDS                which flag a plain word stands for, if any
    GOES_ON              True if the same command goes on where it was stopped

Flags live in the registry that `main` is given. Nothing is read from absl's global one.
"""

import contextlib
import errno
import gc
import importlib
import io
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import FrameType, ModuleType
from typing import Any, NoReturn

from absl import flags

from motionflow import terminal
from motionflow.errors import InputError, Stopped
from motionflow.flag_groups import (
    FlagGroups,
    format_help,
    help_text,
    read_flag_files,
)

_HELP = {"--help", "-help", "-h", "--helpfull", "--helpshort"}


def load_command(verb: str) -> ModuleType:
    """The module of a verb, such as "sample-clips"."""
    return importlib.import_module(f"motionflow.commands.{verb.replace('-', '_')}")


def run(verb: str, defaults: Mapping[str, Any] | None = None) -> NoReturn:
    """Runs a verb with the words of the command line, and ends the process.

    Args:
      verb: what to run.
      defaults: flags whose default is another one here: older names of a command keep
        their own.
    """
    terminal.open_standard_streams()
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A file's name need not be text; standard error has this from the start.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        command = load_command(verb)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    code = call(command, sys.argv[1:], defaults)
    gc.freeze()  # the process ends: nobody need look for garbage once more
    sys.exit(code)


def call(
    command: ModuleType,
    arguments: Sequence[str],
    defaults: Mapping[str, Any] | None = None,
) -> int:
    """Does what `run` does but for ending the process; returns its exit code."""
    try:
        if _HELP.intersection(arguments):
            return show(usage(command))
        values = parse(command, arguments, defaults)
        with _prepared(values):
            code = command.main(values) or 0
        sys.stdout.flush()  # a full disk says so now, not behind the end
        return code
    except flags.Error as error:
        text = " ".join(str(error).split())
        print(f"error: {text}\n--help shows all flags", file=sys.stderr)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
    except OSError as error:
        print(f"error: {_refused(error)}", file=sys.stderr)
    except KeyboardInterrupt as stop:
        goes_on = "; the same command goes on" if hasattr(command, "GOES_ON") else ""
        text = str(stop) or f"stopped{goes_on}"
        # A terminal has written ^C into the line.
        print(f"\n{text}", file=sys.stderr)
        return stop.code if isinstance(stop, Stopped) else 128 + signal.SIGINT
    return 1


def _refused(error: OSError) -> str:
    """What the system refused, in one line; raises what is no refusal but a bug."""
    if error.filename is not None:
        return f"{os.fsdecode(error.filename)}: {error.strerror}"
    if error.errno == errno.ENOENT:  # of `os.getcwd`
        return "the folder that this was called in is not there any more"
    if error.errno not in (errno.ENOSPC, errno.EFBIG, errno.EIO):
        raise error
    terminal.close_stdout()  # only what is printed is written without a name
    return f"standard output could not be written: {error.strerror}"


def parse(
    command: ModuleType,
    arguments: Sequence[str],
    defaults: Mapping[str, Any] | None = None,
) -> flags.FlagValues:
    """Reads a command's flags and the plain words beside them.

    Raises:
      flags.Error: an unknown flag, a value that is refused, or a word too many.
      InputError: a flag file that cannot be read.
    """
    values = define(command)
    for flag, default in (defaults or {}).items():
        values.set_default(flag, default)
    values.set_gnu_getopt(True)
    expanded, flag_file = read_flag_files(arguments)
    _, *words = values([command.__name__, *expanded])
    values["flagfile"].value = flag_file
    if not words:
        return values
    name: str = getattr(command, "WORDS", "")
    takes_many = bool(name) and isinstance(values[name].default, list)
    unexpected = words[1:] if name else words
    if unexpected and not takes_many:
        raise flags.Error(f"unexpected arguments: {' '.join(unexpected)}")
    if any(word.lstrip("-").split("=")[0] == name for word in arguments):
        raise flags.Error(f"--{name} is given twice: {words[0]} stands for it")
    setattr(values, name, words if takes_many else words[0])
    return values


def define(command: ModuleType) -> flags.FlagValues:
    """A registry with a command's flags and those that every command has."""
    values = flags.FlagValues()
    command.define_flags(values)
    general = FlagGroups(values, "General")
    general.repeated("import_module", "Module to import first, with networks of yours.")
    general.number("verbosity", 0, "1 shows what TensorFlow and others say, too.")
    general.text("flagfile", "", "File with a flag a line.")
    general.switch("help", False, "Shows this.")
    return values


def require(values: flags.FlagValues, *names: str) -> None:
    """Refuses a command line without flags that have no sensible default.

    Raises:
      InputError: one of them is not given; says what it is.
    """
    for name in names:
        if not values[name].value:
            raise InputError(f"--{name} is missing: {help_text(values[name])}")


def usage(command: ModuleType) -> str:
    """The help of a command."""
    return f"{(command.__doc__ or '').strip()}\n\n{format_help(define(command))}"


def show(text: str) -> int:
    """Prints a text; returns an exit code."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        terminal.close_stdout()  # who reads has seen enough
    except OSError as error:
        print(f"error: {_refused(error)}", file=sys.stderr)
        return 1
    return 0


@contextlib.contextmanager
def progress_bar(desc: str, unit: str) -> Iterator[Callable[[int, int], None]]:
    """Yields what to call with (done, total): it shows a bar on standard error."""
    from tqdm import tqdm

    bar: Any = None

    def progress(done: int, total: int) -> None:
        nonlocal bar
        if bar is None:
            show = {"desc": desc, "unit": unit, "smoothing": 0.05}
            bar = tqdm(total=total, initial=done, **show)
        bar.total = total
        if done != bar.n:  # an update by 0 would spoil the rate
            bar.update(done - bar.n)

    try:
        yield progress
    finally:
        if bar is not None:
            bar.close()


@contextlib.contextmanager
def _prepared(values: flags.FlagValues) -> Iterator[None]:
    """Shows our own remarks, keeps others quiet, imports what the user names."""
    if values.import_module:
        sys.path.insert(0, os.getcwd())
    before = signal.signal(signal.SIGTERM, _stop)
    silenced = (
        contextlib.nullcontext if values.verbosity > 0 else terminal.others_silenced
    )
    try:
        with terminal.remarks_shown(), silenced():
            for name in values.import_module:
                importlib.import_module(name)
            yield
    except ModuleNotFoundError as error:
        if error.name not in values.import_module:
            raise
        raise InputError(f"--import_module: there is no module {error.name}") from error
    finally:
        signal.signal(signal.SIGTERM, before)


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # what it leaves is being removed
    raise Stopped(number)
