"""A data directory whose counts can be worked out by hand.

Frames of 8x8, a grid of 2x2, three codes: still, 3 right, 4 up.
"""

import collections
import dataclasses
import json

import numpy as np

from motionflow.data import records
from motionflow.data.data_dir import FORMAT_VERSION
from motionflow.labels.clip_status import ClipStatus
from motionflow.labels.codebook import Codebook

CENTERS = np.float32([[0, 0], [3, 0], [0, -4]])


def make_sample(clip, index, level, flow, codes, action="walk"):
    """A sample of one colour; its source is the clip's name without its number."""
    return records.Sample(
        frame=np.full((8, 8, 3), level, np.uint8).tobytes(),
        flow=np.float32(flow).reshape(2, 2, 2),
        codes=np.array(codes),
        clip=f"{action}/{clip}.avi",
        frame_index=index,
        action=action,
        source=clip[0],
    )


STILL = [[0, 0]] * 4
MIXED = [[0, 0], [0, 0], [3, 0], [3, -4]]  # (3, -4) is 4 from 3 right, 3 from 4 up
SAMPLES = {
    "train": [
        make_sample("a1", 0, 10, MIXED, [0, 0, 1, 2]),
        make_sample("a1", 5, 20, [[0.1, 0], [0, 0], [2, 0], [0, -4]], [0, 0, 1, 2]),
        make_sample("b1", 0, 60, [[0, 0], [0, 0], [0, 0], [3.5, 0]], [0, 0, 0, 1]),
    ],
    "validation": [make_sample("c1", 0, 0, STILL, [0] * 4, action="wave")],
    "test": [
        make_sample("d1", 0, 0, MIXED, [0, 0, 1, 2]),
        make_sample("d2", 0, 0, MIXED, [0, 0, 1, 2]),
    ],
}
# Still in training: 2 + 2 + 3 of 12 cells. 3 right: one in each. 4 up: two.
TRAIN_COUNTS = np.array([7, 3, 2])


def statuses_of(samples):
    """Lines of clips.jsonl for these samples, and for two clips without any."""
    found = {}
    for split, split_samples in samples.items():
        for s in split_samples:
            status = found.setdefault(
                s.clip,
                ClipStatus(
                    clip=s.clip,
                    status="ok",
                    bytes=1000,
                    frames=9,
                    announced=9,
                    split=split,
                    action=s.action,
                    source=s.source,
                ),
            )
            status.samples += 1
    found["walk/a1.avi"].cut_samples = 2
    found["walk/b1.avi"].duplicate_samples = 1
    common = {"bytes": 1000, "action": "walk", "source": "e"}
    return [
        *found.values(),
        ClipStatus(clip="walk/e1.avi", status="filtered", unstable_samples=4, **common),
        ClipStatus(clip="walk/e2.avi", status="too_short", frames=2, **common),
    ]


def write_hand_made(
    path, samples=SAMPLES, statuses=None, centers=CENTERS, counts=TRAIN_COUNTS, **flags
):
    """Writes the directory; its manifest tells sizes and sums of what is written."""
    path.mkdir(parents=True)
    codebook = Codebook(centers, counts)
    codebook.save(path / "codebook.npz")
    statuses = statuses_of(samples) if statuses is None else statuses
    lines = [json.dumps(dataclasses.asdict(status)) for status in statuses]
    (path / "clips.jsonl").write_text("\n".join(lines) + "\n")
    frames = [np.frombuffer(s.frame, np.uint8) for s in samples["train"]]
    mean = np.mean(frames, axis=0).reshape(8, 8, 3).astype(np.float32)
    np.save(path / "mean_frame.npy", mean)
    splits = {}
    for split, items in samples.items():
        encoded = [s if isinstance(s, bytes) else s.encode() for s in items]
        shards = records.write_shards(path, split, encoded, min(2, len(items)))
        splits[split] = {
            "num_samples": len(items),
            "num_clips": len({s.clip for s in items}),
            "shards": shards,
        }
    manifest = {
        "format_version": FORMAT_VERSION,
        "flags": {
            "dataset": "folder",
            "split": "source",
            "codebook": None,
            "frame_size": 8,
            "grid_size": 2,
            "frame_encoding": "raw",
            "store_dense_flow": 0,
        }
        | flags,
        "splits": splits,
        "clips": dict(collections.Counter(s.status for s in statuses)),
        "codebook_fingerprint": codebook.fingerprint,
        "versions": {"motionflow": "0.1", "opencv": "4.11"},
    }
    (path / "manifest.json").write_text(json.dumps(manifest))
    return path
