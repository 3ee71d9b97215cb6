"""Puts models side by side: fine flow, next steps, films, futures.

    motionflow compare R1 R2 --data_dir=D --video_dir=V --output_dir=O

R1, R2 are models for the frames and grid of D; V holds the videos that D was made from.
Every difference is to the first model, on the same draws of clips. Written into O:
comparison.json (all numbers with 95 % intervals), comparison.md (tables), strip.png and
strip_frames.png (three samples under each model).

    EPE at full size    where D keeps dense flow (--store_dense_flow)
    EPE, Dir by step    where D keeps sequences (--sequence_length)
    PSNR, SSIM          of films at the videos' pace, 1, 5 and 25 frames after the start
    best of n           drawn futures, by their first step and as a whole

A film takes about a second on two cores, and each sample one of each model (two of one
that predicts several steps).
"""

import shlex
import sys

from absl import flags

from motionflow import cli
from motionflow.flag_groups import FlagGroups
from motionflow.labels.splits import SPLITS
from motionflow.scoring import UNITS

WORDS = "models"


def define_flags(values: flags.FlagValues) -> None:
    """Adds this command's flags."""
    define = FlagGroups(values, "Comparison")
    define.texts("models", "Run directories or exports.")
    define.text("data_dir", "data/tfrecords", "Data directory.")
    define.text("video_dir", "data/hmdb51", "Videos it was made from.")
    define.text("output_dir", None, "Where to write.", required=True)
    define.choice("split", "validation", SPLITS, "Split to compare on.")
    text = "Samples of a clip, spread evenly over it; 0 takes all."
    define.number("max_samples_per_clip", 2, text, at_least=0)
    define.number("num_futures", 10, "Futures drawn of each model.", at_least=1)
    define.choice("interval_unit", "clip", UNITS, "What the bootstrap draws again.")
    define.number("batch_size", 8, "Samples at a time.", at_least=1)
    define.number("seed", 0, "Of futures and bootstrap.", at_least=0)


def main(values: flags.FlagValues) -> None:
    """Compares, prints the tables."""
    from motionflow.scoring import comparison, comparison_tables

    with cli.progress_bar("flow, then films", "sample") as progress:
        summary = comparison.compare(
            values.models,
            values.data_dir,
            values.video_dir,
            values.split,
            values.output_dir,
            comparison.Options(
                max_samples_per_clip=values.max_samples_per_clip,
                num_futures=values.num_futures,
                interval_unit=values.interval_unit,
                batch_size=values.batch_size,
                seed=values.seed,
                command=shlex.join(["python", *sys.argv]),
                progress=progress,
            ),
        )
    print(comparison_tables.markdown(summary))
    print(f"Written to {values.output_dir}")
