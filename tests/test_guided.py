"""The network that can be told."""

import numpy as np
import pytest
import tensorflow as tf

from motionflow.compat import keras
from motionflow.data import known, pipeline
from motionflow.errors import InputError
from motionflow.models import decoding, guided, losses, naive, predictor
from motionflow.models.network import build_model

SIZE, GRID = 64, 4
CENTERS = np.float32([[0, 0], [4, 0], [-4, 0], [0, 4], [0, -4]])


def build(**options):
    model = build_model(
        "guided",
        mean_frame=np.zeros((SIZE, SIZE, 3), np.float32),
        num_clusters=len(CENTERS),
        grid_size=GRID,
        width=0.1,
        head="dilated",
        **options,
    )
    model.get_layer(guided.GUIDANCE).centers.assign(CENTERS)
    return model


@pytest.fixture(scope="module")
def model():
    """Nobody changes it."""
    keras.utils.set_random_seed(0)
    return build()


@pytest.fixture(scope="module")
def frames():
    random = np.random.default_rng(0)
    return random.uniform(0, 255, (2, SIZE, SIZE, 3)).astype(np.float32)


def tell(*arrows, pins=(), past=None):
    """What two frames are told: arrows (row, column, dx, dy) in the first."""
    vectors = np.full((2, GRID, GRID, 2), np.nan)
    for row, column, *vector in arrows:
        vectors[0, row, column] = vector
    marks = np.zeros((2, GRID, GRID), bool)
    for row, column in pins:
        marks[0, row, column] = True
    return known.pack_known((2, GRID, GRID), arrows=vectors, pins=marks, past=past)


def test_told_nothing_it_is_the_network_of_frames(model, frames):
    logits, flow = model.guided(frames, tell(), training=False)
    np.testing.assert_array_equal(logits, model(frames))
    expected = decoding.probabilities(logits[:, 0]) @ CENTERS
    np.testing.assert_allclose(flow, expected, atol=1e-6)


def test_told_cells_keep_their_vector(model, frames):
    told = tell((1, 2, 7.5, -3.25), (3, 0, 0.1, 0), pins=[(0, 0)])
    _, flow = model.guided(frames, told, training=False)
    np.testing.assert_array_equal(flow[0, 1, 2], [7.5, -3.25])
    np.testing.assert_array_equal(flow[0, 3, 0], np.float32([0.1, 0]))
    np.testing.assert_array_equal(flow[0, 0, 0], [0, 0])
    # The other frame is told nothing.
    _, untold = model.guided(frames, tell(), training=False)
    np.testing.assert_array_equal(flow[1], untold[1])


def test_it_begins_with_a_bell_around_the_naive_answer(frames, short_trunk):
    model = build()
    hints = model.get_layer("hints_out")
    hints.set_weights([0 * weight for weight in hints.get_weights()])
    past = np.random.default_rng(2).normal(0, 3, (2, GRID, GRID, 2))
    past[1, 0] = np.nan
    told = tell(past=past)
    found, flow = (x.numpy() for x in model.guided(frames, told, training=False))
    scores = model(frames).numpy()  # what the frame says; the hints say nothing
    guess = naive.FACTOR * np.nan_to_num(past)
    squares = ((guess[..., None, :] - CENTERS) ** 2).sum(-1)
    spread = 0.05 + 0.1 + 0.25 * np.linalg.norm(guess, axis=-1)
    bell = np.maximum(-squares / (2 * spread[..., None] ** 2), -30)
    is_known = np.isfinite(past).all(-1)[..., None]
    found, scores = found[:, 0], scores[:, 0]
    # softplus(0) = log 2
    np.testing.assert_allclose(found - scores, np.log(2) * bell * is_known, atol=1e-3)
    # The flow lies half way between what is expected and the naive answer.
    expected = (decoding.probabilities(found) @ CENTERS).numpy()
    middle = np.where(is_known, (expected + guess) / 2, expected)
    np.testing.assert_allclose(flow, middle, atol=1e-4)


