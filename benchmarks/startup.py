"""How long one waits for help, and for the import of the package.

    python benchmarks/startup.py [--runs=10]

Each is a process, started as from a shell, measured as a whole; beside them Python that
does nothing, and `import tensorflow`, which help must not wait for. Printed are the
median and the slowest of the runs, in seconds. Run it when nothing else runs.
"""

import argparse
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

from motionflow.commands import VERBS
from motionflow.tables import markdown_table

COMMAND = str(Path(sys.executable).with_name("motionflow"))


def measure(command: list[str], runs: int) -> list[float]:
    """Seconds of each run."""
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        seconds.append(time.perf_counter() - start)
    return seconds


def main() -> None:
    """Measures all of them and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=10)
    runs = parser.parse_args().runs
    python = [sys.executable, "-c"]
    rows = {
        "python, nothing": [*python, "pass"],
        "import tensorflow": [*python, "import tensorflow"],
        "import motionflow": [*python, "import motionflow"],
        "motionflow --help": [COMMAND, "--help"],
    }
    for verb in (verb for verbs in VERBS.values() for verb in verbs):
        rows[f"motionflow {verb} --help"] = [COMMAND, verb, "--help"]
    cells = []
    for name, command in rows.items():
        subprocess.run(command, check=True, capture_output=True)  # fills the file cache
        seconds = measure(command, runs)
        cells.append([name, f"{statistics.median(seconds):.3f}", f"{max(seconds):.3f}"])
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python", end=" ")
    print(f"{platform.python_version()}, {runs} runs each")
    print("\n".join(markdown_table(["", "median, s", "slowest, s"], cells)))


if __name__ == "__main__":
    main()
