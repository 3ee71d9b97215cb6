import cv2
import numpy as np
import pytest
import tensorflow as tf

from motionflow.errors import InputError
from motionflow.generate import picture_flow
from motionflow.generate.fitting import resize
from motionflow.media import video
from tests.conftest import texture

SIZE, GRID = 40, 4
CENTERS = np.float32([[0, 0], [2, 0], [0, -3]])


class BrightMovesRight:
    """Cells brighter than middle grey move right, by their mean colour; others rest."""

    frame_size, grid_size, centers = SIZE, GRID, CENTERS
    num_steps, fine_size = 1, GRID

    def __init__(self):
        self.seen = None

    def __call__(self, frames):
        self.seen = frames.numpy()
        assert frames.shape[1:] == (SIZE, SIZE, 3)
        cells = self.seen.reshape(-1, GRID, SIZE // GRID, GRID, SIZE // GRID, 3)
        bright = cells.mean(axis=(2, 4, 5)) > 127
        found = tf.constant(np.eye(3, dtype=np.float32)[bright * 1])
        return {"step_probabilities": found[:, tf.newaxis]}


def noise(*shape, seed=0):
    return np.random.default_rng(seed).dirichlet(np.ones(3), shape).astype(np.float32)


def flow_of(frame):
    model = picture_flow.flow_function(BrightMovesRight())
    return model(tf.constant(frame[None], tf.float32))[0].numpy()


def test_a_square_of_the_networks_size_is_predicted_as_it_is():
    frame = np.zeros((SIZE, SIZE, 3), np.uint8)
    frame[10:20, 20:] = 255
    coarse = np.zeros((1, GRID, GRID, 2))
    coarse[0, 1, 2:, 0] = 2
    expected = resize(coarse, SIZE, SIZE)[0]
    np.testing.assert_allclose(flow_of(frame), expected, atol=1e-6)


@pytest.mark.parametrize("height, width", [(80, 200), (200, 80), (20, 60), (120, 120)])
def test_any_picture_keeps_its_shape_and_moves_in_its_own_pixels(height, width):
    frame = np.zeros((height, width, 3), np.uint8)
    frame[: height // 2, : width // 2] = 255
    flow = flow_of(frame)
    assert flow.shape == (height, width, 2)
    # 2 pixels of 40 along the short side.
    expected = 2 * min(height, width) / SIZE
    corner = flow[: height // 4, : width // 4]
    np.testing.assert_allclose(corner[..., 0], expected, rtol=1e-5)
    np.testing.assert_array_equal(flow[3 * height // 4 :], 0)
    np.testing.assert_array_equal(flow[:, 3 * width // 4 :], 0)
    np.testing.assert_array_equal(flow[..., 1], 0)


def test_cells_that_do_not_fit_stretch_a_little():
    # 100 x 173: 4 x 6.92, so 7 columns of cells of 40 / 4 pixels.
    flow = flow_of(np.full((100, 173, 3), 255, np.uint8))
    np.testing.assert_allclose(flow[..., 0], 2 * 173 / 70, rtol=1e-5)
    assert flow.shape == (100, 173, 2)


@pytest.mark.parametrize("size", [SIZE, 3 * SIZE + 10, SIZE - 13])
def test_the_network_sees_pictures_as_in_training(size):
    frame, predictor = texture(0, size, size), BrightMovesRight()
    picture_flow.cell_flow(predictor, tf.constant(frame[None]))
    expected = video.fit_frame(frame, SIZE).astype(float)
    # fit_frame rounds to whole grey values.
    np.testing.assert_allclose(predictor.seen[0], expected, atol=1)


def test_every_part_is_seen_by_squares_that_overlap_by_half():
    frame = np.tile(np.linspace(0, 255, 100)[None, :, None], (40, 1, 3))
    predictor = BrightMovesRight()
    picture_flow.cell_flow(predictor, tf.constant(frame[None], tf.float32))
    assert len(predictor.seen) == 4
    starts = [np.argmin(np.abs(frame[0, :, 0] - s[0, 0, 0])) for s in predictor.seen]
    assert starts == [0, 20, 40, 60]


def test_squares_that_disagree_are_mixed_by_their_distance_from_the_border():
    class FirstMoves(BrightMovesRight):
        def __call__(self, frames):
            codes = np.tile([[[1]], [[0]]], (1, GRID, GRID))
            found = tf.constant(np.eye(3, dtype=np.float32)[codes])
            return {"step_probabilities": found[:, tf.newaxis]}

    frames = tf.zeros([1, 40, 60, 3])
    found = picture_flow.cell_flow(FirstMoves(), frames)[1][:, 0]
    # Cells 2 and 3 are in both: 2 and 1 cells from the first one's border, 1 and 2
    # from the second one's.
    np.testing.assert_allclose(found[0, 0, :, 1], [1, 1, 2 / 3, 1 / 3, 0, 0], atol=1e-6)
    np.testing.assert_allclose(tf.reduce_sum(found, axis=-1), 1, atol=1e-6)


def test_a_strip_is_refused():
    with pytest.raises(InputError, match="1700x100.*at most 16 times"):
        flow_of(np.zeros((100, 1700, 3), np.uint8))


def test_a_wide_photograph_moves_like_its_parts():
    # Two squares side by side: the left half of a bright bar is the left square's.
    frame = cv2.resize(np.eye(4, 8, dtype=np.uint8)[..., None] * 255, (160, 80))
    flow = flow_of(np.repeat(frame[..., None], 3, axis=-1))
    alone = flow_of(np.repeat(frame[:, :80, None], 3, axis=-1))
    np.testing.assert_allclose(flow[:, :60], alone[:, :60], atol=0.5)
