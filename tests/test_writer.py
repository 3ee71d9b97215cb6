"""What is written besides the records, and what a writer that fails leaves."""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf

from motionflow.data import writer
from motionflow.data.data_dir import open_data_dir
from motionflow.data.records import KEPT, feature_spec
from motionflow.data.writer import (
    MeanFrame,
    SplitClip,
    gathered_flow,
    training_vectors,
    write_data_dir,
)
from motionflow.errors import InputError
from motionflow.labels.clip_status import (
    ClipStatus,
    clip_status,
    read_clips,
    write_clips,
)
from motionflow.labels.clips import Clip
from motionflow.labels.codebook import Codebook
from motionflow.labels.options import LabelOptions
from motionflow.labels.samples import ClipSamples

LABELS = LabelOptions(frame_size=4, grid_size=2, frame_encoding="raw")
FLAGS = dataclasses.asdict(LABELS) | {"split": "source", "num_clusters": 2, "seed": 0}
STATUSES = [
    ClipStatus(clip="a\udcff.avi", status="ok", bytes=9, action="", source="a"),
    ClipStatus(clip="b.avi", status="too_short", bytes=8, action="wave", source="b"),
]


@pytest.fixture
def clips(tmp_path):
    """Three clips, one a split, of one sample each: flow (0, 0) and (c + 1, 0)."""
    found = []
    for c, split in enumerate(("train", "validation", "test")):
        flow = np.zeros((1, 2, 2, 2), np.float32)
        flow[0, 0, 0, 0] = c + 1
        none = {name: np.zeros((1, 0)) for name in KEPT}
        frames, places = [bytes([c] * 48)], np.array([5])
        samples = ClipSamples(frames, flow, frame_indices=places, **none)
        samples.save(tmp_path / f"{c}.npz")
        clip = Clip(f"{c}.avi", "walk", f"source{c}")
        found.append(SplitClip(clip, tmp_path / f"{c}.npz", [split]))
    return found


@pytest.fixture
def output(tmp_path):
    (tmp_path / "d").mkdir()
    return tmp_path / "d"


def test_clips_are_read_as_they_were_written(tmp_path):
    write_clips(tmp_path, STATUSES)
    assert read_clips(tmp_path) == STATUSES
    assert [file.name for file in tmp_path.iterdir()] == ["clips.jsonl"]


@pytest.mark.parametrize("text", [None, "{", '{"clip": "a.avi"}'])
def test_clips_that_cannot_be_read(tmp_path, text):
    if text is not None:
        (tmp_path / "clips.jsonl").write_text(text)
    with pytest.raises(InputError, match="clips.jsonl cannot be read"):
        read_clips(tmp_path)


def test_a_codebook_is_fitted_or_taken(clips, output):
    write_data_dir(output, clips, STATUSES, FLAGS)
    fitted = open_data_dir(output)
    # Training has one vector (1, 0) and three that are still.
    np.testing.assert_array_equal(fitted.codebook.centers, [[0, 0], [1, 0]])
    np.testing.assert_array_equal(fitted.codebook.counts, [3, 1])
    assert fitted.manifest["flags"] == FLAGS
    assert fitted.manifest["clips"] == {"ok": 1, "too_short": 1}
    assert [fitted.num_samples(s) for s in ("train", "validation", "test")] == [1] * 3
    assert (fitted.mean_frame == 0).all()
    taken = Codebook(np.array([[0, 0], [9, 9], [0.9, 0]], np.float32))
    write_data_dir(output, clips, STATUSES, FLAGS, taken)
    np.testing.assert_array_equal(open_data_dir(output).codebook.counts, [3, 0, 1])


def test_versions_of_what_made_the_samples(clips, output):
    earlier = {"opencv": "3.2.1"}
    write_data_dir(output, clips, STATUSES, FLAGS, versions=earlier)
    versions = json.loads((output / "manifest.json").read_text())["versions"]
    assert versions["opencv"] == "3.2.1"
    assert versions["numpy"] == np.__version__


def test_shards_of_a_stopped_run_do_not_stay(clips, output):
    (output / ".draft-abc").mkdir()
    for stale in ("train-00000-of-00099.tfrecord", ".draft-abc/manifest.json"):
        (output / stale).write_text("stale")
    write_data_dir(output, clips, STATUSES, FLAGS)
    assert sorted(file.name for file in output.iterdir()) == [
        "codebook.npz",
        "manifest.json",
        "mean_frame.npy",
        "test-00000-of-00001.tfrecord",
        "train-00000-of-00001.tfrecord",
        "validation-00000-of-00001.tfrecord",
    ]


