import numpy as np
import pytest
import tensorflow as tf
from scipy.special import log_softmax

from motionflow.models.losses import (
    LossOptions,
    class_weights,
    cross_entropy,
    make_loss,
    smoothed_labels,
    tilt,
)

pytestmark = pytest.mark.slow

COUNTS = np.array([75, 15, 10])
CENTERS = np.float32([[0, 0], [1, 0], [0, 3]])
CODES = np.array([[0, 2]], np.int32)
# Cell 1: probabilities 0.5, 0.25, 0.25; cell 2: 0.1, 0.1, 0.8.
LOGITS = np.log(np.float32([[[2, 1, 1], [1, 1, 8]]])) + 5


def loss(**options):
    function = make_loss(LossOptions(**options), COUNTS, CENTERS)
    return float(function(tf.constant(CODES), tf.constant(LOGITS))[0])


def test_plain_cross_entropy_by_hand():
    assert loss() == pytest.approx(np.log(2) - np.log(0.8), rel=1e-6)


def test_inverse_frequency_by_hand():
    # 1 / (3 p): the weights' mean over cells is 1.
    weights = class_weights(COUNTS, LossOptions(class_weights="inverse_frequency"))
    np.testing.assert_allclose(weights, [1 / 2.25, 1 / 0.45, 1 / 0.3])
    expected = np.log(2) / 2.25 - np.log(0.8) / 0.3
    value = loss(class_weights="inverse_frequency")
    assert value == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("smoothing", [0.0, 0.5, 1.0])
def test_smoothed_weights_are_zhangs(smoothing):
    options = LossOptions(class_weights="smoothed", class_weights_lambda=smoothing)
    weights = class_weights(COUNTS, options)
    assert (COUNTS / 100 * weights).sum() == pytest.approx(1)
    mixed = (1 - smoothing) * COUNTS / 100 + smoothing / 3
    np.testing.assert_allclose(weights * mixed, (weights * mixed)[0])


def test_published_ratios_of_zhangs_weights():
    """With 75 % still cells the largest weight is 31 times the smallest at 0.5."""
    counts = np.array([0.75, *[0.25 / 38.73] * 38, 0.75 / 5527])
    ratio = {}
    for smoothing in (0.0, 0.5, 0.9):
        options = LossOptions(class_weights="smoothed", class_weights_lambda=smoothing)
        weights = class_weights(counts * 1e9, options)
        ratio[smoothing] = weights.max() / weights.min()
    assert ratio[0.0] == pytest.approx(5527, rel=0.01)
    assert ratio[0.5] == pytest.approx(31, abs=0.5)
    assert ratio[0.9] == pytest.approx(4.3, abs=0.1)


def test_a_class_that_never_occurs_has_a_finite_weight():
    options = LossOptions(class_weights="inverse_frequency", logit_adjustment=1.0)
    assert np.isfinite(tilt(np.array([100, 0]), options)).all()


def test_focal_loss_by_hand():
    expected = np.log(2) * 0.5**2 - np.log(0.8) * 0.2**2
    assert loss(focal_gamma=2.0) == pytest.approx(expected, rel=1e-5)


def test_focal_loss_has_a_slope_even_where_all_is_right():
    function = make_loss(LossOptions(focal_gamma=0.5), COUNTS, CENTERS)
    logits = tf.Variable([[[90.0, 0, 0]]])
    with tf.GradientTape() as tape:
        value = function(tf.constant([[0]]), logits)
    assert np.isfinite(tape.gradient(value, logits)).all()


def test_logit_adjustment_by_hand():
    # exp(logits) p: 2 * 0.75, 0.15, 0.1 and 0.75, 0.15, 8 * 0.1.
    expected = -np.log(1.5 / 1.75) - np.log(0.8 / 1.7)
    assert loss(logit_adjustment=1.0) == pytest.approx(expected, rel=1e-5)


def test_smoothed_labels_by_hand():
    labels = smoothed_labels(CENTERS, 0.2)
    np.testing.assert_allclose(labels.sum(axis=1), 1)
    np.testing.assert_allclose(np.diag(labels), 0.8)
    # From (0, 0) the others are 1 and 3 away, 2 in the mean.
    near, far = np.exp(-0.5 * 0.5**2), np.exp(-0.5 * 1.5**2)
    expected = [0.8, 0.2 * near / (near + far), 0.2 * far / (near + far)]
    np.testing.assert_allclose(labels[0], expected)
    expected_loss = -(labels[0] @ np.log([0.5, 0.25, 0.25]))
    expected_loss -= labels[2] @ np.log([0.1, 0.1, 0.8])
    assert loss(label_smoothing=0.2) == pytest.approx(expected_loss, rel=1e-6)


def test_only_the_four_nearest_centres_get_a_share():
    centers = np.float32([[i, 0] for i in range(8)])
    given = smoothed_labels(centers, 0.5)[0] > 0
    np.testing.assert_array_equal(given, [1, 1, 1, 1, 1, 0, 0, 0])


@pytest.mark.parametrize(
    "options",
    [
        {"class_weights": "inverse_frequency"},
        {"class_weights": "smoothed", "class_weights_lambda": 0.3},
        {"logit_adjustment": 1.5},
        {"class_weights": "smoothed", "logit_adjustment": 0.5},
    ],
)
def test_the_best_logits_without_their_tilt_are_log_probabilities(options):
    """Minimises the expected loss for a known posterior."""
    options, posterior = LossOptions(**options), np.float32([0.5, 0.3, 0.2])
    function = make_loss(options, COUNTS, CENTERS)
    logits = tf.Variable([0.0, 0, 0])

    @tf.function
    def descend():
        for _ in tf.range(3000):
            with tf.GradientTape() as tape:
                each = function(
                    tf.constant([[0], [1], [2]]), tf.tile(logits[None, None], (3, 1, 1))
                )
                value = tf.reduce_sum(each * posterior)
            logits.assign_sub(0.5 * tape.gradient(value, logits))

    descend()
    assert options.is_tilted
    assert not np.allclose(tf.nn.softmax(logits), posterior, atol=0.02)
    untilted = logits - tilt(COUNTS, options).astype(np.float32)
    np.testing.assert_allclose(tf.nn.softmax(untilted), posterior, atol=1e-3)


def test_nothing_is_tilted_by_what_does_not_prefer_classes():
    options = LossOptions(focal_gamma=2.0, label_smoothing=0.1)
    assert not options.is_tilted
    np.testing.assert_allclose(tilt(COUNTS, options), 0)


def test_loss_of_equal_scores_is_log_k_for_each_cell():
    codes = tf.zeros((3, 2, 20, 20), tf.int32)
    loss = cross_entropy(codes, tf.zeros((3, 2, 20, 20, 40)))
    np.testing.assert_allclose(loss, [800 * np.log(40)] * 3, rtol=1e-5)


def test_loss_is_scipys_log_softmax_summed_over_cells():
    logits = np.random.default_rng(0).normal(size=(2, 4, 3))
    codes = np.array([[0, 1, 2, 1], [2, 2, 0, 0]])
    picked = np.take_along_axis(log_softmax(logits, -1), codes[..., None], -1)
    expected = -picked[..., 0].sum(1)
    np.testing.assert_allclose(cross_entropy(codes, logits), expected, rtol=1e-5)
