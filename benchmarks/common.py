"""What the benchmarks share: the machine's line, tables, the clock."""

import os
import platform
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from motionflow.drawing.tables import markdown_table


def machine(**versions: str) -> str:
    """What a time depends on beside the code, on one line.

    Args:
      **versions: of libraries, by their names.
    """
    libraries = [f"{name} {version}" for name, version in versions.items()]
    python, load = platform.python_version(), os.getloadavg()[0]
    parts = [f"Python {python}", *libraries, f"{os.cpu_count()} CPUs"]
    return ", ".join([*parts, f"load {load:.1f}"])


def print_table(
    head: Sequence[str], rows: Iterable[Sequence[str]], title: str = ""
) -> None:
    """A Markdown table; names at the left, numbers at the right."""
    print(f"\n{title}\n" if title else "")
    print("\n".join(markdown_table(head, list(rows))), flush=True)


def seconds(function: Callable[..., Any], *arguments: Any) -> float:
    """How long one call takes."""
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start
