import numpy as np
import tensorflow as tf

from motionflow.compat import keras
from motionflow.models.network import Network
from motionflow.serving.forecast import NAMES, forecast_function

CENTERS = np.float32([[0, 0], [3, 4], [-8, 0]])


def one_cell_each():
    """A network of 2 x 2 cells that scores what the corners' colours say."""
    inputs = keras.Input([2, 2, 3])
    model = Network(inputs, inputs[:, tf.newaxis])
    model.grid_size = 2
    return model


def test_the_parts_of_a_forecast_by_hand():
    frames = np.zeros((1, 2, 2, 3), np.uint8)
    frames[0, 0, 1] = 0, 200, 0  # surely the second vector
    frames[0, 1, 0] = 200, 0, 200  # the first or the third, none sooner
    found = forecast_function(one_cell_each(), CENTERS)(frames)
    assert tuple(found) == NAMES
    np.testing.assert_allclose(found["flow"][0, 0, 1], [3, 4], atol=1e-6)
    np.testing.assert_allclose(found["flow"][0, 1, 0], [-4, 0], atol=1e-6)
    mean = CENTERS.mean(axis=0)
    np.testing.assert_allclose(found["flow"][0, 0, 0], mean, atol=1e-6)
    np.testing.assert_allclose(
        found["speed"][0], [[np.hypot(*mean), 5], [4, np.hypot(*mean)]], atol=1e-5
    )
    np.testing.assert_allclose(
        found["confidence"][0], [[1 / 3, 1], [0.5, 1 / 3]], atol=1e-6
    )
    assert found["codes"][0, 0, 1] == 1 and found["codes"][0, 1, 0] in (0, 2)
    assert found["probabilities"].shape == (1, 2, 2, 3)
    np.testing.assert_allclose(tf.reduce_sum(found["probabilities"], -1), 1, atol=1e-6)
