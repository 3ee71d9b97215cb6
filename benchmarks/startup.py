"""How long one waits for help, for the import of the package, and for a first film.

    python benchmarks/startup.py [--runs=10] [--stages]

Each is a process, started as from a shell, measured as a whole; beside them Python that
does nothing, and `import tensorflow`, which help must not wait for. The photograph has
640x480 pixels, and so have the two of the folder, which show what a second one costs.
Printed are the median and the slowest of the runs, in seconds. --stages measures only
what a first film is made of, one after the other in one process, and a second one of
the same size. Run it when nothing else runs.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from common import machine, print_table, seconds

from motionflow import terminal
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


def print_stages(photo: Path, runs: int) -> None:
    """What a first film is made of, and a second one; medians."""
    command = [sys.executable, __file__, f"--photo={photo}"]
    found = []
    for _ in range(1 + runs):  # the first fills the file cache
        started = [f"--started={time.time()}"]
        done = subprocess.run(command + started, check=True, capture_output=True)
        *stages, (_, ended) = json.loads(done.stdout)
        found.append([*stages, ("end of the process", time.time() - ended)])
    names = [name for name, _ in found[0]]
    times = np.array([[value for _, value in stages] for stages in found[1:]])
    is_first = [not name.startswith("second") for name in names]
    sums = {"a first film in all": times[:, is_first].sum(axis=1)}
    sums["a second film in all"] = times[:, ~np.array(is_first)].sum(axis=1)
    columns = [*zip(names, times.T, strict=True), *sums.items()]
    rows = [[n, f"{np.median(t):.2f}", f"{t.max():.2f}"] for n, t in columns]
    print_table(["stage", "median, s", "slowest, s"], rows)


def run_stages(photo: Path, started: float) -> None:
    """Runs in a process of its own; prints seconds as JSON, and the time at the end."""
    clock, stages = [started], []

    def passed(name: str) -> None:
        clock.append(time.time())
        stages.append((name, clock[-1] - clock[-2]))

    passed("Python, NumPy, OpenCV")
    with terminal.others_silenced():
        import tensorflow  # noqa: F401
    passed("import tensorflow")
    from motionflow.films import film, model
    from motionflow.media import still, video_writer

    video_writer.write_video(photo.with_suffix(".mp4"), [np.zeros((8, 8, 3), "u1")], 1)
    passed("our modules, PyAV")
    picture = still.read_moment(photo)
    passed("the picture")
    loaded = model.load()
    passed("building the network, loading its weights")
    loaded.flow(picture)
    passed("tracing it, the first prediction")
    for which in ("", "second: "):
        times: list[float] = []

        def frames() -> Iterator[np.ndarray]:
            shown = iter(loaded.animate(picture))
            while True:
                start = time.time()
                if (frame := next(shown, None)) is None:
                    return
                times.append(time.time() - start)  # noqa: B023
                yield frame

        film.write_film(photo.with_suffix(".mp4"), frames(), 26, 10.0, film.no_progress)
        passed("")
        _, whole = stages.pop()
        stages.append((f"{which}the first two frames", sum(times[:2])))
        stages.append((f"{which}24 frames, four predictions", sum(times[2:])))
        stages.append((f"{which}waiting for the encoder", whole - sum(times)))
    print(json.dumps([*stages, ("", time.time())]))


def main() -> None:
    """Measures all of them and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--stages", action="store_true")
    parser.add_argument("--photo", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--started", type=float, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.started:
        run_stages(arguments.photo, arguments.started)
        return
    runs = arguments.runs
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
        if arguments.stages:
            print(f"{machine()}, {runs} runs each")
            print_stages(photos[0], runs)
            return
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
