"""The names that were there before `motionflow`: the same flags, their own defaults."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from motionflow import cli

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
OLD = sorted(ROOT.glob("tools/*.py"))
OLD += [ROOT / f"motionflow/{n}.py" for n in ("train", "evaluate", "export", "demo")]


@pytest.mark.parametrize("file", OLD, ids=lambda file: file.stem)
def test_help_is_that_of_the_verb(file):
    """In a process each: they are files that people start."""
    place = ["-m", f"motionflow.{file.stem}"]
    command = [str(file)] if file.parent.name == "tools" else place
    done = subprocess.run(
        [sys.executable, *command, "--help"], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    (verb,) = re.findall(r'cli\.run\("([\w-]+)"', file.read_text())
    assert done.stdout == cli.usage(cli.load_command(verb)) + "\n"


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
