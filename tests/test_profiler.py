"""Which steps are profiled; tests/test_tensorboard.py profiles some."""

import itertools

import pytest
import tensorflow as tf

from motionflow.errors import InputError
from motionflow.training.callbacks import Profiler, profile_range
from motionflow.training.checkpoints import Progress

STEPS = 3


@pytest.mark.parametrize(
    "text", ["", "3", "3,", "a,b", "1,2,3", "0,4", "5,4", "-2,3", "1.5,2"]
)
def test_a_range_of_steps_that_is_none_is_refused(text):
    with pytest.raises(InputError, match=f"--profile_steps={text} is no range"):
        profile_range(text)


@pytest.mark.parametrize(
    ("steps", "profiled"),
    [
        ("1,1", [[1]]),
        ("2,3", [[2, 3]]),
        ("5,5", [[5]]),
        ("3,5", [[3], [4, 5]]),  # an epoch ends after three
        ("6,90", [[6]]),
        ("7,9", []),
    ],
)
def test_exactly_these_steps_are_profiled(steps, profiled, monkeypatch, tmp_path):
    running, found = [False], []

    def start(folder):
        assert folder == str(tmp_path) and not running[0]
        running[0] = True
        found.append([])

    monkeypatch.setattr(tf.profiler.experimental, "start", start)
    monkeypatch.setattr(
        tf.profiler.experimental, "stop", lambda: running.__setitem__(0, False)
    )
    progress, count = Progress(STEPS), itertools.count(1)
    profiler = Profiler(tmp_path, profile_range(steps), progress)
    for _ in range(2):
        for batch in range(STEPS):
            profiler.on_train_batch_begin(batch)
            step = next(count)
            if running[0]:
                found[-1].append(step)
            progress.step += 1
        profiler.on_train_end()
        assert not running[0]
        progress.finish_epoch({})
    assert found == profiled
