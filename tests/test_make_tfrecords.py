"""The command line that builds data directories."""

import json
import re
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
    assert "9 clips ok" in done.stdout
    assert re.search(r"\d+ samples in train", done.stdout)
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
    }


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
