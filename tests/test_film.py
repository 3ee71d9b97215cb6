"""A film: its frames, its file, and what is said about it."""

import base64
import re

import numpy as np
import pytest

from motionflow.drawing.flow_drawing import beside, sheet
from motionflow.films.film import Film, draw_film
from motionflow.generate.animation import Animation, Shot
from motionflow.generate.control import Control
from motionflow.media import video
from tests.conftest import texture
from tests.fake_predictor import FakePredictor
from tests.told_predictor import ToldPredictor

FRAME = texture(0, 64, 96)


def make(vector=(2, 0), probability=1.0, **options):
    model = FakePredictor(vector, probability)
    options = {"num_predictions": 2, "frames_per_prediction": 2, **options}
    return Film(model, FRAME, Animation(**options))


def test_frames_come_as_often_as_one_asks():
    film = make()
    assert film.largest_motion is None and film.first is None
    first, again = list(film), list(film)
    assert len(first) == len(film) == 5
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first[0], FRAME)
    # Two pixels a prediction, one a frame.
    inside = first[1][:, 1:].astype(int) - FRAME[:, :-1]
    assert np.abs(inside).max() <= 1


@pytest.mark.parametrize("mode", ["composed", "recursive", "euler", "loop"])
def test_how_far_anything_gets(mode):
    film = make((3, 4), mode=mode)
    list(film)
    # Two predictions of five pixels; a loop comes back and lacks its last frame.
    expected = 7.5 if mode == "loop" else 10
    assert film.largest_motion == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(film.first.flow[0, 0], [3, 4], rtol=1e-5)


def test_what_goes_there_and_back_has_gone_as_far_as_its_turn():
    class Turning(FakePredictor):
        def __call__(self, frames):
            self.centers = -self.centers
            return super().__call__(frames)

    film = Film(Turning((3, 4)), FRAME, Animation(2, 2))
    list(film)
    assert film.largest_motion == pytest.approx(5, rel=1e-5)


def test_when_nothing_moves_it_is_said():
    film = make((0.1, 0), num_predictions=4)
    list(film)
    (remark,) = film.remarks()
    assert "nothing here is expected to move (largest motion 0.4 px)" in remark
    film = make((0.1, 0), num_predictions=6)
    list(film)
    assert film.largest_motion == pytest.approx(0.6, rel=1e-4)
    assert "rest is the most probable motion" in film.remarks()[0]  # 0.1 px is rest


def test_a_drift_that_no_cell_asks_for_is_named():
    film = make((9, 0), probability=0.3)  # rest has 0.7
    list(film)
    (remark,) = film.remarks()
    assert "rest is the most probable motion everywhere" in remark
    assert "(up to 5.4 px)" in remark  # 2 predictions of 0.3 * 9
    for sound in (
        make((9, 0), probability=0.6),
        make((9, 0), probability=0.3, num_futures=3),
    ):
        list(sound)
        assert sound.remarks() == []
    still = make((9, 0), probability=0.3, temperature=0)
    list(still)
    assert "nothing here is expected to move (largest motion 0.0" in still.remarks()[0]


def test_what_an_arrow_moves_is_no_drift():
    control = Control([((20, 20), (28, 20))])
    film = Film(ToldPredictor(), FRAME, Animation(2, 2, control=control))
    list(film)
    assert film.remarks() == []


def test_it_is_saved_and_counted(tmp_path):
    calls = []
    make().save(tmp_path / "a.mp4", lambda *call: calls.append(call))
    assert calls == [(i, 5) for i in range(1, 6)]
    frames = list(video.iter_frames(tmp_path / "a.mp4"))
    assert len(frames) == 5 and frames[0].shape == FRAME.shape
    make().save(tmp_path / "frames")
    assert len(list((tmp_path / "frames").iterdir())) == 5


def test_a_notebook_plays_it(tmp_path):
    html = make()._repr_html_()
    (content,) = re.findall(r'src="data:video/mp4;base64,([^"]+)"', html)
    (tmp_path / "a.mp4").write_bytes(base64.b64decode(content))
    assert len(list(video.iter_frames(tmp_path / "a.mp4"))) == 5


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
