"""What shards are written from, on samples whose values say where they come from."""

import numpy as np
import pytest
import tensorflow as tf

from motionflow.data.records import KEPT, feature_spec
from motionflow.data.split_samples import (
    SplitClip,
    mean_training_frame,
    split_records,
    training_vectors,
)
from motionflow.labels.clips import Clip
from motionflow.labels.codebook import Codebook
from motionflow.labels.samples import ClipSamples, LabelOptions

LABELS = LabelOptions(frame_size=4, grid_size=2, frame_encoding="raw")


@pytest.fixture
def clips(tmp_path):
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


def test_training_vectors_are_those_of_training_samples(clips):
    first, second = training_vectors(clips)
    np.testing.assert_array_equal(first, [[0, 0]] * 4)
    np.testing.assert_array_equal(second, [[2, 0]] * 4 + [[2, 1]] * 4)


def test_mean_training_frame(clips):
    mean = mean_training_frame(clips, LABELS)
    # Levels 0, 20 and 21.
    np.testing.assert_allclose(mean, np.full((4, 4, 3), 41 / 3), rtol=1e-6)


def test_records_of_a_split_in_order(clips):
    codebook = Codebook(np.array([[0, 0], [1, 0], [0, 1]], np.float32))
    read = [
        tf.io.parse_single_example(record, feature_spec(2))
        for record in split_records(clips, "test", codebook)
    ]
    assert [sample["clip"].numpy() for sample in read] == [b"0.avi", b"1.avi"]
    assert [int(sample["frame_index"]) for sample in read] == [5, 0]
    # Flow (0, 1) and (1, 0).
    assert [sample["codes"].numpy().tolist() for sample in read] == [[2] * 4, [1] * 4]
    assert read[1]["frame"].numpy() == bytes([10] * 48)
    assert read[0]["source"].numpy() == b"source0"
