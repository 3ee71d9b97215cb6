"""The command line that builds data directories."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
TOOL = str(ROOT / "tools" / "make_tfrecords.py")


def run(*args, cwd=ROOT):
    command = [sys.executable, TOOL, *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)


def test_clips_to_a_data_directory(tiny_videos, tmp_path):
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
        "--frame_stride=3",
        "--seed=3",
        "--num_workers=2",
    )
    assert done.returncode == 0, done.stderr
    # Status, clips, frames, samples: of eight frames, 0 and 3 have two after them.
    assert re.search(r"^ok +9 +72 +18$", done.stdout, re.MULTILINE)
    assert "samples: 14 in train, 2 in validation, 2 in test" in done.stdout
    assert "9/9" in done.stderr  # the progress bar
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
        "codebook": None,
        "stabilize": "none",
        "duplicates": "leave_out",
        "store_dense_flow": 0,
        "sequence_length": 1,
    }
    other = run(f"--video_dir={tiny_videos}", f"--output_dir={tmp_path / 'd'}")
    assert other.returncode == 1
    assert "was built with split" not in other.stderr
    assert "num_clusters=6, not 40" in other.stderr
    assert "flow_method=farneback, not deepflow" in other.stderr


def test_too_many_bad_clips(tiny_videos, tmp_path):
    videos = shutil.copytree(tiny_videos, tmp_path / "videos")
    for i in range(2):
        (videos / f"bad{i}_walk_f_nm_np1_fr_goo_0.avi").write_text("no video")
    fast = ["--flow_method=dis", "--num_clusters=4", "--frame_stride=4"]
    command = [f"--video_dir={videos}", f"--output_dir={tmp_path / 'd'}", *fast]
    refused = run(*command)
    assert refused.returncode == 1
    assert "2 of 11 clips failed" in refused.stderr
    built = run(*command, "--max_failed_fraction=0.2")
    assert built.returncode == 0, built.stderr
    assert re.search(r"^corrupt +2 +0 +0 ", built.stdout, re.MULTILINE)
    assert "corrupt: 'bad0_walk_f_nm_np1_fr_goo_0.avi': " in built.stdout
    # The same codebook for other clips.
    codebook = tmp_path / "d" / "codebook.npz"
    again = run(
        f"--video_dir={tiny_videos}",
        f"--output_dir={tmp_path / 'again'}",
        f"--codebook={codebook}",
        *fast,
    )
    assert again.returncode == 0, again.stderr
    first, second = (
        json.loads((tmp_path / name / "manifest.json").read_text())
        for name in ("d", "again")
    )
    assert first["codebook_fingerprint"] == second["flags"]["codebook"]
    assert first["splits"] == second["splits"]


def test_without_data_it_says_where_to_get_some(tmp_path):
    done = run(cwd=tmp_path)
    assert done.returncode == 1
    assert "HMDB-51 is published by" in done.stderr
    assert "tools/make_sample_clips.py --output_dir=data/hmdb51" in done.stderr
    assert not list(tmp_path.iterdir())


def test_an_empty_folder(tmp_path):
    done = run(f"--video_dir={tmp_path}", f"--output_dir={tmp_path / 'd'}")
    assert done.returncode == 1
    assert "holds no video" in done.stderr
    assert "Traceback" not in done.stderr
