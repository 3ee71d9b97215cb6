"""What holds for every motion, on flows that hypothesis makes up."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from motionflow.generate import warp

# Whole blocks of the pyramid, so that mirrored frames have mirrored holes.
HEIGHT, WIDTH = 16, 32
ROWS, COLUMNS = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
CHOICES = [(None, "inverse"), ("magnitude", "inverse"), ("magnitude", "splat")]

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("importance, mode", CHOICES)]
several = settings(max_examples=25, deadline=None, derandomize=True)


@st.composite
def flows(draw, scales=(0.3, 2.0, 20.0, 300.0)):
    """Motion float32 [1, H, W, 2]: rough, smooth, or one vector for all."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    cells = draw(st.sampled_from([(1, 1), (2, 4), (HEIGHT, WIDTH)]))
    flow = random.normal(0, draw(st.sampled_from(scales)), (1, *cells, 2))
    return np.array(tf.image.resize(flow, [HEIGHT, WIDTH]))


def colors(seed=0):
    shape = (1, HEIGHT, WIDTH, 3)
    return np.random.default_rng(seed).uniform(0, 255, shape).astype(np.float32)


@several
@given(flow=flows(), broken=st.sampled_from([np.nan, np.inf, -1e30]))
def test_results_are_finite_mixtures_of_the_colors(importance, mode, flow, broken):
    flow[0, 3:5, ::7] = broken
    warped, coverage = warp.forward(colors(), flow, importance, mode=mode)
    assert warped.shape == (1, HEIGHT, WIDTH, 3) and warped.dtype == tf.float32
    assert coverage.shape == (1, HEIGHT, WIDTH)
    assert np.all(coverage >= 0)
    assert colors().min() - 1e-2 <= np.min(warped)
    assert np.max(warped) <= colors().max() + 1e-2


@several
@given(seed=st.integers(0, 1000))
def test_no_motion_changes_nothing(importance, mode, seed):
    warped, coverage = warp.forward(
        colors(seed), np.zeros((1, HEIGHT, WIDTH, 2)), importance, mode=mode
    )
    np.testing.assert_allclose(warped, colors(seed), rtol=1e-6)
    np.testing.assert_array_equal(coverage, np.ones((1, HEIGHT, WIDTH)))


@several
@given(seed=st.integers(0, 2**32 - 1))
def test_mass_inside_the_frame_is_kept(importance, mode, seed):
    # Every pixel goes to a place inside, far or near.
    random = np.random.default_rng(seed)
    places = random.uniform(0, [WIDTH - 1, HEIGHT - 1], (1, HEIGHT, WIDTH, 2))
    flow = (places - np.stack([COLUMNS, ROWS], axis=-1)).astype(np.float32)
    warped, coverage = warp.forward(colors(), flow, importance, mode=mode)
    assert np.sum(coverage) == pytest.approx(HEIGHT * WIDTH, rel=1e-4)
    if mode == "splat" and importance is None:
        mass = np.sum(warped * coverage[..., tf.newaxis])
        assert mass == pytest.approx(np.sum(colors()), rel=1e-4)


@several
@given(flow=flows(scales=(0.3, 2.0)))
def test_mirrored_frames_move_mirrored(importance, mode, flow):
    warped, coverage = warp.forward(colors(), flow, importance, mode=mode)
    for axis, signs in ((2, [-1, 1]), (1, [1, -1])):
        mirrored, again = warp.forward(
            np.flip(colors(), axis),
            np.flip(flow, axis) * np.float32(signs),
            importance,
            mode=mode,
        )
        np.testing.assert_allclose(np.flip(again, axis), coverage, atol=1e-3)
        # A place on a border between two cells may be refined in either.
        difference = np.abs(np.flip(mirrored, axis) - warped).max(axis=-1)
        assert np.mean(difference < 0.5) > 0.99


@several
@given(flow=flows(scales=(0.3, 2.0, 20.0)))
def test_eager_equals_graph(importance, mode, flow):
    graph = warp.forward(colors(), flow, importance, mode=mode)
    tf.config.run_functions_eagerly(True)
    try:
        eager = warp.forward(colors(), flow, importance, mode=mode)
    finally:
        tf.config.run_functions_eagerly(False)
    for found, expected in zip(graph, eager, strict=True):
        # Rounding may decide which of two colours a pixel of no certain one takes.
        assert np.mean(np.abs(found - expected) < 0.05) > 0.99


@several
@given(flow=flows(scales=(0.3, 2.0)))
def test_gradients_exist(importance, mode, flow):
    frames, flow = tf.constant(colors()), tf.constant(flow)
    with tf.GradientTape() as tape:
        tape.watch([frames, flow])
        warped, coverage = warp.forward(frames, flow, importance, mode=mode)
        total = tf.reduce_sum(warped**2) + tf.reduce_sum(coverage**2)
    for gradient, what in zip(
        tape.gradient(total, [frames, flow]), (frames, flow), strict=True
    ):
        assert gradient.shape == what.shape
        assert np.isfinite(gradient).all() and np.any(gradient)
