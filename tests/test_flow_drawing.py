"""Arrows point where the flow goes; legends fit and say what is shown."""

import numpy as np
import pytest

from motionflow.drawing import flow_drawing
from tests.conftest import texture

BLACK = np.zeros((160, 160, 3), np.uint8)


def one_vector(vector: tuple[float, float]) -> np.ndarray:
    """4x4 cells of 40 pixels; the one with its centre at (59.5, 59.5) moves."""
    flow = np.zeros((4, 4, 2), np.float32)
    flow[1, 1] = vector
    return flow


@pytest.mark.parametrize(
    "vector, left, right, top, bottom",
    [
        ((30, 0), 59.5, 89.5, 59.5, 59.5),
        ((-30, 0), 29.5, 59.5, 59.5, 59.5),
        ((0, 30), 59.5, 59.5, 59.5, 89.5),
        ((0, -30), 59.5, 59.5, 29.5, 59.5),
    ],
)
def test_an_arrow_goes_from_the_cell_to_where_it_moves(
    vector, left, right, top, bottom
):
    drawn = flow_drawing.draw_arrows(BLACK, one_vector(vector))
    rows, columns = np.nonzero(drawn[..., 0] > 127)
    tip = 8  # its wings, to both sides of the line: 0.35 * 30 * sin 45 degrees
    across = 0 if right > left else tip
    along = tip - across
    assert abs(columns.min() - (left - across)) < 2
    assert abs(columns.max() - (right + across)) < 2
    assert abs(rows.min() - (top - along)) < 2
    assert abs(rows.max() - (bottom + along)) < 2
    # The tip is where the motion ends: the wings lie in the last half.
    wide = columns if right > left else rows
    thin = rows if right > left else columns
    middle = np.median(wide[np.abs(thin - 59.5) > 3])
    assert np.sign(middle - 59.5) == np.sign(sum(vector))
    assert not BLACK.any()


def test_the_scale_makes_arrows_longer_and_is_written():
    drawn = flow_drawing.draw_arrows(BLACK, one_vector((6, 0)), scale=5.0)
    arrow = drawn[30:, :, 0]
    columns = np.nonzero(arrow > 127)[1]
    assert abs(columns.min() - 59.5) < 2 and abs(columns.max() - 89.5) < 2
    # On black only the text of the note is white in the upper rows.
    assert (drawn[:20] > 200).any()
    plain = flow_drawing.draw_arrows(BLACK, one_vector((30, 0)))
    assert not plain[:20].any()


@pytest.mark.parametrize("level", [0, 128, 255])
def test_arrows_show_on_any_ground(level):
    ground = np.full_like(BLACK, level)
    drawn = flow_drawing.draw_arrows(ground, one_vector((30, 0))).astype(int)
    row = drawn[55:65, 70, 0]
    assert row.max() - row.min() > 150


def test_still_cells_get_no_arrow():
    frame = texture(0, 160, 200)
    drawn = flow_drawing.draw_arrows(frame, np.zeros((160, 200, 2)))
    np.testing.assert_array_equal(drawn, frame)
    # Arrows are 14 pixels apart here; a fifth of that is the shortest.
    faint = flow_drawing.draw_arrows(BLACK, one_vector((2.7, 0)))
    assert not faint.any()
    assert flow_drawing.draw_arrows(BLACK, one_vector((2.9, 0))).any()


def test_fine_flow_is_averaged_over_cells():
    # 400x600: 20 x 30 cells of 20 pixels. In one of them half of the pixels move by
    # 32, so its arrow is 16 long.
    flow = np.zeros((400, 600, 2), np.float32)
    flow[100:120, 200:210] = (32, 0)
    frame = np.zeros((400, 600, 3), np.uint8)
    rows, columns = np.nonzero(flow_drawing.draw_arrows(frame, flow)[..., 0] > 127)
    assert abs(columns.min() - 209.5) < 2 and abs(columns.max() - 225.5) < 2
    assert abs(rows.mean() - 109.5) < 1


def test_the_scale_fills_the_cells():
    # Cells of 20 pixels, arrows of 32 at most.
    assert flow_drawing.arrow_scale(3.0, 400, 600) == 10
    assert flow_drawing.arrow_scale(3.3, 400, 600) == 5
    assert flow_drawing.arrow_scale(90.0, 400, 600) == 1
    assert flow_drawing.arrow_scale(0.0, 400, 600) == 100


def test_the_panel_shows_direction_and_length():
    flow = np.zeros((200, 300, 2))
    flow[:100, :150] = (4, 0)
    flow[:100, 150:] = (0, -2)
    panel = flow_drawing.flow_panel(flow, 200, 300, max_magnitude=4, legend=False)
    assert panel[50, 50].tolist() == [255, 0, 0]
    np.testing.assert_allclose(panel[50, 200], [64, 0, 128], atol=1)  # half as bright
    assert not panel[100:].any()
    # A coarse grid is drawn as blocks.
    grid = np.zeros((2, 3, 2))
    grid[1, 2] = (-4, 0)
    panel = flow_drawing.flow_panel(grid, 200, 300, max_magnitude=4, legend=False)
    moving = (panel == [0, 255, 255]).all(axis=-1)
    assert moving[100:, 200:].all() and moving.sum() == 100 * 100


def test_the_legends_wheel_has_the_colours_of_the_flow():
    panel = flow_drawing.flow_panel(np.zeros((64, 64, 2)), 64, 64, max_magnitude=4)
    # 16 pixels wide, in the lower left corner, around (7.5, 55.5), with a grey rim.
    for place, index in [((55, 13), 0), ((50, 8), 2), ((55, 2), 1)]:
        # right red, up violet (mostly blue), left cyan (green and blue)
        assert np.argmax(panel[place]) in {0: [0], 1: [1, 2], 2: [2]}[index]
        assert panel[place].max() > 100
    assert not panel[:40].any() and not panel[:, 20:].any()


def words(panel: np.ndarray) -> np.ndarray:
    """Pixels of the legend's text: the only ones that are near to white."""
    return (panel > 180).all(axis=-1)


@pytest.mark.parametrize(
    "height, width",
    [(200, 200), (480, 640), (1080, 1920), (1920, 1080), (201, 333), (719, 405)],
)
def test_words_fit_into_the_corner(height, width):
    flow = np.zeros((20, 20, 2))
    panel = flow_drawing.flow_panel(flow, height, width, max_magnitude=12.3456)
    assert panel.shape == (height, width, 3) and panel.dtype == np.uint8
    rows, columns = np.nonzero(words(panel))
    assert len(rows) > 200
    assert rows.min() >= 0.6 * height and columns.max() < 0.8 * width
    # Another length is another text, and nothing else changes.
    other = flow_drawing.flow_panel(flow, height, width, max_magnitude=7)
    assert (panel != other).any()
    np.testing.assert_array_equal(panel[: rows.min() - 1], other[: rows.min() - 1])


@pytest.mark.parametrize("height, width", [(64, 64), (65, 97), (3, 200), (200, 5)])
def test_small_pictures_have_no_words(height, width):
    frame, flow = texture(0, height, width), np.full((height, width, 2), 1.5)
    assert flow_drawing.draw_arrows(frame, flow, 2.0).shape == frame.shape
    panel = flow_drawing.flow_panel(0 * flow, height, width, max_magnitude=3)
    assert panel.shape == frame.shape
    assert panel.any() and not words(panel).any()
