"""Draws the sample clips: a data set for `make_tfrecords` that needs no download.

    python tools/make_sample_clips.py --output_dir=data/sample_clips

People who walk, punch, jump, do push-ups, pull up and wave, as short .avi files with
HMDB-51 names in HMDB-51's folders. The same seed gives the same bytes.
"""

import collections
import glob
import os
from collections.abc import Sequence
from typing import Any

from absl import flags

from motionflow import cli
from motionflow.data import drawn


def define_flags(flag_values: flags.FlagValues = flags.FLAGS) -> None:
    """Adds this tool's flags to `flag_values`."""
    own: dict[str, Any] = {"flag_values": flag_values}
    flags.DEFINE_string("output_dir", "data/sample_clips", "Folder to write to.", **own)
    flags.DEFINE_integer("num_clips", 120, "How many; 30 show 12 sources.", **own)
    flags.DEFINE_integer("seed", 0, "Another one: other people and places.", **own)
    flags.DEFINE_integer(
        "num_workers", os.cpu_count() or 1, "Processes; the bytes stay the same.", **own
    )


def main(argv: Sequence[str]) -> None:
    """Writes the clips and says what was written."""
    del argv
    args = flags.FLAGS
    paths = drawn.write_clips(
        args.output_dir, args.num_clips, args.seed, args.num_workers
    )
    actions = collections.Counter(path.split(os.sep)[-2] for path in paths)
    counts = ", ".join(f"{count} {action}" for action, count in actions.items())
    print(f"{len(paths)} clips in {args.output_dir}: {counts}.")
    pattern = os.path.join(glob.escape(args.output_dir), "*", "*.avi")
    others = len(set(glob.glob(pattern)) - set(paths))
    if others:
        print(f"{others} other .avi files were there before and stay as they are.")


if __name__ == "__main__":
    cli.run(main, define_flags)
