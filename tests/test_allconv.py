import numpy as np
import pytest
import tensorflow as tf

from motionflow.compat import keras
from motionflow.errors import InputError
from motionflow.models import blocks
from motionflow.models.network import build_model

pytestmark = pytest.mark.slow


def build(frame_size=200, grid_size=20, num_clusters=40, **options):
    mean_frame = np.full((frame_size, frame_size, 3), 100, np.float32)
    return build_model(
        "allconv",
        mean_frame=mean_frame,
        num_clusters=num_clusters,
        grid_size=grid_size,
        **options,
    )


def test_every_layer_has_the_output_of_table_2():
    model = build(width=1 / 16)
    shapes = [
        layer.output_shape[1:]
        for layer in model.layers
        if isinstance(layer, keras.layers.Conv2D)
    ]
    assert shapes == [
        (50, 50, 6),
        (25, 25, 8),
        (22, 22, 16),
        (22, 22, 16),
        (20, 20, 32),
        (20, 20, 32),
        (20, 20, 32),
        (20, 20, 40),
    ]
    assert model.output_shape == (None, 1, 20, 20, 40)


def test_the_parameters_of_the_report():
    # Row by row, kernel * kernel * in * out + out.
    rows = [(49, 3, 96), (9, 96, 128), (16, 128, 256), (9, 256, 256)]
    rows += [(9, 256, 512), (9, 512, 512), (9, 512, 512), (1, 512, 40)]
    assert sum(k * i * o + o for k, i, o in rows) == 7_159_848
    assert blocks.count_parameters(build()) == 7_159_848


def test_dropout_stands_in_rows_4_to_6():
    kinds = [type(layer).__name__ for layer in build(width=0.05, dropout=0.3).layers]
    rows = "".join(kind[0] for kind in kinds if kind in ("PaddedConv2D", "ReLU"))
    assert rows == "PR" * 7 + "P"
    places = [
        kinds[:i].count("PaddedConv2D")
        for i, kind in enumerate(kinds)
        if kind == "CountedDropout"
    ]
    assert places == [4, 5, 6]
    assert "CountedDropout" not in [
        type(layer).__name__ for layer in build(width=0.05, dropout=0.0).layers
    ]


def test_default_scores_can_be_negative_and_literal_ones_cannot():
    frames = np.random.default_rng(0).uniform(0, 255, (2, 64, 64, 3))
    plain = build(64, 3, width=0.05)(frames, training=True)
    literal = build(64, 3, width=0.05, literal_head=True)(frames, training=True)
    assert tf.reduce_min(plain) < 0
    assert tf.reduce_min(literal) == 0 and tf.reduce_max(literal) > 0


def test_the_mean_frame_is_the_first_layer_and_no_config():
    model = build(64, 3, width=0.05)
    np.testing.assert_array_equal(model.layers[1].mean_frame, np.full((64, 64, 3), 100))
    frames = np.full((1, 64, 64, 3), 100, np.uint8)
    zeros = keras.Model(model.input, model.layers[1].output)(frames)
    assert not np.any(zeros)
    assert len(model.to_json()) < 30_000


def test_uint8_and_float_frames_give_the_same_logits():
    model = build(64, 3, width=0.05)
    frames = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8)
    np.testing.assert_array_equal(model(frames), model(frames.astype(np.float32)))


def test_an_empty_batch_has_empty_logits():
    # A replica may get none of a last, small batch.
    model = build(64, 3, width=0.05)
    empty = np.zeros((0, 64, 64, 3), np.float32)
    assert model(empty).shape == (0, 1, 3, 3, 40)
    assert tf.function(model)(empty).shape == (0, 1, 3, 3, 40)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_logits_are_float32_under_any_policy(policy):
    keras.mixed_precision.set_global_policy(policy)
    try:
        model = build(64, 3, width=0.05)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert model.layers[2].compute_dtype == policy.removeprefix("mixed_")
    assert model.output.dtype == tf.float32


def test_neighbouring_cells_are_neighbouring_codes():
    # A bright dot in the frame's top right corner moves the scores of the first row's
    # last cell, not those of the first column's.
    model = build(200, 20, num_clusters=2, width=0.05)
    frames = np.full((2, 200, 200, 3), 100, np.float32)
    frames[1, 2:8, 192:198] = 255
    change = np.abs(np.diff(model(frames)[:, 0].numpy(), axis=0)).sum((0, 3))
    assert change[0, 19] > 0
    assert change[19, 0] == 0


def test_initialisation_is_glorots():
    kernel = build(64, 3, width=0.5).layers[2].kernel.numpy()
    limit = np.sqrt(6 / (49 * 3 + 49 * 48))
    assert 0.98 * limit < np.abs(kernel).max() <= limit


def test_another_grid_is_refused_with_both_sizes():
    with pytest.raises(InputError, match=r"20 cells .* 200 pixels, .* data has 10"):
        build(200, 10, width=0.05)
    with pytest.raises(InputError, match=r"0 cells .* 40 pixels"):
        build(40, 4, width=0.05)


@pytest.mark.parametrize("literal_head", [False, True])
def test_its_features_are_what_the_last_convolution_sees(literal_head):
    model = build(64, 3, width=0.05, literal_head=literal_head)
    convolutions = [x for x in model.layers if isinstance(x, keras.layers.Conv2D)]
    assert model.get_layer(blocks.FEATURES).output is convolutions[-1].input
