"""What Beam adds to extraction, at more workers than this machine has cores.

    python benchmarks/beam_overhead.py --methods=deepflow
    python benchmarks/beam_overhead.py --methods=dis --num_clips=200

The engines run as they are (Beam's local runner, a process for each worker), but flow
is a sleep of as long as a pair takes here: so a worker stands for a core of its own, as
far as the rest (decoding, PNG, files) leaves these cores free. Small videos of two
samples, so six pairs each. Printed for each engine and number of workers: the seconds
of two amounts of clips, what they say about the start and about each further clip, and
the share of the sleep in the latter: 1 is no overhead at all. Beam's own remarks go to
the standard error.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from common import machine, print_table

from motionflow.errors import InputError
from motionflow.labels import extraction
from motionflow.labels.clips import find_folder_clips
from motionflow.labels.flow import make_flow_function
from motionflow.labels.options import LabelOptions
from motionflow.media.video_writer import write_video

SIZE, NUM_FRAMES, NUM_PAIRS = 200, 9, 6
# Python runs a file of this name when it starts, workers of workers, too.
HOOK = (
    "sitecustomize.py",
    """
import time
import numpy as np
from motionflow.labels import flow

class Sleep:
    def calc(self, first, second, _):
        time.sleep({seconds})
        return np.zeros((*first.shape, 2), np.float32)

flow.FLOW_METHODS["dis"] = Sleep
""",
)


def write_videos(folder: Path, num_clips: int) -> None:
    """Blurred noise that moves by two pixels a frame."""
    folder.mkdir()
    random = np.random.default_rng(0)
    for i in range(num_clips):
        noise = random.uniform(0, 255, (SIZE, SIZE, 3))
        first = cv2.GaussianBlur(noise, (0, 0), 2).astype(np.uint8)
        frames = [np.roll(first, 2 * k, axis=1) for k in range(NUM_FRAMES)]
        write_video(folder / f"{i:04d}.mp4", frames, 25)


def pair_seconds(method: str) -> float:
    """Median of a few pairs on one thread."""
    cv2.setNumThreads(1)
    compute, times = make_flow_function(method), []
    noise = np.random.default_rng(0).uniform(0, 255, (SIZE, SIZE))
    first = cv2.GaussianBlur(noise, (0, 0), 2).astype(np.uint8)
    for _ in range(7):
        start = time.perf_counter()
        compute(first, np.roll(first, 2, axis=1))
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def extract(engine: str, videos: Path, num_clips: int, num_workers: int) -> float:
    """Seconds of an engine for some clips."""
    clips = find_folder_clips(videos)[:num_clips]
    with tempfile.TemporaryDirectory() as folder:
        work = extraction.WorkDir(Path(folder), videos, LabelOptions(flow_method="dis"))
        start = time.perf_counter()
        if engine == "beam":
            from motionflow.labels import beam

            mode = "--direct_running_mode=multi_processing"
            options = [mode, f"--direct_num_workers={num_workers}"]
            failures = beam.extract_clips(clips, work, pipeline_args=options)
        else:
            failures = extraction.extract_clips(clips, work, num_workers)
        elapsed = time.perf_counter() - start
    if failures:
        raise InputError(f"{failures}")
    return elapsed


def rows(args: argparse.Namespace, videos: Path, seconds: float) -> Iterator[list[str]]:
    """A row for each engine and number of workers."""
    for engine in ("local", "beam"):
        for workers in args.workers:
            few, many = workers, workers + args.num_clips
            times = [extract(engine, videos, n, workers) for n in (few, many)]
            a_clip = (times[1] - times[0]) / args.num_clips
            share = NUM_PAIRS * seconds / workers / a_clip
            numbers = [times[0], times[1], times[0] - NUM_PAIRS * seconds]
            cells = [f"{number:.1f}" for number in numbers]
            yield [engine, f"{workers}", *cells, f"{1000 * a_clip:.0f}", f"{share:.2f}"]


def main() -> None:
    """Prints a table for each flow method."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--methods", nargs="*", default=["deepflow"])
    parser.add_argument("--workers", nargs="*", type=int, default=[1, 2, 4])
    parser.add_argument("--num_clips", type=int, default=16, help="the further ones")
    args = parser.parse_args()
    print(machine(OpenCV=cv2.__version__))
    with tempfile.TemporaryDirectory() as folder:
        videos = Path(folder, "videos")
        write_videos(videos, args.num_clips + max(args.workers))
        os.environ["PYTHONPATH"] = os.pathsep.join(
            [folder, os.environ.get("PYTHONPATH", "")]
        )
        for method in args.methods:
            seconds = pair_seconds(method)
            name, text = HOOK
            Path(folder, name).write_text(text.format(seconds=seconds))
            head = ["engine", "workers", "few clips, s", "with more, s", "start, s"]
            head += ["ms a further clip", "share of the sleep"]
            title = f"## {method}: {1000 * seconds:.1f} ms a pair"
            print_table(head, rows(args, videos, seconds), title)


if __name__ == "__main__":
    main()
