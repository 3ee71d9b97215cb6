"""The names that were there before `motionflow`: the same flags, their own defaults."""

import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from motionflow import cli, media

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
OLD = sorted(ROOT.glob("tools/*.py"))
OLD += [ROOT / f"motionflow/{n}.py" for n in ("train", "evaluate", "export", "demo")]


@pytest.mark.parametrize("file", OLD, ids=lambda file: file.stem)
def test_help_is_that_of_the_verb(file, monkeypatch, capsys):
    """They are files that people start: the last test starts one."""
    monkeypatch.setattr(sys, "argv", [str(file), "--help"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(file), run_name="__main__")
    out, err = capsys.readouterr()
    assert (ended.value.code, err) == (0, "")
    (verb,) = re.findall(r'cli\.run\("([\w-]+)"', file.read_text())
    assert out == cli.usage(cli.load_command(verb)) + "\n"


def test_pictures_and_videos_are_found_where_they_were():
    from motionflow.data import picture, video

    assert (picture, video) == (media.picture, media.video)


def test_there_are_as_many_as_before():
    assert len(OLD) == 16


def test_a_default_of_its_own(tmp_path):
    """predict_video writes out.mp4 here, whoever made the one that is there."""
    done = subprocess.run(
        [sys.executable, ROOT / "tools/predict_video.py", "--model=m", "--input=a.png"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.stderr == "error: there is no file a.png\n" and done.returncode == 1
