import numpy as np
import pytest
import tensorflow as tf

from motionflow.compat import keras
from motionflow.training.callbacks import WeightAverage


def make_model(value):
    model = keras.Sequential(
        [keras.Input((1,)), keras.layers.Dense(1), keras.layers.BatchNormalization()]
    )
    for weight in model.weights:
        weight.assign(tf.fill(weight.shape, value))
    return model


def test_it_follows_the_weights_and_statistics_by_hand():
    model, average = make_model(1.0), make_model(7.0)
    averaging = WeightAverage(model, average, decay=0.5)
    for weight in average.weights:  # it begins where the model is
        np.testing.assert_array_equal(weight, 1)
    for weight in model.weights:
        weight.assign(tf.fill(weight.shape, 2.0))
    # After one step the decay is 2/11, after many it is 0.5.
    averaging.update(tf.constant(1, tf.int64))
    assert average.weights[0].numpy().item() == pytest.approx(2 - 2 / 11)
    averaging.update(tf.constant(1000, tf.int64))
    for weight in average.weights:
        np.testing.assert_allclose(weight, 2 - 2 / 11 / 2, rtol=1e-6)


def test_counters_are_left_alone():
    model, average = make_model(1.0), make_model(1.0)
    for m in (model, average):
        m.layers[0].state = tf.Variable([3, 0], dtype=tf.int64, trainable=False)
    model.layers[0].state.assign([3, 9])
    averaging = WeightAverage(model, average, decay=0.5)
    averaging.update(tf.constant(5, tf.int64))
    np.testing.assert_array_equal(average.layers[0].state, [3, 9])
