"""Does a data directory keep its promises?

    data directory --one pass over all records--> findings, and a census of each split

Each promise (PROMISES) is checked as far as the directory can be read, whatever else is
broken in it, and each violation is one line. Nothing here opens the directory as
training does, which stops at the first shard that is not as the manifest says.
"""

import collections
import dataclasses
import json
import os
from collections.abc import Callable, Iterator
from operator import itemgetter
from pathlib import Path

import tensorflow as tf

from motionflow.data.data_dir import read_manifest, shard_problem
from motionflow.errors import InputError
from motionflow.files.file_names import is_hidden
from motionflow.inspection.promises import (
    PROMISES,
    Census,
    clip_problems,
    codebook_problems,
    count_problems,
    mean_frame_problems,
    set_problems,
    some,
    split_problems,
    status_problems,
)
from motionflow.inspection.record_reader import BadRecordError, RecordReader
from motionflow.labels.clip_status import ClipStatus
from motionflow.labels.codebook import Codebook
from motionflow.labels.options import LabelOptions
from motionflow.labels.splits import SPLITS

_FLAGS = ("split", "frame_size", "grid_size", "frame_encoding", "store_dense_flow")


@dataclasses.dataclass
class Inspection:
    """What was found in a data directory.

    Attributes:
      path: the directory.
      manifest: its manifest.json.
      labels: how its frames became labels.
      codebook: None where it is missing or not the one of the records.
      statuses: the lines of clips.jsonl that can be read.
      findings: promise -> a line for each violation.
      censuses: split -> counts over the good records.
      places: split -> (clip, frame index) -> (shard name, position) of these records.
      num_unread: samples that are missing or damaged.
      unchecked: promises that could not be checked for all records.
    """

    path: Path
    manifest: dict
    labels: LabelOptions
    codebook: Codebook | None = None
    statuses: list[ClipStatus] = dataclasses.field(default_factory=list)
    findings: dict[str, list[str]] = dataclasses.field(
        default_factory=lambda: {promise: [] for promise in PROMISES}
    )
    censuses: dict[str, Census] = dataclasses.field(default_factory=dict)
    places: dict[str, dict] = dataclasses.field(default_factory=dict)
    num_unread: int = 0
    unchecked: set[str] = dataclasses.field(default_factory=set)

    @property
    def problems(self) -> list[str]:
        """All violations, one line each; empty where the directory is sound."""
        return [line for lines in self.findings.values() for line in lines]

    def verdict(self, promise: str) -> str:
        """Says "ok", "broken", or "not checked" where that takes what is damaged."""
        if self.findings[promise]:
            return "broken"
        return "not checked" if promise in self.unchecked else "ok"


def inspect_data_dir(
    path: str | Path, progress: Callable[[int, int], None] = lambda done, total: None
) -> Inspection:
    """Reads everything in a data directory once and checks its promises.

    Args:
      path: the directory.
      progress: called with (samples read, samples in all).

    Raises:
      InputError: there is no manifest that says what to check.
    """
    manifest = read_manifest(path)
    _check_fields(path, manifest)
    labels = LabelOptions.from_flags(manifest["flags"])
    found = Inspection(Path(path), manifest, labels)
    _load_codebook(found)
    _load_clips(found)
    _find_strays(found)
    _read_records(found, progress)
    _compare(found)
    return found


def _check_fields(path: str | Path, manifest: dict) -> None:
    try:
        itemgetter("flags", "clips", "codebook_fingerprint", "versions")(manifest)
        itemgetter(*_FLAGS)(manifest["flags"])
        for split in itemgetter(*SPLITS)(manifest["splits"]):
            itemgetter("num_samples", "num_clips")(split)
            for shard in split["shards"]:
                itemgetter("name", "num_samples", "bytes", "sha256")(shard)
    except KeyError as error:
        raise InputError(
            f"{path}/manifest.json is damaged: it lacks {error}"
        ) from error


def _load_codebook(found: Inspection) -> None:
    try:
        codebook = Codebook.load(found.path / "codebook.npz")
    except InputError as error:
        found.findings["codebook"].append(f"codebook.npz: {error}")
        return
    expected = found.manifest["codebook_fingerprint"]
    if codebook.fingerprint == expected:
        found.codebook = codebook
    else:
        found.findings["codebook"].append(
            f"codebook.npz is codebook {codebook.fingerprint}, the records were "
            f"written with {expected}"
        )


