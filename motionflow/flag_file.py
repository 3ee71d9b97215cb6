"""Words of a command line with a flag file among them -> with its lines in its place.

["data", "--flagfile=a.flags"]  --read_flag_files-->  ["data", "--width=0.5"], "a.flags"

A flag file has a flag a line. Empty lines and lines that begin with # or // say
nothing; a line --flagfile=F stands for the lines of F. Of a flag that is given twice
the last one counts. (absl reads such files, too, but only as the system's own text.)
"""

import os
from collections.abc import Sequence

from motionflow.errors import InputError
from motionflow.text_file import read_text


def read_flag_files(
    words: Sequence[str], within: Sequence[str] = ()
) -> tuple[list[str], str]:
    """Puts the lines of flag files in their place.

    Args:
      words: a command line; behind "--" nothing is a flag.
      within: flag files that are being read.

    Returns:
      the words, and the name of the first flag file, "" if there is none.

    Raises:
      InputError: a flag file that cannot be read, is no text, or holds itself.
    """
    found: list[str] = []
    name, rest = "", list(words)
    while rest and rest[0] != "--":
        word = rest.pop(0)
        flag, is_set, file = word.lstrip("-").partition("=")
        if flag != "flagfile" or not word.startswith("-"):
            found.append(word)
            continue
        if not is_set and not rest:
            raise InputError("--flagfile names no file")
        file = file if is_set else rest.pop(0)
        name = name or file
        found += _lines(file, within)
    return found + rest, name


def _lines(file: str, within: Sequence[str]) -> list[str]:
    if not file:
        return []
    path = os.path.expanduser(file)
    if path in within:
        raise InputError(f"the flag file {path} holds itself")
    lines = [line.strip() for line in read_text(path).splitlines()]
    flags = [line for line in lines if line and not line.startswith(("#", "//"))]
    return read_flag_files(flags, (*within, path))[0]
