"""A film: its frames, its file, and what is said about it."""

import base64
import re

import numpy as np
import pytest

from motionflow.films.film import Film
from motionflow.generate.animation import Animation
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
