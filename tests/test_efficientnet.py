import numpy as np
import pytest
import tensorflow as tf
from scipy.signal import correlate2d

from motionflow.compat import keras
from motionflow.errors import InputError
from motionflow.models import blocks, efficientnet
from motionflow.models.blocks import TRUNK
from motionflow.models.network import build_model

pytestmark = pytest.mark.slow


def build(frame_size=200, grid_size=20, num_clusters=40, head="plain", **options):
    return build_model(
        "efficientnet",
        mean_frame=np.full((frame_size, frame_size, 3), 100, np.float32),
        num_clusters=num_clusters,
        grid_size=grid_size,
        head=head,
        **options,
    )


@pytest.fixture(scope="module")
def model():
    """For 200x200 frames; nobody changes it."""
    return build()


def frames_of(size, batch=1):
    random = np.random.default_rng(0)
    return random.uniform(0, 255, (batch, size, size, 3)).astype(np.float32)


def test_the_published_number_of_parameters():
    model = efficientnet.build_classifier(32)
    numbers = [int(np.prod(weight.shape)) for weight in model.trainable_weights]
    assert sum(numbers) == 4_652_008
    assert model.output_shape == (None, 1000)


def test_the_parameters_under_the_head(model):
    # Without batch normalisation: widen, depthwise, narrow, in the paper's table 1.
    table = [(1, 3, 1, 16), (2, 3, 6, 24), (2, 5, 6, 40), (3, 3, 6, 80)]
    table += [(3, 5, 6, 112), (4, 5, 6, 192), (1, 3, 6, 320)]
    trunk, filters = 27 * 32, 32
    for num_blocks, kernel, expansion, outputs in table:
        for _ in range(num_blocks):
            wide = expansion * filters
            trunk += filters * wide if expansion > 1 else 0
            trunk += kernel * kernel * wide + wide * outputs
            filters = outputs
    head = (40 + 112 + 320 + 1) * 512 + 513 * 40
    assert (trunk, head) == (2_919_392, 262_696)
    assert blocks.count_parameters(model) == trunk + head
    narrow = (40 + 112 + 320 + 1) * 51 + 52 * 40
    assert blocks.count_parameters(build(32, 2, width=0.1)) == trunk + narrow


def test_the_maps_are_the_last_of_stride_8_16_and_32(model):
    maps = [
        layer.input_shape[1:]
        for layer in model.layers
        if isinstance(layer, keras.layers.Resizing)
    ]
    assert maps == [(25, 25, 40), (13, 13, 112), (7, 7, 320)]
    assert model.output_shape == (None, 1, 20, 20, 40)


def test_the_dilated_head_takes_the_map_of_stride_4_too():
    model = build(head="dilated")
    maps = [
        layer.input_shape[1:]
        for layer in model.layers
        if isinstance(layer, keras.layers.Resizing)
    ]
    assert maps == [(50, 50, 24), (25, 25, 40), (13, 13, 112), (7, 7, 320)]
    assert model.get_layer("joined").output.shape == (None, 20, 20, 496)
    block = 256 * 64 + 9 * 64 * 64 + 64 * 256
    head = 496 * 256 + 3 * block + 257 * 40
    assert head == 346_152
    assert blocks.count_parameters(model) == 2_919_392 + head


def test_blocks_of_equal_ends_have_a_bypass(model):
    adds = [x for x in model.layers if isinstance(x, keras.layers.Add)]
    ends = [x.output_shape[-1] for x in adds]
    assert ends == [24, 40, 80, 80, 112, 112, 192, 192, 192]


def test_every_relu_but_the_heads_ends_at_6(model):
    relus = [x for x in model.layers if isinstance(x, keras.layers.ReLU)]
    assert len(relus) == 1 + 1 + 15 * 2 + 1  # stem, block 0, others, head
    assert [x.max_value for x in relus] == [6.0] * 32 + [None]


@pytest.mark.parametrize("size, before, after", [(32, 0, 1), (33, 1, 1)])
def test_the_stem_by_hand(size, before, after):
    """An even side is padded at its end only, and so did the weights learn it."""
    inputs = keras.Input((size, size, 3))
    x = efficientnet.convolution(inputs, 4, 3, "stem", stride=2)
    model = keras.Model(inputs, x)
    kernel, gamma, beta, mean, variance = (
        np.random.default_rng(1).uniform(0.5, 2, weight.shape)
        for weight in model.get_weights()
    )
    model.set_weights([kernel, gamma, beta, mean, variance])
    picture = np.random.default_rng(0).normal(size=(size, size, 3))
    padded = np.pad(picture, [(before, after), (before, after), (0, 0)])
    expected = np.stack(
        [
            sum(
                correlate2d(padded[..., c], kernel[..., c, filters], "valid")
                for c in range(3)
            )[::2, ::2]
            for filters in range(4)
        ],
        axis=-1,
    )
    expected = gamma * (expected - mean) / np.sqrt(variance + 1e-3) + beta
    assert expected.min() < -1 and expected.max() > 7
    found = model(picture[None].astype(np.float32), training=False)[0]
    np.testing.assert_allclose(found, expected.clip(0, 6), atol=1e-4)


