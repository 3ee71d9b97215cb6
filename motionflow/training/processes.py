"""Commands as processes: some at a time, each with a log, none left behind.

commands -> processes -> logs, and what went wrong

A process ends with the program that started it, however that ends. If it ends in order
(Ctrl-C, an error), its processes get SIGTERM and time to save. If it is killed, the
kernel kills them too; only Linux does that.
"""

import contextlib
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from motionflow.files import drafts

SECONDS_TO_SAVE = 120

# Becomes the command in argv[2:] after it asked the kernel (PR_SET_PDEATHSIG is 1) for
# a SIGKILL when process argv[1] is gone. A `preexec_fn` would do that in a fork of a
# program with threads, which can hang.
_TIE = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)
if os.getppid() == int(sys.argv[1]):
    os.execv(sys.argv[2], sys.argv[2:])
"""


class Job(NamedTuple):
    """A command and the file that gets its output."""

    command: Sequence[str]
    log: Path


class _Running(NamedTuple):
    process: subprocess.Popen
    log_begin: int


def run_jobs(
    jobs: Sequence[Job],
    num_parallel: int = 1,
    tick: Callable[[], None] = lambda: None,
    seconds: float = 0.2,
) -> list[str | None]:
    """Runs commands; one that fails does not stop the others.

    Args:
      jobs: what to run, in this order; commands begin with the path of a program. Logs
        are appended to, after a line with the command.
      num_parallel: how many run at a time.
      tick: called now and then.
      seconds: between two calls.

    Returns:
      For each job None, or its exit code and the last line of its log.
    """
    running: dict[int, _Running] = {}
    outcomes: list[str | None] = [None] * len(jobs)
    waiting = list(range(len(jobs)))
    try:
        while waiting or running:
            while waiting and len(running) < num_parallel:
                index = waiting.pop(0)
                running[index] = _start(jobs[index])
            time.sleep(seconds)
            for index, (process, log_begin) in list(running.items()):
                if process.poll() is not None:
                    del running[index]
                    outcomes[index] = _outcome(process, jobs[index].log, log_begin)
            tick()
    finally:
        _end([process for process, _ in running.values()])
    return outcomes


def _start(job: Job) -> _Running:
    command = list(job.command)
    job.log.parent.mkdir(parents=True, exist_ok=True)
    with drafts.naming(job.log), job.log.open("ab") as log:
        log.write(os.fsencode(f"$ {shlex.join(command)}\n"))
        begin = log.tell()
        process = subprocess.Popen(
            _tied(command),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            # Ctrl-C in a terminal reaches this program only, which passes it on once.
            start_new_session=True,
        )
    return _Running(process, begin)


def _tied(command: list[str]) -> list[str]:
    if sys.platform != "linux":
        return command
    return [sys.executable, "-I", "-c", _TIE, str(os.getpid()), *command]


def _outcome(process: subprocess.Popen, log: Path, begin: int) -> str | None:
    if process.returncode == 0:
        return None
    text = log.read_bytes()[begin:].decode(errors="replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return ": ".join([f"exit code {process.returncode}", *lines[-1:]])


def _end(processes: Collection[subprocess.Popen]) -> None:
    """Asks processes to end and waits; asked again (Ctrl-C), it waits no longer."""
    for process in processes:
        process.terminate()
    deadline = time.monotonic() + SECONDS_TO_SAVE
    try:
        for process in processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0, deadline - time.monotonic()))
    finally:
        for process in processes:
            process.kill()
            process.wait()
