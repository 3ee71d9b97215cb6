import numpy as np
import pytest
import tensorflow as tf
from scipy.interpolate import griddata
from scipy.ndimage import map_coordinates

from motionflow.generate import warp

pytestmark = pytest.mark.slow

SIZE = 48
ROWS, COLUMNS = np.mgrid[:SIZE, :SIZE].astype(np.float32)
CENTER = (SIZE - 1) / 2


def constant_flow(dx, dy, height=SIZE, width=SIZE):
    return np.broadcast_to(np.float32([dx, dy]), (1, height, width, 2)).copy()


def noise(seed, *shape):
    return np.random.default_rng(seed).uniform(0, 255, shape).astype(np.float32)


def texture(x, y):
    """A smooth picture that is known at every point, not only at pixels."""
    waves = [np.sin(0.25 * x + 0.1 * y), np.cos(0.2 * y - 0.1 * x), np.sin(0.3 * y)]
    return (127.5 + 100 * np.stack(waves, axis=-1)).astype(np.float32)


def linear_motion(matrix, shift=(0.0, 0.0)):
    """Flow of `x -> matrix (x - center) + center + shift`, and its exact inverse."""
    points = np.stack([COLUMNS, ROWS], axis=-1) - CENTER
    flow = points @ np.transpose(matrix) + shift - points
    origin = (points - shift) @ np.linalg.inv(matrix).T + CENTER
    return flow.astype(np.float32)[None], origin


def rotation(degrees):
    turn = np.deg2rad(degrees)
    return [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]


def psnr(found, expected, border=8):
    inner = (slice(border, -border),) * 2
    error = np.mean(np.square(found[inner] - expected[inner]))
    return 10 * np.log10(255**2 / error)


# Known by hand.


@pytest.mark.parametrize("dx, dy", [(3, 0), (0, 2), (-4, 5), (-1, -3)])
def test_a_whole_shift_moves_a_dot_exactly(dx, dy):
    frames = np.zeros((1, 20, 30, 1), np.float32)
    frames[0, 10, 12, 0] = 200
    warped, _ = warp.forward(frames, constant_flow(dx, dy, 20, 30))
    expected = np.zeros_like(frames)
    expected[0, 10 + dy, 12 + dx, 0] = 200
    np.testing.assert_allclose(warped, expected, atol=1e-3)


def test_half_a_pixel_shares_a_dot_between_two():
    frames = np.zeros((1, 9, 9, 1), np.float32)
    frames[0, 4, 4, 0] = 100
    warped, _ = warp.forward(frames, constant_flow(0.5, 0, 9, 9))
    np.testing.assert_allclose(warped[0, 4, 3:7, 0], [0, 50, 50, 0], atol=1e-3)
    assert np.sum(warped) == pytest.approx(100, abs=1e-2)


def test_backward_reads_where_flow_points_and_clamps():
    frames = np.arange(12, dtype=np.float32).reshape(1, 3, 4, 1)
    right = warp.backward(frames, constant_flow(1, 0, 3, 4))
    np.testing.assert_array_equal(right[0, 0, :, 0], [1, 2, 3, 3])
    between = warp.backward(frames, constant_flow(0.25, 0.5, 3, 4))
    assert float(between[0, 0, 0, 0]) == pytest.approx(0.25 + 0.5 * 4)
    far = warp.backward(frames, constant_flow(-1e4, 1e4, 3, 4))
    np.testing.assert_array_equal(far[0, ..., 0], np.full((3, 4), 8))


def test_backward_agrees_with_scipy():
    frames, flow = noise(0, 1, 17, 23, 2), noise(1, 1, 17, 23, 2) / 20 - 6
    rows, columns = np.mgrid[:17, :23]
    points = [rows + flow[0, ..., 1], columns + flow[0, ..., 0]]
    for channel in range(2):
        expected = map_coordinates(
            frames[0, ..., channel], points, order=1, mode="nearest"
        )
        found = warp.backward(frames, flow)[0, ..., channel]
        np.testing.assert_allclose(found, expected, atol=1e-2)


