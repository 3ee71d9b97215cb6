"""What extraction costs beside flow, how it scales, and whether its memory grows.

    python benchmarks/extraction.py VIDEO_DIR

Measurements on the videos of VIDEO_DIR, chosen evenly from its list (0 clips leave one
out):

overhead  one process, DeepFlow or --flow_method. Each clip's samples are made and
          saved, and right after that come the bare flow calls alone, on the same
          frames. Overhead is the share of the whole that is not flow. The stages are
          also run one by one, to show where it goes: a second estimate, apart from the
          first. Where other programs run, the processor's seconds tell more.
workers   the same clips with one worker and with two. The limit of the machine is what
          two processes reach that do nothing but DeepFlow.
memory    one worker, 200 clips with DIS: the worker's resident memory after each clip.
shards    with --num_samples: see finished_samples.py.

With the defaults each takes one to three minutes on two idle cores. Sample clips serve
as well as real ones:

    motionflow sample-clips data/sample_clips --num_clips=200
    python benchmarks/extraction.py data/sample_clips
"""

import argparse
import dataclasses
import functools
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from common import machine, print_table

from motionflow.labels.clips import Clip, find_folder_clips
from motionflow.labels.extraction import (
    DEFAULT_LIMITS,
    WorkDir,
    extract_clips,
    make_pool,
)
from motionflow.labels.flow import FLOW_METHODS, to_grid
from motionflow.labels.options import LabelOptions
from motionflow.labels.samples import encode_frame, extract_samples
from motionflow.media.continuity import mark_breaks
from motionflow.media.video import fit_frame, open_video

MAX_OVERHEAD = {"deepflow": 0.1, "dis": 0.25}
MIN_SPEEDUP = 1.85
SHOWN_CLIPS = 10, 50, 100, 150, 200
LABELS = LabelOptions()


class Stages(dict):
    """Seconds of each stage, by the clock and of the processor: float [2]."""

    def run(self, name: str, function: Callable, *arguments):
        """Calls the function and adds its time to a stage."""
        start = np.array([time.perf_counter(), time.process_time()])
        result = function(*arguments)
        spent = np.array([time.perf_counter(), time.process_time()]) - start
        self[name] = self.get(name, 0) + spent
        return result


