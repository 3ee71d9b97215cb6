"""Splits finished data directories anew; no flow is computed.

    motionflow split data/tfrecords --output_dir=data/folds --num_folds=5

writes data/folds/fold-1 to fold-5: complete data directories in which every source
video is tested exactly once. Without --num_folds it writes one data directory, split by
another protocol, seed or into another number of flow vectors.

    motionflow split data/a data/b --output_dir=data/both

puts data directories together: one codebook for all, each split as if it were alone.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from absl import flags

from motionflow import cli
from motionflow.flag_groups import FlagGroups
from motionflow.labels.codebook import Codebook
from motionflow.labels.options import ResplitOptions
from motionflow.labels.splits import PROTOCOLS, SPLITS

WORDS = "data_dir"


def define_flags(values: flags.FlagValues) -> None:
    """Adds this command's flags."""
    options, define = ResplitOptions(), FlagGroups(values, "Split")
    text = "Data directories to read; several become one."
    define.texts("data_dir", text, default=["data/tfrecords"])
    define.text("output_dir", None, "Data directory to write.", required=True)
    define.choice("split", options.split, PROTOCOLS, "What keeps the splits apart.")
    define.text("split_dir", None, "Folder of the official split files.")
    define.number(
        "num_folds",
        options.num_folds,
        "Data directories of a cross-validation over sources; 0: a single one.",
        at_least=0,
    )
    define.number(
        "num_clusters", options.num_clusters, "Flow vectors in the codebook.", 1
    )
    define.text("codebook", None, "A codebook.npz to use instead of fitting one.")
    define.texts("test_sets", "Of several data directories, those to test only.")
    text = "Share of the training sources that is kept."
    define.number("train_share", options.train_share, text, 0.0, 1.0)
    text = "--novalidation: what would validate trains, too; for a last training."
    define.switch("validation", options.validation, text)
    define.number("seed", options.seed, "Of the split and the codebook.", at_least=0)


def main(values: flags.FlagValues) -> None:
    """Splits, prints how many samples and clips went where."""
    from motionflow.data.resplit import resplit_data_dir

    cli.require(values, "data_dir")
    fields = ResplitOptions.__dataclass_fields__
    chosen: dict[str, Any] = {name: values[name].value for name in fields}
    chosen["codebook"] = Codebook.load(values.codebook) if values.codebook else None
    chosen["test_sets"] = tuple(values.test_sets)
    # As plain words they have not been taken apart.
    data_dirs = [path for word in values.data_dir for path in word.split(",")]
    with cli.progress_bar("splitting", "directory") as progress:
        written = resplit_data_dir(
            data_dirs,
            values.output_dir,
            ResplitOptions(**chosen),
            split_dir=values.split_dir,
            progress=progress,
        )
    _print_summary(written)


def _print_summary(data_dirs: Sequence[Path]) -> None:
    from motionflow.data.data_dir import read_manifest

    width = max(len(str(path)) for path in data_dirs)
    columns = [f"{split:>10} {'clips':>6}" for split in SPLITS]
    print(f"{'samples of':{width}}", *columns)
    for path in data_dirs:
        splits = [read_manifest(path)["splits"][split] for split in SPLITS]
        columns = [f"{s['num_samples']:10d} {s['num_clips']:6d}" for s in splits]
        print(f"{path!s:{width}}", *columns)
