"""A model from wherever it lies, asked about pictures in whatever form."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

import motionflow
from motionflow.errors import InputError
from motionflow.films.model import Model
from motionflow.models.run_dir import RunDir
from tests.conftest import texture
from tests.fake_predictor import FakePredictor

PIXELS = texture(0, 48, 80)


@pytest.mark.slow
def test_runs_exports_and_folders_of_versions_say_the_same(run_dir, version, tmp_path):
    flows = [
        motionflow.load(path).flow(PIXELS).flow
        for path in (run_dir, version, str(version.parent))
    ]
    for flow in flows[1:]:
        np.testing.assert_allclose(flow, flows[0], atol=1e-4)
    assert flows[0].shape == (3, 5, 2)


def test_pictures_in_any_form(tmp_path):
    model = Model(FakePredictor())
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    for form in (tmp_path / "a.png", str(tmp_path / "a.png"), Image.fromarray(PIXELS)):
        np.testing.assert_array_equal(model.flow(form).picture, PIXELS)
    gray = PIXELS[..., 0]
    np.testing.assert_array_equal(model.flow(gray).picture[..., 2], gray)
    clear = np.dstack([PIXELS, np.zeros_like(gray)])
    assert (model.flow(clear).picture == 255).all()  # over white
    bilevel = Image.fromarray(gray > 128)
    assert {*np.unique(model.flow(bilevel).picture)} == {0, 255}


@pytest.mark.parametrize(
    "wrong, message",
    [
        (np.zeros((4, 4, 3)), r"float64 \[4, 4, 3\], expected uint8"),
        (np.zeros((4, 4, 2), np.uint8), "2 channels"),
        (np.zeros((0, 4, 3), np.uint8), r"\[0, 4, 3\]"),
        (np.zeros(4, np.uint8), r"\[4\]"),
        ("none.jpg", "there is no file none.jpg"),
    ],
)
def test_what_is_no_picture(wrong, message):
    with pytest.raises(InputError, match=message):
        Model(FakePredictor()).flow(wrong)


def test_a_film_and_its_options(caplog):
    caplog.set_level("INFO", "motionflow")
    model = Model(FakePredictor((2, 0)))
    film = model.animate(PIXELS, mode="euler", num_predictions=2, max_size=40)
    assert len(film) == 11 and next(iter(film)).shape == (24, 40, 3)
    assert caplog.messages == ["shrunk from 80x48 to 40x24 (max_size=40)"]
    assert next(iter(model.animate(PIXELS, crop=True))).shape == (64, 64, 3)
    wide = next(iter(model.animate(PIXELS, show_flow=True)))
    assert wide.shape == (48, 2 * 80 + 4, 3)
    with pytest.raises(InputError, match="mode is 'sideways'"):
        model.animate(PIXELS, mode="sideways")
    with pytest.raises(TypeError, match="num_prediction"):
        model.animate(PIXELS, num_prediction=3)


@pytest.mark.slow
def test_a_model_that_is_stuck_is_named(run_dir, version, tmp_path):
    run, exported = tmp_path / "run", tmp_path / "1"
    shutil.copytree(run_dir, run)
    shutil.copytree(version, exported)
    for share, expected in ((0.9995, 1), (0.8, 0)):
        row = {"epoch": 1, "val_most_predicted": share}
        RunDir(run).write_history([row])
        card = exported / "assets.extra" / "model_card.json"
        values = json.loads(card.read_text())
        values["training"]["result"] = {"validation": {"most_predicted": share}}
        card.write_text(json.dumps(values))
        for path in (run, exported):
            found = motionflow.load(path).remarks()
            assert len(found) == expected
            assert all("the same class in 99.95% of all cells" in r for r in found)
    assert motionflow.load(version).remarks() == []  # nothing is known of it


def test_it_says_what_it_is():
    model = Model(FakePredictor((2, 0)))
    assert repr(model) == "Model(frames of 64 pixels, 4x4 cells, 2 motions)"
    assert (
        repr(model.flow(PIXELS)) == "Motion(7x4 cells, up to 1.43 pixels)"
    )  # 2 * (80 / 7) / 16
    assert repr(model.animate(PIXELS)) == "Film(26 frames, 10 a second)"
