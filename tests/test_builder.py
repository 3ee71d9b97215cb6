"""Whole data directories."""

import dataclasses
import functools
import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

from motionflow.data import builder, records, writer
from motionflow.data.data_dir import open_data_dir
from motionflow.errors import InputError
from motionflow.labels.codebook import Codebook
from motionflow.labels.extraction import WorkDir, extract_clips
from motionflow.labels.options import LabelOptions
from motionflow.labels.stabilize import VERSION
from tests.conftest import moving_square, texture, write_avi

pytestmark = pytest.mark.slow

FAST = LabelOptions(flow_method="dis", frame_stride=2)


def options(**changes):
    return builder.BuildOptions(**({"num_clusters": 8, "labels": FAST} | changes))


def read(data, split):
    spec = records.feature_spec(data.grid_size)
    return [
        tf.io.parse_single_example(record, spec)
        for record in tf.data.TFRecordDataset(data.shards(split))
    ]


def test_the_directory_holds_what_the_contract_says(tiny_data_dir):
    names = {p.name.split("-")[0] for p in tiny_data_dir.iterdir()}
    assert names == {
        "manifest.json",
        "codebook.npz",
        "mean_frame.npy",
        "clips.jsonl",
        "train",
        "validation",
        "test",
    }
    statuses = builder.read_clips(tiny_data_dir)
    assert [s.status for s in statuses] == ["ok"] * 9
    assert sum(s.samples for s in statuses) == 27


def test_splits_share_no_source(tiny_data_dir):
    data = open_data_dir(tiny_data_dir)
    sources = [
        {sample["source"].numpy() for sample in read(data, split)}
        for split in ("train", "validation", "test")
    ]
    assert [len(s) for s in sources] == [7, 1, 1]
    assert len(set.union(*sources)) == 9


def test_codebook_is_fitted_on_training_vectors_only(tiny_data_dir):
    data = open_data_dir(tiny_data_dir)
    flow = np.array([sample["flow"] for sample in read(data, "train")])
    assert data.codebook.counts.sum() == 21 * 400
    codes = np.array([sample["codes"] for sample in read(data, "train")])
    counts = [np.sum(codes == c) for c in range(8)]
    np.testing.assert_array_equal(data.codebook.counts, counts)
    # Minibatch k-means ends near the means of what it assigned.
    for c in np.argsort(counts)[-2:]:
        mean = flow.reshape(-1, 2)[codes.ravel() == c].mean(axis=0)
        np.testing.assert_allclose(data.codebook.centers[c], mean, atol=0.5)


def test_another_number_of_workers_gives_the_same_bytes(
    tiny_videos, tiny_data_dir, tmp_path
):
    three = functools.partial(extract_clips, num_workers=3)
    builder.build_data_dir(tiny_videos, tmp_path, options(), extract=three)
    for file in tiny_data_dir.iterdir():
        assert file.read_bytes() == (tmp_path / file.name).read_bytes(), file.name


def test_a_complete_directory_is_left_alone(tiny_videos, tiny_data_dir):
    before = (tiny_data_dir / "manifest.json").stat().st_mtime_ns
    found = builder.build_data_dir(tiny_videos, tiny_data_dir, options())
    assert len(found) == 9
    assert (tiny_data_dir / "manifest.json").stat().st_mtime_ns == before


def test_other_flags_on_a_complete_directory(tiny_videos, tiny_data_dir):
    with pytest.raises(InputError, match="num_clusters=8, not 40"):
        builder.build_data_dir(tiny_videos, tiny_data_dir, options(num_clusters=40))


def test_other_videos_for_a_complete_directory(tiny_videos, tiny_data_dir, tmp_path):
    videos = shutil.copytree(tiny_videos, tmp_path / "videos")
    (videos / "walk" / "a_new_one.avi").write_text("")
    with pytest.raises(InputError, match="1 other videos, the first: walk/a_new_one"):
        builder.build_data_dir(videos, tiny_data_dir, options())