def test_backward_equals_addons():
    addons = pytest.importorskip("tensorflow_addons", reason="no Addons on this line")
    frames = noise(0, 2, 11, 7, 3) / 255
    places = np.random.default_rng(1).uniform(0, 1, (2, 11, 7, 2)).astype(np.float32)
    places *= [6, 10]
    places[:, 0, :2] = [[6, 10], [0, 0]]
    flow = places - np.stack(np.meshgrid(np.arange(7), np.arange(11)), axis=-1)
    # Addons takes (row, column), and one row and column more than it may read.
    expected = addons.image.interpolate_bilinear(
        np.pad(frames, ((0, 0), (0, 1), (0, 1), (0, 0)), "edge"),
        places[..., ::-1].reshape(2, 77, 2),
    )
    found = tf.reshape(warp.backward(frames, flow), [2, 77, 3])
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_zero_flow_changes_nothing():
    frames = noise(0, 2, 13, 21, 3)
    warped, coverage = warp.forward(frames, np.zeros((2, 13, 21, 2)))
    np.testing.assert_array_equal(warped, frames)
    np.testing.assert_array_equal(coverage, np.ones((2, 13, 21)))
    np.testing.assert_array_equal(
        warp.backward(frames, np.zeros((2, 13, 21, 2))), frames
    )


# Motions whose result is known at every point.


@pytest.mark.parametrize(
    "name, matrix, shift",
    [
        ("zoom 1.15", 1.15 * np.eye(2), (0, 0)),
        ("zoom 1.6", 1.6 * np.eye(2), (0, 0)),
        ("zoom 2.5", 2.5 * np.eye(2), (0, 0)),
        ("shrink", 0.7 * np.eye(2), (0, 0)),
        ("rotation", rotation(12), (0, 0)),
        ("shear and shift", [[1, 0.3], [0, 1]], (3.3, -1.7)),
    ],
)
def test_known_motion_is_as_good_as_scattered_interpolation(name, matrix, shift):
    flow, origin = linear_motion(matrix, shift)
    frame, expected = texture(COLUMNS, ROWS), texture(origin[..., 0], origin[..., 1])
    warped = warp.forward(frame[None], flow)[0][0].numpy()
    targets = np.stack([COLUMNS, ROWS], axis=-1) + flow[0]
    report = griddata(
        targets.reshape(-1, 2), frame.reshape(-1, 3), (COLUMNS, ROWS), method="linear"
    )
    seen = np.all((origin > 4) & (origin < SIZE - 5), axis=-1)
    ours, theirs = (
        np.mean(np.square(found - expected)[seen]) for found in (warped, report)
    )
    # Half a decibel.
    assert ours < theirs * 10**0.05


def test_a_fractional_shift_keeps_a_smooth_texture():
    flow, origin = linear_motion(np.eye(2), (3.3, -1.7))
    expected = texture(origin[..., 0], origin[..., 1])
    warped, _ = warp.forward(texture(COLUMNS, ROWS)[None], flow)
    assert psnr(warped[0].numpy(), expected) > 45


def test_a_zoom_with_holes_keeps_its_texture():
    flow, origin = linear_motion(2.5 * np.eye(2))
    warped, coverage = warp.forward(texture(COLUMNS, ROWS)[None], flow)
    assert np.mean(coverage[0] == 0) > 0.25
    expected = texture(origin[..., 0], origin[..., 1])
    assert psnr(warped[0].numpy(), expected) > 40


def test_forward_and_backward_agree_on_the_sign():
    flow, _ = linear_motion(rotation(8))
    frame = texture(COLUMNS, ROWS)[None]
    moved, _ = warp.forward(frame, flow)
    assert psnr(warp.backward(moved, flow)[0].numpy(), frame[0]) > 40


def test_what_enters_at_the_border_continues_the_edge():
    frames = noise(3, 1, 24, 24, 1)
    warped, coverage = warp.forward(frames, constant_flow(4, 0, 24, 24))
    np.testing.assert_allclose(
        warped[0, :, :4, 0], np.repeat(frames[0, :, :1, 0], 4, axis=1), atol=1e-2
    )
    np.testing.assert_array_equal(coverage[0, :, :4], np.zeros((24, 4)))
    np.testing.assert_array_equal(coverage[0, :, 4:], np.ones((24, 20)))


# Occlusion and coverage.


def moving_patch():
    """A bright patch moves 8 pixels right over a still, darker ground."""
    frames = noise(0, 1, 40, 40, 3) / 255 * 50
    frames[0, 12:22, 8:18] += 150
    flow = np.zeros((1, 40, 40, 2), np.float32)
    flow[0, 12:22, 8:18] = [8, 0]
    return frames, flow


