"""Processes: outcomes, logs, how many at a time, and that none stays behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from motionflow.training import processes
from motionflow.training.processes import Job, run_jobs

# Two of them pass only if both run at the same time.
MEET = """
import pathlib, sys, time
mine, other = map(pathlib.Path, sys.argv[1:])
mine.touch()
for _ in range(1000):
    if other.exists():
        sys.exit(0)
    time.sleep(0.01)
sys.exit("alone")
"""
SAVE_ON_SIGTERM = """
import pathlib, signal, sys, time
def save(*_):
    time.sleep(0.3)
    pathlib.Path(sys.argv[1]).write_text("saved")
    sys.exit(143)
signal.signal(signal.SIGTERM, save)
pathlib.Path(sys.argv[1]).touch()
time.sleep(20)
"""
STUBBORN = """
import os, pathlib, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path(sys.argv[1]).write_text(str(os.getpid()))
time.sleep(20)
"""


def python(code, *arguments):
    return [sys.executable, "-c", code, *map(str, arguments)]


def wait_for(condition, seconds=15):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_running(pid):
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def test_outcomes_stand_at_their_jobs(tmp_path):
    codes = [
        "print('fine')",
        "import sys; print('begin'); sys.exit('error: why\\r\\n\\n')",
        "import sys; sys.exit(3)",
        "import os; os.kill(os.getpid(), 9)",
    ]
    jobs = [Job(python(code), tmp_path / f"a/{i}.log") for i, code in enumerate(codes)]
    expected = [None, "exit code 1: error: why", "exit code 3", "exit code -9"]
    assert run_jobs(jobs, 2, seconds=0.02) == expected


def test_a_log_begins_with_the_command_and_goes_on(tmp_path):
    log = tmp_path / "a.log"
    for code in ("print('one two')", "import sys; print('three', file=sys.stderr)"):
        run_jobs([Job(python(code), log)], seconds=0.02)
    first, one, second, three = log.read_text().splitlines()
    assert first == f"$ {sys.executable} -c 'print('\"'\"'one two'\"'\"')'"
    assert (one, second[:2], three) == ("one two", "$ ", "three")
    # An earlier attempt's output does not explain this one's end.
    assert run_jobs([Job(python("exit(2)"), log)]) == ["exit code 2"]


def test_a_job_gets_its_arguments_as_they_are(tmp_path):
    code = "import os, sys; print(sys.argv[1:], os.environ['HOME'], os.getcwd())"
    job = Job(python(code, "a b", "--c=$d", ""), tmp_path / "log")
    assert run_jobs([job], seconds=0.02) == [None]
    expected = f"['a b', '--c=$d', ''] {os.environ['HOME']} {os.getcwd()}"
    assert (tmp_path / "log").read_text().splitlines()[1] == expected


def test_as_many_at_a_time_as_asked_for(tmp_path):
    a, b = tmp_path / "a", tmp_path / "b"
    pair = [Job(python(MEET, a, b), a.with_suffix(".log"))]
    pair += [Job(python(MEET, b, a), b.with_suffix(".log"))]
    assert run_jobs(pair, num_parallel=2, seconds=0.02) == [None, None]
    code = "import sys, time; print('begin'); time.sleep(0.1); print('end')"
    run_jobs([Job(python(code), tmp_path / "c.log")] * 3, 1, seconds=0.02)
    lines = (tmp_path / "c.log").read_text().splitlines()
    assert [line for line in lines if line[0] != "$"] == ["begin", "end"] * 3


def test_an_interruption_lets_processes_save(tmp_path):
    files = [tmp_path / "a", tmp_path / "b", tmp_path / "c"]

    def tick():
        if files[0].exists() and files[1].exists():
            raise KeyboardInterrupt

    jobs = [Job(python(SAVE_ON_SIGTERM, file), tmp_path / "log") for file in files]
    with pytest.raises(KeyboardInterrupt):
        run_jobs(jobs, 2, tick, seconds=0.02)
    assert [file.read_text() for file in files[:2]] == ["saved", "saved"]
    assert not files[2].exists()


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="reads /proc")
def test_a_process_that_does_not_listen_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "SECONDS_TO_SAVE", 0.2)
    file = tmp_path / "pid"

    def tick():
        if file.exists() and file.read_text():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_jobs([Job(python(STUBBORN, file), tmp_path / "log")], 1, tick, 0.02)
    assert not is_running(int(file.read_text()))


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's part")
def test_no_process_outlives_a_program_that_is_killed(tmp_path):
    files = [tmp_path / "a", tmp_path / "b"]
    jobs = [Job(python(STUBBORN, file), tmp_path / "log") for file in files]
    code = "from pathlib import PosixPath\n"
    code += "from motionflow.training.processes import *\n"
    program = subprocess.Popen(python(f"{code}run_jobs({jobs!r}, 2)"))
    wait_for(lambda: all(file.exists() and file.read_text() for file in files))
    pids = [int(file.read_text()) for file in files]
    assert all(map(is_running, pids))
    program.send_signal(signal.SIGKILL)
    program.wait()
    wait_for(lambda: not any(map(is_running, pids)), 5)
