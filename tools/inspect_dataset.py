"""Verifies a data directory, prints its card, draws some of its samples.

    python tools/inspect_dataset.py data/tfrecords --output=samples.png > card.md

The card is Markdown on standard output. Whatever is wrong is one line each on standard
error, and exit code 1. The picture lies beside the directory unless --output says
otherwise, so that the directory stays what its builder wrote.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from absl import flags

from motionflow import cli
from motionflow.data.codebook import Codebook
from motionflow.data.splits import SPLITS
from motionflow.errors import InputError
from motionflow.inspection.card import format_card
from motionflow.inspection.contact_sheet import (
    MOST_SAMPLES,
    contact_sheet,
    draw_samples,
)
from motionflow.inspection.inspector import Inspection, inspect_data_dir
from motionflow.visualize import save_figure

ARGUMENTS = ["DIR"]  # beside the flags


def define_flags(flag_values: flags.FlagValues = flags.FLAGS) -> None:
    """Adds this tool's flags."""
    own: dict[str, Any] = {"flag_values": flag_values}
    flags.DEFINE_integer(
        "num_samples",
        8,
        "Samples in the picture; 0 draws none.",
        lower_bound=0,
        upper_bound=MOST_SAMPLES,
        **own,
    )
    flags.DEFINE_enum("split", "train", list(SPLITS), "Split to draw from.", **own)
    flags.DEFINE_string(
        "output", None, "Picture to write, .png (default: <DIR>-samples.png).", **own
    )
    flags.DEFINE_integer("seed", 0, "Of the samples drawn.", lower_bound=0, **own)


def main(argv: Sequence[str]) -> int:
    """Reads the flags, inspects, prints the card, says what is wrong."""
    values, data_dir = flags.FLAGS, os.path.abspath(argv[1])
    output = Path(values.output or f"{data_dir}-samples.png")
    if output.suffix.lower() != ".png":
        raise InputError(f"--output={output} must end in .png")
    if not output.parent.is_dir():
        raise InputError(f"--output: there is no folder {output.parent}")
    with cli.progress_bar("records", "sample") as progress:
        found = inspect_data_dir(argv[1], progress)
    if found.codebook:
        print(format_card(found))
        if values.num_samples:
            wanted = values.split, values.num_samples, values.seed
            _draw(found, found.codebook, *wanted, output)
    for line in found.problems:
        print(f"problem: {line}", file=sys.stderr)
    return 1 if found.problems else 0


def _draw(
    found: Inspection,
    codebook: Codebook,
    split: str,
    num_samples: int,
    seed: int,
    output: Path,
) -> None:
    samples = draw_samples(found, split, num_samples, seed)
    if not samples:
        print(f"no picture: the {split} split has no good sample", file=sys.stderr)
        return
    title = (
        f"{len(samples)} of {found.censuses[split].num_samples:,} {split} samples of "
        f"{found.path.resolve().name}"
    )
    save_figure(contact_sheet(samples, codebook, title), output)
    print(f"wrote {output}", file=sys.stderr)


if __name__ == "__main__":
    cli.run(main, define_flags, ARGUMENTS)
