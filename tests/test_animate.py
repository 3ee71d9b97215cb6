import csv
import os
import re
import signal
from pathlib import Path

import cv2
import imageio.v2 as imageio
import numpy as np
import pytest
from absl import flags
from PIL import Image

from motionflow import cli
from motionflow.commands import animate
from motionflow.errors import InputError
from motionflow.films import model
from motionflow.films.model import Model
from motionflow.media import picture, video
from tests.conftest import moving_square, texture, write_avi
from tests.fake_predictor import FakePredictor
from tests.told_predictor import ToldPredictor

pytestmark = pytest.mark.slow

HEIGHT, WIDTH = 96, 144
OLD = {"output": "out.mp4", "overwrite": True}  # as tools/predict_video.py has it


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Runs the command in an empty folder, under its older name.

    Everything moves by two pixels of a frame of 64, so by three of the pictures here.
    """
    monkeypatch.setattr(model, "load", lambda path: Model(FakePredictor()))
    monkeypatch.chdir(tmp_path)

    def run_tool(*arguments):
        return animate.main(cli.parse(animate, ["--model=m", *arguments], OLD))

    return run_tool


@pytest.fixture
def image(tmp_path):
    """A picture, `picture.png`."""
    pixels = texture(0, HEIGHT, WIDTH)
    Image.fromarray(pixels).save(tmp_path / "picture.png")
    return pixels


def read_film(path) -> list[np.ndarray]:
    return [np.asarray(frame) for frame in imageio.get_reader(path)]


def read_folder(path) -> list[np.ndarray]:
    return [picture.read_image(file) for file in sorted(Path(path).iterdir())]


def names(folder=".") -> list[str]:
    return sorted(path.name for path in Path(folder).iterdir())


def test_a_picture_becomes_a_video(run, image, capsys):
    assert run("--input=picture.png", "--num_predictions=2") == 0
    frames = read_film("out.mp4")
    assert len(frames) == 1 + 2 * 5
    assert frames[0].shape == (HEIGHT, WIDTH, 3)
    assert "wrote out.mp4: 11 frames" in capsys.readouterr().out
    assert names() == ["out.mp4", "picture.png"]


def test_frames_are_the_input_and_its_shifts(run, image):
    run("--input=picture.png", "--output=o", "--frames_per_prediction=1")
    frames = read_folder("o")
    assert len(frames) == 1 + 5
    np.testing.assert_array_equal(frames[0], image)
    for k in (1, 5):
        difference = frames[k][:, 3 * k :].astype(int) - image[:, : -3 * k]
        assert np.abs(difference).max() <= 1


def test_crop_is_the_centre_square_at_the_models_size(run, image):
    run("--input=picture.png", "--output=o", "--crop", "--num_predictions=1")
    np.testing.assert_array_equal(read_folder("o")[0], video.fit_frame(image, 64))


def test_large_pictures_are_shrunk_and_it_is_said(run, image, caplog):
    caplog.set_level("INFO", "motionflow")
    run("--input=picture.png", "--output=o", "--max_size=72", "--num_predictions=1")
    half = image.reshape(48, 2, 72, 2, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(read_folder("o")[0], half, atol=0.51)
    assert "shrunk from 144x96 to 72x48" in caplog.text
    caplog.clear()
    run("--input=picture.png", "--output=o", "--max_size=0", "--num_predictions=1")
    np.testing.assert_array_equal(read_folder("o")[0], image)
    assert not caplog.messages


def test_a_video_goes_on_from_its_last_frame(run):
    frames = moving_square((3, 0), 6, seed=1)
    write_avi(Path("clip.avi"), frames)
    run("--input=clip.avi", "--output=b.gif", "--frames_per_prediction=1")
    film = read_film("b.gif")
    assert len(film) == 1 + 5
    errors = [np.abs(film[0].astype(int) - frame).mean() for frame in frames]
    assert np.argmin(errors) == 5


def test_a_video_goes_on_as_it_moved(run, monkeypatch):
    # A square of 80 pixels that moves by 3 a frame, at 30 a second: in a step by 6.
    write_avi(Path("clip.avi"), moving_square((3, 0), 6, seed=1))
    told = ToldPredictor(goes_on=True, size=200, cells=20)
    monkeypatch.setattr(model, "load", lambda path: Model(told))
    run("--input=clip.avi", "--output=o", "--num_predictions=2")
    np.testing.assert_allclose(told.told[0][0, 10, 10:14, 5], 6, atol=0.2)
    first, *_, last = read_folder("o")
    # The square, from (75, 60) on, has come 12 pixels further.
    moved = np.abs(last[80:120, 112:132].astype(int) - first[80:120, 100:120]).mean()
    stayed = np.abs(last[80:120, 112:132].astype(int) - first[80:120, 112:132]).mean()
    assert moved < 0.3 * stayed
    # The same from inside of a video, beside what happened.
    run("--input=clip.avi", "--output=c.mp4", "--compare", "--start_frame=3")
    np.testing.assert_allclose(told.told[-1][0, 10, 10:14, 5], 6, atol=0.2)
    rows = list(csv.DictReader(Path("c.csv").read_text().splitlines()))
    assert float(rows[1]["predicted_psnr"]) > float(rows[1]["repeated_psnr"]) + 3


def test_fps_is_the_videos_rate(run, image):
    run("--input=picture.png", "--fps=20", "--num_predictions=1")
    assert cv2.VideoCapture("out.mp4").get(cv2.CAP_PROP_FPS) == pytest.approx(20)


def test_flow_beside_and_arrows(run, image):
    run("--input=picture.png", "--output=o", "--show_flow", "--num_predictions=1")
    frame = read_folder("o")[1]
    assert frame.shape == (HEIGHT, 2 * WIDTH + 4, 3)
    assert (frame[:20, WIDTH + 4 :] == [255, 0, 0]).all()  # all moves right
    run("--input=picture.png", "--output=p", "--arrows", "--num_predictions=1")
    assert (read_folder("p")[0] != image).any()


def test_modes_and_temperature_reach_the_prediction(run, image, monkeypatch):
    fake = FakePredictor(probability=0.4)
    monkeypatch.setattr(model, "load", lambda path: Model(fake))
    run("--input=picture.png", "--mode=euler")
    assert fake.num_calls == 1
    run("--input=picture.png", "--output=o", "--temperature=0")
    for frame in read_folder("o"):  # rest is the most probable
        np.testing.assert_allclose(frame, image, atol=1)


def test_futures_stand_side_by_side(run, image):
    arguments = ["--num_futures=2", "--num_predictions=1", "--seed=3"]
    run("--input=picture.png", "--output=o", *arguments)
    assert read_folder("o")[0].shape == (HEIGHT, 2 * WIDTH + 4, 3)


def test_a_folder_becomes_a_folder_of_films(run, image, capsys):
    photos = Path("photos")
    photos.mkdir()
    for name in ("a.png", "b.png", "b.jpg"):
        Image.fromarray(image).save(photos / name)
    cut = (photos / "b.jpg").read_bytes()[:900]
    (photos / "cut.jpg").write_bytes(cut)
    (photos / "note.txt").write_text("no picture")
    assert run("--input=photos", "--num_predictions=1") == 1
    assert names("out") == ["a.mp4", "b-jpg.mp4", "b-png.mp4"]
    assert len(read_film("out/a.mp4")) == 6
    said = capsys.readouterr()
    assert "failed: photos/cut.jpg cannot be read as a picture" in said.err
    assert "3 of 4 pictures animated, 1 failed, 1 other files passed over" in said.out
    (photos / "cut.jpg").unlink()
    assert run("--input=photos", "--output=p/q", "--format=png", "--crop") == 0
    assert names("p/q") == ["a", "b-jpg", "b-png"]
    assert len(names("p/q/a")) == 26
    assert run("--input=photos", "--output=g", "--format=gif") == 0
    assert names("g") == ["a.gif", "b-jpg.gif", "b-png.gif"]


@pytest.fixture
def clip(tmp_path, monkeypatch):
    """Twelve frames, `clip.avi`: the picture moves on by 3 pixels in two frames."""
    monkeypatch.chdir(tmp_path)
    wide = texture(5, 2 * HEIGHT, 2 * WIDTH + 60)
    wide = cv2.GaussianBlur(wide, (0, 0), 3)
    half = [
        cv2.warpAffine(
            wide,
            np.float32([[1, 0, 1.5 * t], [0, 1, 0]]),
            (wide.shape[1], wide.shape[0]),
        )
        for t in range(12)
    ]
    frames = np.array([frame[:HEIGHT, 40 : 40 + WIDTH] for frame in half])
    write_avi(Path("clip.avi"), frames)
    return frames


def test_comparison(run, tmp_path, clip, capsys):
    # 3 predictions of 2 frames: the last start that 6 frames follow is frame 5.
    assert run("--input=clip.avi", "--compare", "--num_predictions=3") == 0
    said = capsys.readouterr().out
    assert "wrote out.mp4: frames 5 to 11; scores: out.csv" in said
    assert "2 frames a prediction: the video's pace, if" in said
    frames = read_film("out.mp4")
    assert len(frames) == 7 and frames[0].shape == (HEIGHT, 2 * WIDTH + 4, 3)
    real = frames[4][:60, -WIDTH:].astype(int)
    assert np.argmin([np.abs(real - frame[:60]).mean() for frame in clip]) == 9
    with open("out.csv") as file:
        rows = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]
    assert [row["frame"] for row in rows] == [6, 7, 8, 9, 10, 11]
    # The motion is what the model predicts, at the pace that the default keeps; only
    # what enters at the border is unknown.
    for row in rows:
        assert row["predicted_psnr"] > row["repeated_psnr"] + 3
        assert row["predicted_ssim"] > row["repeated_ssim"]
    # The table says the same.
    cells = re.findall(r"^\| 6 +\| +([\d.]+) \| +([\d.]+) \|", said, re.MULTILINE)
    assert float(cells[0][0]) == pytest.approx(rows[0]["predicted_psnr"], abs=0.006)
    assert float(cells[0][1]) == pytest.approx(rows[0]["predicted_ssim"], abs=6e-5)


def test_comparison_at_another_pace_is_worse(run, clip):
    def mean_psnr(*arguments):
        run("--input=clip.avi", "--compare", "--output=o", *arguments)
        with open("o.csv") as file:
            scores = [float(row["predicted_psnr"]) for row in csv.DictReader(file)]
        assert len(scores) == 4
        return np.mean(scores)

    right = mean_psnr("--num_predictions=2")
    assert right > mean_psnr("--num_predictions=1", "--frames_per_prediction=4") + 1
    assert right > mean_psnr("--num_predictions=4", "--frames_per_prediction=1") + 1


def test_comparison_from_a_frame_near_the_end(run, clip, capsys):
    run("--input=clip.avi", "--compare", "--start_frame=8", "--output=o", "--show_flow")
    frames = read_folder("o")
    assert len(frames) == 4  # frames 8 to 11 of 0 to 11
    assert frames[0].shape[1] == 3 * WIDTH + 2 * 4
    said = capsys.readouterr().out
    assert "the video ends 7 frames before the prediction would" in said
    assert len(Path("o.csv").read_text().splitlines()) == 1 + 3


@pytest.mark.parametrize(
    "arguments, message",
    [
        ([], "--input is missing"),
        (["--model=", "--input=picture.png"], "--model is missing"),
        (["--input=none.png"], "no file none.png"),
        (["--input=note.txt"], "neither a picture nor a video"),
        (["--input=picture.png", "--output=a.xyz"], "must end in"),
        (["--input=picture.png", "--output=no/a.mp4"], "no folder no"),
        (["--input=picture.png", "--output=photos"], "photos holds a.png; PNG frames"),
        (["--input=picture.png", "--output=picture.png"], "--output is --input"),
        (["--input=picture.png", "--format=gif"], "--format is for a folder"),
        (["--input=picture.png", "--start_frame=1"], "--start_frame is for --compare"),
        (["--input=picture.png", "--num_futures=2", "--temperature=0"], "one of the"),
        (["--input=photos", "--output=a.mp4"], "--output must be one, not a.mp4"),
        (["--input=photos", "--output=photos"], "--output is --input"),
        (["--input=photos", "--compare"], "--compare needs a video"),
        (["--input=empty"], "empty holds no picture"),
        (["--input=picture.png", "--compare"], "no frame after frame 0"),
        (["--input=note.txt", "--compare"], "note.txt holds no frame"),
        (["--input=clip.avi", "--compare", "--num_futures=2"], "shows one future"),
        (["--input=clip.avi", "--compare", "--mode=loop"], "a loop never happened"),
        (["--input=strip.png"], "the picture is 200x10; one side may be at most 16"),
    ],
)
def test_bad_input_is_named_and_nothing_is_written(run, image, arguments, message):
    Path("note.txt").write_text("no picture")
    Path("empty").mkdir()
    Path("photos").mkdir()
    Image.fromarray(image).save("photos/a.png")
    Image.fromarray(texture(0, 10, 200)).save("strip.png")
    before = names(), names("photos")
    with pytest.raises(InputError, match=message):
        run(*arguments)
    assert (names(), names("photos")) == before


def test_numbers_below_the_smallest_are_refused(run, image):
    with pytest.raises(flags.IllegalFlagValueError, match="num_predictions"):
        run("--input=picture.png", "--num_predictions=0")


def test_beside_the_picture_and_only_over_its_own(call, image, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(model, "load", lambda path: Model(FakePredictor()))
    own = ["picture.png", "--model=m", "--num_predictions=1"]
    for _ in range(2):
        done = call(animate, *own)
        assert done.out == "wrote picture.mp4: 6 frames, the first is the input\n"
    Path("picture.mp4").write_bytes(b"somebody's film")
    done = call(animate, *own)
    assert (done.code, Path("picture.mp4").read_bytes()) == (1, b"somebody's film")
    assert "picture.mp4 is there already and was not made by" in done.err
    assert call(animate, *own, "--overwrite").code == 0
    assert len(read_film("picture.mp4")) == 6


def test_a_table_of_somebody_else_stays(call, clip, tmp_path, monkeypatch):
    monkeypatch.setattr(model, "load", lambda path: Model(FakePredictor()))
    own = ["clip.avi", "--model=m", "--compare", "--num_predictions=1"]
    for _ in range(2):
        assert call(animate, *own).code == 0
    Path("clip.csv").write_text("time,label\n")
    done = call(animate, *own)
    assert done.code == 1 and "clip.csv is there already" in done.err
    assert Path("clip.csv").read_text() == "time,label\n"


def test_several_pictures_and_a_pattern(call, image, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(model, "load", lambda path: Model(FakePredictor()))
    Image.fromarray(image).save("other.jpg")
    Path("cut.jpg").write_bytes(Path("other.jpg").read_bytes()[:900])
    own = ["--model=m", "--num_predictions=1", "--format=gif"]
    done = call(animate, "picture.png", "*.jpg", *own)
    assert done.code == 1 and "failed: cut.jpg cannot be read" in done.err
    assert "2 of 3 pictures animated, 1 failed" in done.out
    assert names() == [
        "cut.jpg",
        "other.gif",
        "other.jpg",
        "picture.gif",
        "picture.png",
    ]


def test_what_one_should_know_is_said(call, image, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    still = Model(FakePredictor((0.01, 0)), ["this model predicts one class"])
    monkeypatch.setattr(model, "load", lambda path: still)
    done = call(animate, "picture.png", "--model=m")
    assert "remark: this model predicts one class" in done.err
    assert "nothing here is expected to move (largest motion 0.1 px)" in done.out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("output", ["a.mp4", "a.gif", "a"])
def test_stopped_in_the_middle_nothing_is_left(
    call, image, tmp_path, monkeypatch, number, output
):
    class Stopping(FakePredictor):
        def __call__(self, frames):
            if self.num_calls == 2:
                os.kill(os.getpid(), number)
            return super().__call__(frames)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(model, "load", lambda path: Model(Stopping()))
    # A shell's background process ignores Ctrl-C, and so would this one.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    done = call(animate, "picture.png", "--model=m", f"--output={output}")
    signal.signal(signal.SIGINT, before)
    assert done.code == 128 + number and done.out == ""
    assert done.err.splitlines()[-1] == "stopped"
    assert names() == ["picture.png"]


def test_the_command_says_what_is_wrong(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = call(animate, "--model=m", "--input=none.png")
    assert (done.code, done.err) == (1, "error: there is no file none.png\n")


def test_the_command_with_a_real_network(call, run_dir, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_avi(tmp_path / "clip.avi", moving_square((3, 0), 6, seed=1)[:, :120])
    own = ["--input=clip.avi", "--compare", "--output=frames", "--num_predictions=2"]
    own += ["--show_flow", "--arrows"]
    done = call(animate, f"--model={run_dir}", *own)
    assert done.code == 0, done.err
    assert names(tmp_path) == ["clip.avi", "frames", "frames.csv"]
    frames = read_folder(tmp_path / "frames")
    assert len(frames) == 5 and frames[0].shape == (120, 3 * 200 + 2 * 4, 3)
