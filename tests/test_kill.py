"""The tool is killed again and again: the bytes are those of a run that was not."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import moving_square, write_avi

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not os.path.isdir("/proc"), reason="reads /proc"),
]

TOOL = Path(__file__).parent.parent / "tools" / "make_tfrecords.py"
NUM_CLIPS = 8
FLAGS = (
    "--dataset=folder",
    "--flow_method=dis",
    "--frame_stride=1",
    "--frame_encoding=raw",  # large shards take time to write, and a kill hits it
    "--num_clusters=8",
    "--num_workers=2",
)


class Run:
    """The tool at work on `output_dir`, in a session of its own."""

    def __init__(self, video_dir, output_dir):
        self.output_dir = output_dir
        self.log = output_dir.with_suffix(".log").open("ab")
        command = [sys.executable, TOOL, *FLAGS]
        command += ["--video_dir", video_dir, "--output_dir", output_dir]
        self.process = subprocess.Popen(
            command, stdout=self.log, stderr=self.log, start_new_session=True
        )

    def wait_until(self, reached):
        """Returns whether `reached()` came true before the tool ended."""
        while self.process.poll() is None:
            if reached():
                return True
            time.sleep(0.001)
        return False

    def kill(self):
        """Kills the tool, not its workers: they must end by themselves."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        deadline = time.monotonic() + 15
        while orphans := processes_of_session(self.process.pid):
            assert time.monotonic() < deadline, orphans
            time.sleep(0.02)
        self.log.close()

    def finish(self):
        """Waits for the end."""
        code = self.process.wait()
        self.log.close()
        assert code == 0, Path(self.log.name).read_text()[-2000:]


def processes_of_session(session):
    """Ids of the processes that run in a session; zombies have ended."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it ended in between
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def finished_clips(output_dir):
    """File of a finished clip -> inode and time: another one was written again."""
    found = {}
    for file in output_dir.glob(".samples*/*.npz"):
        found[file.name] = file.stat().st_ino, file.stat().st_mtime_ns
    return found


def phase(output_dir):
    """How far a build has come."""
    if not output_dir.exists() or not list(output_dir.glob(".samples*")):
        return "start"
    if len(finished_clips(output_dir)) < NUM_CLIPS:
        return "clips"
    names = [file.name for file in output_dir.rglob("*")]
    return "shards" if any(".tfrecord" in name for name in names) else "statistics"


def contents(output_dir):
    """Path -> bytes, of every file."""
    return {
        file.relative_to(output_dir).as_posix(): file.read_bytes()
        for file in output_dir.rglob("*")
        if file.is_file()
    }


def moments(rng, seconds, output_dir):
    """Yields five conditions to kill at, spread over the build.

    One is a time after the start, one is a number of finished clips, and three lie
    behind them: at once, and twice when the first shard is begun. A random delay
    follows each, shorter than the third of a second that the rest of the build takes.
    """

    def is_past(deadline):
        return lambda: time.monotonic() > deadline

    def are_done(num):
        return lambda: len(finished_clips(output_dir)) >= num

    yield is_past(time.monotonic() + rng.uniform(0, seconds / 2)), 0
    yield are_done(rng.randrange(1, NUM_CLIPS // 2)), rng.uniform(0, 0.02)
    yield are_done(NUM_CLIPS), rng.uniform(0, 0.1)
    for delay in (rng.uniform(0, 0.03), 0):
        yield lambda: any(output_dir.glob("*/train-*.tfrecord")), delay


def test_kills_change_no_byte_and_repeat_no_clip(tmp_path):
    for i in range(NUM_CLIPS):
        frames = moving_square((1 + i % 2, i % 3), 10, seed=i)
        write_avi(tmp_path / "videos" / "walk" / f"clip{i}.avi", frames)
    start = time.monotonic()
    Run(tmp_path / "videos", tmp_path / "whole").finish()
    seconds = time.monotonic() - start
    whole = contents(tmp_path / "whole")
    assert "manifest.json" in whole

    output_dir = tmp_path / "killed"
    phases, done = [], {}
    for reached, delay in moments(random.Random(0), seconds, output_dir):
        run = Run(tmp_path / "videos", output_dir)
        if run.wait_until(reached):
            time.sleep(delay)
        run.kill()
        if (output_dir / "manifest.json").exists():
            # On a busy machine the build ends before the kill comes: another one.
            shutil.rmtree(output_dir)
            phases, done = [*phases, "late"], {}
            continue
        phases.append(phase(output_dir))
        before, done = done, finished_clips(output_dir)
        assert before == {name: done.get(name) for name in before}, phases
    assert "clips" in phases and {"shards", "late"} & set(phases), phases

    Run(tmp_path / "videos", output_dir).finish()
    killed = contents(output_dir)
    assert sorted(killed) == sorted(whole)
    assert [name for name in whole if killed[name] != whole[name]] == []
