"""Turns a folder of video clips into training data.

    motionflow data data/hmdb51 --output_dir=data/tfrecords
    motionflow data videos --dataset=folder --flow_method=dis --output_dir=data/own

HMDB-51 is published by the Serre Lab as one archive a class; unpacked, its clips lie in
<video_dir>/<action>/<name>.avi. UCF-101 and plain folders of videos work too. Written
are TFRecord shards of frames and flow labels, the codebook, and what became of each
clip. Stopped, the same command goes on where it was.
"""

from pathlib import Path

from absl import flags

from motionflow import cli
from motionflow.commands import data_flags
from motionflow.errors import InputError
from motionflow.flag_groups import FlagGroups
from motionflow.labels.options import BuildOptions

WORDS = "video_dir"
GOES_ON = True
DEFAULT_VIDEO_DIR = "data/hmdb51"


def define_flags(values: flags.FlagValues) -> None:
    """Adds this command's flags."""
    define = FlagGroups(values, "Input and output")
    define.text("video_dir", DEFAULT_VIDEO_DIR, "Folder of videos.")
    define.text("output_dir", "data/tfrecords", "Data directory to write.")
    text = "Of the split and the codebook."
    define.number("seed", BuildOptions().seed, text, at_least=0)
    data_flags.define_flags(values)


def main(values: flags.FlagValues) -> None:
    """Builds, prints what became of the clips."""
    from motionflow.data.builder import build_data_dir, format_summary

    if not Path(values.video_dir).is_dir():
        raise InputError(_where_to_get_videos(values.video_dir))
    options = data_flags.options_from(values)
    with cli.progress_bar("frames and flow", "clip") as progress:
        statuses = build_data_dir(
            values.video_dir,
            values.output_dir,
            options,
            extract=data_flags.engine_from(values, progress),
            split_dir=values.split_dir,
            max_failed_fraction=values.max_failed_fraction,
        )
    print(format_summary(values.output_dir, statuses))


def _where_to_get_videos(video_dir: str) -> str:
    message = f"video_dir {video_dir} is not a directory."
    if video_dir == DEFAULT_VIDEO_DIR:
        message += (
            "\nHMDB-51 is published by the Serre Lab (search for 'HMDB: a large human "
            "motion database');\nunpack one archive a class so that the clips lie in "
            f"{video_dir}/<action>/<name>.avi."
            f"\nTo try without it: motionflow sample-clips {video_dir}"
        )
    return message
