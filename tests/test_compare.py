"""The command, from data and videos to tables and strips."""

import json

import numpy as np
import pytest
from PIL import Image

from motionflow.commands import compare
from motionflow.data.data_dir import open_data_dir
from motionflow.errors import InputError
from motionflow.models import predictor
from motionflow.scoring import comparison
from tests.conftest import texture, write_avi
from tests.future_models import MemoryData, StepModel

pytestmark = pytest.mark.slow

FILES = {"comparison.json", "comparison.md", "strip.png", "strip_frames.png"}
# A square of 30 pixels from (35, 35) on, a pixel a frame: 4 pixels in a step of 4.
MOVES = {"right": (1, 0), "up": (0, -1)}
NUM_FRAMES, STEP_FRAMES, SIZE = 29, 4, 100
MODELS = {
    "right": StepModel(codes=(1, 1), size=(SIZE, 10, 50)),
    "still": StepModel(codes=(0,), size=(SIZE, 10, 10)),
}


def area(time, move, cell):
    """Cells of the square at a time, for the last two axes of a grid."""
    first = (np.add(35, np.multiply(time, move)) + cell // 2) // cell
    return tuple(slice(n, n + 30 // cell) for n in first[::-1])


def make_samples(name, move, frames):
    """Two samples of a clip, with two steps and dense flow each."""
    for start in (0, 4):
        steps, dense = np.zeros((2, 10, 10, 2)), np.zeros((50, 50, 2))
        for step in range(2):
            steps[step][area(start + step * STEP_FRAMES, move, 10)] = np.multiply(
                STEP_FRAMES, move
            )
        dense[area(start, move, 2)] = np.multiply(STEP_FRAMES, move)
        yield {
            "frames": frames[start],
            "steps": np.float32(steps),
            "dense_flow": np.float32(dense),
            "clip": f"walk/{name}.avi".encode(),
            "source": name.encode(),
            "action": b"walk",
            "frame_index": start,
        }


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Two videos, and the data that were made from them."""
    folder, found = tmp_path_factory.mktemp("videos"), []
    for seed, (name, move) in enumerate(MOVES.items()):
        ground, square = texture(seed, SIZE, SIZE), texture(seed + 9, 30, 30)
        frames = np.repeat(ground[np.newaxis], NUM_FRAMES, axis=0)
        for time, frame in enumerate(frames):
            frame[area(time, move, 1)] = square
        write_avi(folder / "walk" / f"{name}.avi", frames)
        found += make_samples(name, move, frames)
    samples = {key: np.stack([one[key] for one in found]) for key in found[0]}
    return folder, MemoryData(samples, STEP_FRAMES)


@pytest.fixture
def compared(call, clips, monkeypatch, tmp_path):
    """The command in this process, on models that need no network: folder, output."""
    folder, data = clips
    data.install(monkeypatch, comparison)
    monkeypatch.setattr(predictor, "load", lambda path: MODELS[path.split("/")[-1]])
    out = tmp_path / "out"
    own = [f"--output_dir={out}", f"--video_dir={folder}", "--num_futures=3"]
    models = "--models=runs/right,runs/still"
    done = call(compare, models, "--split=test", *own)
    assert done.code == 0
    return out, done.out


def load_strictly(path):
    def refuse(constant):
        raise AssertionError(f"{path} holds {constant}")

    return json.loads(path.read_text(), parse_constant=refuse)


def test_a_whole_comparison(compared):
    folder, printed = compared
    assert {path.name for path in folder.iterdir()} == FILES
    summary = load_strictly(folder / "comparison.json")
    assert (summary["num_samples"], summary["num_clips"]) == (4, 2)
    begin = f"python {compare.__file__} --models=runs/right"
    assert summary["command"].startswith(begin)
    assert summary["models"]["right"]["num_steps"] == 2
    # The later starts lack the last frames.
    films = summary["films"]
    assert (films["complete"], films["short"], films["still"]) == (2, 2, 0)
    scores = summary["scores"]
    assert [*scores] == [
        "full_size_epe_all",
        "full_size_epe_nz",
        "step_epe_nz",
        "step_dir_nz",
        "video_psnr",
        "video_ssim",
        "step_psnr",
        "first_best_epe_nz",
        "whole_best_epe_nz",
    ]
    # One clip goes right as the model says, the other up: off by 0 and by 4 sqrt(2).
    full, mean = scores["full_size_epe_nz"]["rows"], np.sqrt(32) / 2
    assert full["right"]["value"] == [pytest.approx(mean)]
    assert full["right"]["interval"] == [pytest.approx([0, np.sqrt(32)])]
    assert full["zero flow"]["value"] == [pytest.approx(4)]
    assert full["true flow of 10x10, upsampled"]["value"][0] < 1
    steps = scores["step_epe_nz"]
    assert steps["places"] == ["step 0", "step 1"]
    assert steps["rows"]["right, sequence"]["value"] == pytest.approx([mean, mean])
    zero = steps["rows"]["still, composed"]
    assert zero["value"] == steps["rows"]["zero flow"]["value"] == pytest.approx([4, 4])
    best = scores["first_best_epe_nz"]["rows"]
    # Its futures go 0, 1 and 2 pixels to the right.
    assert best["right"]["value"] == [pytest.approx((2 + 4) / 2)]
    psnr = scores["video_psnr"]["rows"]
    assert scores["video_psnr"]["places"] == ["frame +1", "frame +5", "frame +25"]
    assert psnr["start frame repeated"]["count"] == [4, 4, 2]
    assert psnr["still, composed"]["value"] == psnr["start frame repeated"]["value"]
    assert psnr["right, sequence"]["difference"] == pytest.approx([0] * 3, abs=1e-3)
    assert scores["step_psnr"]["places"] == ["step 0, +4", "step 1, +8"]
    text = (folder / "comparison.md").read_text(encoding="utf-8")
    assert text in printed
    assert "# right, still on test" in text and "2 are complete, 2 end with" in text
    for name in ("strip.png", "strip_frames.png"):
        with Image.open(folder / name) as image:
            image.verify()


def test_data_of_one_coarse_step(tiny_data_dir, tiny_videos, monkeypatch, tmp_path):
    models = {"a": StepModel(), "b": StepModel(), "c": StepModel(codes=(0,))}
    monkeypatch.setattr(predictor, "load", lambda path: models[path])
    options = comparison.Options(num_futures=2, interval_unit="source", batch_size=2)
    arguments = "abc", tiny_data_dir, tiny_videos, "test", tmp_path / "out", options
    summary = comparison.compare(*arguments)
    scores = ["video_psnr", "video_ssim", "first_best_epe_nz"]
    assert [*summary["scores"]] == scores
    assert summary["intervals"]["unit"] == "source"
    for score in scores:
        rows = summary["scores"][score]["rows"]
        # The same model again: no difference at all.
        same = next(row for name, row in rows.items() if name.startswith("b"))
        known = [gap for gap in same["difference"] if gap is not None]
        assert known and set(known) == {0}
    zero = summary["scores"]["first_best_epe_nz"]["rows"]["zero flow"]["value"]
    data = open_data_dir(tiny_data_dir)
    assert zero[0] == pytest.approx(mean_motion(data), rel=1e-5)
    # The clips have 8 frames: none has a frame 25.
    assert summary["scores"]["video_psnr"]["rows"]["a, composed"]["count"][2] == 0
    assert summary["films"]["complete"] == 0


def mean_motion(data):
    """Mean over the chosen test samples of the mean length of what moves."""
    from motionflow.data import pipeline

    (batch,) = pipeline.targets(data, "test", 99).as_numpy_iterator()
    batch = pipeline.first_step(batch)
    assert len(set(batch["clip"])) == 1 and len(batch["clip"]) == 3
    order = np.argsort(batch["frame_index"])[[0, 1]]  # the first of each half
    lengths = np.linalg.norm(batch["flow"][order].reshape(2, 400, 2), axis=-1)
    moving = batch["codes"][order] != data.codebook.zero_index
    return np.mean([lengths[i][moving[i]].mean() for i in range(2)])


def test_what_a_user_can_get_wrong(tiny_data_dir, tiny_videos, monkeypatch, tmp_path):
    small = StepModel(size=(64, 4, 4))
    models = {"runs/a": StepModel(), "a": StepModel(), "small": small}
    monkeypatch.setattr(predictor, "load", models.get)

    def run(model_dirs, video_dir=tiny_videos):
        comparison.compare(model_dirs, tiny_data_dir, video_dir, "test", tmp_path)

    with pytest.raises(InputError, match="no model to compare"):
        run([])
    with pytest.raises(InputError, match="two rows would be named a"):
        run(["runs/a", "a"])
    with pytest.raises(InputError, match=r"small is for frames of 64 and a grid of 4"):
        run(["small"])
    with pytest.raises(InputError, match="nowhere is not a directory"):
        run(["a"], tmp_path / "nowhere")


def test_the_command_ends_with_one_line(call, tiny_data_dir, tmp_path):
    own = [f"--data_dir={tiny_data_dir}", f"--video_dir={tmp_path}"]
    done = call(compare, *own, f"--output_dir={tmp_path}")
    expected = "error: no model to compare: name run directories or exports\n"
    assert (done.code, done.err) == (1, expected)
