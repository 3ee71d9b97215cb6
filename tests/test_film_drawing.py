"""Where each picture stands in a film."""

import numpy as np
import pytest

from motionflow.films.film_drawing import beside, draw_film, sheet
from motionflow.generate.animation import Shot
from tests.conftest import texture

HEIGHT, WIDTH, GAP = 60, 80, 4
NOTHING = np.zeros((1, 1, 1), np.float32)  # probabilities that nobody reads here


def shots(num_futures: int, vector=(3, 0)) -> list[Shot]:
    flow = np.zeros((HEIGHT, WIDTH, 2), np.float32)
    flow[20:40, 30:50] = vector
    return [Shot(texture(i, HEIGHT, WIDTH), flow, NOTHING) for i in range(num_futures)]


def test_a_film_without_additions_is_its_frames():
    moments = [shots(1), [Shot(texture(9, HEIGHT, WIDTH), shots(1)[0].flow, NOTHING)]]
    first, second = draw_film(moments)
    np.testing.assert_array_equal(first, moments[0][0].frame)
    np.testing.assert_array_equal(second, moments[1][0].frame)


def test_the_flow_stands_to_the_right():
    moment = shots(1)
    (drawn,) = draw_film([moment], show_flow=True)
    assert drawn.shape == (HEIGHT, 2 * WIDTH + GAP, 3)
    np.testing.assert_array_equal(drawn[:, :WIDTH], moment[0].frame)
    assert (drawn[:, WIDTH : WIDTH + GAP] == 255).all()
    panel = drawn[:, WIDTH + GAP :]
    assert (panel[20:40, 30:50] == [255, 0, 0]).all()
    assert not panel[:20].any()


def test_one_scale_for_the_whole_film():
    still = [Shot(texture(0, HEIGHT, WIDTH), shots(1, (1.5, 0))[0].flow, NOTHING)]
    _, drawn = draw_film([shots(1), still], show_flow=True)
    assert drawn[30, WIDTH + GAP + 40].tolist() == [128, 0, 0]
    # A film in which next to nothing moves: 0.5 % of 60 is 0.3 pixels.
    (drawn,) = draw_film([shots(1, (0.03, 0))], show_flow=True)
    assert drawn[30, WIDTH + GAP + 40, 0] == pytest.approx(25.5, abs=1)


def test_arrows_are_drawn_where_it_moves():
    moment = shots(1)
    (drawn,) = draw_film([moment], arrows=True)
    changed = (drawn != moment[0].frame).any(axis=-1)
    assert changed[20:40, 30:70].any()
    assert not changed[45:].any() and not changed[20:, :25].any()


def test_what_happened_stands_at_the_right():
    moment, real = shots(1), [texture(5, HEIGHT, WIDTH)]
    (drawn,) = draw_film([moment], show_flow=True, real=real)
    assert drawn.shape[1] == 3 * WIDTH + 2 * GAP
    np.testing.assert_array_equal(drawn[:40, -WIDTH:], real[0][:40])
    np.testing.assert_array_equal(drawn[:40, :WIDTH], moment[0].frame[:40])
    # Both say what they are, in the lower left corner.
    for left, frame in ((0, moment[0].frame), (2 * (WIDTH + GAP), real[0])):
        changed = (drawn[:, left : left + WIDTH] != frame).any(axis=-1)
        assert changed[-10:, :20].any()


@pytest.mark.parametrize(
    "num_futures, rows, columns", [(2, 1, 2), (3, 2, 2), (4, 2, 2)]
)
def test_futures_form_a_sheet(num_futures, rows, columns):
    moment = shots(num_futures)
    (drawn,) = draw_film([moment])
    assert drawn.shape[0] == rows * HEIGHT + (rows - 1) * GAP
    assert drawn.shape[1] == columns * WIDTH + (columns - 1) * GAP
    for i, shot in enumerate(moment):
        top = (i // columns) * (HEIGHT + GAP)
        left = (i % columns) * (WIDTH + GAP)
        # All but the caption.
        found = drawn[top : top + 40, left : left + WIDTH]
        np.testing.assert_array_equal(found, shot.frame[:40])


def test_sheets_are_about_square_and_filled_with_white():
    wide = [np.zeros((10, 60, 3), np.uint8)] * 5
    assert sheet(wide).shape == (5 * 10 + 4 * GAP, 60, 3)
    tall = [np.zeros((60, 10, 3), np.uint8)] * 5
    assert sheet(tall).shape == (60, 5 * 10 + 4 * GAP, 3)
    square = [np.zeros((20, 20, 3), np.uint8)] * 5
    drawn = sheet(square)
    assert drawn.shape == (44, 68, 3)
    assert (drawn[-20:, -20:] == 255).all() and not drawn[:20, :20].any()
    assert beside(square[:2]).shape == (20, 44, 3)