def test_the_trunk_sees_frames_as_its_weights_know_them(model):
    layer = model.get_layer(f"{TRUNK}stem")
    frames = frames_of(200)
    found = keras.Model(model.input, layer.input)(frames)
    np.testing.assert_allclose(found, (frames - 127) / 128, atol=1e-5)


def test_maps_are_resized_around_the_centres_of_cells(model):
    # 40 -> 20: each cell lies between two of the map's, in both directions.
    resize = next(x for x in model.layers if isinstance(x, keras.layers.Resizing))
    maps = np.arange(1600, dtype=np.float32).reshape(1, 40, 40, 1)
    expected = 20.5 + 80 * np.arange(20)[:, None] + 2 * np.arange(20)
    np.testing.assert_allclose(resize(maps)[0, ..., 0], expected, rtol=1e-6)


def train(model):
    """One step, without the tracing that `fit` needs."""
    with tf.GradientTape() as tape:
        logits = model(frames_of(32, 4), training=True)
        loss = tf.add_n([tf.reduce_mean((logits - 1) ** 2), *model.losses])
    gradients = tape.gradient(loss, model.trainable_weights)
    optimizer = keras.optimizers.SGD(0.1)
    optimizer.apply_gradients(zip(gradients, model.trainable_weights, strict=True))


def changed_by_training(model):
    """Names of the weights that a step changes, and of all but the frames' mean."""
    names = [weight.name for weight in model.weights]
    before = dict(zip(names, model.get_weights(), strict=True))
    train(model)
    changed = {
        name
        for name, weight in zip(names, model.get_weights(), strict=True)
        if np.any(weight != before[name])
    }
    return changed, {name for name in names if not name.startswith("standardize")}


def test_a_frozen_trunk_stays_and_the_head_learns():
    model = build(32, 2, width=0.1, freeze_trunk=True, l2=0.1, dropout=0.2)
    assert len(model.losses) == 2  # the head's kernels
    changed, names = changed_by_training(model)
    heads = {name for name in names if not name.startswith(TRUNK)}
    assert len(heads) == 9  # two convolutions, a normalisation, the dropout's state
    assert changed == heads


def test_the_last_blocks_learn_with_the_head_and_norms_stay():
    """Block 14 widens, mixes and narrows 192 channels, block 15 as well."""
    options = {"head": "dilated", "width": 0.1, "dropout": 0.0}
    model = build(32, 2, train_trunk_from=14, fixed_norm=True, **options)
    changed, names = changed_by_training(model)
    trunk = {name for name in changed if name.startswith(TRUNK)}
    parts = "expand/kernel", "depthwise/depthwise_kernel", "project/kernel"
    assert trunk == {f"{TRUNK}block{n}_{part}:0" for n in (14, 15) for part in parts}
    assert changed - trunk == {name for name in names if not name.startswith(TRUNK)}


def test_a_free_trunk_learns():
    model = build(32, 2, width=0.1)
    trunk = [x for x in model.layers if x.name.startswith(TRUNK) and x.weights]
    before = [layer.get_weights() for layer in trunk]
    train(model)
    for layer, old in zip(trunk, before, strict=True):
        new = layer.get_weights()
        assert any(np.any(a != b) for a, b in zip(new, old, strict=True)), layer.name


def test_half_precision():
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        model = build(32, 2, width=0.1, dropout=0.2)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert model.get_layer(blocks.FEATURES).output.dtype == tf.bfloat16
    assert model.output.dtype == tf.float32
    assert np.all(np.isfinite(model(frames_of(32), training=True)))


def test_its_features_are_what_the_scores_are_made_from(model):
    *_, scores = (x for x in model.layers if isinstance(x, keras.layers.Conv2D))
    assert model.get_layer(blocks.FEATURES).output is scores.input
    assert scores.input.shape[1:] == (20, 20, 512)


def test_what_it_refuses():
    with pytest.raises(InputError, match="literal_head is for allconv"):
        build(32, 2, literal_head=True)
    with pytest.raises(InputError, match="32 pixels, found 31"):
        build(31, 2)
