"""Turns a folder of video clips into TFRecord shards with frames and flow labels.

    python tools/make_tfrecords.py --video_dir=data/hmdb51 --output_dir=data/tfrecords

HMDB-51 is published by the Serre Lab as one archive a class; unpacked, its clips lie in
<video_dir>/<action>/<name>.avi.
Stopped, it goes on where it was when the same command is started again.
"""

import functools
import os
import shlex
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from absl import flags

from motionflow import cli
from motionflow.data.clip_status import FAILED, STATUSES
from motionflow.data.codebook import Codebook
from motionflow.data.extraction import ClipLimits, extract_clips
from motionflow.data.flow import FLOW_AVERAGES, FLOW_METHODS, GRID_SAMPLINGS
from motionflow.data.samples import (
    DUPLICATES,
    FRAME_ENCODINGS,
    STABILIZERS,
    LabelOptions,
)
from motionflow.data.splits import PROTOCOLS, SPLITS
from motionflow.errors import InputError

# The builder imports TensorFlow, and every worker process imports this file first: it
# is imported where it is used, so that workers start fast.

DEFAULT_VIDEO_DIR = "data/hmdb51"
LEFT_OUT_NOTES = {
    "cut": "a shot cut in their window of frames",
    "duplicate": "a duplicated frame in it (--duplicates=remove keeps more)",
    "unstable": "the camera's motion could not be removed",
}
STATUS_NOTES = {
    "truncated": "fewer frames than announced; used all the same",
    "filtered": "by name, official lists, cuts, duplicates or camera",
    "too_short": "for one sample",
    "corrupt": "cannot be decoded",
    "timeout": "took longer than --clip_timeout",
}


def define_flags(flag_values: flags.FlagValues = flags.FLAGS) -> None:
    """Adds this tool's flags; the defaults are the report's choices."""
    from motionflow.data.builder import DATASETS, BuildOptions

    build, labels, limits = BuildOptions(), LabelOptions(), ClipLimits()

    def text(name: str, default: str | None, help_text: str) -> None:
        flags.DEFINE_string(name, default, help_text, flag_values=flag_values)

    def choice(name: str, default: str, choices: Iterable[str], help_text: str) -> None:
        flags.DEFINE_enum(
            name, default, list(choices), help_text, flag_values=flag_values
        )

    def number(name: str, default: int, help_text: str, at_least: int = 1) -> None:
        flags.DEFINE_integer(
            name, default, help_text, lower_bound=at_least, flag_values=flag_values
        )

    text("video_dir", DEFAULT_VIDEO_DIR, "Folder of videos.")
    text("output_dir", "data/tfrecords", "Data directory to write.")
    choice("dataset", build.dataset, DATASETS, "How to read file names.")
    choice("split", build.split, PROTOCOLS, "What keeps the splits apart.")
    text("split_dir", None, "Folder of the official split files.")
    choice("flow_method", labels.flow_method, FLOW_METHODS, "The teacher.")
    number("flow_frames", labels.flow_frames, "Subsequent frames to average over.")
    choice("flow_average", labels.flow_average, FLOW_AVERAGES, "How to average.")
    number("frame_stride", labels.frame_stride, "A sample every so many frames.")
    number("frame_size", labels.frame_size, "Side of the square frame, pixels.")
    number("grid_size", labels.grid_size, "Side of the flow grid, cells.")
    choice("grid_sampling", labels.grid_sampling, GRID_SAMPLINGS, "Flow of a cell.")
    number("num_clusters", build.num_clusters, "Flow vectors in the codebook.")
    choice("frame_encoding", labels.frame_encoding, FRAME_ENCODINGS, "In the records.")
    choice("stabilize", labels.stabilize, STABILIZERS, "Take the camera's motion out.")
    choice("duplicates", labels.duplicates, DUPLICATES, "What duplicated frames cause.")
    number("store_dense_flow", labels.store_dense_flow, "Keep flow at N x N; 0: no.", 0)
    number("sequence_length", labels.sequence_length, "Steps whose flow is kept.")
    text("codebook", None, "A codebook.npz to use instead of fitting one.")
    choice("engine", "local", ["local", "beam"], "Where clips are extracted.")
    text("beam_args", "", "Options of the Beam pipeline, as one string.")
    number("num_workers", os.cpu_count() or 1, "Processes of the local engine.")
    number(
        "clip_timeout", int(limits.seconds), "Seconds that a clip may take; 0: any.", 0
    )
    number(
        "clip_memory_mb", limits.megabytes, "Memory that a clip may take; 0: any.", 0
    )
    flags.DEFINE_float(
        "max_failed_fraction",
        0.1,
        "Share of the clips that may fail.",
        lower_bound=0,
        upper_bound=1,
        flag_values=flag_values,
    )
    number("seed", build.seed, "Of the split and the codebook.", at_least=0)


