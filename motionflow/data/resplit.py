"""Data directories to others that are split anew, without computing flow again.

    records of all splits, clip by clip -> files of samples, one a clip
      -> another split of them, or one for each fold
      -> codebook and mean frame of each new training split -> shards -> manifest

Frames stay the encoded bytes that they are and flow stays bit for bit; codes are
assigned anew. What comes out is what a build with the same flags would have written.
Several data directories become one (`labels.data_sets`).

Memory holds the samples of one clip. On disk all samples lie once more in a work folder
inside the output directory until the end.
"""

import contextlib
import dataclasses
import functools
import itertools
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from motionflow.data.data_dir import DataDir, open_data_dir
from motionflow.data.records import KEPT, feature_spec
from motionflow.data.writer import SplitClip, write_data_dir
from motionflow.errors import InputError
from motionflow.files.lock import alone
from motionflow.labels.clip_status import ClipStatus, read_clips, write_clips
from motionflow.labels.clips import Clip
from motionflow.labels.codebook import Codebook
from motionflow.labels.data_sets import (
    REASONS,
    by_set,
    check_options,
    draw_splits,
    joined_flags,
    named,
    set_names,
)
from motionflow.labels.options import LabelOptions, ResplitOptions
from motionflow.labels.samples import ClipSamples
from motionflow.labels.splits import SPLITS, official_split


def resplit_data_dir(
    data_dir: str | Path | Sequence[str | Path],
    output_dir: str | Path,
    options: ResplitOptions,
    *,
    split_dir: str | Path | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Path]:
    """Writes the samples of data directories as others, split in another way.

    Args:
      data_dir: a complete data directory, or several to put together; only read.
      output_dir: the new one; with folds, the folder for fold-1, fold-2, ...: complete
        data directories, each of all samples.
      options: how to split.
      split_dir: official split files, for the splits official1-3.
      progress: called with (data directories written, in all).

    Returns:
      the data directories that were written.

    Raises:
      InputError: bad options, too few sources or vectors, a `data_dir` that is not
        sound, several that do not fit together, or `output_dir` holds a data directory
        already, cannot be written to, or is being written by another process.
    """
    output_dir = Path(output_dir)
    parts, before = _open(data_dir)
    _check_output(parts, output_dir)
    statuses = [
        dataclasses.replace(status, clip=named(part.name, status.clip))
        for part in parts
        for status in part.statuses
    ]
    draws = _draw(statuses, before, options, split_dir)
    write = functools.partial(_write, statuses, options.codebook, _versions(parts))
    with alone(output_dir), _work_folder(output_dir) as work:
        _check_output(parts, output_dir)  # another process may have been faster
        files = _save_samples(parts, work)
        flags = options.flags(before)
        if not options.num_folds:
            write(output_dir, files, draws[0], flags)
            progress(1, 1)
            return [output_dir]
        for i, splits in enumerate(draws, start=1):
            write(work / f"fold-{i}", files, splits, flags | {"fold": i})
            progress(i, options.num_folds)
        # None is seen before all are there: a fold alone is no cross-validation.
        folds = [output_dir / f"fold-{i + 1}" for i in range(options.num_folds)]
        for fold in folds:
            os.replace(work / fold.name, fold)
    return folds


class _Part(NamedTuple):
    """A data directory that is read, its name as a data set, and its clips.jsonl."""

    data: DataDir
    name: str
    statuses: Sequence[ClipStatus]


def _open(data_dir: str | Path | Sequence[str | Path]) -> tuple[list[_Part], dict]:
    """Opens data directories; returns the flags of all, too."""
    paths = [data_dir] if isinstance(data_dir, str | Path) else data_dir
    directories = [open_data_dir(path) for path in paths]
    names = set_names([data.path for data in directories]) or [""]
    parts = [
        _Part(data, name, read_clips(data.path))
        for name, data in zip(names, directories, strict=True)
    ]
    flags = {part.name: part.data.manifest["flags"] for part in parts}
    return parts, joined_flags(flags)


def _check_output(parts: Sequence[_Part], output_dir: Path) -> None:
    output = output_dir.resolve()
    if {part.data.path.resolve() for part in parts} & {output, *output.parents}:
        raise InputError(f"output_dir {output_dir} is data_dir or lies in it")
    for pattern in ("manifest.json", "fold-*"):
        for found in sorted(output_dir.glob(pattern)):
            raise InputError(
                f"output_dir {output_dir} holds a data directory already "
                f"({found.name}): remove it or choose another output_dir"
            )