@pytest.mark.parametrize("kind", ["magnitude", "tensor"])
def test_importance_puts_the_patch_in_front(kind):
    frames, flow = moving_patch()
    importance = kind
    if kind == "tensor":
        importance = np.where(flow[..., 0] > 0, 1e6, 1.0)
    warped, coverage = warp.forward(frames, flow, importance)
    patch = frames[0, 12:22, 8:18]
    np.testing.assert_allclose(warped[0, 12:22, 16:26], patch, atol=0.5)
    np.testing.assert_array_equal(coverage[0, 12:22, 18:26], np.full((10, 8), 2))
    np.testing.assert_array_equal(coverage[0, 12:22, 8:16], np.zeros((10, 8)))
    still = np.ones((40, 40), bool)
    still[12:22, 8:26] = False
    np.testing.assert_array_equal(warped[0].numpy()[still], frames[0][still])


def test_without_importance_the_patch_is_mixed_with_the_ground():
    frames, flow = moving_patch()
    warped, _ = warp.forward(frames, flow)
    patch = frames[0, 12:22, 8:18]
    assert np.abs(warped[0, 12:22, 16:26] - patch).max() > 20


@pytest.mark.parametrize("importance", [None, "magnitude"])
def test_scattered_colors_of_a_whole_shift_are_exact(importance):
    frames = noise(0, 1, 20, 30, 3)
    flow = constant_flow(3, -2, 20, 30)
    warped, coverage = warp.forward(frames, flow, importance, mode="splat")
    np.testing.assert_allclose(warped[:, :-2, 3:], frames[:, 2:, :-3], rtol=1e-5)
    np.testing.assert_array_equal(coverage[0, :-2, 3:], np.ones((18, 27)))


def test_scattered_colors_are_weighted_means():
    # Two pixels meet half way between two others: colours 100 and 40, weights 3 and 1.
    frames = np.array([0, 100, 0, 0, 0, 40, 0], np.float32).reshape(1, 1, 7, 1)
    flow = np.zeros((1, 1, 7, 2), np.float32)
    flow[0, 0, [1, 5], 0] = [2.5, -1.5]
    flow[0, 0, [3, 4], 0] = 1000
    importance = np.ones((1, 1, 7), np.float32)
    importance[0, 0, 1] = 3
    warped, coverage = warp.forward(frames, flow, importance, mode="splat")
    expected = (3 * 100 + 40) / 4
    np.testing.assert_allclose(warped[0, 0, 3:5, 0], [expected, expected])
    np.testing.assert_allclose(coverage[0, 0], [1, 0, 1, 1, 1, 0, 1])


def test_scattered_colors_put_the_important_in_front_and_fill_holes():
    frames, flow = moving_patch()
    warped, coverage = warp.forward(frames, flow, "magnitude", mode="splat")
    patch = frames[0, 12:22, 8:18]
    np.testing.assert_allclose(warped[0, 12:22, 16:26], patch, atol=0.5)
    hole = warped[0].numpy()[coverage[0] == 0]
    # The ground is 0 to 50; the patch, 150 brighter, borders on the hole as well.
    assert hole.shape == (80, 3) and hole.min() > 5


def test_only_scattered_colors_teach_the_importance():
    frames, flow = moving_patch()
    importance = tf.ones([1, 40, 40])
    with tf.GradientTape() as tape:
        tape.watch(importance)
        warped, _ = warp.forward(frames, flow, importance, mode="splat")
        score = tf.reduce_mean(warped[0, 12:22, 18:26])
    gradient = tape.gradient(score, importance)[0].numpy()
    # The bright patch brightens where it meets the dark ground, which darkens.
    assert gradient[12:22, 10:18].min() > 0 > gradient[12:22, 18:26].max()


@pytest.mark.parametrize(
    "options, message",
    [
        ({"importance": "speed"}, "'speed'.*'magnitude'"),
        ({"mode": "scatter"}, "'scatter'.*'splat'"),
    ],
)
def test_unknown_choices_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        warp.forward(*moving_patch(), **options)


def test_unusable_vectors_are_left_out():
    frames = noise(0, 1, 16, 16, 3)
    flow = constant_flow(2, 0, 16, 16)
    clean, _ = warp.forward(frames, flow)
    for row, value in enumerate((np.nan, np.inf, -np.inf, 1e38)):
        flow[0, 3 * row + 2, 6, row % 2] = value
    warped, coverage = warp.forward(frames, flow)
    assert np.isfinite(warped).all()
    # The neighbours all move alike, so their motion fills the gaps correctly.
    np.testing.assert_allclose(warped, clean, atol=1e-2)
    assert np.sum(coverage) == pytest.approx(16 * 14 - 4)
    assert np.isfinite(warp.backward(frames, flow)).all()


