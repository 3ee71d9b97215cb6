"""The sequence network: its cell, its steps, and what they are told."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import signal
from scipy.special import expit, softmax

from motionflow.compat import keras
from motionflow.data import pipeline
from motionflow.errors import InputError
from motionflow.models import blocks, sequence
from motionflow.models.network import build_model

pytestmark = pytest.mark.slow

CENTERS = np.float32([[0, 0], [2, 0], [-2, 0], [0, 3], [0, -3]])


def make(name="sequence", steps=3, **options):
    keras.utils.set_random_seed(0)
    targets, size, grid_size = {"sequence_length": steps}, 64, 3
    if name == "dense_sequence":
        targets["dense_size"], size, grid_size = 36, 72, 4
    config = {"num_clusters": 5, "width": 0.1, "dropout": 0.0} | options
    model = build_model(
        name,
        mean_frame=np.full((size, size, 3), 127, np.float32),
        grid_size=grid_size,
        **config,
        **targets,
    )
    model.get_layer(sequence.STEPS).centers.assign(CENTERS)
    return model


def frames(num=2, size=64):
    shape = num, size, size, 3
    return np.random.default_rng(1).uniform(0, 255, shape).astype(np.float32)


def targets_of(flow):
    """Packed targets of flow [B, T, 3, 3, 2]."""
    codes = pipeline.assign_codes(tf.constant(flow), CENTERS)
    return pipeline.pack_targets(codes, tf.constant(flow))


def test_the_number_of_parameters_by_hand():
    mean_frame = np.full((200, 200, 3), 127, np.float32)
    config = {"mean_frame": mean_frame, "num_clusters": 40, "grid_size": 20}
    model = build_model("sequence", **config, sequence_length=5)
    trunk, units = 7_159_848 - 513 * 40, 128
    cell = 513 * 2 * units + (9 * (2 + units + units) + 1) * 4 * units
    seen, scores = 513 * units, (512 + units + 1) * 40
    assert blocks.count_parameters(model) == trunk + cell + seen + scores
    assert model.output_shape == (None, 5, 20, 20, 40)
    both = build_model("dense_sequence", **config, sequence_length=5, dense_size=100)
    # The lift sees the state too; the classifier is the dense network's.
    dense = 13_715_752 + cell + seen + units * 36 * 256
    assert blocks.count_parameters(both) == dense
    assert both.output_shape == (None, 5, 100, 100, 40)


def test_the_cell_is_scipys():
    rng = np.random.default_rng(0)
    x, h, c = (rng.normal(size=(1, 4, 5, n)).astype(np.float32) for n in (3, 2, 2))
    cell = sequence.ConvLSTM(2, 0.0)
    new_h, new_c = cell([x, h, c])
    kernel, bias = (w.numpy() for w in cell.weights)
    assert kernel.shape == (3, 3, 5, 8) and not bias.any()
    inputs = np.concatenate([x, h], axis=-1)[0]
    gates = np.zeros((4, 5, 8))
    for channel in range(8):
        for source in range(5):
            gates[..., channel] += signal.correlate2d(
                inputs[..., source], kernel[:, :, source, channel], mode="same"
            )
    i, f, o, g = np.split(gates, 4, axis=-1)
    expected = expit(f + 1) * c[0] + expit(i) * np.tanh(g)
    np.testing.assert_allclose(new_c[0], expected, atol=1e-5)
    expected = expit(o) * np.tanh(expected)
    np.testing.assert_allclose(new_h[0], expected, atol=1e-5)


def steps_of(model, truth=None, noise=None):
    """Scores [B, T, g, g, K] of the steps, told this."""
    layer = model.get_layer(sequence.STEPS)
    features = keras.Model(model.input, layer.input)(frames())
    return layer([features], truth=truth, noise=noise).numpy()


def test_by_itself_it_hears_its_own_expected_flow():
    model = make()
    logits = model(frames()).numpy()
    own = softmax(logits, -1) @ CENTERS
    told = steps_of(model, [tf.constant(own), tf.ones([2, 3])])
    np.testing.assert_allclose(told, logits, atol=1e-4)
    # Another history is another future, but not another first step.
    other = steps_of(model, [tf.constant(own + 1), tf.ones([2, 3])])
    np.testing.assert_allclose(other[:, 0], logits[:, 0], atol=1e-5)
    assert np.abs(other[:, 1] - logits[:, 1]).max() > 1e-4


def test_what_it_is_told_is_chosen_step_by_step():
    model, flow = make(), np.full((2, 3, 3, 3, 2), 4, np.float32)
    own, told = steps_of(model), steps_of(model, [flow, tf.ones([2, 3])])
    mixed = steps_of(model, [flow, tf.constant([[0.0, 1, 0], [0, 0, 0]])])
    # The first sample is told the flow of step 0 at step 1; the second never.
    np.testing.assert_allclose(mixed[0, :2], told[0, :2], atol=1e-5)
    np.testing.assert_allclose(mixed[1], own[1], atol=1e-5)
    assert np.abs(mixed[0, 1] - own[0, 1]).max() > 1e-4


def test_drawn_flow_is_a_centre_of_the_codebook():
    model = make()
    noise = np.zeros((2, 3, 3, 5), np.float32)
    noise[..., 3] = 1e6  # surely the fourth
    drawn = steps_of(model, noise=tf.constant(noise))
    flow = np.broadcast_to(CENTERS[3], (2, 3, 3, 3, 2))
    told = steps_of(model, [tf.constant(flow), tf.ones([2, 3])])
    np.testing.assert_allclose(drawn, told, atol=1e-5)
    logits = model.draw(frames(), noise).numpy()
    np.testing.assert_allclose(logits, drawn, atol=1e-5)


def test_the_truth_is_heard_less_and_less():
    model = make(steps=5)
    model.compile("sgd", loss="mse")
    model.teacher_steps = 100
    for step, share in ((0, 1.0), (50, 0.5), (100, 0.0), (150, 0.0)):
        model.optimizer.iterations.assign(step)
        told = model._is_given(tf.constant(2000)).numpy()
        assert set(np.unique(told)) <= {0.0, 1.0}
        assert abs(told.mean() - share) < 0.03
        np.testing.assert_array_equal(told, model._is_given(tf.constant(2000)))


def test_a_motion_once_begun_goes_on():
    """Two motions, equally likely to the eye: told the first, it knows the rest."""
    model = make(steps=3, l2=0.0)
    rng = np.random.default_rng(0)
    images = rng.uniform(0, 255, (16, 64, 64, 3)).astype(np.float32)
    images = np.concatenate([images, images])
    which = np.repeat(CENTERS[[1, 2]], 16, axis=0)
    flow = np.broadcast_to(which[:, None, None, None], (32, 3, 3, 3, 2))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(
        keras.optimizers.Adam(3e-3),
        loss=lambda targets, logits: loss(pipeline.unpack_targets(targets)[0], logits),
    )
    model.teacher_steps = 1e9
    model.fit(images, targets_of(flow), batch_size=32, epochs=60, verbose=0)
    layer = model.get_layer(sequence.STEPS)
    features = keras.Model(model.input, layer.input)(images, training=False)
    scores = layer([features], truth=[tf.constant(flow), tf.ones([32, 3])])
    chances = softmax(scores.numpy(), -1).reshape(32, 3, 9, 5)
    right = np.take_along_axis(chances, np.repeat([[1], [2]], 16, 0)[:, None, None], -1)
    # Nothing tells the two apart at first.
    assert 0.3 < right[:, 0].mean() < 0.7
    assert right[:, 1:].mean() > 0.9


def test_dense_targets_are_told_as_coarse_flow():
    model, seen = make("dense_sequence"), []
    model._forced = lambda images, flow, told: seen.append(flow) or model(images)
    model.compile("sgd", loss=lambda _, logits: tf.reduce_mean(logits, [1, 2, 3, 4]))
    rng = np.random.default_rng(0)
    flow = rng.normal(size=(2, 3, 36, 36, 2)).astype(np.float32)
    model.train_step((tf.constant(frames(size=72)), targets_of(flow)))
    expected = flow.reshape(2, 3, 4, 9, 4, 9, 2).mean(axis=(3, 5))
    np.testing.assert_allclose(seen[0], expected, atol=1e-6)


def test_what_it_cannot_be():
    with pytest.raises(InputError, match="no literal head"):
        make(literal_head=True)


def test_no_bias_of_a_shared_convolution_is_merged_with_its_kernel():
    """`blocks.SharedConv2D` says why; a transposed one's is not, whatever it does."""
    model = build_model(
        "dense_sequence",
        mean_frame=np.zeros((72, 72, 3), np.float32),
        num_clusters=3,
        grid_size=4,
        width=0.02,
        dense_size=36,
        sequence_length=3,
    )
    frames = tf.TensorSpec([1, 72, 72, 3])
    graph = tf.function(model).get_concrete_function(frames).graph
    added = [o.name for o in graph.get_operations() if o.type == "BiasAdd"]
    layers = {name.split("/")[-2] for name in added if "/steps/" in name}
    # What is made of the features once: the first state, what each step sees.
    assert layers == {"start", "seen", "up0", "up1", "up2"}
