"""Whether the parts of a data directory belong together, and what is read of it."""

import json
import shutil

import cv2
import numpy as np
import pytest
import tensorflow as tf

from motionflow.data import records
from motionflow.data.data_dir import open_data_dir
from motionflow.errors import InputError
from motionflow.labels.codebook import Codebook
from motionflow.labels.options import LabelOptions


@pytest.fixture
def copy(tiny_data_dir, tmp_path):
    return shutil.copytree(tiny_data_dir, tmp_path / "copy")


def test_open_data_dir(tiny_data_dir):
    data = open_data_dir(tiny_data_dir)
    counts = [data.num_samples(split) for split in ("train", "validation", "test")]
    assert counts == [21, 3, 3]
    assert data.labels == LabelOptions(flow_method="dis", frame_stride=2)
    assert data.codebook.num_clusters == 8
    assert data.mean_frame.dtype == np.float32


def test_what_an_older_manifest_does_not_name_was_off(copy):
    manifest = json.loads((copy / "manifest.json").read_text())
    kept = ("flow_method", "flow_frames", "frame_size", "grid_size", "frame_stride")
    manifest["flags"] = {name: manifest["flags"][name] for name in kept}
    manifest["flags"]["frame_stride"] = [5, 2]  # of data sets that were put together
    (copy / "manifest.json").write_text(json.dumps(manifest))
    data = open_data_dir(copy)
    assert data.labels.kept_shapes == {} and data.protocol == ""
    assert data.labels.sequence_length == 1
    with pytest.raises(InputError, match=r"--past_frames=2 \(it was made with None\)"):
        data.view(past=True)


def test_mean_frame_is_that_of_the_training_frames(tiny_data_dir):
    data = open_data_dir(tiny_data_dir)
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
        open_data_dir(copy)


def test_damaged_manifest_and_other_format(copy):
    manifest = json.loads((copy / "manifest.json").read_text())
    (copy / "manifest.json").write_text(json.dumps(manifest | {"format_version": 0}))
    with pytest.raises(InputError, match="format 0, expected 2"):
        open_data_dir(copy)
    (copy / "manifest.json").write_text("[]")
    with pytest.raises(InputError, match="format None, expected 2"):
        open_data_dir(copy)
    (copy / "manifest.json").write_text("{")
    with pytest.raises(InputError, match="damaged"):
        open_data_dir(copy)


def test_a_codebook_that_does_not_belong_to_the_data(copy):
    other = np.stack([np.arange(8), np.arange(8)], axis=1).astype(np.float32)
    Codebook(other).save(copy / "codebook.npz")
    with pytest.raises(InputError, match="records were written with"):
        open_data_dir(copy)


def test_a_shard_missing_or_cut(copy):
    shard = next(copy.glob("train-00000*"))
    shard.write_bytes(shard.read_bytes()[:-100])
    with pytest.raises(InputError, match="bytes, expected"):
        open_data_dir(copy)
    shard.write_bytes(shard.read_bytes() + bytes(100))
    with pytest.raises(InputError, match="sha256"):
        open_data_dir(copy)
    shard.unlink()
    with pytest.raises(InputError, match="has no bytes"):
        open_data_dir(copy)


def test_mean_frame_missing_or_of_another_size(copy):
    np.save(copy / "mean_frame.npy", np.zeros((100, 100, 3), np.float32))
    with pytest.raises(InputError, match=r"expected \(200, 200, 3\)"):
        open_data_dir(copy)
    (copy / "mean_frame.npy").write_bytes(b"")
    with pytest.raises(InputError, match="cannot be read"):
        open_data_dir(copy)
    (copy / "mean_frame.npy").unlink()
    with pytest.raises(InputError, match="cannot be read"):
        open_data_dir(copy)