def test_a_fold_is_no_build(tiny_videos, tiny_data_dir, tmp_path):
    fold = shutil.copytree(tiny_data_dir, tmp_path / "fold-2")
    manifest = json.loads((fold / "manifest.json").read_text())
    manifest["flags"] |= {"num_folds": 3, "fold": 2}
    (fold / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match="num_folds=3, not None; fold=2, not None"):
        builder.build_data_dir(tiny_videos, fold, options())


def test_a_stopped_build_goes_on(tiny_videos, tiny_data_dir, tmp_path, monkeypatch):
    def stop(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(writer, "fit_codebook", stop)
        with pytest.raises(KeyboardInterrupt):
            builder.build_data_dir(tiny_videos, tmp_path / "a", options())
    assert not (tmp_path / "a" / "manifest.json").exists()

    def nothing_left(clips, work):
        assert all(work.file(clip).exists() for clip in clips)
        return {}

    builder.build_data_dir(tiny_videos, tmp_path / "a", options(), extract=nothing_left)
    assert not (tmp_path / "a" / ".samples").exists()
    found = json.loads((tmp_path / "a" / "manifest.json").read_text())
    assert found == json.loads((tiny_data_dir / "manifest.json").read_text())


def test_moving_cameras_are_for_stabilising_only(tiny_videos, tmp_path, monkeypatch):
    videos = shutil.copytree(tiny_videos, tmp_path / "videos")
    scene = texture(0, 240, 320)
    pan = [scene[20:220, 20 + 4 * t : 220 + 4 * t] for t in range(8)]
    name = "pan_walk_f_cm_np1_fr_goo_0.avi"
    write_avi(videos / "walk" / name, np.array(pan))
    found = {}
    for stabilize in ("none", "homography"):
        labels = dataclasses.replace(FAST, stabilize=stabilize)
        statuses = builder.build_data_dir(
            videos, tmp_path / stabilize, options(labels=labels)
        )
        found[stabilize] = {status.clip: status for status in statuses}
    plain = found["none"][f"walk/{name}"]
    assert (plain.status, plain.samples) == ("filtered", 0)
    assert plain.reason.startswith("moving camera")
    taken = found["homography"][f"walk/{name}"]
    assert (taken.status, taken.samples) == ("ok", 3)
    assert abs(taken.camera_motion - 8) < 0.3  # (1 + 2 + 3) / 3 times four pixels
    still = found["homography"]["walk/source0_walk_f_nm_np1_fr_goo_0.avi"]
    assert still.camera_motion == 0
    # Another estimate gives other labels: it is named, and no stopped build goes on.
    versions = [
        open_data_dir(tmp_path / name).manifest["versions"].get("stabilizer")
        for name in ("none", "homography")
    ]
    assert versions == [None, VERSION]
    labels = dataclasses.replace(FAST, stabilize="homography")
    with monkeypatch.context() as patch:
        patch.setattr("motionflow.labels.stabilize.VERSION", "1")
        WorkDir(tmp_path / "stopped", videos, labels)
        WorkDir(tmp_path / "stopped", videos, labels)
        WorkDir(tmp_path / "plain", videos, FAST)
    with pytest.raises(InputError, match=f"stopped, with stabilizer=1, not {VERSION}:"):
        WorkDir(tmp_path / "stopped", videos, labels)
    WorkDir(tmp_path / "plain", videos, FAST)


def test_frame_split_spreads_the_frames_of_a_clip(tmp_path):
    write_avi(tmp_path / "v" / "a.avi", moving_square((1, 0), 45, 0))
    statuses = builder.build_data_dir(
        tmp_path / "v",
        tmp_path / "d",
        options(dataset="folder", split="frame", num_clusters=4),
    )
    assert statuses[0].split == "frame"
    data = open_data_dir(tmp_path / "d")
    assert [data.num_samples(s) for s in ("train", "validation", "test")] == [17, 2, 2]
    assert data.manifest["splits"]["test"]["num_clips"] == 1


def test_nothing_usable(tmp_path):
    (tmp_path / "v").mkdir()
    for i in range(3):
        (tmp_path / "v" / f"{i}.avi").write_text(f"no video {i}")
    with pytest.raises(InputError, match="none of the 3 videos"):
        builder.build_data_dir(tmp_path / "v", tmp_path / "d", options())
    with pytest.raises(InputError, match="no clip gave a sample; 0.avi: .* no frame"):
        builder.build_data_dir(
            tmp_path / "v", tmp_path / "d", options(dataset="folder")
        )
    assert not (tmp_path / "d" / "manifest.json").exists()
    # What became of each clip is written all the same.
    statuses = builder.read_clips(tmp_path / "d")
    assert [status.status for status in statuses] == ["corrupt"] * 3


def test_too_many_that_failed(tiny_videos, tmp_path):
    videos = shutil.copytree(tiny_videos, tmp_path / "videos")
    for i in range(3):
        (videos / f"bad{i}_walk_f_nm_np1_fr_goo_0.avi").write_text("no video")
    with pytest.raises(
        InputError, match="3 of 12 clips failed, more than .* 0.2; bad0"
    ):
        builder.build_data_dir(
            videos, tmp_path / "d", options(), max_failed_fraction=0.2
        )
    builder.build_data_dir(videos, tmp_path / "d", options(), max_failed_fraction=0.25)
    data = open_data_dir(tmp_path / "d")
    assert data.manifest["clips"] == {"corrupt": 3, "ok": 9}


def test_bad_files_change_nothing_for_the_good_ones(
    tiny_videos, tiny_data_dir, tmp_path
):
    videos = shutil.copytree(tiny_videos, tmp_path / "videos")
    for i in range(30):
        (videos / f"bad{i}_walk_f_nm_np1_fr_goo_0.avi").write_text("no video")
    builder.build_data_dir(videos, tmp_path / "d", options(), max_failed_fraction=1)
    for file in tiny_data_dir.iterdir():
        if file.name not in ("clips.jsonl", "manifest.json"):
            assert file.read_bytes() == (tmp_path / "d" / file.name).read_bytes()


def test_an_existing_codebook(tiny_videos, tiny_data_dir, tmp_path):
    centers = np.array([[0, 0], [3, 0], [-3, 0], [900, 0]], np.float32)
    wanted = options(codebook=Codebook(centers))
    builder.build_data_dir(tiny_videos, tmp_path, wanted)
    data = open_data_dir(tmp_path)
    np.testing.assert_array_equal(data.codebook.centers, centers)
    assert data.codebook.counts.sum() == 21 * 400
    assert data.codebook.counts[3] == 0
    flags = data.manifest["flags"]
    assert (flags["codebook"], flags["num_clusters"]) == (data.codebook.fingerprint, 4)
    for sample in read(data, "test"):
        flow = sample["flow"].numpy().reshape(-1, 1, 2)
        nearest = np.linalg.norm(flow - centers, axis=-1).argmin(-1)
        np.testing.assert_array_equal(sample["codes"], nearest)
    with pytest.raises(InputError, match="codebook=None|num_clusters=8, not 4"):
        builder.build_data_dir(tiny_videos, tiny_data_dir, wanted)


def test_dense_flow_is_in_the_records(tiny_videos, tmp_path):
    labels = LabelOptions(flow_method="dis", frame_stride=4, store_dense_flow=40)
    builder.build_data_dir(tiny_videos, tmp_path, options(labels=labels))
    data = open_data_dir(tmp_path)
    spec = records.feature_spec(20, ["dense_flow"])
    for record in tf.data.TFRecordDataset(data.shards("train")):
        sample = tf.io.parse_single_example(record, spec)
        dense = records.decode_kept(sample["dense_flow"], (40, 40, 2)).numpy()
        coarse = dense.reshape(20, 2, 20, 2, 2).mean(axis=(1, 3))
        np.testing.assert_allclose(coarse, sample["flow"], atol=0.01)


def test_bad_options(tmp_path):
    with pytest.raises(InputError, match="dataset 'kth' is none of hmdb51"):
        builder.build_data_dir(tmp_path, tmp_path, options(dataset="kth"))
    with pytest.raises(InputError, match="num_workers is 0"):
        extract_clips([], None, num_workers=0)
