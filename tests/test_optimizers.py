import numpy as np
import pytest

from motionflow.compat import keras
from motionflow.training.optimizers import Schedule, make_optimizer


def rates(schedule, steps):
    return [float(schedule(step)) for step in steps]


def test_drop_divides_once():
    schedule = Schedule("drop", 1e-3, total=100, decay=30)
    assert rates(schedule, [0, 29, 30, 60, 99]) == pytest.approx(
        [1e-3, 1e-3, 1e-4, 1e-4, 1e-4]
    )


def test_step_divides_again_and_again():
    schedule = Schedule("step", 1.0, total=100, decay=30, factor=2)
    assert rates(schedule, [29, 30, 59, 60, 90]) == [1, 0.5, 0.5, 0.25, 0.125]


@pytest.mark.parametrize("kind", ["drop", "step"])
def test_a_decay_of_0_never_comes(kind):
    assert rates(Schedule(kind, 0.5, total=10), [0, 9, 1000]) == [0.5] * 3


def test_cosine_falls_to_0_at_the_end():
    schedule = Schedule("cosine", 2.0, total=80)
    expected = [2.0, 1 + np.sqrt(0.5), 1.0, 0.0, 0.0]
    assert rates(schedule, [0, 20, 40, 80, 90]) == pytest.approx(expected, abs=1e-6)


def test_warm_up_rises_linearly_and_the_cosine_begins_after_it():
    schedule = Schedule("cosine", 1.0, total=24, warmup=4)
    expected = [0.25, 0.5, 0.75, 1.0, 1.0, 0.5, 0.0]
    found = rates(schedule, [0, 1, 2, 3, 4, 14, 24])
    assert found == pytest.approx(expected, abs=1e-6)


def test_a_schedule_can_be_made_again_from_its_config():
    schedule = Schedule("step", 0.1, total=10, decay=3, factor=5, warmup=2)
    again = Schedule.from_config(schedule.get_config())
    assert rates(again, range(12)) == rates(schedule, range(12))


def step_twice(optimizer):
    import tensorflow as tf

    weight = tf.Variable(1.0)
    for gradient in (1.0, 1.0):
        optimizer.apply_gradients([(tf.constant(gradient), weight)])
    return float(weight)


def test_sgd_has_momentum_and_follows_the_schedule():
    # Rates 0.1 and 0.05, velocities 1 * 0.1 and 0.9 * 0.1 + 0.05.
    schedule = Schedule("drop", 0.1, total=9, decay=1, factor=2)
    optimizer = make_optimizer("sgd", schedule)
    assert step_twice(optimizer) == pytest.approx(1 - 0.1 - 0.14)


def test_adam_is_the_reports():
    optimizer = make_optimizer("adam", Schedule("drop", 0.1, total=9))
    assert isinstance(optimizer, keras.optimizers.Adam)
    assert (optimizer.beta_1, optimizer.beta_2, optimizer.epsilon) == (0.9, 0.999, 1e-8)
    # Equal gradients: each step is the rate.
    assert step_twice(optimizer) == pytest.approx(1 - 0.2, abs=1e-5)
