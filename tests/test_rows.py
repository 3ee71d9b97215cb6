"""A model on its own data and on other data, by a model whose answers are known."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from motionflow.data.data_dir import open_data_dir
from motionflow.labels.codebook import Codebook
from motionflow.scoring.rows import ModelRows
from tests.tiny_data import CENTERS, write_hand_made

FRAMES = np.zeros([3, 8, 8, 3], np.uint8)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Frames of 8, a grid of 2, centres still, 3 right, 4 up."""
    return open_data_dir(write_hand_made(tmp_path_factory.mktemp("rows") / "d"))


@dataclasses.dataclass
class Model:
    """Answers 60 % right, 40 % still, whatever it sees; remembers the frames' shape."""

    frame_size: int = 8
    grid_size: int = 2
    centers: np.ndarray = dataclasses.field(default_factory=lambda: CENTERS)
    shape: tuple = ()

    def __call__(self, frames):
        self.shape = tuple(frames.shape)
        cells = self.grid_size**2
        chances = np.tile(np.float32([0.4, 0.6, 0]), (len(frames), cells, 1))
        flow = (chances @ self.centers).reshape(
            len(frames), self.grid_size, self.grid_size, 2
        )
        return {"flow": tf.constant(flow), "probabilities": tf.constant(chances)}


def test_own_data(data):
    rows = ModelRows("model", Model(), data, decodings=True)
    assert rows.classes_agree
    out = rows(FRAMES)
    names = ["annealed", "mode", "prior-corrected"]
    assert list(out) == ["model", *(f"model, {name}" for name in names)]
    assert all(one.flow.shape == (3, 4, 2) for one in out.values())
    assert rows.flow(FRAMES).shape == (3, 2, 2, 2)
    assert [one.is_decoding for one in out.values()] == [False, True, True, True]
    np.testing.assert_allclose(out["model"].flow[..., 0], 0.6 * 3)
    np.testing.assert_allclose(out["model, mode"].flow[..., 0], 3)
    assert out["model, mode"].probabilities is None
    # Squared would be .16 and .36; T = .38 is sharper still, short of the mode.
    annealed = out["model, annealed"].flow[..., 0]
    assert (annealed > 3 * 0.36 / 0.52).all() and (annealed < 3).all()
    # Training counts 7, 3 and 2, one added to each: .4 / 8 against .6 / 4.
    expected = 3 * (0.6 / 4) / (0.4 / 8 + 0.6 / 4)
    corrected = out["model, prior-corrected"].flow[..., 0]
    np.testing.assert_allclose(corrected, expected, rtol=1e-5)


def test_one_row_without_decodings(data):
    assert list(ModelRows("rival", Model(), data)(FRAMES)) == ["rival"]


def test_larger_frames_and_a_finer_grid(data):
    """3 px of a frame of 32 are 3/4 px of one of 8."""
    model = Model(frame_size=32, grid_size=4)
    rows = ModelRows("model", model, data, decodings=True)
    assert not rows.classes_agree
    names = ["model", "model, annealed", "model, mode"]
    out = rows(FRAMES)
    assert list(out) == names
    assert all(one.ranking is one.probabilities is None for one in out.values())
    assert model.shape == (3, 32, 32, 3)
    assert out["model"].flow.shape == (3, 4, 2)
    np.testing.assert_allclose(out["model"].flow[..., 0], 0.6 * 3 / 4, rtol=1e-6)
    np.testing.assert_allclose(out["model, mode"].flow[..., 0], 3 / 4, rtol=1e-6)


def test_another_codebook(data):
    model = Model(centers=CENTERS + 1)
    rows = ModelRows("model", model, data, decodings=True)
    assert Codebook(model.centers).fingerprint != data.codebook.fingerprint
    out = rows(FRAMES)
    assert list(out) == ["model", "model, annealed", "model, mode"]
    assert all(one.ranking is None for one in out.values())
    np.testing.assert_allclose(out["model"].flow[..., 0], 0.4 + 0.6 * 4)
