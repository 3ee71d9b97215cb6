"""From finished samples to a data directory, as large as HMDB-51's: time and memory.

    samples of a few clips, linked as the samples of many --build_data_dir--> shards

The builder runs as it is, in a process of its own; only its engine finds every clip's
samples there already. The links lead to few files, so these come from memory, as they
do right after an extraction; the shards are written in full.
"""

import itertools
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from common import print_table

from motionflow.data import writer
from motionflow.data.builder import build_data_dir
from motionflow.data.data_dir import read_manifest
from motionflow.labels.clips import Clip
from motionflow.labels.codebook import Codebook
from motionflow.labels.extraction import WorkDir, extract_clips
from motionflow.labels.options import FRAME_ENCODINGS, BuildOptions, LabelOptions
from motionflow.labels.samples import ClipSamples, decode_frame, encode_frame

MAX_SECONDS, MAX_MEGABYTES = 180, 1000
OF_SAMPLES = 48_000  # for so many
NUM_ENCODED = 100  # clips whose frames are encoded in other ways
LABELS = LabelOptions(flow_method="dis")
STORED = LABELS.frame_encoding, LABELS.frame_size


class Build(NamedTuple):
    """What a build took; megabytes are of resident memory.

    Attributes:
      seconds, processor: by the clock, and of all cores.
      fitting: seconds of k-means.
      before, peak: megabytes with all libraries imported, and the most.
      opened: how often a file of samples was opened, on average.
      read: bytes that were read.
    """

    seconds: float
    processor: float
    fitting: float
    before: float
    peak: float
    opened: float
    read: int


def measure_finished(
    video_dir: Path, clips: list[Clip], num_samples: int, num_clusters: int
) -> None:
    """Prints what it takes to make shards of samples that are there."""
    with tempfile.TemporaryDirectory() as folder:
        work = WorkDir(Path(folder), video_dir, LABELS)
        extract_clips(clips, work, os.cpu_count() or 1)
        found = [work.file(clip) for clip in clips if work.file(clip).exists()]
        counts = {
            file: (len(ClipSamples.load_flow(file)), file.stat().st_size)
            for file in found
        }
        files = list(_repeated(counts, num_samples))
        for i in range(len(files)):
            Path(folder, "videos", str(i)).mkdir(parents=True)
            Path(folder, "videos", str(i), "clip.avi").touch()
        # A process that is started anew: its peak is its own.
        context = multiprocessing.get_context("spawn")
        with context.Pool(1) as pool:
            build = pool.apply(_build, (Path(folder), files, num_clusters))
        manifest = read_manifest(Path(folder, "data"))
        size = sum(counts[file][1] for file in files)
        sizes = {name: f"{_kilobytes(files, name):.1f}" for name in FRAME_ENCODINGS}
    made = sum(split["num_samples"] for split in manifest["splits"].values())
    written = sum(s["bytes"] for p in manifest["splits"].values() for s in p["shards"])
    read = (build.read - written) / size
    rows = {
        "samples, clips": f"{made:,}, {len(files):,}",
        "seconds": f"{build.seconds:.1f}",
        "of the processor": f"{build.processor:.1f}",
        "of that k-means, by the clock": f"{build.fitting:.1f}",
        "**samples a second**": f"**{made / build.seconds:.0f}**",
        f"so {OF_SAMPLES:,} samples": f"{OF_SAMPLES * build.seconds / made:.0f} s",
        "peak of the process": f"{build.peak:.0f} MB",
        "of that before it begins": f"{build.before:.0f} MB",
        "each file of samples opened": f"{build.opened:.2f} times",
        "bytes read by their size, checksums of shards apart": f"{read:.2f}",
        "shards": f"{written / 2**20:.0f} MB",
        "kB a frame in shards, " + ", ".join(sizes): ", ".join(sizes.values()),
    }
    print_table(["", ""], rows.items(), "## Finished samples to shards")
    print(f"\nTargets: {OF_SAMPLES:,} samples in {MAX_SECONDS} s, {MAX_MEGABYTES} MB.")


def _repeated(counts: dict[Path, tuple[int, int]], num_samples: int) -> Iterator[Path]:
    """The files in turn, until there are as many samples."""
    for file in itertools.cycle([file for file in counts if counts[file][0]]):
        if num_samples <= 0:
            return
        yield file
        num_samples -= counts[file][0]


def _kilobytes(files: Sequence[Path], encoding: str) -> float:
    """Mean of a few clips' frames, as they are in another encoding."""
    frames = [f for file in files[:NUM_ENCODED] for f in ClipSamples.load(file).frames]
    decoded = [decode_frame(f, *STORED) for f in frames]
    sizes = [len(encode_frame(frame, encoding)) for frame in decoded]
    return sum(sizes) / len(sizes) / 1000


def _build(folder: Path, files: Sequence[Path], num_clusters: int) -> Build:
    """Builds a data directory; runs in a process of its own."""
    opened = 0

    def count(event: str, arguments: tuple) -> None:
        nonlocal opened
        if event == "open" and str(arguments[0]).endswith(".npz"):
            opened += not str(arguments[0]).endswith("codebook.npz")

    fitting, fit = 0.0, writer.fit_codebook

    def timed(*arguments: Any) -> Codebook:
        nonlocal fitting
        start = time.perf_counter()
        codebook = fit(*arguments)
        fitting = time.perf_counter() - start
        return codebook

    def link(clips: Sequence[Clip], work: WorkDir) -> dict:
        for clip, file in zip(clips, files, strict=True):
            os.link(file, work.file(clip))
        return {}

    # What is imported when first needed is here before the clock starts.
    import sklearn.cluster  # noqa: F401

    options = BuildOptions("folder", num_clusters=num_clusters, labels=LABELS)
    before, read = _peak(), _read()
    sys.addaudithook(count)
    writer.fit_codebook = timed
    start = time.perf_counter(), time.process_time()
    build_data_dir(folder / "videos", folder / "data", options, extract=link)
    return Build(
        time.perf_counter() - start[0],
        time.process_time() - start[1],
        fitting,
        before,
        _peak(),
        opened / len(files),
        _read() - read,
    )


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _read() -> int:
    """Bytes that this process has read, from Linux's /proc."""
    return int(Path("/proc/self/io").read_text().split()[1])
