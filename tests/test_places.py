"""Flow at places is what is told there."""

import numpy as np
import tensorflow as tf

from motionflow.generate.places import flow_at, keep_places


def test_told_places_keep_their_vectors_exactly():
    flow = tf.random.stateless_normal([1, 40, 50, 2], [1, 2])
    places = tf.constant([[[10.3, 20.7], [15.2, 20.1], [49, 0]]])
    vectors = tf.constant([[[3.0, -1], [0, 2], [1, 1]]])
    told, all_moves = tf.constant([[1.0, 1, 0]]), tf.ones([1, 1, 1, 1])
    found = keep_places(flow, all_moves, places, vectors, told, 4.0)
    at = flow_at(found, places)
    np.testing.assert_allclose(at[:, :2], vectors[:, :2], atol=0.01)
    # Ten cells away nothing has changed; and what is not told, neither.
    np.testing.assert_allclose(found[:, :, -1], flow[:, :, -1], atol=1e-4)
    # Bilinear, by hand: 0.3 of the way between columns, 0.7 between rows.
    corners = flow[0, 20:22, 10:12].numpy()
    rows = 0.3 * corners[0] + 0.7 * corners[1]
    by_hand = 0.7 * rows[0] + 0.3 * rows[1]
    np.testing.assert_allclose(flow_at(flow, places)[0, 0], by_hand, atol=1e-5)
