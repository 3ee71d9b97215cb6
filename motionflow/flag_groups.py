"""The flags of a command: defined group by group, read from files, printed as its help.

    FlagGroups(values, "Film").number("fps", 10.0, "Frames a second.", at_least=0.1)
    format_help(values)  ->  Film:
                               --fps=10.0    Frames a second.
    read_flag_files(["data", "--flagfile=a.flags"])  ->  ["data", "--width=0.5"], ...

A group is what absl calls the module of a flag. A flag file has a flag a line. Empty
lines and lines that begin with # or // say nothing; a line --flagfile=F stands for the
lines of F. Of a flag that is given twice the last one counts. (absl reads such files,
too, but only as the system's own text.)
"""

import os
import re
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

from absl import flags

from motionflow.errors import InputError
from motionflow.text_file import read_text

# What a model is, wherever one is taken.
MODEL = (
    "Run directory (or its checkpoints/best), export, folder of exports; default is "
    "the model in the box."
)
_INDENT = 26  # columns before a flag's text
_WIDTH = 88


class FlagGroups:
    """Defines flags on a registry; each belongs to the group that was named last.

    Args:
      values: the registry.
      title: of the first group.
    """

    def __init__(self, values: flags.FlagValues, title: str):
        self._own: dict[str, Any] = {"flag_values": values, "module_name": title}

    def group(self, title: str) -> None:
        """Begins a group."""
        self._own["module_name"] = title

    def text(
        self, name: str, default: str | None, help_text: str, required: bool = False
    ) -> None:
        """One text."""
        flags.DEFINE_string(name, default, help_text, required=required, **self._own)

    def texts(self, name: str, help_text: str, default: Sequence[str] = ()) -> None:
        """Texts with commas between them."""
        flags.DEFINE_list(name, list(default), help_text, **self._own)

    def repeated(self, name: str, help_text: str) -> None:
        """A text that may be given several times; none by default."""
        flags.DEFINE_multi_string(name, [], help_text, **self._own)

    def choice(
        self, name: str, default: str | None, choices: Iterable[str], help_text: str
    ) -> None:
        """One of several words."""
        flags.DEFINE_enum(name, default, list(choices), help_text, **self._own)

    def switch(self, name: str, default: bool, help_text: str) -> None:
        """Yes or no: --name, --noname."""
        flags.DEFINE_bool(name, default, help_text, **self._own)

    def number(
        self,
        name: str,
        default: float | None,
        help_text: str,
        at_least: float | None = None,
        at_most: float | None = None,
    ) -> None:
        """A number: a real one if its default or its lower bound is."""
        bounds: Any = {"lower_bound": at_least, "upper_bound": at_most}
        is_real = isinstance(default, float) or isinstance(at_least, float)
        define: Any = flags.DEFINE_float if is_real else flags.DEFINE_integer
        define(name, default, help_text, **bounds, **self._own)


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


def format_help(values: flags.FlagValues) -> str:
    """All flags of a registry, group by group, each with its default."""
    groups = values.flags_by_module_dict()
    return "\n\n".join(
        "\n".join([f"{title}:", *map(_entry, group)]) for title, group in groups.items()
    )


def _entry(flag: flags.Flag) -> str:
    head, text = f"  --{_usage(flag)}", help_text(flag)
    if choices := _choices(flag):
        text = f"{text} One of: {', '.join(choices)}."
    lines = textwrap.wrap(text, _WIDTH - _INDENT, break_on_hyphens=False)
    if len(head) > _INDENT - 2:
        lines = ["", *lines]
    rest = [f"{'':{_INDENT}}{line}" for line in lines[1:]]
    return "\n".join([f"{head:{_INDENT}}{lines[0]}".rstrip(), *rest])


def help_text(flag: flags.Flag) -> str:
    """What a flag is; absl adds its kind, before and behind."""
    return re.sub(r"^<.*?>: |;\n.*", "", flag.help or "", flags=re.DOTALL)


def _usage(flag: flags.Flag) -> str:
    if flag.boolean:
        return f"{flag.name}, --no{flag.name}" if flag.default else f"[no]{flag.name}"
    default = flag.default
    if isinstance(default, Sequence) and not isinstance(default, str):
        default = ",".join(default)
    return f"{flag.name}={'' if default is None else default}"


def _choices(flag: flags.Flag) -> Sequence[str]:
    return getattr(flag.parser, "enum_values", ())
