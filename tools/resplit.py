"""Splits a finished data directory anew; no video is read and no flow computed.

    python tools/resplit.py --data_dir=data/tfrecords --output_dir=data/folds \
        --num_folds=5

writes data/folds/fold-1 to fold-5: complete data directories in which every source
video is tested exactly once. Without --num_folds it writes one data directory, split by
another protocol, seed or into another number of flow vectors.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from absl import flags

from motionflow import cli
from motionflow.data.records import read_manifest
from motionflow.data.resplit import ResplitOptions, resplit_data_dir
from motionflow.data.splits import PROTOCOLS, SPLITS


def define_flags(flag_values: flags.FlagValues = flags.FLAGS) -> None:
    """Adds this tool's flags."""
    own: dict[str, Any] = {"flag_values": flag_values}
    options = ResplitOptions()
    flags.DEFINE_string("data_dir", "data/tfrecords", "Data directory to read.", **own)
    flags.DEFINE_string("output_dir", None, "Data directory to write.", **own)
    flags.DEFINE_enum(
        "split", options.split, list(PROTOCOLS), "What keeps the splits apart.", **own
    )
    flags.DEFINE_string("split_dir", None, "Folder of the official split files.", **own)
    flags.DEFINE_integer(
        "num_folds",
        options.num_folds,
        "Data directories of a cross-validation over sources; 0: a single one.",
        lower_bound=0,
        **own,
    )
    flags.DEFINE_integer(
        "num_clusters",
        options.num_clusters,
        "Flow vectors in the codebook.",
        lower_bound=1,
        **own,
    )
    flags.DEFINE_integer(
        "seed", options.seed, "Of the split and the codebook.", lower_bound=0, **own
    )
    flags.mark_flag_as_required("output_dir", flag_values)


def main(argv: Sequence[str]) -> None:
    """Reads the flags, splits, prints how many samples and clips went where."""
    del argv
    values = flags.FLAGS
    fields = ResplitOptions.__dataclass_fields__
    chosen: dict[str, Any] = {name: values[name].value for name in fields}
    options = ResplitOptions(**chosen)
    with cli.progress_bar("splitting", "directory") as progress:
        written = resplit_data_dir(
            values.data_dir,
            values.output_dir,
            options,
            split_dir=values.split_dir,
            progress=progress,
        )
    _print_summary(written)


def _print_summary(data_dirs: Sequence[Path]) -> None:
    width = max(len(str(path)) for path in data_dirs)
    columns = [f"{split:>10} {'clips':>6}" for split in SPLITS]
    print(f"{'samples of':{width}}", *columns)
    for path in data_dirs:
        splits = [read_manifest(path)["splits"][split] for split in SPLITS]
        columns = [f"{s['num_samples']:10d} {s['num_clips']:6d}" for s in splits]
        print(f"{path!s:{width}}", *columns)


if __name__ == "__main__":
    cli.run(main, define_flags)
