"""The dense network: shapes, counts, geometry, and what training it does."""

import numpy as np
import pytest
import tensorflow as tf

from motionflow.compat import keras
from motionflow.errors import InputError
from motionflow.models import blocks, dense
from motionflow.models.network import build_model

pytestmark = pytest.mark.slow


def make(dense_size=100, frame_size=200, grid_size=20, width=0.05, **options):
    mean_frame = np.full((frame_size, frame_size, 3), 127, np.float32)
    config = {"num_clusters": 40, "width": width, "dropout": 0.0} | options
    return build_model(
        "dense",
        mean_frame=mean_frame,
        grid_size=grid_size,
        dense_size=dense_size,
        **config,
    )


@pytest.mark.parametrize(
    "dense_size, expected",
    # The trunk, without the classifier: 7,159,848 - 513 * 40 = 7,139,328. Then
    # 512 6x6 256 + 256 and (256 + 128) 3x3 256 + 256; 256 4x4 128 + 128 and
    # (128 + 96) 3x3 128 + 128; 128 4x4 64 + 64 and (64 + 32) 3x3 64 + 64; the frame's
    # 3 3x3 32 + 32; 65 * 40 scores.
    [(100, 13_715_752), (200, 13_766_632)],
)
def test_the_number_of_parameters(dense_size, expected):
    model = make(dense_size, width=1.0)
    assert blocks.count_parameters(model) == expected
    assert model.output_shape == (None, 1, dense_size, dense_size, 40)


def test_the_number_of_parameters_by_hand():
    trunk = 7_159_848 - 513 * 40
    lifted = 512 * 36 * 256 + 256 + (256 + 128) * 9 * 256 + 256
    doubled = 256 * 16 * 128 + 128 + (128 + 96) * 9 * 128 + 128
    again = 128 * 16 * 64 + 64 + (64 + 32) * 9 * 64 + 64
    frame, scores = 3 * 9 * 32 + 32, 65 * 40
    assert trunk + lifted + doubled + again + frame + scores == 13_715_752


def test_what_lies_where_in_the_frame():
    """A change of the frame changes the scores around it and not far away."""
    model = make(width=0.1)
    # Without the trunk's deepest rows, whose windows see most of the frame: the steps
    # see them through the first transposed convolution only.
    upsampler = next(
        layer for layer in model.submodules if isinstance(layer, dense.Upsampler)
    )
    kernel = next(w for w in upsampler.weights if w.shape[:2] == (6, 6))
    kernel.assign(tf.zeros_like(kernel))
    frames = np.full((2, 200, 200, 3), 90, np.float32)
    frames[1, 120:124, 40:44] = 255
    scores = model(frames).numpy().reshape(2, 100, 100, 40)
    changed = np.abs(scores[1] - scores[0]).max(axis=-1) > 1e-5
    rows, columns = np.nonzero(changed)
    # 16 cells of 2 pixels: the windows of two rows, and those of the steps.
    assert rows.min() >= 44 and rows.max() <= 78
    assert columns.min() >= 4 and columns.max() <= 38
    assert abs(rows.mean() - 61) < 2 and abs(columns.mean() - 21) < 2


def test_it_learns_a_pattern_finer_than_the_grid():
    # Frames of 72: dense flow of 36 x 36, a grid of 4 x 4. Bright pixels move.
    model = make(36, 72, 4, width=0.1, num_clusters=2)
    rng = np.random.default_rng(0)
    codes = np.kron(rng.integers(0, 2, (8, 9, 9)), np.ones((1, 4, 4), int))
    frames = np.kron(codes, np.ones((1, 2, 2)))[..., None] * [200, 200, 200]
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(3e-3), loss)
    targets = codes.reshape(8, -1)
    history = model.fit(frames, targets, batch_size=8, epochs=60, verbose=0)
    assert history.history["loss"][-1] < 0.1 < 0.6 < history.history["loss"][0]


@pytest.mark.parametrize(
    "changes, message",
    [
        (
            {"frame_size": 64, "grid_size": 3, "dense_size": 32},
            "multiple of the grid's 3",
        ),
        ({"dense_size": 50}, "end at all or half of a frame's size"),
        ({"dense_size": 20, "grid_size": 19}, "gives a grid of 20"),
        ({"literal_head": True}, "no literal head"),
    ],
)
def test_what_it_cannot_be(changes, message):
    with pytest.raises(InputError, match=message):
        make(**changes)


def test_the_upsampling_computes_in_the_policys_type():
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        model = make(36, 72, 4)
        logits = model(np.zeros((1, 72, 72, 3), np.float32))
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert logits.dtype == tf.float32
    assert logits.shape == (1, 1, 36, 36, 40)
    kernels = [w for w in model.trainable_weights if "kernel" in w.name]
    assert all(kernel.dtype == tf.float32 for kernel in kernels)
