import os
import signal

import pytest
import tensorflow as tf

from motionflow.compat import keras
from motionflow.errors import InputError, Stopped
from motionflow.training.callbacks import StepKeeper
from motionflow.training.checkpoints import Progress


@pytest.fixture
def log():
    return []


@pytest.fixture
def keeper(log):
    progress = Progress()
    keeper = StepKeeper(
        progress,
        save=lambda: log.append(("save", progress.step)),
        save_every=3,
        after_step=lambda: log.append(("step", progress.step)),
    )
    keeper.progress = progress
    keeper.on_epoch_begin(0)
    return keeper


def test_steps_are_counted_and_saved_from_time_to_time(keeper, log):
    for batch in range(7):
        keeper.on_train_batch_end(batch, {"loss": 1.0})
    assert keeper.progress.step == 7 and keeper.progress.seconds > 0
    assert [step for what, step in log if what == "save"] == [3, 6]
    assert [step for what, step in log if what == "step"] == list(range(1, 8))


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_diverged_loss_ends_the_training_unsaved(keeper, log, loss):
    keeper.progress.step = 2
    with pytest.raises(InputError, match="epoch 1, step 3, .* lower --learning_rate"):
        keeper.on_train_batch_end(0, {"loss": loss})
    assert log == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_answered_after_the_step_by_saving(keeper, log, number):
    before = signal.getsignal(number)
    with pytest.raises(Stopped) as stopped, keeper.answering_signals():
        os.kill(os.getpid(), number)
        assert log == []
        keeper.on_train_batch_end(0, {"loss": 1.0})
    assert stopped.value.code == 128 + number
    assert log == [("step", 1), ("save", 1)]
    text = f"stopped by {number.name} after 0 epochs and 1 steps; the same"
    assert str(stopped.value).startswith(text)
    assert signal.getsignal(number) == before


def test_a_signal_during_validation_is_answered_too(keeper, log):
    with pytest.raises(Stopped), keeper.answering_signals():
        os.kill(os.getpid(), signal.SIGTERM)
        keeper.on_test_batch_end(0, {})
    assert log == [("save", 0)]


def test_a_worker_of_many_does_not_save_alone(log):
    keeper = StepKeeper(
        Progress(), lambda: log.append("save"), 0, lambda: None, saves_alone=False
    )
    with pytest.raises(Stopped), keeper.answering_signals():
        os.kill(os.getpid(), signal.SIGTERM)
        keeper.on_test_batch_end(0, {})
    assert log == []


def test_restored_metrics_survive_the_reset_of_fit(keeper):
    metric = keras.metrics.Mean()
    metric.update_state([1.0, 3.0])
    keeper.restore_metrics([metric])
    metric.reset_state()
    keeper.on_epoch_begin(0)
    assert float(metric.result()) == 2
    metric.reset_state()
    keeper.on_epoch_begin(1)  # the next epoch begins with none
    assert float(metric.result()) == 0
    assert tf.reduce_sum(metric.count) == 0