def choose(clips: Sequence[Clip], count: int) -> list[Clip]:
    """`count` clips, or all: the middle ones of as many equal parts of the list."""
    count = min(count, len(clips))
    return [clips[(2 * i + 1) * len(clips) // (2 * count)] for i in range(count)]


def bare_flow(
    grays: list[np.ndarray], starts: np.ndarray, method: str
) -> list[list[np.ndarray]]:
    """Flow from each start to the frames after it, and nothing else."""
    algorithm = FLOW_METHODS[method]()
    gaps = range(1, LABELS.flow_frames + 1)
    return [
        [algorithm.calc(grays[start], grays[start + gap], None) for gap in gaps]
        for start in starts
    ]


def take_apart(
    video: Path, starts: np.ndarray, method: str, stages: Stages
) -> np.ndarray:
    """Makes a clip's labels stage by stage; returns them, float32 [N, g, g, 2]."""
    opened = stages.run("read time stamps", open_video, video)
    frames = stages.run("decode", lambda: list(opened.read()))
    fitted = stages.run(
        "fit", lambda: [fit_frame(f, LABELS.frame_size) for f in frames]
    )
    stages.run("find cuts and duplicates", lambda: list(mark_breaks(fitted)))
    grays = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in fitted]
    flows = stages.run("flow", bare_flow, grays, starts, method)
    grids = stages.run(
        "average and grid",
        lambda: [
            to_grid(np.mean(each, axis=0, dtype=np.float32), LABELS.grid_size)
            for each in flows
        ],
    )
    stages.run(
        f"encode {LABELS.frame_encoding}",
        lambda: [encode_frame(fitted[i], LABELS.frame_encoding) for i in starts],
    )
    return np.reshape(np.array(grids, np.float32), (-1, *grids[0].shape))


def measure_overhead(video_dir: Path, clips: list[Clip], method: str) -> None:
    """Prints the share of one worker's time that is not flow."""
    labels = dataclasses.replace(LABELS, flow_method=method)
    stages, num_samples = Stages(), 0
    with tempfile.TemporaryDirectory() as folder:
        for clip in clips:
            video = video_dir / clip.path
            samples = stages.run("whole", extract_samples, video, labels)
            stages.run("save", samples.save, Path(folder, "samples.npz"))
            if not samples.frames:
                continue  # time without any flow: it counts as overhead
            num_samples += len(samples.frames)
            flow = take_apart(video, samples.frame_indices, method, stages)
            if not np.array_equal(flow, samples.flow):
                raise RuntimeError(f"{clip.path}: not the flow of the same frames")
    whole, flow = stages.pop("whole") + stages["save"], stages.pop("flow")
    rows = {
        "the whole": whole,
        "bare flow calls": flow,
        "**overhead**": whole - flow,
        **dict(sorted(stages.items(), key=lambda stage: -stage[1][0])),
        "these stages together": sum(stages.values()),
    }
    title = f"## Overhead, {method}: {len(clips)} clips, {num_samples} samples"
    cells = [
        [
            name,
            f"{clock:.2f}",
            f"{clock / whole[0]:.1%}",
            f"{processor:.2f}",
            f"{processor / whole[1]:.1%}",
        ]
        for name, (clock, processor) in rows.items()
    ]
    print_table(["", "s", "share", "processor s", "share"], cells, title)
    print(f"\nTarget: under {MAX_OVERHEAD[method]:.0%}.")


def flow_seconds(num_calls: int) -> float:
    """Seconds of some bare DeepFlow calls; runs in a worker."""
    cv2.setNumThreads(1)
    noise = np.random.default_rng(0).uniform(0, 255, (200, 200))
    first = cv2.GaussianBlur(noise, (0, 0), 2).astype(np.uint8)
    second = np.roll(first, 2, axis=1)
    deepflow = cv2.optflow.createOptFlow_DeepFlow()
    start = time.perf_counter()
    for _ in range(num_calls):
        deepflow.calc(first, second, None)
    return time.perf_counter() - start


def measure_limit(num_calls: int) -> tuple[float, float]:
    """How much more two processes compute than one, and seconds to start them."""
    start = time.perf_counter()
    pool = make_pool(2, DEFAULT_LIMITS)
    try:
        for job in [pool.schedule(flow_seconds, [1]) for _ in range(2)]:
            job.result()
        started = time.perf_counter() - start
        alone = pool.schedule(flow_seconds, [num_calls]).result()
        jobs = [pool.schedule(flow_seconds, [num_calls]) for _ in range(2)]
        together = max(job.result() for job in jobs)
    finally:
        pool.stop()
        pool.join()
    return 2 * alone / together, started


def extraction_seconds(video_dir: Path, clips: list[Clip], num_workers: int) -> float:
    """Wall time of the whole engine, its start included."""
    with tempfile.TemporaryDirectory() as folder:
        work = WorkDir(Path(folder), video_dir, LABELS)
        start = time.perf_counter()
        failures = extract_clips(clips, work, num_workers)
        elapsed = time.perf_counter() - start
    for path, failure in failures.items():
        print(f"{path}: {failure.reason}")
    return elapsed


def measure_workers(video_dir: Path, clips: list[Clip]) -> None:
    """Prints how much faster two workers are than one."""
    limit, started = measure_limit(num_calls=len(clips))
    one, two = (extraction_seconds(video_dir, clips, n) for n in (1, 2))
    rows = {
        "one worker": f"{one:.1f} s",
        "two workers": f"{two:.1f} s",
        "**two against one**": f"**{one / two:.2f}x**",
        "limit of the machine: bare DeepFlow, two processes": f"{limit:.2f}x",
        "start of two workers, in these times": f"{started:.1f} s",
    }
    print_table(["", ""], rows.items(), f"## Workers: {len(clips)} clips")
    print(f"\nTarget: at least {MIN_SPEEDUP}x.")


def resident_megabytes(pid: int) -> float:
    """Resident memory of a process, from Linux's /proc."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def measure_memory(video_dir: Path, clips: list[Clip]) -> None:
    """Prints the memory of one worker over many clips."""
    megabytes, workers = [], set()

    def look(done: int, total: int) -> None:
        del done, total
        (worker,) = multiprocessing.active_children()
        workers.add(worker.pid)
        megabytes.append(resident_megabytes(worker.pid))

    with tempfile.TemporaryDirectory() as folder:
        labels = LabelOptions(flow_method="dis")
        work = WorkDir(Path(folder), video_dir, labels)
        failures = extract_clips(clips, work, 1, progress=look)
    shown = sorted({n for n in SHOWN_CLIPS if n < len(clips)} | {len(clips)})
    rows = [[str(number), f"{megabytes[number - 1]:.1f}"] for number in shown]
    title = f"## Memory of a worker: {len(clips)} clips, {len(failures)} failures"
    print_table(["after clip", "MB"], rows, title)
    first = len(clips) // 20  # until then libraries are loaded and buffers made
    later = megabytes[first:]
    slope = 1024 * np.polyfit(np.arange(len(later)), later, 1)[0]
    print(
        f"\nSlope after clip {first}: {slope:.1f} kB a clip; largest "
        f"{max(megabytes):.1f} MB; worker processes used: {len(workers)}."
    )


def main() -> None:
    """Prints the tables of the three measurements."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("video_dir", type=Path, help="a folder of videos")
    parser.add_argument("--num_overhead_clips", type=int, default=8)
    parser.add_argument("--flow_method", default="deepflow", choices=MAX_OVERHEAD)
    parser.add_argument("--num_workers_clips", type=int, default=16)
    parser.add_argument("--num_memory_clips", type=int, default=200)
    parser.add_argument("--num_samples", type=int, default=0, help="to make shards of")
    parser.add_argument("--num_clusters", type=int, default=40, help="of these")
    parser.add_argument("--num_finished_clips", type=int, default=400)
    args = parser.parse_args()
    print(machine(OpenCV=cv2.__version__))
    clips = find_folder_clips(args.video_dir)
    overhead = functools.partial(measure_overhead, method=args.flow_method)
    for measure, count in (
        (overhead, args.num_overhead_clips),
        (measure_workers, args.num_workers_clips),
        (measure_memory, args.num_memory_clips),
    ):
        if count:
            measure(args.video_dir, choose(clips, count))
            print(f"Load at the end: {os.getloadavg()[0]:.1f}.", flush=True)
    if args.num_samples:
        # Imports TensorFlow, which no worker above should do.
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
        from finished_samples import measure_finished

        finished = choose(clips, args.num_finished_clips)
        measure_finished(args.video_dir, finished, args.num_samples, args.num_clusters)


if __name__ == "__main__":
    main()