def _draw(
    statuses: Sequence[ClipStatus],
    flags: Mapping,
    options: ResplitOptions,
    split_dir: str | Path | None,
) -> list[dict[str, list[str]]]:
    """Draws clip path -> split of each sample, once or for each fold."""
    names = flags.get("data_sets", [])
    check_options(options, names)
    clips = [_clip(status) for status in statuses if status.samples]
    num_samples = {status.clip: status.samples for status in statuses}
    official = official_split(options.split, flags.get("dataset", ""), split_dir)
    return draw_splits(by_set(clips, names), num_samples, options, official)


def _clip(status: ClipStatus) -> Clip:
    return Clip(status.clip, status.action, status.source)


@contextlib.contextmanager
def _work_folder(output_dir: Path) -> Iterator[Path]:
    """An empty folder in the output directory, removed at the end."""
    work = output_dir / ".resplit"
    shutil.rmtree(work, ignore_errors=True)  # of a run that was killed
    work.mkdir()
    try:
        yield work
    finally:
        shutil.rmtree(work)


def _save_samples(parts: Sequence[_Part], work: Path) -> dict[str, Path]:
    """Writes the samples of each clip to a file, as the builder's engines do."""
    files: dict[str, Path] = {}
    for data, name, statuses in parts:
        for clip, samples in read_clip_samples(data, statuses):
            file = files[named(name, clip)] = work / f"{len(files):06d}.npz"
            samples.save(file)
    return files


def _versions(parts: Sequence[_Part]) -> dict[str, str]:
    """Those of what made frames and flow; other libraries write what is new."""
    found = {}
    for name in ("opencv", "pyav", *parts[0].data.labels.versions):
        older = "1" if name == "stabilizer" else None  # which did not say so
        of_parts = [part.data.manifest["versions"].get(name, older) for part in parts]
        if versions := [v for v in dict.fromkeys(of_parts) if v]:
            found[name] = ", ".join(versions)
    return found


def _write(
    statuses: Sequence[ClipStatus],
    codebook: Codebook | None,
    versions: Mapping[str, str],
    output_dir: Path,
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
    output_dir.mkdir(exist_ok=True)
    write_clips(output_dir, statuses)
    write_data_dir(output_dir, clips, statuses, flags, codebook, versions)


def _moved(
    status: ClipStatus, sample_splits: Sequence[str] | None, protocol: str
) -> ClipStatus:
    """The clip's line of clips.jsonl after the split."""
    if not sample_splits:  # it has no samples
        return status
    reason = REASONS.get(sample_splits[0])
    if not reason:
        split = "frame" if protocol == "frame" else sample_splits[0]
        return dataclasses.replace(status, split=split)
    return ClipStatus(  # as the builder says it
        clip=status.clip,
        status="filtered",
        reason=reason,
        bytes=status.bytes,
        action=status.action,
        source=status.source,
    )


def read_clip_samples(
    data: DataDir, statuses: Sequence[ClipStatus]
) -> Iterator[tuple[str, ClipSamples]]:
    """Reads the samples of each clip, whatever splits they lie in.

    Each split holds its clips in the order of clips.jsonl: walking along all splits at
    once finds the records of a clip together.

    Args:
      data: the data directory.
      statuses: its clips.jsonl.

    Yields:
      (clip, its samples in the order of frames), in the order of clips.jsonl.

    Raises:
      InputError: clips.jsonl and the records do not agree.
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
            records.sort(key=lambda r: r["frame_index"])
            yield status.clip, _to_samples(records, data.labels)
    for clip in [head[0] for head in heads if head]:
        raise InputError(f"{data.path} holds records of {clip!r}, no clip of its own")


def _read(data: DataDir, split: str) -> Iterator[dict]:
    """Yields the records of a split in the order in which they were written."""
    shards = data.shards(split)
    spec = feature_spec(data.grid_size, data.labels.kept_shapes)
    if not shards:
        return
    records = tf.data.Dataset.from_tensor_slices(shards).interleave(
        tf.data.TFRecordDataset, cycle_length=len(shards), block_length=1
    )
    yield from records.map(
        lambda record: tf.io.parse_single_example(record, spec)
    ).as_numpy_iterator()


def _to_samples(records: Sequence[Mapping], labels: LabelOptions) -> ClipSamples:
    kept: dict[str, Any] = {name: np.zeros((0, 0)) for name in KEPT}
    for name, shape in labels.kept_shapes.items():
        encoded = b"".join(record[name] for record in records)
        kept[name] = np.frombuffer(encoded, "<f2").reshape(len(records), *shape)
    return ClipSamples(
        frames=[record["frame"] for record in records],
        flow=np.array([record["flow"] for record in records]),
        **kept,
        frame_indices=np.array([record["frame_index"] for record in records]),
    )
