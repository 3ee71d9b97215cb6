import numpy as np
import pytest
import tensorflow as tf

from motionflow.compat import keras
from motionflow.models.convnext import LayerScale
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


@pytest.mark.parametrize("name", ["Adam", "AdamW"])
def test_one_operation_does_what_keras_does(name):
    rng = np.random.default_rng(0)
    start, gradients = rng.normal(size=(7, 5)), rng.normal(size=(6, 7, 5))
    schedule = Schedule("drop", 0.1, total=9, decay=3)
    theirs = getattr(keras.optimizers, name)(schedule, epsilon=1e-8)
    weights = [tf.Variable(np.float32(start), name="kernel") for _ in range(2)]
    rare = tf.IndexedSlices(np.float32(gradients[0][:2]), [3, 6], [7, 5])
    for optimizer, weight in zip(
        (make_optimizer(name.lower(), schedule, 0.004), theirs), weights, strict=True
    ):
        for gradient in (*gradients, rare):
            change = gradient if gradient is rare else tf.constant(np.float32(gradient))
            optimizer.apply_gradients([(change, weight)])
    np.testing.assert_allclose(*weights, atol=1e-5)
    assert np.abs(weights[0] - start).max() > 0.1


def kernels_and_others():
    """A network with each kind of weight, at ones."""
    inputs = keras.Input((4, 4, 2))
    x = keras.layers.DepthwiseConv2D(1, name="depthwise")(inputs)
    x = keras.layers.ConvLSTM2D(1, 1, name="kernel_lstm")(x[:, None])
    x = keras.layers.Conv2D(1, 1, name="conv")(x)
    x = keras.layers.LayerNormalization(name="norm")(x)
    model = keras.Model(inputs, LayerScale(name="scale")(x))
    for weight in model.trainable_weights:
        weight.assign(tf.ones_like(weight))
    return model


def test_adamw_decays_kernels_only_and_beside_the_gradient():
    # Without gradients only the decay is left: rates 0.1 and 0.05, times 0.5.
    model = kernels_and_others()
    optimizer = make_optimizer(
        "adamw", Schedule("drop", 0.1, 9, decay=1, factor=2), 0.5
    )
    for _ in range(2):
        weights = model.trainable_weights
        optimizer.apply_gradients([(tf.zeros_like(w), w) for w in weights])
    found = {w.name.split(":")[0]: w.numpy().ravel() for w in model.trainable_weights}
    decayed = {name for name, value in found.items() if value[0] != 1}
    assert decayed == {
        "depthwise/depthwise_kernel",
        "kernel_lstm/kernel",
        "kernel_lstm/recurrent_kernel",
        "conv/kernel",
    }
    assert len(found) == len(decayed) + 6
    for name in decayed:
        np.testing.assert_allclose(found[name], 0.95 * 0.975, rtol=1e-6)


def test_two_steps_of_adamw_by_hand():
    kernel = tf.Variable([1.0, -2.0], name="a/kernel")
    optimizer = make_optimizer("adamw", Schedule("drop", 0.1, total=9), 0.3)
    expected, mean, square = np.array([1.0, -2.0]), np.zeros(2), np.zeros(2)
    for step, gradient in enumerate([[3.0, -1.0], [0.5, 4.0]], start=1):
        optimizer.apply_gradients([(tf.constant(gradient), kernel)])
        # Algorithm 2 of Loshchilov and Hutter, whose decay is the rate times ours.
        mean = 0.9 * mean + 0.1 * np.array(gradient)
        square = 0.999 * square + 0.001 * np.array(gradient) ** 2
        root = np.sqrt(square / (1 - 0.999**step)) + 1e-8
        expected = expected - 0.1 * (mean / (1 - 0.9**step) / root + 0.3 * expected)
    np.testing.assert_allclose(kernel, expected, rtol=1e-5)


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd"])
def test_half_precision_scales_the_loss_of_each(name):
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        optimizer = make_optimizer(name, Schedule("drop", 0.1, total=9), 0.5)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    kernel = tf.Variable(1.0, name="a/kernel")
    gradient = optimizer.get_scaled_loss(tf.constant(1.0))  # as if it were one
    assert gradient == 2**10
    gradients = optimizer.get_unscaled_gradients([gradient])
    optimizer.apply_gradients(zip(gradients, [kernel], strict=True))
    # A first step is the rate; adamw's decay is a twentieth more.
    lost = {"adam": 0.1, "adamw": 0.1 + 0.05, "sgd": 0.1}[name]
    assert float(kernel) == pytest.approx(1 - lost, abs=1e-5)
    # What overflowed is skipped, decay and all.
    optimizer.apply_gradients([(tf.constant(np.inf), kernel)])
    assert float(kernel) == pytest.approx(1 - lost, abs=1e-5)


def test_gradients_are_clipped_by_their_norm_over_all_weights():
    # Of norm 5 and of norm 1/2, with a limit of 1, a rate of 1 and no step before.
    for scale, expected in ((1.0, [-0.6, -0.8]), (0.1, [-0.3, -0.4])):
        optimizer = make_optimizer("sgd", Schedule("drop", 1.0, 9), clip_norm=1.0)
        weights = [tf.Variable(0.0), tf.Variable(0.0)]
        gradients = [tf.constant(3.0 * scale), tf.constant(4.0 * scale)]
        optimizer.apply_gradients(zip(gradients, weights, strict=True))
        np.testing.assert_allclose(weights, expected, rtol=1e-6)
