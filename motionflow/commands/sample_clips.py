"""Draws clips of moving figures, to try it all without a download.

    motionflow sample-clips data/sample_clips
    motionflow train data/sample_clips --dataset=hmdb51

People who walk, punch, jump, do push-ups, pull up and wave, as short .avi files with
HMDB-51 names in HMDB-51's folders. The same seed gives the same bytes.
"""

import collections
import glob
import os

from absl import flags

from motionflow import cli
from motionflow.flag_groups import FlagGroups

WORDS = "output_dir"


def define_flags(values: flags.FlagValues) -> None:
    """Adds this command's flags."""
    define = FlagGroups(values, "Clips")
    define.text("output_dir", "data/sample_clips", "Folder to write to.")
    define.number("num_clips", 120, "How many; 30 show 12 sources.")
    define.number("seed", 0, "Another one: other people and places.")
    workers = os.cpu_count() or 1
    define.number("num_workers", workers, "Processes; the bytes stay the same.")


def main(values: flags.FlagValues) -> None:
    """Writes the clips and says what was written."""
    from motionflow.media import drawn

    folder = values.output_dir
    numbers = values.num_clips, values.seed, values.num_workers
    with cli.progress_bar("drawing", "clip") as progress:
        paths = drawn.write_clips(folder, *numbers, progress)
    actions = collections.Counter(path.split(os.sep)[-2] for path in paths)
    counts = ", ".join(f"{count} {action}" for action, count in actions.items())
    print(f"{len(paths)} clips in {folder}: {counts}.")
    found = glob.glob(os.path.join(glob.escape(folder), "*", "*.avi"))
    if others := len(set(found) - set(paths)):
        print(f"{others} other .avi files were there before and stay as they are.")
