"""Records and data directories: exact round trips, and refusal of what is broken."""

import json
import os
import shutil

import cv2
import numpy as np
import pytest
import tensorflow as tf

from motionflow.data import records
from motionflow.errors import InputError
from motionflow.labels import samples
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


@pytest.mark.parametrize("encoding", samples.FRAME_ENCODINGS)
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


@pytest.fixture
def copy(tiny_data_dir, tmp_path):
    return shutil.copytree(tiny_data_dir, tmp_path / "copy")


def test_open_data_dir(tiny_data_dir):
    data = records.open_data_dir(tiny_data_dir)
    counts = [data.num_samples(split) for split in ("train", "validation", "test")]
    assert counts == [21, 3, 3]
    assert (data.frame_size, data.grid_size, data.frame_encoding) == (200, 20, "png")
    assert data.codebook.num_clusters == 8
    assert data.mean_frame.dtype == np.float32


def test_mean_frame_is_that_of_the_training_frames(tiny_data_dir):
    data = records.open_data_dir(tiny_data_dir)
    frames = [
        cv2.imdecode(
            np.frombuffer(record["frame"].numpy(), np.uint8), cv2.IMREAD_COLOR
        )[..., ::-1]
        for record in tf.data.TFRecordDataset(data.shards("train")).map(
            lambda r: tf.io.parse_single_example(r, records.feature_spec(20))
        )
    ]
    np.testing.assert_allclose(data.mean_frame, np.mean(frames, axis=0), rtol=1e-5)


def test_no_manifest(copy):
    (copy / "manifest.json").unlink()
    with pytest.raises(InputError, match=r"no manifest\.json"):
        records.open_data_dir(copy)


def test_damaged_manifest_and_other_format(copy):
    manifest = json.loads((copy / "manifest.json").read_text())
    (copy / "manifest.json").write_text(json.dumps(manifest | {"format_version": 0}))
    with pytest.raises(InputError, match="format 0, expected 2"):
        records.open_data_dir(copy)
    (copy / "manifest.json").write_text("[]")
    with pytest.raises(InputError, match="format None, expected 2"):
        records.open_data_dir(copy)
    (copy / "manifest.json").write_text("{")
    with pytest.raises(InputError, match="damaged"):
        records.open_data_dir(copy)


def test_a_codebook_that_does_not_belong_to_the_data(copy):
    other = np.stack([np.arange(8), np.arange(8)], axis=1).astype(np.float32)
    records.Codebook(other).save(copy / "codebook.npz")
    with pytest.raises(InputError, match="records were written with"):
        records.open_data_dir(copy)


def test_a_shard_missing_or_cut(copy):
    shard = next(copy.glob("train-00000*"))
    shard.write_bytes(shard.read_bytes()[:-100])
    with pytest.raises(InputError, match="bytes, expected"):
        records.open_data_dir(copy)
    shard.write_bytes(shard.read_bytes() + bytes(100))
    with pytest.raises(InputError, match="sha256"):
        records.open_data_dir(copy)
    shard.unlink()
    with pytest.raises(InputError, match="has no bytes"):
        records.open_data_dir(copy)


def test_mean_frame_missing_or_of_another_size(copy):
    np.save(copy / "mean_frame.npy", np.zeros((100, 100, 3), np.float32))
    with pytest.raises(InputError, match=r"expected \(200, 200, 3\)"):
        records.open_data_dir(copy)
    (copy / "mean_frame.npy").write_bytes(b"")
    with pytest.raises(InputError, match="cannot be read"):
        records.open_data_dir(copy)
    (copy / "mean_frame.npy").unlink()
    with pytest.raises(InputError, match="cannot be read"):
        records.open_data_dir(copy)
