"""The command: gaps found and filled, plans made and kept, errors said."""

import json
import shutil
from pathlib import Path

import cv2
import imageio.v2 as imageio
import numpy as np
import pytest
from absl import flags
from PIL import Image

from motionflow import cli
from motionflow.commands import restore
from motionflow.errors import InputError
from motionflow.films import thinning
from motionflow.media.video_writer import has_sound
from motionflow.models import predictor
from tests.conftest import moving_square, texture, write_avi
from tests.fake_predictor import FakePredictor
from tests.test_frame_sequence import write_video
from tests.test_video import ffmpeg
from tests.told_predictor import ToldPredictor

pytestmark = pytest.mark.slow

SIZE, STEP = 64, 2
INSIDE = slice(16, -16)
OLD = {"output": "restored.mp4", "overwrite": True}  # as tools/restore_frames.py has


@pytest.fixture
def run(monkeypatch, tmp_path, capsys):
    """Runs the tool in an empty folder; its two outputs.

    One prediction is two frames of `panning`.
    """
    monkeypatch.setattr(predictor, "load", lambda path: FakePredictor((2 * STEP, 0)))
    monkeypatch.chdir(tmp_path)

    def run_tool(*arguments):
        restore.main(cli.parse(restore, arguments, OLD))
        return capsys.readouterr()

    return run_tool


def panning(num_frames):
    """uint8 [N, 64, 64, 3]: the whole picture moves two pixels right in each frame."""
    scene = cv2.resize(texture(0, 16, 48), None, fx=4, fy=4)
    starts = [STEP * (num_frames - i) for i in range(num_frames)]
    return np.stack([scene[:, start : start + SIZE] for start in starts])


def write_folder(path, frames, numbers):
    path = Path(path)
    path.mkdir()
    for number in numbers:
        Image.fromarray(frames[number]).save(path / f"f{number}.png")
    return path


def read_folder(path):
    return np.stack([imageio.imread(file) for file in sorted(Path(path).iterdir())])


def num_frames(path):
    return sum(1 for _ in imageio.get_reader(path))


def assert_inside_equal(found, truth):
    np.testing.assert_array_equal(found[:, :, INSIDE], truth[:, :, INSIDE])


def test_a_folder_with_gaps(run):
    frames = panning(12)
    write_folder("in", frames, [0, 1, 3, 4, 7, 8, 9, 10, 11])
    out, _ = run("--model=m", "--input=in", "--output=out")
    assert_inside_equal(read_folder("out"), frames)
    assert out == ("wrote out: 12 frames, 9 as they were, 3 filled in: 3 symmetric\n")


def test_numbers_are_those_of_the_names(run):
    frames = panning(12)
    write_folder("in", frames, range(5, 12))
    run("--model=m", "--input=in", "--output=out", "--damaged=7-8")
    assert_inside_equal(read_folder("out"), frames[5:])
    run("--model=m", "--input=in", "--output=back", "--missing=3-4")
    assert_inside_equal(read_folder("back"), frames[3:])


def test_frames_named_as_missing(run):
    frames = panning(10)
    write_avi(Path("in.avi"), frames[[0, 1, 2, 5, 6, 7]])
    out, _ = run("--model=m", "--input=in.avi", "--missing=3-4,8,9", "--output=o.mp4")
    assert num_frames("o.mp4") == 10
    assert "10 frames, 6 as they were, 4 filled in: " in out
    assert "2 forward (end of the video), 2 symmetric" in out
    assert cv2.VideoCapture("o.mp4").get(cv2.CAP_PROP_FPS) == pytest.approx(30)


def test_frames_named_as_damaged(run):
    frames = panning(10)
    spoiled = frames.copy()
    spoiled[[0, 4]] = 0
    write_folder("in", spoiled, range(10))
    out, _ = run("--model=m", "--input=in", "--damaged=0,4", "--output=out")
    assert_inside_equal(read_folder("out"), frames)
    assert "8 as they were, 2 filled in: 1 backward (start of the video), 1 sym" in out


