"""The tool that draws the sample clips, run as its documentation says."""

import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).parent.parent


def run(*arguments):
    return subprocess.run(
        [sys.executable, "tools/make_sample_clips.py", *arguments],
        cwd=ROOT, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def test_it_writes_clips_and_says_so(tmp_path):
    (tmp_path / "walk").mkdir()
    (tmp_path / "walk" / "mine.avi").write_bytes(b"kept")
    result = run(f"--output_dir={tmp_path}", "--num_clips=1", "--num_workers=1")
    assert result.returncode == 0, result.stderr
    assert "1 clips" in result.stdout and "1 walk" in result.stdout
    assert "1 other .avi files" in result.stdout
    assert (tmp_path / "walk" / "mine.avi").read_bytes() == b"kept"
    assert len(list((tmp_path / "walk").iterdir())) == 2


def test_a_wrong_number_ends_with_one_line(tmp_path):
    result = run(f"--output_dir={tmp_path}", "--num_clips=0")
    assert result.returncode == 1
    assert result.stderr.strip().splitlines()[-1] == (
        "error: num_clips is 0; expected at least 1."
    )
    assert not any(tmp_path.iterdir())
