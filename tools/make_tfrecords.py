"""Turns a folder of video clips into TFRecord shards with frames and flow labels.

    python tools/make_tfrecords.py --video_dir=data/hmdb51 --output_dir=data/tfrecords

HMDB-51 is published by the Serre Lab as one archive a class; unpacked, its clips lie in
<video_dir>/<action>/<name>.avi.
Stopped, it goes on where it was when the same command is started again.
"""

import collections
import os
from collections.abc import Sequence
from pathlib import Path

from absl import flags
from tqdm import tqdm

from motionflow import cli
from motionflow.data.flow import FLOW_AVERAGES, FLOW_METHODS, GRID_SAMPLINGS
from motionflow.data.samples import FRAME_ENCODINGS, LabelOptions
from motionflow.data.splits import PROTOCOLS, SPLITS
from motionflow.errors import InputError

# The builder imports TensorFlow, and every worker process imports this file first: it
# is imported where it is used, so that workers start fast.

DEFAULT_VIDEO_DIR = "data/hmdb51"
STATUS_NOTES = {
    "truncated": " (fewer frames than the container announces; used all the same)",
    "filtered": " (camera motion, quality, name or official split; see clips.jsonl)",
}


def define_flags(flag_values: flags.FlagValues = flags.FLAGS) -> None:
    """Adds this tool's flags; the defaults are the report's choices."""
    from motionflow.data.builder import DATASETS, BuildOptions

    build, labels = BuildOptions(), LabelOptions()

    def text(name: str, default: str | None, help_text: str) -> None:
        flags.DEFINE_string(name, default, help_text, flag_values=flag_values)

    def choice(name: str, default: str, choices: Sequence[str], help_text: str) -> None:
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
    number("num_workers", os.cpu_count() or 1, "Processes.")
    number("seed", build.seed, "Of the split and the codebook.", at_least=0)


def main(argv: Sequence[str]) -> None:
    """Reads the flags, builds, prints what became of the clips."""
    from motionflow.data.builder import BuildOptions, build_data_dir

    del argv
    values = flags.FLAGS
    if not Path(values.video_dir).is_dir():
        raise InputError(_where_to_get_videos(values.video_dir))
    label_fields = LabelOptions.__dataclass_fields__
    options = BuildOptions(
        dataset=values.dataset,
        split=values.split,
        num_clusters=values.num_clusters,
        seed=values.seed,
        labels=LabelOptions(**{name: values[name].value for name in label_fields}),
    )
    with tqdm(unit="clip", desc="frames and flow", smoothing=0.05) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        statuses = build_data_dir(
            values.video_dir,
            values.output_dir,
            options,
            split_dir=values.split_dir,
            num_workers=values.num_workers,
            progress=progress,
        )
    _print_summary(values.output_dir, statuses)


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
    for status, count in collections.Counter(s.status for s in statuses).items():
        print(f"{count:6d} clips {status}{STATUS_NOTES.get(status, '')}")
    for status in statuses:
        if status.status in ("corrupt", "too_short"):
            print(f"       {status.status}: {status.clip}: {status.reason}")
    for split in SPLITS:
        print(f"{data.num_samples(split):6d} samples in {split}")
    still = data.codebook.counts[data.codebook.zero_index] / data.codebook.counts.sum()
    print(
        f"{data.codebook.num_clusters} flow vectors; {still:.0%} of the training cells "
        f"are still\n{output_dir} is complete"
    )


if __name__ == "__main__":
    cli.run(main, define_flags)