def test_nothing_appears_before_all_shards_are_there(clips, output, monkeypatch):
    close, num_closed = writer.ShardWriter.close, 0

    def stop_at_the_last(shards):
        nonlocal num_closed
        num_closed += 1
        if num_closed == 3:
            raise KeyboardInterrupt
        return close(shards)

    monkeypatch.setattr(writer.ShardWriter, "close", stop_at_the_last)
    with pytest.raises(KeyboardInterrupt):
        write_data_dir(output, clips, STATUSES, FLAGS)
    assert list(output.iterdir()) == []


# --- what shards are written from, on samples whose values say where they come from ---


@pytest.fixture
def clips_clips(tmp_path):
    """Sample i of clip c is a frame of level 10 c + i, and flow (c, i) everywhere."""
    found = []
    for c, splits in enumerate([["train", "test"], ["test"], ["train", "train"]]):
        values = range(len(splits))
        samples = ClipSamples(
            frames=[bytes([10 * c + i] * 48) for i in values],
            flow=np.array([np.full((2, 2, 2), (c, i)) for i in values], np.float32),
            **{name: np.zeros((len(splits), 0)) for name in KEPT},
            frame_indices=np.array([5 * i for i in values]),
        )
        samples.save(tmp_path / f"{c}.npz")
        clip = Clip(f"{c}.avi", "walk", f"source{c}")
        found.append(SplitClip(clip, tmp_path / f"{c}.npz", splits))
    return found


def test_training_vectors_are_those_of_training_samples(clips_clips, tmp_path):
    with gathered_flow(clips_clips, tmp_path) as flow:
        assert flow.shape == (5, 2, 2, 2)
        first, second = training_vectors(clips_clips, flow)
    np.testing.assert_array_equal(first, [[0, 0]] * 4)
    np.testing.assert_array_equal(second, [[2, 0]] * 4 + [[2, 1]] * 4)
    assert {file.suffix for file in tmp_path.iterdir()} == {".npz"}


def test_the_mean_of_frames():
    mean = MeanFrame(LABELS)
    mean.add([bytes([0] * 48)])
    mean.add([bytes([20] * 48), bytes([21] * 48)])
    mean.add([])
    np.testing.assert_allclose(mean.result(), np.full((4, 4, 3), 41 / 3), rtol=1e-6)


def test_records_of_splits_in_order(clips_clips, output):
    codebook = Codebook(np.array([[0, 0], [1, 0], [0, 1]], np.float32))
    write_data_dir(output, clips_clips, STATUSES, FLAGS, codebook)
    data = open_data_dir(output)
    # Levels 0, 20 and 21 train.
    np.testing.assert_allclose(data.mean_frame, np.full((4, 4, 3), 41 / 3), rtol=1e-6)
    assert [data.num_samples(s) for s in ("train", "validation", "test")] == [3, 0, 2]
    read = [
        tf.io.parse_single_example(record, feature_spec(2))
        for record in tf.data.TFRecordDataset(data.shards("test"))
    ]
    assert [sample["clip"].numpy() for sample in read] == [b"0.avi", b"1.avi"]
    assert [int(sample["frame_index"]) for sample in read] == [5, 0]
    # Flow (0, 1) and (1, 0).
    assert [sample["codes"].numpy().tolist() for sample in read] == [[2] * 4, [1] * 4]
    assert read[1]["frame"].numpy() == bytes([10] * 48)
    assert read[0]["source"].numpy() == b"source0"


def test_each_array_of_a_clip_is_read_once(clips_clips, output, monkeypatch):
    """However many splits its samples lie in."""
    read, load = [], np.lib.npyio.NpzFile.__getitem__

    def count(file, name):
        read.append((str(file.fid.name), name))
        return load(file, name)

    monkeypatch.setattr(np.lib.npyio.NpzFile, "__getitem__", count)
    for clip in clips_clips:
        clip_status(clip.clip, clip.file, LABELS, None)
    write_data_dir(output, clips_clips, STATUSES, FLAGS)
    large = [found for found in read if found[1] != "frame_indices"]
    assert {name for _, name in large} >= {"frames", "flow", "lengths"}
    assert len(large) == len(set(large)) >= 3 * 3