def _load_clips(found: Inspection) -> None:
    bad = []
    try:
        lines = (found.path / "clips.jsonl").read_bytes().splitlines()
    except OSError as error:
        found.findings["counts"].append(f"clips.jsonl cannot be read: {error}")
        return
    for number, line in enumerate(lines, start=1):
        try:
            found.statuses.append(ClipStatus(**json.loads(line)))
        except (TypeError, ValueError):
            bad.append(f"line {number}")
    if bad:
        found.findings["counts"].append(f"clips.jsonl names no clip in {some(bad)}")


def _find_strays(found: Inspection) -> None:
    splits = found.manifest["splits"].values()
    known = {shard["name"] for split in splits for shard in split["shards"]}
    found.findings["shards"] += [
        f"{file.name} is in no split of the manifest"
        for file in sorted(found.path.glob("*.tfrecord"))
        if file.name not in known and not is_hidden(file.name)
    ]


def _read_records(found: Inspection, progress: Callable[[int, int], None]) -> None:
    """Counts what the records hold and notes what is wrong with them."""
    codebook, frame_size = found.codebook, found.labels.frame_size
    codes = (codebook.num_clusters, codebook.zero_index) if codebook else (1, 0)
    for split in SPLITS:
        found.censuses[split] = Census(*codes, frame_size)
        found.places[split] = {}
    total = sum(found.manifest["splits"][split]["num_samples"] for split in SPLITS)
    reader, seen = RecordReader(found.labels, codebook), set()
    faults: dict[str, list[str]] = collections.defaultdict(list)
    for done, (split, shard, position, record) in enumerate(_records(found), start=1):
        progress(done, total)
        try:
            sample = reader.read(record)
        except BadRecordError as error:
            faults[str(error)].append(f"{shard} record {position}")
            found.num_unread += 1
            continue
        key = sample.clip, sample.frame_index
        census, fault = found.censuses[split], reader.fault(sample)
        if key in seen:
            fault = "occur twice"
        census.add_sample(sample.origin, sample.frame)
        seen.add(key)
        if fault:
            faults[fault].append(f"{shard} record {position}")
        else:
            found.places[split][key] = shard, position
            census.num_with_past += sample.knows_past
            if codebook:
                census.add_motion(sample.flow, sample.codes)
    found.findings["records"] += [
        f"records that {fault}: {len(where)} ({some(where)})"
        for fault, where in faults.items()
    ]


def _records(found: Inspection) -> Iterator[tuple[str, str, int, tf.Tensor]]:
    """Yields split, shard, position and bytes of all records in undamaged shards."""
    for split in SPLITS:
        for shard in found.manifest["splits"][split]["shards"]:
            name, expected, count = shard["name"], shard["num_samples"], 0
            problem = shard_problem(found.path, shard)
            if not problem:
                records = tf.data.TFRecordDataset(os.fsencode(found.path / name))
                try:
                    for record in records:
                        yield split, name, count, record
                        count += 1
                except tf.errors.DataLossError:
                    problem = f"{name} is damaged after record {count} of {expected}"
                if count != expected and not problem:
                    problem = f"{name} has {count} records, expected {expected}"
            if problem:
                found.findings["shards"].append(problem)
                found.num_unread += max(expected - count, 0)


def _compare(found: Inspection) -> None:
    """Checks the promises that parts of the directory make about each other."""
    manifest, censuses, findings = found.manifest, found.censuses, found.findings
    findings["splits"] += split_problems(manifest["flags"]["split"], censuses)
    findings["splits"] += set_problems(manifest["flags"], found.statuses)
    findings["counts"] += status_problems(found.statuses, manifest["clips"])
    if found.codebook is None:
        found.unchecked.add("records")
    if found.num_unread:
        found.unchecked |= PROMISES.keys() - {"shards"}
        return
    findings["counts"] += count_problems(manifest["splits"], censuses)
    findings["counts"] += clip_problems(found.statuses, censuses)
    file, train = found.path / "mean_frame.npy", censuses["train"]
    findings["mean_frame"] += mean_frame_problems(file, train)
    if findings["records"] or found.codebook is None:
        found.unchecked.add("codebook")
        return
    own = not manifest["flags"].get("codebook")
    findings["codebook"] += codebook_problems(found.codebook, train.code_counts, own)