def test_all_gone_or_all_undefined_still_gives_the_frame():
    frames = np.full((1, 8, 8, 3), 77, np.float32)
    for value in (500.0, np.nan):
        warped, coverage = warp.forward(frames, constant_flow(value, value, 8, 8))
        np.testing.assert_array_equal(warped, frames)
        np.testing.assert_array_equal(coverage, np.zeros((1, 8, 8)))


@pytest.mark.parametrize("seed", range(8))
def test_colors_out_are_mixtures_of_colors_in(seed):
    random = np.random.default_rng(seed)
    flow = random.normal(0, [0.5, 3, 20, 200][seed % 4], (1, 19, 26, 2))
    gray = np.full((1, 19, 26, 3), 120, np.float32)
    importance = [None, "magnitude"][seed // 4]
    np.testing.assert_allclose(warp.forward(gray, flow, importance)[0], gray, rtol=1e-5)
    frames = noise(seed, 1, 19, 26, 3)
    warped = warp.forward(frames, flow, importance, num_steps=3)[0].numpy()
    assert frames.min() - 1e-3 <= warped.min() and warped.max() <= frames.max() + 1e-3


# Shorter ways.


# Shapes, types, graphs, gradients.


@pytest.mark.parametrize("height, width", [(1, 1), (1, 7), (5, 1), (33, 2)])
def test_any_size(height, width):
    frames = noise(0, 1, height, width, 3)
    warped, coverage = warp.forward(frames, np.full((1, height, width, 2), 0.4))
    assert warped.shape == frames.shape and coverage.shape == (1, height, width)
    assert np.isfinite(warped).all()


def test_half_precision_in_float32_out():
    frames = noise(0, 1, 12, 12, 3).astype(np.float16)
    flow = constant_flow(1.25, 0.5, 12, 12)
    warped, coverage = warp.forward(frames, flow.astype(np.float16))
    assert warped.dtype == coverage.dtype == tf.float32
    expected, _ = warp.forward(frames.astype(np.float32), flow)
    np.testing.assert_array_equal(warped, expected)
    integers = frames.astype(np.uint8)
    assert warp.backward(integers, flow).dtype == tf.float32


def test_eager_equals_graph_of_unknown_shape():
    signature = [
        tf.TensorSpec([None, None, None, 3], tf.float32),
        tf.TensorSpec([None, None, None, 2], tf.float32),
    ]
    graph = tf.function(warp.forward, input_signature=signature)
    for height, width in ((30, 41), (12, 9)):
        frames = noise(0, 2, height, width, 3)
        flow = noise(1, 2, height, width, 2) / 40
        for eager, traced in zip(
            warp.forward(frames, flow), graph(frames, flow), strict=True
        ):
            np.testing.assert_allclose(eager, traced, atol=2e-3)


def test_a_batch_is_its_frames_one_by_one():
    frames, flow = noise(0, 2, 20, 24, 3), noise(1, 2, 20, 24, 2) / 50 - 2
    together = warp.forward(frames, flow)
    for i in range(2):
        alone = warp.forward(frames[i : i + 1], flow[i : i + 1])
        for batched, single in zip(together, alone, strict=True):
            np.testing.assert_allclose(batched[i], single[0], atol=1e-4)


@pytest.mark.parametrize("importance", [None, "magnitude"])
def test_gradient_is_finite_everywhere(importance):
    frames = tf.constant(noise(0, 1, 16, 16, 3))
    for scale in (0, 3, 300):
        flow = tf.constant(
            np.random.default_rng(0).normal(0, 1, (1, 16, 16, 2)) * scale
        )
        with tf.GradientTape() as tape:
            tape.watch([frames, flow])
            total = tf.reduce_sum(warp.forward(frames, flow, importance)[0] ** 2)
        for gradient in tape.gradient(total, [frames, flow]):
            assert np.isfinite(gradient).all()


def test_gradient_is_the_slope():
    frame = texture(COLUMNS, ROWS)[None]
    weights = noise(5, *frame.shape)
    weights[:, :12] = weights[:, -12:] = weights[:, :, :12] = weights[:, :, -12:] = 0

    def score(dx):
        flow = tf.ones_like(frame[..., :1]) * tf.stack([dx, 0.3])
        warped, _ = warp.forward(frame, flow)
        return tf.reduce_mean(tf.cast(warped * weights, tf.float64))

    dx = tf.constant(0.37)
    with tf.GradientTape() as tape:
        tape.watch(dx)
        value = score(dx)
    numerical = (score(dx + 0.05) - score(dx - 0.05)) / 0.1
    assert float(tape.gradient(value, dx)) == pytest.approx(float(numerical), rel=1e-2)
