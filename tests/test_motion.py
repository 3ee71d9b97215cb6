"""Motion of one picture: in its own pixels, drawn, saved; and the command `flow`."""

import cv2
import numpy as np
import pytest
from PIL import Image

from motionflow.commands import flow as command
from motionflow.errors import InputError
from motionflow.films import model
from motionflow.films.model import Model, predict_motion
from tests.conftest import texture
from tests.fake_predictor import FakePredictor

# 64 pixels of the network are 96 here; 4 cells along the short side.
FRAME = texture(0, 96, 144)


@pytest.fixture
def motion():
    return predict_motion(FakePredictor((2, -4), probability=0.75), FRAME)


def test_flow_is_in_pixels_of_the_picture(motion):
    assert motion.flow.shape == (4, 6, 2) and motion.flow.dtype == np.float32
    expected = np.array([2, -4]) * 0.75 * 96 / 64
    np.testing.assert_allclose(motion.flow, np.broadcast_to(expected, (4, 6, 2)))
    np.testing.assert_allclose(motion.speed, np.hypot(*expected), rtol=1e-6)
    assert motion.probabilities.shape == (4, 6, 2)
    np.testing.assert_allclose(motion.probabilities[0, 0], [0.25, 0.75], rtol=1e-6)


def test_it_is_drawn_over_the_picture(motion):
    drawn = motion.draw()
    assert drawn.shape == (533, 800, 3) and drawn.dtype == np.uint8
    plain = cv2.resize(FRAME, (800, 533), interpolation=cv2.INTER_CUBIC)
    assert np.abs(drawn.astype(int) - plain).mean() > 20
    image = cv2.imdecode(np.frombuffer(motion._repr_png_(), np.uint8), 1)
    np.testing.assert_array_equal(image[..., ::-1], drawn)


def test_files(motion, tmp_path):
    motion.save(tmp_path / "a.png")
    np.testing.assert_array_equal(Image.open(tmp_path / "a.png"), motion.draw())
    motion.save(tmp_path / "a.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), motion.flow)
    motion.save(tmp_path / "a.flo")
    # Middlebury: a tag, width, height, then dx dy of each pixel.
    content = (tmp_path / "a.flo").read_bytes()
    assert content[:4] == b"PIEH"
    assert np.frombuffer(content[4:12], "<i4").tolist() == [6, 4]
    values = np.frombuffer(content[12:], "<f4").reshape(4, 6, 2)
    np.testing.assert_array_equal(values, motion.flow)
    assert {path.name for path in tmp_path.iterdir()} == {"a.png", "a.npy", "a.flo"}
    with pytest.raises(InputError, match="must end in .png or .flo or .npy"):
        motion.save(tmp_path / "a.jpg")
    with pytest.raises(InputError, match="no folder"):
        motion.save(tmp_path / "no" / "a.png")


def test_a_narrow_strip_is_refused():
    with pytest.raises(InputError, match="at most 16"):
        predict_motion(FakePredictor(), texture(0, 10, 200))


def test_the_command(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(model, "load", lambda path: Model(FakePredictor((2, 0))))
    Image.fromarray(FRAME).save("a.png")
    done = call(command, "a.png", "--model=m")
    assert done.out == (
        "wrote a-flow.png: 6x4 cells, fastest 3.00 pixels of 144x96\n"
    ), done.err
    assert Image.open("a-flow.png").size == (800, 533)
    assert call(command, "a.png", "--model=m").code == 0  # its own may be replaced
    done = call(command, "a.png", "--model=m", "--output=a.png")
    assert "a.png is there already and was not made by motionflow flow" in done.err
    assert call(command, "a.png", "--model=m", "--output=a.npy").code == 0
    assert np.load("a.npy").shape == (4, 6, 2)
    assert "--model is missing" in call(command, "a.png", "--model=").err
    assert "there is no file b.png" in call(command, "b.png", "--model=m").err
