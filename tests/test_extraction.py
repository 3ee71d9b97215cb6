"""Many clips: what became of each, and nothing computed twice."""

import concurrent.futures
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from motionflow.errors import InputError
from motionflow.labels import extraction
from motionflow.labels.clip_status import clip_status
from motionflow.labels.clips import find_folder_clips
from motionflow.labels.options import LabelOptions
from tests.conftest import moving_square, write_avi

pytestmark = pytest.mark.slow

FAST = LabelOptions(flow_method="dis")


@pytest.fixture
def videos(tmp_path):
    folder = tmp_path / "videos"
    write_avi(folder / "good.avi", moving_square((2, 0), 9, 0))
    write_avi(folder / "short.avi", moving_square((2, 0), 3, 1))
    (folder / "text.avi").write_text("no video")
    return folder


def run(videos, names, **arguments):
    clips = [clip for clip in find_folder_clips(videos) if clip.path in names]
    work = extraction.WorkDir(videos.parent / "out", videos, FAST)
    failures = extraction.extract_clips(clips, work, **arguments)
    return {
        clip.path: clip_status(clip, work.file(clip), FAST, failures.get(clip.path))
        for clip in clips
    }


def test_each_clip_has_its_status(videos):
    calls = []
    found = run(
        videos,
        ["good.avi", "short.avi", "text.avi"],
        num_workers=2,
        progress=lambda *call: calls.append(call),
    )
    assert calls == [(1, 3), (2, 3), (3, 3)]
    good, short, text = found.values()
    assert (good.status, good.samples, good.frames, good.announced) == ("ok", 2, 9, 9)
    assert good.bytes == (videos / "good.avi").stat().st_size
    assert (short.status, short.samples) == ("too_short", 0)
    assert short.reason == "3 frames, a sample needs 4 that differ"
    assert text.status == "corrupt"
    assert "no frame that can be decoded" in text.reason


def test_a_cut_video_is_truncated_and_keeps_what_it_has(videos):
    whole = (videos / "good.avi").read_bytes()
    (videos / "good.avi").write_bytes(whole[: len(whole) * 2 // 3])
    status = run(videos, ["good.avi"])["good.avi"]
    assert status.status == "truncated"
    frames = status.frames
    assert status.reason.startswith(f"{frames} of 9 frames decoded")
    assert 4 <= frames < 9
    assert status.samples == 1


def test_a_clip_without_a_usable_window_is_filtered(videos):
    write_avi(videos / "still.avi", np.repeat(moving_square((0, 0), 1, 0), 9, axis=0))
    status = run(videos, ["still.avi"])["still.avi"]
    assert (status.status, status.samples, status.duplicate_samples) == (
        "filtered",
        0,
        2,
    )
    assert status.reason.startswith("2 of 2 samples left out: 0 span a cut, 2 a dup")


def test_a_finished_clip_is_not_computed_again_but_another_video_is(videos):
    first = run(videos, ["good.avi"])
    (file,) = (videos.parent / "out" / ".samples").glob("*.npz")
    made = file.stat().st_mtime_ns
    assert run(videos, ["good.avi"]) == first
    assert file.stat().st_mtime_ns == made
    write_avi(videos / "good.avi", moving_square((2, 0), 14, 0))
    assert run(videos, ["good.avi"])["good.avi"].frames == 14


def test_a_stopped_build_with_other_options_is_named(tmp_path):
    extraction.WorkDir(tmp_path, tmp_path, FAST)
    extraction.WorkDir(tmp_path, tmp_path, FAST)
    other = LabelOptions(flow_method="dis", grid_size=10)
    with pytest.raises(InputError, match="stopped, with grid_size=20, not 10: remove"):
        extraction.WorkDir(tmp_path, tmp_path, other)


@pytest.mark.parametrize("num_breaks", [1, 3])
def test_a_pool_that_breaks_is_made_anew(videos, monkeypatch, num_breaks):
    breaks, outcome = iter(range(num_breaks)), extraction.outcome

    def broken(job, limits):
        if next(breaks, None) is not None:
            raise concurrent.futures.process.BrokenProcessPool
        return outcome(job, limits)

    monkeypatch.setattr(extraction, "outcome", broken)
    if num_breaks == 3:
        with pytest.raises(InputError, match="no worker process can work; is clip_mem"):
            run(videos, ["good.avi"])
    else:
        assert run(videos, ["good.avi"])["good.avi"].status == "ok"


def die(signal_number):
    os.kill(os.getpid(), signal_number)


def hog():
    return [bytearray(2**24) for _ in range(1000)]  # 16 GB


@pytest.mark.parametrize(
    ("function", "arguments", "status", "reason"),
    [
        (time.sleep, [60], "timeout", "not done after 3 s"),
        (die, [signal.SIGSEGV], "corrupt", "the decoder crashed (exit code"),
        (hog, [], "corrupt", "needs more than 512 MB of memory"),
        (int, ["x"], "corrupt", "ValueError: invalid literal"),
    ],
)
def test_what_a_clip_does_to_its_worker_costs_that_clip(
    function, arguments, status, reason
):
    limits = extraction.ClipLimits(seconds=3, megabytes=512)
    with extraction.make_pool(1, limits) as pool:
        job = pool.schedule(function, arguments, timeout=limits.seconds)
        after = pool.schedule(abs, [-5])
        failure = extraction.outcome(job, limits)
        assert failure.status == status
        assert failure.reason.startswith(reason)
        assert after.result() == 5


WORKER = """
import multiprocessing, os, time
from motionflow.labels.extraction import _start_worker

def wait():
    _start_worker(0)
    print(os.getpid(), flush=True)
    time.sleep(600)

if __name__ == "__main__":
    worker = multiprocessing.get_context("spawn").Process(target=wait)
    worker.start()
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
        parent.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 20
    while is_running(pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not is_running(pid)
