"""Records and data directories: exact round trips, and refusal of what is broken."""

import os

import cv2
import numpy as np
import pytest
import tensorflow as tf

from motionflow.data import records
from motionflow.labels import samples
from motionflow.labels.options import FRAME_ENCODINGS
from tests.conftest import texture


def make_sample(**changes):
    values = {
        "frame": b"\x00\xff bytes",
        "flow": np.array([[[0.1, -2.5], [3, 4]], [[0, 0], [1e-9, 7]]], np.float32),
        "codes": np.array([0, 39, 7, 1], np.int32),
        "clip": "walk/a b\u00e9.avi",
        "frame_index": 15,
        "action": "walk",
        "source": "a",
    }
    return records.Sample(**(values | changes))


def test_write_read_compare_exactly():
    sample = make_sample()
    read = tf.io.parse_single_example(sample.encode(), records.feature_spec(2))
    np.testing.assert_array_equal(read["flow"], sample.flow)
    np.testing.assert_array_equal(read["codes"], sample.codes)
    assert read["frame"].numpy() == sample.frame
    assert read["clip"].numpy().decode() == sample.clip
    assert read["frame_index"].numpy() == 15
    assert read.keys() == vars(sample).keys() - records.KEPT


def test_dense_flow_is_kept_as_float16():
    dense = np.random.default_rng(0).normal(0, 9, (4, 4, 2)).astype(np.float16)
    encoded = make_sample(dense_flow=dense).encode()
    read = tf.io.parse_single_example(encoded, records.feature_spec(2, ["dense_flow"]))
    decoded = records.decode_kept(read["dense_flow"], (4, 4, 2))
    assert decoded.dtype == tf.float32
    np.testing.assert_array_equal(decoded, dense.astype(np.float32))
    with pytest.raises(tf.errors.InvalidArgumentError, match="dense_flow"):
        tf.io.parse_single_example(
            make_sample().encode(), records.feature_spec(2, ["dense_flow"])
        )


def test_a_file_name_that_is_no_text():
    name = os.fsdecode(b"a\xff.avi")
    read = tf.io.parse_single_example(
        make_sample(clip=name).encode(), records.feature_spec(2)
    )
    assert os.fsdecode(read["clip"].numpy()) == name


def test_the_same_sample_gives_the_same_bytes():
    assert make_sample().encode() == make_sample().encode()
    assert make_sample(frame_index=20).encode() != make_sample().encode()


def test_a_missing_key_or_another_grid_is_an_error():
    example = tf.train.Example.FromString(make_sample().encode())
    with pytest.raises(tf.errors.InvalidArgumentError):
        tf.io.parse_single_example(
            example.SerializeToString(), records.feature_spec(20)
        )
    del example.features.feature["codes"]
    with pytest.raises(tf.errors.InvalidArgumentError, match="codes"):
        tf.io.parse_single_example(example.SerializeToString(), records.feature_spec(2))


@pytest.mark.parametrize("encoding", FRAME_ENCODINGS)
def test_tensorflow_decodes_what_opencv_encoded(encoding):
    frame = texture(0, 40, 40)
    encoded = samples.encode_frame(frame, encoding)
    decoded = records.decode_frame(tf.constant(encoded), encoding, 40).numpy()
    if encoding == "jpeg":
        # Independent decoder, and near the original.
        other = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)
        np.testing.assert_allclose(decoded, other[..., ::-1], atol=2)
        assert np.abs(decoded.astype(int) - frame).mean() < 6
    else:
        np.testing.assert_array_equal(decoded, frame)


def test_shards_share_the_records_evenly(tmp_path):
    shards = records.write_shards(tmp_path, "test", [b"%d" % i for i in range(7)], 3)
    assert [shard["num_samples"] for shard in shards] == [3, 2, 2]
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        f"test-0000{i}-of-00003.tfrecord" for i in range(3)
    ]
    assert shards[0]["bytes"] == (tmp_path / shards[0]["name"]).stat().st_size
    files = [str(tmp_path / shard["name"]) for shard in shards]
    read = [record.numpy() for record in tf.data.TFRecordDataset(files)]
    assert read == [b"0", b"3", b"6", b"1", b"4", b"2", b"5"]
