import numpy as np
import pytest
import tensorflow as tf

from motionflow.compat import keras
from motionflow.errors import InputError
from motionflow.models import NetworkOptions, blocks, choose_head, register_network
from motionflow.models.dilated_head import JOINED, add_head, join, start_at_prior
from motionflow.models.network import build_model

pytestmark = pytest.mark.slow


def head(*shapes, grid_size=4, width=1 / 16, dropout=0.0, **options):
    """A model of nothing but the head, with 4 scores a cell."""
    inputs = [keras.Input(shape) for shape in shapes]
    given = NetworkOptions(grid_size, 4, width, dropout=dropout, **options)
    x = add_head(join(inputs, grid_size), given)
    return keras.Model(inputs, blocks.scores(x, given))


def build(name, frame_size, grid_size, **options):
    return build_model(
        name,
        mean_frame=np.full((frame_size, frame_size, 3), 100, np.float32),
        num_clusters=5,
        grid_size=grid_size,
        **options,
    )


def test_features_see_7_cells_on_every_side_and_no_further():
    model = head((19, 19, 3), grid_size=19)
    for weight in model.trainable_weights:
        weight.assign(tf.abs(weight))  # no ReLU is in the way
    maps = tf.ones((1, 19, 19, 3))
    with tf.GradientTape() as tape:
        tape.watch(maps)
        middle = tf.reduce_sum(model(maps, training=False)[0, 9, 9])
    seen = tape.gradient(middle, maps)[0].numpy().sum(-1) > 0
    expected = np.zeros((19, 19), bool)
    expected[2:17, 2:17] = True  # 9 - 7 to 9 + 7
    np.testing.assert_array_equal(seen, expected)


def test_its_weights_by_hand():
    model = head((4, 4, 3), (8, 8, 5), width=1.0)
    # Joined to 256, blocks of 256 -> 64 -> 64 -> 256 without biases, 4 scores.
    block = 256 * 64 + 9 * 64 * 64 + 64 * 256
    assert blocks.count_parameters(model) == 8 * 256 + 3 * block + 257 * 4
    norms = [x for x in model.layers if isinstance(x, keras.layers.BatchNormalization)]
    assert len(norms) == 1 + 3 * 3
    dilations = [
        x.dilation_rate[0]
        for x in model.layers
        if isinstance(x, keras.layers.Conv2D) and x.kernel_size == (3, 3)
    ]
    assert dilations == [1, 2, 4]
    assert model.get_layer(blocks.FEATURES).output.shape == (None, 4, 4, 256)


def joined(*maps, grid_size):
    model = head(*(x.shape[1:] for x in maps), grid_size=grid_size)
    inner = keras.Model(model.inputs, model.get_layer(JOINED).output)
    return inner([tf.constant(x) for x in maps]).numpy()[0]


def test_maps_of_any_side_lie_on_the_frame_as_the_grid_does():
    """A ramp over the frame is the same ramp on the grid, whatever the map's side."""

    def ramp(height, width):
        y, x = (np.arange(height) + 0.5) / height, (np.arange(width) + 0.5) / width
        return np.stack(np.meshgrid(x, y), axis=-1)[None].astype(np.float32)

    maps = [ramp(50, 50), ramp(25, 25), ramp(20, 41), ramp(7, 7)]
    found = joined(*maps, grid_size=20)
    inside = slice(2, -2)  # a coarse map's ramp ends at its outermost middles
    for i in range(len(maps)):
        np.testing.assert_allclose(
            found[inside, inside, 2 * i : 2 * i + 2],
            ramp(20, 20)[0, inside, inside],
            atol=1e-5,
        )


@pytest.mark.parametrize("side", [40, 50, 59, 100])
def test_no_place_of_a_finer_map_is_skipped(side):
    maps = np.zeros((side, side, side, 1), np.float32)
    maps[np.arange(side), np.arange(side), np.arange(side)] = 1  # one point each
    model = head((side, side, 1), grid_size=20)
    inner = keras.Model(model.inputs, model.get_layer(JOINED).output)
    # Each point of the map counts as much as others do, up to the reading's triangles.
    shares = inner(maps).numpy().sum(axis=(1, 2, 3)) * (side / 20) ** 2
    assert shares.min() > 0.2 and shares.mean() == pytest.approx(1, rel=0.15)


