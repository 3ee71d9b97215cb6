"""Models side by side: fine flow, the next steps, films and drawn futures.

    python tools/compare_models.py --models=R1,R2 --data_dir=D --video_dir=V
        --output_dir=O [--split=validation|test|train] [--max_samples_per_clip=2]
        [--num_futures=10] [--interval_unit=clip|source] [--batch_size=8] [--seed=0]

Models are run directories or exports, all for the frames and grid of D; V holds the
videos that D was made from. Every difference is to the first model, on the same draws
of clips. Written into O: comparison.json (all numbers with 95 % intervals),
comparison.md (tables), strip.png and strip_frames.png (three samples under each model).

    EPE at full size    where D keeps dense flow (--store_dense_flow)
    EPE, Dir by step    where D keeps sequences (--sequence_length)
    PSNR, SSIM          of films at the videos' pace, 1, 5 and 25 frames after the start
    best of n           drawn futures, by their first step and as a whole

A film takes about a second on two cores, and each sample one of each model (two of one
that predicts several steps).
"""

import shlex
import sys
from collections.abc import Sequence
from typing import Any

from absl import flags

from motionflow import cli
from motionflow.data.splits import SPLITS
from motionflow.scoring.futures import comparing, tables
from motionflow.scoring.summary import UNITS


def define_flags(flag_values: flags.FlagValues = flags.FLAGS) -> None:
    """Adds this command's flags to a registry."""
    own: dict[str, Any] = {"flag_values": flag_values}
    flags.DEFINE_list("models", [], "Run directories or exports.", **own)
    flags.DEFINE_string("data_dir", "data/tfrecords", "Data directory.", **own)
    flags.DEFINE_string("video_dir", "data/hmdb51", "Videos it was made from.", **own)
    flags.DEFINE_string("output_dir", None, "Where to write.", required=True, **own)
    flags.DEFINE_enum("split", "validation", SPLITS, "Split to compare on.", **own)
    flags.DEFINE_integer(
        "max_samples_per_clip",
        2,
        "Samples of a clip, spread evenly over it; 0 takes all.",
        lower_bound=0,
        **own,
    )
    flags.DEFINE_integer(
        "num_futures", 10, "Futures drawn of each model.", lower_bound=1, **own
    )
    flags.DEFINE_enum(
        "interval_unit", "clip", UNITS, "What the bootstrap draws again.", **own
    )
    flags.DEFINE_integer("batch_size", 8, "Samples at a time.", lower_bound=1, **own)
    flags.DEFINE_integer("seed", 0, "Of futures and bootstrap.", lower_bound=0, **own)


def main(argv: Sequence[str]) -> None:
    """Reads the flags, compares, and prints the tables."""
    del argv
    values = flags.FLAGS
    options = comparing.Options(
        max_samples_per_clip=values.max_samples_per_clip,
        num_futures=values.num_futures,
        interval_unit=values.interval_unit,
        batch_size=values.batch_size,
        seed=values.seed,
        command=shlex.join(["python", *sys.argv]),
    )
    summary = comparing.compare(
        values.models,
        values.data_dir,
        values.video_dir,
        values.split,
        values.output_dir,
        options,
    )
    print(tables.markdown(summary))
    print(f"Written to {values.output_dir}")


if __name__ == "__main__":
    cli.run(main, define_flags)
