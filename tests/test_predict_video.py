import subprocess
import sys
from pathlib import Path

import cv2
import imageio.v2 as imageio
import numpy as np
import pytest
from absl import flags
from PIL import Image

from motionflow.errors import InputError
from motionflow.models import predictor
from tests.conftest import moving_square, texture, write_avi
from tools import predict_video

ROOT = Path(__file__).parent.parent
SIZE = 64


class FakePredictor:
    """Everything moves two pixels right."""

    frame_size = SIZE

    def __call__(self, frames):
        assert frames.shape == (1, SIZE, SIZE, 3)
        return {"flow": np.broadcast_to(np.float32([2, 0]), (1, 4, 4, 2))}


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Runs the tool on a private set of flags, in an empty folder."""
    monkeypatch.setattr(predictor, "load", lambda path: FakePredictor())
    monkeypatch.chdir(tmp_path)

    def run_tool(*arguments):
        values = flags.FlagValues()
        predict_video.define_flags(values)
        values(["predict_video", *arguments])
        monkeypatch.setattr(flags, "FLAGS", values)
        predict_video.main([])

    return run_tool


def count_frames(path):
    return sum(1 for _ in imageio.get_reader(path))


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "picture.png"
    Image.fromarray(texture(0, SIZE, SIZE)).save(path)
    return path


def test_a_picture_becomes_a_video(run, picture, capsys):
    run("--model=m", f"--input={picture}", "--num_predictions=2")
    assert count_frames("out.mp4") == 1 + 2 * 5
    assert "wrote out.mp4: 11 frames" in capsys.readouterr().out
    assert sorted(p.name for p in Path(".").iterdir()) == ["out.mp4", "picture.png"]


def test_the_frames_are_the_input_and_its_shifts(picture):
    frame = predict_video.read_frame(picture)
    first, second = predict_video.predict_frames(FakePredictor(), frame, 1, 1)
    np.testing.assert_array_equal(first, texture(0, SIZE, SIZE))
    np.testing.assert_array_equal(second[:, 2:], first[:, :-2])


def test_a_video_goes_on_from_its_last_frame(run, tmp_path):
    frames = moving_square((3, 0), 6, seed=1)
    write_avi(tmp_path / "clip.avi", frames)
    last = predict_video.read_frame(tmp_path / "clip.avi").astype(int)
    errors = [np.abs(last - frame).mean() for frame in frames.astype(int)]
    assert np.argmin(errors) == 5
    run("--model=m", "--input=clip.avi", "--output=b.gif", "--frames_per_prediction=1")
    assert count_frames("b.gif") == 1 + 5


def test_fps_is_the_videos_rate(run, picture):
    run("--model=m", f"--input={picture}", "--fps=20", "--num_predictions=1")
    assert cv2.VideoCapture("out.mp4").get(cv2.CAP_PROP_FPS) == pytest.approx(20)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--input=picture.png"], "--model is missing"),
        (["--model=m"], "--input is missing"),
        (["--model=m", "--input=none.png"], "no file none.png"),
        (["--model=m", "--input=note.txt"], "neither a picture nor a video"),
        (["--model=m", "--input=picture.png", "--output=a.xyz"], "must end in"),
        (["--model=m", "--input=picture.png", "--output=no/a.mp4"], "no folder no"),
    ],
)
def test_bad_input_is_named_and_nothing_is_written(run, picture, arguments, message):
    Path("note.txt").write_text("no picture")
    with pytest.raises(InputError, match=message):
        run(*arguments)
    assert sorted(p.name for p in Path(".").iterdir()) == ["note.txt", "picture.png"]


def test_numbers_below_one_are_refused(run, picture):
    with pytest.raises(flags.IllegalFlagValueError, match="num_predictions"):
        run("--model=m", f"--input={picture}", "--num_predictions=0")


def test_the_command_says_what_is_wrong(tmp_path):
    command = [sys.executable, "tools/predict_video.py", "--model=m"]
    done = subprocess.run(
        [*command, f"--input={tmp_path / 'none.png'}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: --input: there is no file")