def test_gaps_in_the_time_stamps(run, caplog):
    numbers = [0, 1, 2, 5, 6, 8]
    write_video("in.mp4", panning(9)[numbers], numbers, rate=20)
    out, _ = run("--input=in.mp4", "--method=flow")
    assert "wrote restored.mp4: 9 frames, 6 as they were, 3 filled in: 3 flow" in out
    assert num_frames("restored.mp4") == 9
    assert cv2.VideoCapture("restored.mp4").get(cv2.CAP_PROP_FPS) == pytest.approx(20)
    out, _ = run("--input=in.mp4", "--method=flow", "--notimestamps", "--fps=7")
    assert out.endswith("6 frames, 6 as they were, 0 filled in\n")
    assert cv2.VideoCapture("restored.mp4").get(cv2.CAP_PROP_FPS) == pytest.approx(7)
    run("--input=in.mp4", "--method=flow", "--missing=1")
    said = "--missing is given, so the 3 gaps in the numbers of in.mp4 do not"
    assert said in caplog.text


def test_names_that_are_times_are_asked_about(run):
    """Nothing is made up between 120059 and 120100, unless it is named."""
    frames = panning(6)
    for name, stems in (
        ("one", ["d_120058", "d_120059", "d_120100"]),
        ("two", ["17_235958", "17_235959", "18_000000"]),
    ):
        Path(name).mkdir()
        for frame, stem in zip(frames, stems, strict=False):
            Image.fromarray(frame).save(f"{name}/{stem}.png")
        own = [f"--input={name}", "--method=flow", "--output=out"]
        with pytest.raises(InputError, match=f"{name}: .*\\? --notimestamps says"):
            run(*own)
        assert not Path("out").exists()
        run(*own, "--notimestamps")
        np.testing.assert_array_equal(read_folder("out"), frames[:3])
        first = {"one": 120058, "two": 0}[name]
        run(*own, f"--missing={first + 1}")
        restored = read_folder("out")
        np.testing.assert_array_equal(restored[[0, 2, 3]], frames[:3])
        run(*own, "--notimestamps", "--plan", "--output=p.json")
        shutil.rmtree("out")


def test_a_folder_taken_as_it_comes(run):
    frames = panning(5)
    write_folder("in", frames, [0, 1, 3, 4])
    run("--input=in", "--method=flow", "--notimestamps", "--output=out")
    np.testing.assert_array_equal(read_folder("out"), frames[[0, 1, 3, 4]])


def test_duplicates_are_replaced(run):
    frames = panning(12)
    spoiled = frames.copy()
    spoiled[5] = frames[4]
    write_folder("in", spoiled, range(12))
    run("--model=m", "--input=in", "--output=out", "--replace_duplicates")
    assert_inside_equal(read_folder("out"), frames)


@pytest.mark.parametrize(
    "arguments, hows",
    [
        ([], "3 symmetric"),
        (["--method=flow"], "3 flow"),
        (["--max_gap=2"], "3 repeat (long gap)"),
    ],
)
def test_methods(run, arguments, hows):
    write_folder("in", panning(8), [0, 1, 2, 6, 7])
    out, _ = run("--model=m", "--input=in", "--output=out", *arguments)
    assert out.endswith(f": {hows}\n")


def test_frames_per_prediction(run):
    """Where one prediction is one frame's motion, two are wrong by half."""
    frames = panning(8)
    write_folder("in", frames, [0, 1, 2])
    common = ["--model=m", "--input=in", "--missing=3-7", "--output=out"]
    run(*common)
    assert_inside_equal(read_folder("out"), frames)
    run(*common, "--frames_per_prediction=1")
    # Frame 3 moved by four pixels, as frame 4 has.
    assert_inside_equal(read_folder("out")[3:4], frames[4:5])


def bouncing(count):
    """Moves left and right: what turns cannot be dropped."""
    frames = panning(2 * count)
    order = [0, 1, 2, 3, 4, 5, 6, 5, 4, 3, 2, 1] * count
    return frames[order[:count]]


