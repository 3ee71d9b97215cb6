import numpy as np
import pytest
import tensorflow as tf

from motionflow.generate import fitting
from motionflow.media import video
from tests import served

SIZE = 50
SIZES = [
    (50, 50),  # as it is
    (50, 120),  # cropped only
    (120, 51),
    (60, 80),  # shrunk
    (271, 480),
    (20, 31),  # enlarged
    (1, 1),
    (3, 300),  # a strip, of which the middle is taken
    (51, 51),
]


@pytest.fixture(scope="module")
def fit():
    """One graph for all sizes, as an export has it."""
    spec = tf.TensorSpec([None, None, None, 3], tf.uint8)
    return tf.function(lambda x: fitting.fit(x, SIZE), input_signature=[spec])


@pytest.mark.parametrize("height, width", SIZES)
def test_a_graph_fits_frames_as_opencv_did_for_the_training_data(fit, height, width):
    frames = served.pictures(2, height, width)
    found = fit(frames).numpy()
    expected = np.stack([video.fit_frame(frame, SIZE) for frame in frames])
    assert found.dtype == np.uint8 and found.shape == expected.shape
    # OpenCV interpolates with 11 bits, and rounds otherwise.
    assert np.abs(found.astype(int) - expected).max() <= 1
    if SIZE in (height, width) and min(height, width) == SIZE:
        np.testing.assert_array_equal(found, expected)


def test_a_frame_of_the_size_passes_bit_for_bit(fit):
    noise = np.random.default_rng(0).integers(0, 256, (3, SIZE, SIZE, 3), np.uint8)
    np.testing.assert_array_equal(fit(noise), noise)


def test_shrinking_averages_areas():
    stripes = np.zeros((1, 4, 8, 3), np.uint8)
    stripes[:, :, ::2] = 200
    np.testing.assert_array_equal(
        fitting.resize(stripes, 2, 4), np.full((1, 2, 4, 3), 100)
    )
    np.testing.assert_array_equal(fitting.resize(stripes, 4, 8), stripes)


@pytest.mark.parametrize(
    "shape, expected",
    [((240, 320), (20, 27)), ((100, 250), (20, 50)), ((41, 40), (20, 20))],
)
def test_sides_keep_their_aspect(shape, expected):
    # 320 / 240 * 20 = 26.67; 20.5 is rounded to even.
    assert tuple(fitting.scale_sides(tf.constant(shape), 20).numpy()) == expected


def test_flow_of_cells_stands_at_block_centers():
    cells = np.zeros((1, 4, 4, 2), np.float32)
    cells[..., 0] = np.arange(4)  # dx = column of the cell
    cells[..., 1] = 7
    full = fitting.resize(cells, 40, 40)
    assert full.shape == (1, 40, 40, 2)
    # Cell c covers pixels 10c..10c+9, so its centre is at 10c + 4.5; the edges extend.
    x = np.arange(40)
    expected = np.interp(x, 10 * np.arange(4) + 4.5, np.arange(4))
    np.testing.assert_allclose(full[0, 5, :, 0], expected, atol=1e-5)
    np.testing.assert_array_equal(full[..., 1], np.full((1, 40, 40), 7))
