"""The command line that builds data directories."""

import functools
import json
import re
import shutil

import pytest

from motionflow.commands import data

pytestmark = pytest.mark.slow


@pytest.fixture
def run(call):
    return functools.partial(call, data)


def test_clips_to_a_data_directory(run, tiny_videos, tmp_path):
    done = run(
        f"--video_dir={tiny_videos}",
        f"--output_dir={tmp_path / 'd'}",
        "--flow_method=farneback",
        "--flow_average=velocity",
        "--flow_frames=2",
        "--grid_size=10",
        "--grid_sampling=point",
        "--num_clusters=6",
        "--frame_encoding=jpeg",
        "--jpeg_quality=90",
        "--frame_stride=3",
        "--seed=3",
        "--num_workers=2",
    )
    assert done.code == 0, done.err
    # Status, clips, frames, samples: of eight frames, 0 and 3 have two after them.
    assert re.search(r"^ok +9 +72 +18$", done.out, re.MULTILINE)
    assert "samples: 14 in train, 2 in validation, 2 in test" in done.out
    assert "9/9" in done.err  # the progress bar
    manifest = json.loads((tmp_path / "d" / "manifest.json").read_text())
    assert manifest["flags"] == {
        "dataset": "hmdb51",
        "split": "source",
        "num_clusters": 6,
        "seed": 3,
        "flow_method": "farneback",
        "flow_frames": 2,
        "flow_average": "velocity",
        "frame_stride": 3,
        "frame_size": 200,
        "grid_size": 10,
        "grid_sampling": "point",
        "frame_encoding": "jpeg",
        "jpeg_quality": 90,
        "codebook": None,
        "stabilize": "none",
        "duplicates": "leave_out",
        "store_dense_flow": 0,
        "sequence_length": 1,
    }
    other = run(f"--video_dir={tiny_videos}", f"--output_dir={tmp_path / 'd'}")
    assert other.code == 1
    assert "was built with split" not in other.err
    assert "num_clusters=6, not 40" in other.err
    assert "flow_method=farneback, not deepflow" in other.err


def test_too_many_bad_clips(run, tiny_videos, tmp_path):
    videos = shutil.copytree(tiny_videos, tmp_path / "videos")
    for i in range(2):
        (videos / f"bad{i}_walk_f_nm_np1_fr_goo_0.avi").write_text("no video")
    for name in ("notes", "a.jpg", "b.JPG", "walk/c.jpg", ".DS_Store"):
        (videos / name).write_text("no video")
    fast = ["--flow_method=dis", "--num_clusters=4", "--frame_stride=4"]
    command = [f"--video_dir={videos}", f"--output_dir={tmp_path / 'd'}", *fast]
    refused = run(*command)
    assert refused.code == 1
    assert "2 of 11 clips failed" in refused.err
    built = run(*command, "--max_failed_fraction=0.2")
    assert built.code == 0, built.err
    assert re.search(r"^corrupt +2 +0 +0 ", built.out, re.MULTILINE)
    assert "corrupt: 'bad0_walk_f_nm_np1_fr_goo_0.avi': " in built.out
    assert re.search(r"^filtered +4 +0 +0 ", built.out, re.MULTILINE)
    for files in ("'a.jpg' and 2 more of .jpg", "'notes'"):
        assert f"\n  filtered: {files}: not a video by its name\n" in built.out
    lines = (tmp_path / "d" / "clips.jsonl").read_text().splitlines()
    assert len(lines) == 9 + 2 + 4
    # The same codebook for other clips.
    codebook = tmp_path / "d" / "codebook.npz"
    again = run(
        f"--video_dir={tiny_videos}",
        f"--output_dir={tmp_path / 'again'}",
        f"--codebook={codebook}",
        *fast,
    )
    assert again.code == 0, again.err
    first, second = (
        json.loads((tmp_path / name / "manifest.json").read_text())
        for name in ("d", "again")
    )
    assert first["codebook_fingerprint"] == second["flags"]["codebook"]
    assert first["splits"] == second["splits"]


def test_without_data_it_says_where_to_get_some(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run()
    assert done.code == 1
    assert "HMDB-51 is published by" in done.err
    assert "motionflow sample-clips data/hmdb51" in done.err
    assert not list(tmp_path.iterdir())


def test_an_empty_folder(run, tmp_path):
    done = run(f"--video_dir={tmp_path}", f"--output_dir={tmp_path / 'd'}")
    assert done.code == 1
    assert "holds no video" in done.err