def test_what_is_told_is_added_behind_the_first_block():
    inputs, seen = keras.Input((4, 4, 3)), []

    def take_away(features):
        seen.append(features)
        return keras.layers.Rescaling(-1.0)(features)

    options = NetworkOptions(4, 4, width=1 / 16)
    model = keras.Model(inputs, add_head(inputs, options, take_away))
    maps = np.random.default_rng(0).normal(size=(2, 4, 4, 3)).astype(np.float32)
    first = keras.Model(inputs, seen[0])
    assert np.abs(first(maps)).max() > 0.01 and seen[0].shape == (None, 4, 4, 16)
    # Taking away what the first block says leaves nothing of the maps.
    np.testing.assert_allclose(model(maps), model(0 * maps), atol=1e-6)


def test_dropout_stands_around_the_join_and_on_each_branch():
    def drops(model):
        return [x.name for x in model.layers if isinstance(x, blocks.CountedDropout)]

    names = ["maps_dropout", "look_dropout"] + [
        f"look{n}_around_dropout" for n in (1, 2, 4)
    ]
    assert drops(head((4, 4, 3), dropout=0.3)) == names
    assert drops(head((4, 4, 3))) == []


def test_a_network_starts_at_the_class_prior():
    model = build("convnext", 40, 4, head="dilated", width=0.1)
    kernel = model.get_layer(blocks.SCORES).kernel.numpy()
    start_at_prior(model, np.array([75, 15, 5, 0, 0]))
    shares = np.array([76, 16, 6, 1, 1]) / 100
    np.testing.assert_allclose(
        model.get_layer(blocks.SCORES).kernel, kernel / 10, rtol=1e-6
    )
    frames = np.random.default_rng(0).uniform(0, 255, (2, 40, 40, 3))
    found = tf.nn.softmax(model(frames.astype(np.float32))).numpy()
    assert 0 < np.abs(found - shares).max() < 0.1
    model.get_layer(blocks.SCORES).kernel.assign(tf.zeros_like(kernel))
    found = tf.nn.softmax(model(frames.astype(np.float32))).numpy()
    np.testing.assert_allclose(found, np.tile(shares, (2, 1, 4, 4, 1)), rtol=1e-5)


@pytest.mark.parametrize(
    "name, size, grid, policy",
    [
        ("allconv", 64, 3, "mixed_bfloat16"),
        ("convnext", 40, 4, "float32"),
        ("efficientnet", 64, 3, "float32"),
        ("guided", 64, 3, "mixed_bfloat16"),
    ],
)
def test_every_weight_of_each_network_with_it_learns(name, size, grid, policy):
    keras.mixed_precision.set_global_policy(policy)
    try:
        model = build(name, size, grid, head="dilated", width=0.05, dropout=0.2)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    frames = np.random.default_rng(0).uniform(0, 255, (4, size, size, 3))
    with tf.GradientTape() as tape:
        logits = model(frames.astype(np.float32), training=True)
        loss = tf.reduce_mean(logits[..., 0] ** 2)
    assert logits.dtype == tf.float32 and logits.shape == (4, 1, grid, grid, 5)
    for gradient in tape.gradient(loss, model.trainable_weights):
        assert np.isfinite(gradient).all()
    assert model.get_layer(blocks.FEATURES).output.shape[1:3] == (grid, grid)


def test_which_network_has_which_head():
    assert choose_head("efficientnet") == "dilated"
    assert choose_head("efficientnet", "plain") == "plain"
    assert choose_head("allconv") == choose_head("vgg") == "plain"
    assert choose_head("vgg", "plain") == "plain"
    with pytest.raises(InputError, match="vgg has no dilated head: --head=dilated is"):
        choose_head("vgg", "dilated")
    with pytest.raises(InputError, match="no head 'round': --head is plain or dil"):
        choose_head("allconv", "round")
    with pytest.raises(InputError, match="exclude each other"):
        build("allconv", 64, 3, head="dilated", literal_head=True)


def test_a_builder_that_knows_no_head_goes_on_working(monkeypatch):
    monkeypatch.setattr("motionflow.models._BUILDERS", {})

    def simple(inputs, grid_size, num_clusters, *, width, l2, dropout, literal_head):
        x = keras.layers.Resizing(grid_size, grid_size, name=blocks.FEATURES)(inputs)
        return keras.layers.Conv2D(num_clusters, 1, name=blocks.SCORES)(x)

    register_network("simple", simple)
    assert build("simple", 40, 4, head="plain").output_shape == (None, 1, 4, 4, 5)
    with pytest.raises(InputError, match="simple has no dilated head"):
        build("simple", 40, 4, head="dilated")