@pytest.mark.parametrize("method", ["predicted", "flow"])
def test_plan_thin_restore(run, method):
    frames = bouncing(24)
    write_folder("in", frames, range(24))
    out, _ = run(
        "--model=m",
        "--input=in",
        "--plan",
        f"--method={method}",
        "--min_psnr=24",
        "--max_gap=3",
        "--thinned_output=thin",
    )
    plan = json.loads(Path("plan.json").read_text())
    count = len(plan["dropped"])
    assert 4 < count < 20 and plan["num_frames"] == 24
    assert (plan["method"], plan["max_gap"]) == (method, 3)
    assert f"{count} of 24 frames ({count / 24:.1%}) can be dropped at 24 dB" in out
    assert plan["bytes_full"] > plan["bytes_thinned"] > 0
    kept = [i for i in range(24) if i not in {r["frame"] for r in plan["dropped"]}]
    assert kept[0] == 0
    np.testing.assert_array_equal(read_folder("thin"), frames[kept])

    run("--model=m", "--input=thin", "--missing=plan.json", "--output=out")
    restored = read_folder("out")
    np.testing.assert_array_equal(restored[kept], frames[kept])
    for row in plan["dropped"]:
        i = row["frame"]
        error = np.mean((restored[i].astype(float) - frames[i]) ** 2)
        value = min(100, 10 * np.log10(255**2 / max(error, 1e-10)))
        assert value == pytest.approx(row["psnr"], abs=0.01)
        assert value >= 24


def test_a_plan_of_a_video(run):
    write_avi(Path("in.avi"), np.repeat(panning(3), 4, axis=0))
    run("--input=in.avi", "--plan", "--method=flow", "--thinned_output=thin.mp4")
    plan = thinning.Plan.load("plan.json")
    assert plan.kept[0] == 0 and len(plan.kept) < 8
    assert num_frames("thin.mp4") == len(plan.kept)
    out, _ = run("--input=thin.mp4", "--missing=plan.json")
    kept = len(plan.kept)
    assert f"12 frames, {kept} as they were, {12 - kept} filled in: " in out
    assert num_frames("restored.mp4") == 12


@pytest.mark.parametrize(
    "arguments, message",
    [
        ([], "--input is missing"),
        (["--input=none.mp4"], "no file none.mp4"),
        (["--input=in", "--missing=x"], "'x' is no frame number"),
        (["--input=in", "--missing=9"], "frame 9 cannot be missing: 4 frames and 1"),
        (["--input=in", "--damaged=2"], "frame 2, which the input does not have"),
        (["--input=in", "--damaged=0-1,3-4"], "all frames are missing or damaged"),
        (["--input=in", "--missing=none.json"], "there is no plan none.json"),
        (["--input=in", "--missing=p.json"], "in has 4 frames, .* keeps 9 of 10"),
        (["--input=in", "--output=a.avi"], "a.avi must end in .mp4 or .gif"),
        (["--input=in", "--output=no/a.mp4"], "there is no folder no to write a.mp4"),
        (["--input=in", "--output=mixed"], "mixed holds f"),
        (["--input=in", "--output=mixed/../in"], "is the input itself"),
        (["--input=in", "--plan", "--thinned_output=in"], "is the input itself"),
        (["--input=in", "--thinned_output=a"], "--thinned_output goes with --plan"),
        (["--input=in", "--plan"], "in lacks 1 frames: restore it first"),
        (["--input=in", "--plan", "--damaged=1"], "takes a video as it is"),
        (["--input=in", "--plan", "--missing=1"], "takes a video as it is"),
        (["--input=in", "--plan", "--replace_duplicates"], "takes a video as it is"),
        (["--input=in", "--plan", "--output=a.mp4"], "must end in .json with --plan"),
        (["--input=in", "--plan", "--output=no/a.json"], "there is no folder no"),
        (["--input=in", "--plan", "--thinned_output=a.avi"], "a.avi must end in"),
        (["--input=in", "--method=blend"], "blend is gone: --method=flow"),
        (["--input=in", "--method=forward"], "forward is gone: --method=predicted"),
        (["--input=in", "--method=magic"], "'magic', expected one of predicted, flow"),
        (["--input=mixed", "--method=flow"], "several sizes: 64x64 and 60x64"),
    ],
)
def test_what_is_wrong_is_said(run, arguments, message):
    frames = panning(5)
    write_folder("in", frames, [0, 1, 3, 4])
    write_folder("mixed", frames, [0, 1])
    Image.fromarray(frames[2][:, :60]).save("mixed/f2.png")
    thinning.Plan(10, {3: 40.0}, "flow", 2, 4, 30.0).save("p.json")
    with pytest.raises(InputError, match=message):
        run(*arguments)
    assert sorted(p.name for p in Path(".").iterdir()) == ["in", "mixed", "p.json"]


@pytest.mark.parametrize("flag", ["--max_gap=0", "--frames_per_prediction=0"])
def test_numbers_below_one_are_refused(run, flag):
    with pytest.raises(flags.IllegalFlagValueError):
        run("--input=in", flag)


