"""A data directory to others that are split anew, without computing flow again.

    records of all splits, clip by clip -> files of samples, one a clip
      -> another split of them, or one for each fold
      -> codebook and mean frame of each new training split -> shards -> manifest

Frames stay the encoded bytes that they are and flow stays bit for bit; codes are
assigned anew. What comes out is what a build with the same flags would have written.

Memory holds the samples of one clip. On disk all samples lie once more in a work folder
inside the output directory until the end.
"""

import contextlib
import dataclasses
import itertools
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from motionflow.data.build_options import ResplitOptions
from motionflow.data.clip_status import ClipStatus
from motionflow.data.clips import Clip
from motionflow.data.data_dir_writer import read_clips, write_clips, write_data_dir
from motionflow.data.records import (
    KEPT,
    DataDir,
    feature_spec,
    kept_shapes,
    open_data_dir,
)
from motionflow.data.samples import ClipSamples, LabelOptions
from motionflow.data.split_samples import SplitClip
from motionflow.data.splits import SPLITS, official_split, source_folds, split_samples
from motionflow.errors import InputError


def resplit_data_dir(
    data_dir: str | Path,
    output_dir: str | Path,
    options: ResplitOptions,
    *,
    split_dir: str | Path | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Path]:
    """Writes the samples of a data directory as others, split in another way.

    Args:
      data_dir: a complete data directory; only read.
      output_dir: the new one; with folds, the folder for fold-1, fold-2, ...: complete
        data directories, each of all samples.
      options: how to split.
      split_dir: official split files, for the splits official1-3.
      progress: called with (data directories written, in all).

    Returns:
      the data directories that were written.

    Raises:
      InputError: bad options, too few sources or vectors, a `data_dir` that is not
        sound, or `output_dir` holds a data directory already.
    """
    output_dir = Path(output_dir)
    data = open_data_dir(data_dir)
    _check_output(data.path, output_dir)
    statuses = read_clips(data_dir)
    draws = _draw(data, statuses, options, split_dir)
    with _work_folder(output_dir) as work:
        files = _save_samples(data, statuses, work)
        flags = options.flags(data.manifest["flags"])
        if not options.num_folds:
            _write(data, output_dir, statuses, files, draws[0], flags)
            progress(1, 1)
            return [output_dir]
        for i, splits in enumerate(draws, start=1):
            fold = flags | {"fold": i}
            _write(data, work / f"fold-{i}", statuses, files, splits, fold)
            progress(i, options.num_folds)
        # None is seen before all are there: a fold alone is no cross-validation.
        folds = [output_dir / f"fold-{i + 1}" for i in range(options.num_folds)]
        for fold in folds:
            os.replace(work / fold.name, fold)
    return folds


def _check_output(data_dir: Path, output_dir: Path) -> None:
    output = output_dir.resolve()
    if data_dir.resolve() in (output, *output.parents):
        raise InputError(f"output_dir {output_dir} is data_dir or lies in it")
    for pattern in ("manifest.json", "fold-*"):
        for found in sorted(output_dir.glob(pattern)):
            raise InputError(
                f"output_dir {output_dir} holds a data directory already "
                f"({found.name}): remove it or choose another output_dir"
            )


def _draw(
    data: DataDir,
    statuses: Sequence[ClipStatus],
    options: ResplitOptions,
    split_dir: str | Path | None,
) -> list[dict[str, list[str]]]:
    """Draws clip path -> split of each sample, once or for each fold."""
    clips = [_clip(status) for status in statuses if status.samples]
    num_samples = {status.clip: status.samples for status in statuses}
    if not options.num_folds:
        dataset = data.manifest["flags"]["dataset"]
        official = official_split(options.split, dataset, split_dir)
        return [
            split_samples(clips, num_samples, options.split, official, options.seed)
        ]
    if options.split != "source":
        raise InputError(f"num_folds needs split=source, found {options.split}")
    return [
        {path: [split] * num_samples[path] for path, split in split_of.items()}
        for split_of in source_folds(clips, options.num_folds, options.seed)
    ]


def _clip(status: ClipStatus) -> Clip:
    return Clip(status.clip, status.action, status.source)


@contextlib.contextmanager
def _work_folder(output_dir: Path) -> Iterator[Path]:
    """An empty folder in the output directory, removed at the end."""
    work = output_dir / ".resplit"
    shutil.rmtree(work, ignore_errors=True)  # of a run that was killed
    work.mkdir(parents=True)
    try:
        yield work
    finally:
        shutil.rmtree(work)


