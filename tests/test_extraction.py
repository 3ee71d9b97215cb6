"""Many clips: what became of each, and nothing computed twice."""

import os
import signal
import subprocess
import sys
import time

import pytest

from motionflow.data import extraction
from motionflow.data.clips import Clip
from motionflow.data.samples import LabelOptions
from tests.conftest import moving_square, write_avi

FAST = LabelOptions(flow_method="dis")


@pytest.fixture
def videos(tmp_path):
    write_avi(tmp_path / "good.avi", moving_square((2, 0), 9, 0))
    write_avi(tmp_path / "short.avi", moving_square((2, 0), 3, 1))
    (tmp_path / "text.avi").write_text("no video")
    return tmp_path


def run(videos, names, calls=None):
    clips = [Clip(name, "walk", name) for name in names]
    work = extraction.WorkDir(videos / "out", FAST)
    progress = (lambda *_: None) if calls is None else lambda *c: calls.append(c)
    errors = extraction.extract_clips(videos, clips, work, 2, progress)
    split_of = dict.fromkeys(names, "train")
    return {
        clip.path: extraction.clip_status(clip, split_of, errors, work)
        for clip in clips
    }


def test_each_clip_has_its_status(videos):
    calls = []
    found = run(videos, ["good.avi", "short.avi", "text.avi"], calls)
    assert calls == [(1, 3), (2, 3), (3, 3)]
    good, short, text = found.values()
    assert (good.status, good.samples, good.frames) == ("ok", 2, 9)
    assert (short.status, short.samples) == ("too_short", 0)
    assert short.reason == "3 frames, a sample needs 4"
    assert text.status == "corrupt"
    assert "cannot be opened" in text.reason


def test_a_cut_video_is_truncated_and_keeps_what_it_has(videos):
    whole = (videos / "good.avi").read_bytes()
    (videos / "good.avi").write_bytes(whole[: len(whole) * 2 // 3])
    status = run(videos, ["good.avi"])["good.avi"]
    assert status.status == "truncated"
    assert status.reason == f"{status.frames} of 9 frames decoded"
    assert status.samples == 1


def test_a_finished_clip_is_not_computed_again(videos):
    first = run(videos, ["good.avi"])
    (videos / "good.avi").write_text("gone")
    assert run(videos, ["good.avi"]) == first


def test_other_options_never_find_the_same_work(tmp_path):
    work = extraction.WorkDir(tmp_path, FAST)
    other = extraction.WorkDir(tmp_path, LabelOptions(flow_method="dis", grid_size=10))
    assert work.path != other.path
    assert extraction.WorkDir(tmp_path, FAST).path == work.path


def test_a_clip_in_no_split_is_filtered(tmp_path):
    work = extraction.WorkDir(tmp_path, FAST)
    bad = Clip("a.avi", "walk", "a", "quality bad")
    assert extraction.clip_status(bad, {}, {}, work).reason == "quality bad"
    left_out = extraction.clip_status(Clip("b.avi", "", "b"), {"b.avi": ""}, {}, work)
    assert left_out.status == "filtered"
    assert "official" in left_out.reason


WORKER = """
import multiprocessing, time
from motionflow.data.extraction import _end_with_parent

def wait():
    _end_with_parent()
    time.sleep(600)

if __name__ == "__main__":
    worker = multiprocessing.get_context("spawn").Process(target=wait)
    worker.start()
    print(worker.pid, flush=True)
    worker.join()
"""


def is_running(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="reads /proc")
def test_a_worker_ends_when_its_parent_is_killed(tmp_path):
    (tmp_path / "main.py").write_text(WORKER)
    command = [sys.executable, str(tmp_path / "main.py")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        pid = int(parent.stdout.readline())
        assert is_running(pid)
        time.sleep(3)  # the worker sets its watch up
        parent.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 20
    while is_running(pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not is_running(pid)
