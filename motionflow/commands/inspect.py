"""Verifies a data directory, prints its card, draws some samples.

    motionflow inspect data/tfrecords --output=samples.png > card.md

The card is Markdown on standard output. Whatever is wrong is one line each on standard
error, and exit code 1. The picture lies beside the directory unless --output says
otherwise, so that the directory stays what its builder wrote.
"""

import os
import sys
from pathlib import Path

from absl import flags

from motionflow import cli
from motionflow.errors import InputError
from motionflow.files.outputs import check_file
from motionflow.flag_groups import FlagGroups
from motionflow.inspection import MOST_SAMPLES
from motionflow.labels.splits import SPLITS

WORDS = "data_dir"


def define_flags(values: flags.FlagValues) -> None:
    """Adds this command's flags."""
    define = FlagGroups(values, "Inspection")
    define.text("data_dir", "data/tfrecords", "Data directory.")
    define.number(
        "num_samples", 8, "Samples in the picture; 0 draws none.", 0, MOST_SAMPLES
    )
    define.choice("split", "train", SPLITS, "Split to draw from.")
    define.text("output", None, "Picture to write, .png; default: DIR-samples.png.")
    define.number("seed", 0, "Of the samples drawn.", at_least=0)


def main(values: flags.FlagValues) -> int:
    """Inspects, prints the card, says what is wrong."""
    from motionflow.inspection.card import format_card
    from motionflow.inspection.contact_sheet import save_samples
    from motionflow.inspection.inspector import inspect_data_dir

    if not Path(values.data_dir).is_dir():
        raise InputError(f"there is no data directory {values.data_dir}")
    output = Path(values.output or f"{os.path.abspath(values.data_dir)}-samples.png")
    if output.suffix.lower() != ".png":
        raise InputError(f"--output={output} must end in .png")
    if values.num_samples:
        check_file(output)
    with cli.progress_bar("records", "sample") as progress:
        found = inspect_data_dir(values.data_dir, progress)
    if found.codebook:
        print(format_card(found))
    if found.codebook and values.num_samples:
        chosen = values.split, values.num_samples, values.seed
        if save_samples(found, found.codebook, *chosen, output):
            print(f"wrote {output}", file=sys.stderr)
        else:
            text = f"no picture: the {values.split} split has no good sample"
            print(text, file=sys.stderr)
    for line in found.problems:
        print(f"problem: {line}", file=sys.stderr)
    return 1 if found.problems else 0