def main(argv: Sequence[str]) -> None:
    """Reads the flags, builds, prints what became of the clips."""
    from motionflow.data.builder import BuildOptions, build_data_dir

    del argv
    values = flags.FLAGS
    if not Path(values.video_dir).is_dir():
        raise InputError(_where_to_get_videos(values.video_dir))
    labels: dict[str, Any] = {
        name: values[name].value for name in LabelOptions.__dataclass_fields__
    }
    options = BuildOptions(
        dataset=values.dataset,
        split=values.split,
        num_clusters=values.num_clusters,
        seed=values.seed,
        codebook=Codebook.load(values.codebook) if values.codebook else None,
        labels=LabelOptions(**labels),
    )
    with cli.progress_bar("frames and flow", "clip") as progress:
        statuses = build_data_dir(
            values.video_dir,
            values.output_dir,
            options,
            extract=_engine(values, progress),
            split_dir=values.split_dir,
            max_failed_fraction=values.max_failed_fraction,
        )
    _print_summary(values.output_dir, statuses)


def _engine(values: flags.FlagValues, progress: Callable[[int, int], None]) -> Callable:
    limits = ClipLimits(values.clip_timeout, values.clip_memory_mb)
    if values.engine == "local":
        return functools.partial(
            extract_clips,
            num_workers=values.num_workers,
            limits=limits,
            progress=progress,
        )
    from motionflow.data import beam

    return functools.partial(
        beam.extract_clips,
        limits=limits,
        pipeline_args=shlex.split(values.beam_args),
        progress=progress,
    )


def _where_to_get_videos(video_dir: str) -> str:
    message = f"video_dir {video_dir} is not a directory."
    if video_dir == DEFAULT_VIDEO_DIR:
        message += (
            "\nHMDB-51 is published by the Serre Lab (search for 'HMDB: a large human "
            "motion database');\nunpack one archive a class so that the clips lie in "
            f"{video_dir}/<action>/<name>.avi."
            "\nTo try without it: python tools/make_sample_clips.py "
            f"--output_dir={video_dir}"
        )
    return message


def _print_summary(output_dir: str, statuses: Sequence) -> None:
    from motionflow.data.records import open_data_dir

    data = open_data_dir(output_dir)
    print(f"{'status':9} {'clips':>7} {'frames':>9} {'samples':>8}")
    for name in STATUSES:
        chosen = [status for status in statuses if status.status == name]
        if chosen:
            frames = sum(status.frames for status in chosen)
            samples = sum(status.samples for status in chosen)
            note = STATUS_NOTES.get(name, "")
            print(
                f"{name:9} {len(chosen):7d} {frames:9d} {samples:8d}  {note}".rstrip()
            )
    for status in statuses:
        if status.status in (*FAILED, "too_short"):
            reason = status.reason.encode(errors="backslashreplace").decode()
            print(f"  {status.status}: {status.clip!r}: {reason}")
    for cause, note in LEFT_OUT_NOTES.items():
        left_out = sum(getattr(status, f"{cause}_samples") for status in statuses)
        if left_out:
            print(f"{left_out} samples left out: {note}")
    counts = ", ".join(f"{data.num_samples(split)} in {split}" for split in SPLITS)
    print(f"samples: {counts}")
    codebook = data.codebook
    still = codebook.counts[codebook.zero_index] / codebook.counts.sum()
    print(
        f"{codebook.num_clusters} flow vectors; {still:.0%} of the training cells "
        "are still"
    )
    if not codebook.num_near_zero:
        print("no flow vector is near zero: the camera seems never to rest")
    print(f"{output_dir} is complete")


if __name__ == "__main__":
    cli.run(main, define_flags)
