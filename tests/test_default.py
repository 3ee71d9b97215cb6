"""The model in the box: its file, its card, and what it says."""

import hashlib
import json

import numpy as np
import pytest
from PIL import Image

import motionflow
from motionflow.data.known import pack_known
from motionflow.models import blocks, weights
from motionflow.models.model_path import DEFAULT_DIGEST, DEFAULT_FILE

FOLDER = DEFAULT_FILE.parent
# Flow of four cells of `picture`, told nothing and told one arrow.
CELLS = ([3, 10, 10, 11], [3, 10, 14, 12])
UNTOLD = [[0.0101, -0.0304], [-0.0349, -0.0560], [-0.0735, -0.1344], [-0.0387, -0.0988]]
TOLD = [[0.0505, -0.0737], [3.4701, -0.9911], [4.2291, -1.2088], [3.2371, -0.9527]]


@pytest.fixture(scope="module")
def model():
    return motionflow.load()


def picture():
    """Smooth colours and an edge, the same everywhere."""
    y, x = np.mgrid[:200, :200] / 200
    bright = 40 * ((x - 0.6) ** 2 + (y - 0.5) ** 2 < 0.04)
    values = [120 + 80 * np.sin(5 * x) + bright, 90 + 60 * y, 150 * x + bright]
    return np.stack(values, axis=-1).astype(np.uint8)


def test_card_and_file_belong_together():
    content = DEFAULT_FILE.read_bytes()
    assert hashlib.sha256(content).hexdigest() == DEFAULT_DIGEST
    files = [path for path in FOLDER.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 12e6
    network, codebook = weights.unpack(DEFAULT_FILE)
    card = json.loads((FOLDER / "assets.extra" / "model_card.json").read_text())
    page = (FOLDER / "assets.extra" / "model_card.md").read_text()
    assert card["model"]["codebook_fingerprint"] == codebook.fingerprint
    assert card["model"]["num_parameters"] == blocks.count_parameters(network)
    assert f"| codebook | {codebook.fingerprint} |" in page
    assert card["data"]["flags"]["data_sets"] == ["hmdb51", "cctv", "falls"]
    for licence in ("CC BY 4.0", "MIT", "Apache 2.0"):
        assert licence in page
    # No source that it is judged on taught it.
    assert card["data"]["flags"]["validation"] is False
    assert set(card["evaluations"]) == {"test"}
    assert card["evaluations"]["test"]["known"]["past+arrows1"]["best_naive"]


def test_both_lines_of_the_stack_say_the_same(model):
    """Values of TensorFlow 2.15; the file and the picture are the same on both."""
    arrows = np.full((1, 20, 20, 2), np.nan)
    arrows[0, 10, 12] = (6, -2)
    known = pack_known((1, 20, 20), arrows=arrows)
    untold, told = (
        model.predictor(picture()[None], *what)["flow"][0].numpy()
        for what in ((), (known,))
    )
    np.testing.assert_allclose(untold[CELLS], UNTOLD, atol=1e-3)
    np.testing.assert_allclose(told[CELLS], TOLD, atol=1e-3)
    np.testing.assert_array_equal(told[10, 12], [6, -2])


def test_a_picture_needs_no_training(model, tmp_path):
    photo = tmp_path / "photo.png"
    Image.fromarray(picture()).save(photo)
    assert model.remarks() == []
    film = model.animate(photo, num_predictions=1, frames_per_prediction=2)
    frames = list(film)
    assert len(frames) == 3
    np.testing.assert_array_equal(frames[0], picture())
