import re

import numpy as np
import pytest

from motionflow.compat import keras
from motionflow.errors import InputError
from motionflow.models import blocks, weights
from motionflow.models.model_path import DEFAULT_FILE
from motionflow.models.network import build_model, fix_norms, freeze

# Of the model in the box: the middle of the first filter, red, green and blue.
STEM = [1.2259, 1.9868, 0.2694]


@pytest.fixture(scope="module")
def model():
    return tiny()


def tiny():
    """Two convolutions with a normalisation: the first two layers are the trunk."""
    inputs = keras.Input((4, 4, 2))
    x = keras.layers.Conv2D(3, 1, use_bias=False, name="trunk_a")(inputs)
    x = keras.layers.BatchNormalization(name="trunk_b")(x)
    return keras.Model(inputs, keras.layers.Conv2D(2, 1, name="head")(x), name="tiny")


def arrays_of(**changes):
    arrays = {"trunk_a/kernel": np.arange(6.0).reshape(1, 1, 2, 3)}
    for i, name in enumerate(("gamma", "beta", "moving_mean", "moving_variance")):
        arrays[f"trunk_b/{name}"] = np.full(3, 10.0 + i)
    arrays |= {name.replace("__", "/"): value for name, value in changes.items()}
    return {name: value for name, value in arrays.items() if value is not None}


def write(path, arrays):
    np.savez(path, **arrays)
    return path


def test_each_array_goes_to_its_place_and_the_head_stays(model, tmp_path):
    head = model.get_layer("head").get_weights()
    weights.load_trunk(model, write(tmp_path / "t.npz", arrays_of()))
    (kernel,) = model.get_layer("trunk_a").get_weights()
    assert kernel.ravel().tolist() == [0, 1, 2, 3, 4, 5]
    norm = model.get_layer("trunk_b").get_weights()
    assert [x.tolist() for x in norm] == [[v] * 3 for v in (10, 11, 12, 13)]
    for found, expected in zip(
        model.get_layer("head").get_weights(), head, strict=True
    ):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"trunk_b__gamma": None}, "1 arrays are missing, the first is trunk_b/gamma"),
        ({"top__kernel": np.ones(3)}, "1 arrays have no place, the first is top/kern"),
        (
            {"trunk_a__kernel": np.ones((1, 1, 3, 2))},
            r"trunk_a/kernel has the shape (1, 1, 3, 2), expected (1, 1, 2, 3)",
        ),
    ],
)
def test_a_file_that_does_not_fit_changes_nothing(model, tmp_path, changes, message):
    before = model.get_weights()
    path = write(tmp_path / "t.npz", arrays_of(**changes))
    with pytest.raises(InputError, match=re.escape(message)):
        weights.load_trunk(model, path)
    for found, expected in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_what_is_no_file_of_arrays(model, tmp_path):
    with pytest.raises(InputError, match="cannot read .*none.npz"):
        weights.load_trunk(model, tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("no arrays")
    with pytest.raises(InputError, match="cannot read .*convert-efficientnet"):
        weights.load_trunk(model, tmp_path / "text.npz")
    whole = write(tmp_path / "cut.npz", arrays_of()).read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"cannot read .*cut.npz"):
        weights.load_trunk(model, tmp_path / "cut.npz")
    np.save(tmp_path / "one.npy", np.ones(3))
    with pytest.raises(InputError, match=r"cannot read .*one.npy"):
        weights.load_trunk(model, tmp_path / "one.npy")


def test_the_trunk_of_the_model_in_the_box():
    frames = np.zeros((64, 64, 3), np.float32)
    model = build_model("efficientnet", mean_frame=frames, num_clusters=5, grid_size=4)
    head = model.get_layer("look_in").get_weights()
    weights.load_trunk(model, "default")
    box, _ = weights.unpack(DEFAULT_FILE)
    for layer in model.layers:
        if layer.name.startswith(blocks.TRUNK):
            expected = box.get_layer(layer.name).get_weights()
            for found, values in zip(layer.get_weights(), expected, strict=True):
                np.testing.assert_array_equal(found, values)
    stem = model.get_layer("trunk_stem").get_weights()[0]
    np.testing.assert_allclose(stem[1, 1, :, 0], STEM, rtol=1e-3)
    np.testing.assert_array_equal(model.get_layer("look_in").get_weights(), head)


def test_freezing_leaves_the_head():
    model = tiny()
    freeze(model)
    trainable = [weight.name for weight in model.trainable_weights]
    assert trainable == ["head/kernel:0", "head/bias:0"]
    assert len(model.weights) == 7


def blocks_0_to_10():
    """A stem and blocks of one convolution and one normalisation each."""
    x = inputs = keras.Input((2, 2, 1))
    for name in ["stem", "block0_a", "block2_a", "block10_a"]:
        x = keras.layers.Conv2D(1, 1, use_bias=False, name=f"trunk_{name}")(x)
        x = keras.layers.BatchNormalization(name=f"trunk_{name}_norm")(x)
    return keras.Model(inputs, keras.layers.Conv2D(1, 1, name="head")(x), name="tiny")


@pytest.mark.parametrize(
    "train_from, expected",
    [
        (0, ["block0", "block2", "block10"]),
        (1, ["block2", "block10"]),
        (10, ["block10"]),
    ],
)
def test_a_block_and_those_after_it_train(train_from, expected):
    model = blocks_0_to_10()
    freeze(model, train_from)
    names = [weight.name.split("/")[0] for weight in model.trainable_weights]
    kernels = [n for n in names if not n.endswith("norm")]
    assert kernels == [f"trunk_{name}_a" for name in expected] + ["head", "head"]


def test_a_block_that_is_not_there():
    with pytest.raises(InputError, match="--train_trunk_from=11: the last block is 10"):
        freeze(blocks_0_to_10(), 11)


def test_fixed_norms_keep_their_statistics_while_the_rest_trains():
    model = blocks_0_to_10()
    fix_norms(model)
    names = [weight.name for weight in model.trainable_weights]
    assert len(names) == 4 + 2 and not [name for name in names if "norm" in name]
    pictures = np.random.default_rng(0).normal(3, 2, (4, 2, 2, 1)).astype(np.float32)
    before = model.get_weights()
    found = model(pictures, training=True)
    np.testing.assert_array_equal(found, model(pictures, training=False))
    for new, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(new, old)


def test_networks_without_a_trunk(tmp_path):
    options = {"num_clusters": 5, "grid_size": 3, "width": 0.05}
    options["mean_frame"] = np.zeros((64, 64, 3), np.float32)
    with pytest.raises(InputError, match="allconv has no trunk: --freeze_trunk is"):
        build_model("allconv", **options, freeze_trunk=True)
    with pytest.raises(InputError, match="allconv has no trunk: --pretrained is for"):
        weights.load_trunk(build_model("allconv", **options), tmp_path / "t.npz")