def test_an_arrow_reaches_what_looks_alike():
    maps = np.zeros((1, GRID, GRID, 2), np.float32)
    maps[:, :, :2, 0] = maps[:, :, 2:, 1] = 1  # the halves have nothing in common
    layer = guided.Spread(0.0)
    layer([maps, tell()[:1]])
    weights = {weight.name: np.zeros(weight.shape) for weight in layer.weights}
    weights |= {"spread/widths:0": np.full((3, 1, 1), 4.0), "spread/rest:0": 0.1}
    for name, kernel in (("embed", np.eye(2, 96)), ("queries", 4), ("keys", 4)):
        weights[f"spread/{name}/kernel:0"][0, 0] += kernel
    weights["spread/queries/kernel:0"][0, 0, 1] *= -1
    weights |= {
        f"spread/embed_norm/{name}:0": np.ones(96)
        for name in ("gamma", "moving_variance")
    }
    layer.set_weights([weights[weight.name] for weight in layer.weights])
    # q . k / sqrt(16) is 4 * 4 * sqrt(16) on the left, and its opposite across.
    spread = layer([maps, tell((1, 0, 6, 0))[:1]]).numpy()[0]
    near = np.exp(-1 / 32)  # one cell away, width 4; rest weighs 0.101
    expected = [6 * near / (near + 0.001), 0, near / (near + 0.101)]
    np.testing.assert_allclose(spread[2, 0], expected, rtol=1e-3)
    np.testing.assert_allclose(spread[:, 2:], 0, atol=1e-6)
    np.testing.assert_array_equal(spread[1, 0], [6, 0, 1])


def test_a_blind_network_sees_only_what_it_is_told(frames, short_trunk):
    model = build(blind=True)
    one, other = (
        model.guided(x, tell((1, 1, 4, 0)), training=False)[0]
        for x in (frames, 255 - frames)
    )
    np.testing.assert_array_equal(one, other)
    assert np.abs(one[0] - one[1]).max() > 1e-3  # one frame is told, the other is not


def test_it_learns_from_what_it_is_told(frames, short_trunk):
    """The truth is a coin that only the arrow shows."""
    keras.utils.set_random_seed(1)
    model = build(freeze_trunk=True)
    model.compile(
        keras.optimizers.Adam(1e-2),
        loss=lambda targets, logits: losses.cross_entropy(
            pipeline.unpack_targets(targets)[0], logits
        ),
    )
    codes = np.tile(np.reshape([1, 2], [2, 1, 1, 1]), (1, 1, GRID, GRID))
    flow = CENTERS[codes]
    targets = pipeline.pack_targets(tf.constant(codes, tf.int32), flow)
    flow = flow[:, 0]
    arrows = np.full(flow.shape, np.nan)
    arrows[:, 1, 1] = flow[:, 1, 1]
    told = known.pack_known((2, GRID, GRID), arrows=arrows)
    same = np.repeat(frames[:1], 2, axis=0)
    before = model.guided(same, told, training=False)
    for _ in range(30):
        model.train_on_batch((same, told), targets)
    for found, first in zip(
        model.guided(same, told, training=False), before, strict=True
    ):
        assert np.isfinite(found).all() and (found.numpy() != first.numpy()).any()
    logits, moved = model.guided(same, told, training=False)
    assert (logits.numpy().argmax(-1) == codes).mean() > 0.9
    errors = [np.linalg.norm(x - flow, axis=-1).mean() for x in (moved, before[1])]
    assert errors[0] < 0.5 * errors[1]


def test_the_predictor_tells(model, frames):
    predict = predictor.of_model(model, CENTERS)
    assert predict.takes_known
    told = tell((2, 2, 3, 3))
    found = predict(frames.astype(np.uint8), told)
    np.testing.assert_array_equal(found["flow"][0, 2, 2], [3, 3])
    np.testing.assert_allclose(found["probabilities"].numpy().sum(-1), 1, atol=1e-5)
    untold = predict(frames.astype(np.uint8))
    np.testing.assert_array_equal(untold["flow"][1], found["flow"][1])
    with pytest.raises(InputError, match="expected"):
        predict(frames, told[..., :5])


def test_other_networks_cannot_be_told():
    model = build_model(
        "allconv",
        mean_frame=np.zeros((64, 64, 3), np.float32),
        num_clusters=5,
        grid_size=3,
        width=0.02,
    )
    predict = predictor.of_model(model, CENTERS)
    assert not predict.takes_known
    with pytest.raises(InputError, match="cannot be told"):
        predict(np.zeros((1, 64, 64, 3)), np.zeros((1, 3, 3, 7)))


def test_one_head():
    with pytest.raises(InputError, match="one head"):
        build_model(
            "guided",
            mean_frame=np.zeros((64, 64, 3), np.float32),
            num_clusters=5,
            grid_size=4,
            head="plain",
        )


@pytest.mark.slow
def test_an_export_can_be_told(frames, guided_version, guided_run_dir):
    exported, own = map(predictor.load, (guided_version, guided_run_dir))
    assert exported.takes_known
    told = tell((1, 2, 3, 1), pins=[(0, 0)], past=np.full((2, GRID, GRID, 2), 2.0))
    for found, expected in zip(
        (exported(frames, told), exported(frames)),
        (own(frames, told), own(frames)),
        strict=True,
    ):
        for name in ("flow", "probabilities"):
            np.testing.assert_allclose(found[name], expected[name], atol=1e-4)
