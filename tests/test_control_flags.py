"""Arrows, pins, a mask and a strength on the command line."""

import numpy as np
import pytest
from PIL import Image

from motionflow import cli
from motionflow.commands import animate, flow
from motionflow.commands.control_flags import read_control
from motionflow.errors import InputError
from motionflow.films import model
from motionflow.films.model import Model
from motionflow.media.picture import read_image
from tests.conftest import texture
from tests.fake_predictor import FakePredictor
from tests.told_predictor import ToldPredictor

pytestmark = pytest.mark.slow


@pytest.fixture
def picture(tmp_path, monkeypatch):
    """A picture of 64x64 in an empty folder; the model does as it is told."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(model, "load", lambda path: Model(ToldPredictor()))
    Image.fromarray(texture(0, 64, 64)).save("a.png")
    return "--input=a.png"


def test_what_is_said():
    arguments = ["a.png", "--arrow=1,2:3.5,-4", "--arrow=5, 6 : 7, 8", "--pin=9,10"]
    values = cli.parse(animate, [*arguments, "--strength=2"])
    assert read_control(values) == {
        "arrows": [((1, 2), (3.5, -4)), ((5, 6), (7, 8))],
        "pins": [(9, 10)],
        "mask": None,
        "strength": 2,
    }


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--arrow=1,2,3,4", "--arrow=1,2,3,4 is not of the form 120,80:180,76"),
        ("--pin=7", "--pin=7 is not of the form"),
        ("--mask=none.png", "no such file"),
        ("--arrow=70,2:3,4", r"\(70, 2\).*outside of the frame"),
    ],
)
def test_what_is_wrong(picture, flag, message):
    for command in (animate, flow):
        with pytest.raises(InputError, match=message):
            command.main(cli.parse(command, [picture, flag]))


def test_a_film_does_as_it_is_told(picture):
    mask = np.zeros((64, 64), np.uint8)
    mask[:, :40] = 255
    Image.fromarray(mask).save("mask.png")
    arguments = ["--arrow=20,30:28,30", "--mask=mask.png", "--pin=20,50", "--output=o"]
    animate.main(cli.parse(animate, [picture, *arguments, "--num_predictions=2"]))
    first, last = read_image("o/frame-0000.png"), read_image("o/frame-0010.png")
    assert np.abs(last[28:33, 26:31].astype(int) - first[28:33, 18:23]).mean() < 12
    np.testing.assert_array_equal(last[:, 40:], first[:, 40:])
    assert np.abs(last[48:53, 18:23].astype(int) - first[48:53, 18:23]).max() < 12


def test_the_flow_of_a_step_is_what_was_told(picture):
    arguments = ["--arrow=20,30:23,28", "--output=a.npy", "--strength=2"]
    flow.main(cli.parse(flow, [picture, *arguments]))
    found = np.load("a.npy")
    np.testing.assert_allclose(found[3, 2], [6, -4])
    assert np.count_nonzero(found) == 2


def test_with_compare_nothing_is_said(picture):
    with pytest.raises(InputError, match="no arrows, pins or masks"):
        animate.main(cli.parse(animate, [picture, "--compare", "--pin=1,2"]))


def test_a_model_that_cannot_be_told(picture, monkeypatch):
    monkeypatch.setattr(model, "load", lambda path: Model(FakePredictor()))
    for command in (animate, flow):
        with pytest.raises(InputError, match="--model=default"):
            command.main(cli.parse(command, [picture, "--pin=1,2"]))