def test_the_command(call, run_dir, tmp_path, monkeypatch):
    """A run with random weights, an odd size: everything but the model is real."""
    monkeypatch.chdir(tmp_path)
    write_avi(tmp_path / "in.avi", panning(8)[:, :50, :61][[0, 1, 2, 4, 5]])
    own = [f"--model={run_dir}", "--input=in.avi"]
    done = call(restore, *own, "--missing=3,6", defaults=OLD)
    assert done.code == 0, done.err
    assert done.out == (
        "wrote restored.mp4: 7 frames, 5 as they were, 2 filled in: "
        "1 forward (end of the video), 1 symmetric\n"
    )
    assert num_frames(tmp_path / "restored.mp4") == 7
    done = call(restore, *own, "--plan", "--min_psnr=15", defaults=OLD)
    assert done.code == 0, done.err
    assert "of 5 frames" in done.out and "5/5" in done.err
    done = call(restore, "--input=in.avi", "--method=flow", "--damaged=0-4")
    assert done.code == 1
    assert done.err.splitlines()[-1] == (
        "error: all frames are missing or damaged: there is no good frame"
    )


def test_only_what_it_made_is_replaced(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_avi(tmp_path / "in.avi", panning(8))
    for own, output in (
        (["in.avi", "--method=flow", "--damaged=3"], "in-restored.mp4"),
        (["in.avi", "--method=flow", "--plan", "--min_psnr=20"], "in-plan.json"),
    ):
        for _ in range(2):
            done = call(restore, *own)
            assert done.code == 0 and f"wrote {output}: " in done.out, done.err
        Path(output).write_text("mine")
        done = call(restore, *own)
        assert (done.code, Path(output).read_text()) == (1, "mine")
        assert f"{output} is there already and was not made by" in done.err
        assert call(restore, *own, "--overwrite").code == 0


def test_a_model_that_can_be_told_goes_on_as_the_frames_moved(run, monkeypatch):
    told = ToldPredictor(goes_on=True, size=200, cells=20)
    monkeypatch.setattr(predictor, "load", lambda path: told)
    frames = moving_square((3, 0), 12, seed=1)
    missing = {0, 1, 6, 7}
    write_folder("in", frames, sorted(set(range(12)) - missing))
    run("--input=in", "--output=out")
    found = read_folder("out")
    assert len(found) == 10  # the numbers begin with 2

    def error(frame, number):
        return np.abs(frame.astype(int) - frames[number]).mean()

    for number, copied in ((6, 5), (7, 8)):
        assert error(found[number - 2], number) < 0.3 * error(frames[copied], number)
    # Forwards from frames 4 and 5, backwards from 9 and 8: the signs differ.
    signs = [np.sign(known[0, 10, 10, 5]) for known in told.told]
    assert signs == [1, -1]


def test_the_camera_goes_on_as_it_went(run, monkeypatch):
    told = ToldPredictor(goes_on=True, size=200, cells=20)
    monkeypatch.setattr(predictor, "load", lambda path: told)
    scenery = cv2.GaussianBlur(texture(3, 200, 260), (0, 0), 2)
    frames = [scenery[:, 4 * i : 4 * i + 200] for i in range(8)]
    write_folder("in", frames, [0, 1, 2, 3])
    run("--input=in", "--missing=4-5", "--output=out")
    found = read_folder("out")
    for number in (4, 5):
        inside = np.s_[10:-10, 10:-20]  # what came in at the right nobody knew
        error, copied = (
            np.abs(frame[inside].astype(int) - frames[number][inside]).mean()
            for frame in (found[number], frames[3])
        )
        assert error < 0.15 * copied


@pytest.mark.parametrize(
    "output, more, is_kept",
    [("o.mp4", (), True), ("o.mp4", ("--fps=10",), False), ("o.gif", (), False)],
)
def test_sound_is_kept_or_its_loss_is_said(run, output, more, is_kept, caplog):
    ffmpeg(
        *("-f", "lavfi", "-i", "testsrc2=s=64x48:r=30", "-f", "lavfi", "-i", "sine"),
        *("-t", "0.4", "talk.mkv"),
    )
    caplog.set_level("WARNING", "motionflow")
    run("talk.mkv", f"--output={output}", "--method=flow", *more)
    said = "the sound of talk.mkv is not kept" in caplog.text
    assert (has_sound(output), said) == (is_kept, not is_kept)
