"""How every command line starts: define flags, run, say an input error plainly.

FLAGS live only in entry points and tools. Each has `define_flags(flag_values)`, called
here on the global registry when it runs and in tests on a private one, so importing an
entry point defines nothing.
"""

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence

from absl import app, flags
from tqdm import tqdm

from motionflow.errors import InputError


@contextlib.contextmanager
def progress_bar(desc: str, unit: str) -> Iterator[Callable[[int, int], None]]:
    """Shows a bar on standard error; yields what to call with (done, total)."""
    with tqdm(unit=unit, desc=desc, smoothing=0.05) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            if done != bar.n:  # an update by 0 would spoil the rate
                bar.update(done - bar.n)

        yield progress


def run(
    main: Callable[[Sequence[str]], int | None],
    define_flags: Callable[[flags.FlagValues], None],
    arguments: Sequence[str] = (),
) -> None:
    """Runs `main` under absl; an `InputError` ends it with one line and exit code 1.

    Args:
      main: takes argv without the flags, returns an exit code or None.
      define_flags: adds the command's flags to a registry.
      arguments: names of what must stand beside the flags; `main` finds it in argv[1:].
    """
    define_flags(flags.FLAGS)
    app.run(lambda argv: call(main, argv, arguments))


def call(
    main: Callable[[Sequence[str]], int | None],
    argv: Sequence[str],
    arguments: Sequence[str] = (),
) -> int | None:
    """Calls `main` as `run` does, where the flags are read already.

    Args:
      main: see `run`.
      argv: the program's name and what stands beside the flags.
      arguments: see `run`.

    Returns:
      The exit code; None stands for 0.

    Raises:
      app.UsageError: too few or too many arguments.
    """
    if missing := arguments[len(argv) - 1 :]:
        raise app.UsageError(f"missing: {' '.join(missing)}")
    if unexpected := argv[1 + len(arguments) :]:
        raise app.UsageError(f"unexpected arguments: {' '.join(unexpected)}")
    try:
        return main(argv)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
