import numpy as np
import pytest
import tensorflow as tf

from motionflow.compat import keras
from motionflow.errors import InputError
from motionflow.models import blocks
from motionflow.models.network import build_model


def build(frame_size=200, grid_size=20, num_clusters=40, **options):
    return build_model(
        "alexnet",
        mean_frame=np.zeros((frame_size, frame_size, 3), np.float32),
        num_clusters=num_clusters,
        grid_size=grid_size,
        **options,
    )


def test_every_layer_has_the_output_of_table_1():
    kinds = (keras.layers.Conv2D, keras.layers.MaxPooling2D, keras.layers.Dense)
    shapes = [
        layer.output_shape[1:]
        for layer in build(width=1 / 32).layers
        if isinstance(layer, kinds)
    ]
    assert shapes == [
        (49, 49, 3),
        (24, 24, 3),
        (24, 24, 8),
        (11, 11, 8),
        (11, 11, 12),
        (11, 11, 12),
        (11, 11, 8),
        (5, 5, 8),
        (128,),
        (128,),
        (16000,),
    ]


def test_the_parameters_of_the_report():
    rows = [(121, 3, 96), (25, 96, 256), (9, 256, 384), (9, 384, 384), (9, 384, 256)]
    rows += [(25, 256, 4096), (1, 4096, 4096), (1, 4096, 16000)]
    assert sum(k * i * o + o for k, i, o in rows) == 112_299_008
    # In a graph the weights are declared but not filled: no 450 MB of random numbers.
    with tf.Graph().as_default():
        assert blocks.count_parameters(build()) == 112_299_008


def test_relu_and_dropout_follow_the_first_two_dense_layers():
    kinds = (keras.layers.Dense, blocks.CountedDropout)
    layers = build(64, 3, width=0.05, dropout=0.5).layers
    tail = [layer for layer in layers if isinstance(layer, kinds)]
    kinds = [type(layer).__name__ for layer in tail]
    assert kinds == ["Dense", "CountedDropout", "Dense", "CountedDropout", "Dense"]
    activations = [layer.activation.__name__ for layer in tail[::2]]
    assert activations == ["relu", "relu", "linear"]


def test_groups_of_k_scores_belong_to_one_cell():
    model = build(64, 2, num_clusters=3, width=0.01)
    dense = next(x for x in model.layers[::-1] if isinstance(x, keras.layers.Dense))
    kernel, bias = dense.get_weights()
    dense.set_weights([np.zeros_like(kernel), np.arange(bias.size)])
    logits = model(np.zeros((1, 64, 64, 3), np.uint8))
    np.testing.assert_array_equal(
        logits[0, 0], [[[0, 1, 2], [3, 4, 5]], [[6, 7, 8], [9, 10, 11]]]
    )


def test_what_it_refuses():
    with pytest.raises(InputError, match="literal_head is for allconv"):
        build(64, 3, width=0.05, literal_head=True)
    with pytest.raises(InputError, match="63 pixels, found 62"):
        build(62, 3, width=0.05)
    assert build(63, 3, width=0.05).output_shape == (None, 1, 3, 3, 40)


def test_an_unknown_name_lists_the_choices():
    with pytest.raises(InputError, match="no model 'vgg99'; choose one of allconv, al"):
        build_model(
            "vgg99", mean_frame=np.zeros((8, 8, 3)), num_clusters=2, grid_size=1
        )


def test_its_features_are_the_second_fully_connected_layer():
    model = build(64, 3, width=0.05)
    dense = [x for x in model.layers if isinstance(x, keras.layers.Dense)]
    assert model.get_layer(blocks.FEATURES) is dense[1]
