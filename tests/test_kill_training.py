"""A training is killed at random steps, and asked to end: the weights do not notice."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from unittest import mock

import pytest

from motionflow.training import trainer
from tests import tiny_run
from tests.exact_resume import differences

pytestmark = pytest.mark.slow

OPTIONS = {"batch_size": 2, "epochs": 2, "checkpoint_steps": 2, "ema_decay": 0.9}
OPTIONS |= {"min_crop": 0.7, "learning_rate_schedule": "cosine"}


class Training:
    """The command at work."""

    def __init__(self, settings):
        self.run_dir = Path(settings.run_dir)
        command = [sys.executable, "-m", "motionflow.train"]
        self.process = subprocess.Popen(
            [*command, *settings.flag_lines().split()],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def saved(self):
        """The number of steps behind the last finished checkpoint."""
        paths = (self.run_dir / "checkpoints").glob("step-*.index")
        return max([int(path.stem.split("-")[1]) for path in paths], default=0)

    def end(self, number, after_step):
        """Sends a signal when so many steps are saved; returns exit code and output."""
        while self.saved() < after_step and self.process.poll() is None:
            time.sleep(0.002)
        self.process.send_signal(number)
        output, _ = self.process.communicate(timeout=120)
        return self.process.returncode, output


@pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")
def test_killed_and_stopped_it_ends_with_the_weights_of_an_uninterrupted_run(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(trainer, "Board", mock.Mock())  # the command draws
    data_dir = tiny_run.write_data(tmp_path / "data", (24, 4, 1))
    whole = tiny_run.settings(data_dir, tmp_path / "whole", **OPTIONS)
    trainer.train(whole)

    killed = tiny_run.settings(data_dir, tmp_path / "killed", **OPTIONS)
    reached, draw = 0, random.Random(0)
    for number in (signal.SIGKILL, signal.SIGTERM):
        training = Training(killed)
        # 24 steps in all; a kill can hit a step, a save or a validation.
        target = reached + draw.randint(2, 8)
        code, output = training.end(number, target)
        assert code == (143 if number == signal.SIGTERM else -number), output
        assert target <= training.saved() < 24, output
        assert reached == 0 or "from step" in output or reached % 12 == 0
        reached = training.saved()
    assert "stopped by SIGTERM after" in output

    trainer.train(killed)
    assert not differences(whole.run_dir, killed.run_dir)
