"""How long one waits for help, for the import of the package, and for a first film.

    python benchmarks/startup.py [--runs=10]

Each is a process, started as from a shell, measured as a whole; beside them Python that
does nothing, and `import tensorflow`, which help must not wait for. The photograph has
640x480 pixels, and so have the two of the folder, which show what a second one costs.
Printed are the median and the slowest of the runs, in seconds. Run it when nothing else
runs.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
from common import machine, print_table, seconds

from motionflow.commands import VERBS

COMMAND = str(Path(sys.executable).with_name("motionflow"))
PHOTO = Path(__file__).parent.parent / "docs" / "photo.jpg"


def measure(command: list[str], runs: int) -> tuple[float, float]:
    """Seconds, the median and the most."""

    def run() -> None:
        subprocess.run(command, check=True, capture_output=True)

    run()  # fills the file cache
    times = [seconds(run) for _ in range(runs)]
    return statistics.median(times), max(times)


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
    with tempfile.TemporaryDirectory() as folder:
        photos = [Path(folder, "photos", f"{i}.png") for i in range(2)]
        photos[0].parent.mkdir()
        for path in photos:
            cv2.imwrite(str(path), cv2.resize(cv2.imread(str(PHOTO)), (640, 480)))
        animate, films = [COMMAND, "animate"], f"--output={folder}/films"
        rows["motionflow animate 0.png"] = [*animate, str(photos[0]), f"{films}.mp4"]
        rows["motionflow animate photos/"] = [*animate, str(photos[0].parent), films]
        cells = [
            [name, *(f"{value:.3f}" for value in measure(command, runs))]
            for name, command in rows.items()
        ]
    print(f"{machine()}, {runs} runs each")
    print_table(["", "median, s", "slowest, s"], cells)


if __name__ == "__main__":
    main()