def _save_samples(
    data: DataDir, statuses: Sequence[ClipStatus], work: Path
) -> dict[str, Path]:
    """Writes the samples of each clip to a file, as the builder's engines do."""
    files: dict[str, Path] = {}
    for clip, records in _records_of_clips(data, statuses):
        files[clip] = work / f"{len(files):06d}.npz"
        _to_samples(records, data).save(files[clip])
    return files


def _records_of_clips(
    data: DataDir, statuses: Sequence[ClipStatus]
) -> Iterator[tuple[str, list[dict]]]:
    """Yields (clip, its records in the order of frames), in the order of clips.jsonl.

    Each split holds its clips in that order: walking along all splits at once finds
    the records of a clip together, wherever they lie.
    """
    walks = [
        itertools.groupby(_read(data, split), lambda r: os.fsdecode(r["clip"]))
        for split in SPLITS
    ]
    heads = [next(walk, None) for walk in walks]
    for status in statuses:
        records: list[dict] = []
        for i, walk in enumerate(walks):
            head = heads[i]
            if head and head[0] == status.clip:
                records += head[1]
                heads[i] = next(walk, None)
        if len(records) != status.samples:
            raise InputError(
                f"{data.path} holds {len(records)} records of {status.clip!r}, its "
                f"clips.jsonl says {status.samples}: see `motionflow inspect`"
            )
        if records:
            yield status.clip, sorted(records, key=lambda r: r["frame_index"])
    for clip in [head[0] for head in heads if head]:
        raise InputError(f"{data.path} holds records of {clip!r}, no clip of its own")


def _read(data: DataDir, split: str) -> Iterator[dict]:
    """Yields the records of a split in the order in which they were written."""
    shards, flags = data.shards(split), data.manifest["flags"]
    if not shards:
        return
    spec = feature_spec(data.grid_size, kept_shapes(flags))
    records = tf.data.Dataset.from_tensor_slices(shards).interleave(
        tf.data.TFRecordDataset, cycle_length=len(shards), block_length=1
    )
    yield from records.map(
        lambda record: tf.io.parse_single_example(record, spec)
    ).as_numpy_iterator()


def _to_samples(records: Sequence[Mapping], data: DataDir) -> ClipSamples:
    kept: dict[str, Any] = {name: np.zeros((0, 0)) for name in KEPT}
    for name, shape in kept_shapes(data.manifest["flags"]).items():
        encoded = b"".join(record[name] for record in records)
        kept[name] = np.frombuffer(encoded, "<f2").reshape(len(records), *shape)
    return ClipSamples(
        frames=[record["frame"] for record in records],
        flow=np.array([record["flow"] for record in records]),
        **kept,
        frame_indices=np.array([record["frame_index"] for record in records]),
    )


def _write(
    data: DataDir,
    output_dir: Path,
    statuses: Sequence[ClipStatus],
    files: Mapping[str, Path],
    splits: Mapping[str, list[str]],
    flags: Mapping,
) -> None:
    """Writes one data directory."""
    statuses = [_moved(s, splits.get(s.clip), flags["split"]) for s in statuses]
    clips = [
        SplitClip(_clip(status), files[status.clip], splits[status.clip])
        for status in statuses
        if status.samples
    ]
    fields = LabelOptions.__dataclass_fields__.keys() & flags.keys()
    labels = LabelOptions(**{name: flags[name] for name in fields})
    # These libraries made frames and flow; the others write what is new.
    versions = data.manifest["versions"]
    versions = {name: versions[name] for name in {"opencv", "pyav"} & versions.keys()}
    output_dir.mkdir(exist_ok=True)
    write_clips(output_dir, statuses)
    write_data_dir(output_dir, clips, statuses, labels, flags, versions=versions)


def _moved(
    status: ClipStatus, sample_splits: Sequence[str] | None, protocol: str
) -> ClipStatus:
    """The clip's line of clips.jsonl after the split."""
    if not sample_splits:  # it has no samples
        return status
    if sample_splits[0]:
        split = "frame" if protocol == "frame" else sample_splits[0]
        return dataclasses.replace(status, split=split)
    return ClipStatus(  # as the builder says it
        clip=status.clip,
        status="filtered",
        reason="in no split of the official lists",
        bytes=status.bytes,
        action=status.action,
        source=status.source,
    )
