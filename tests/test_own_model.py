"""From a folder of videos to a model, in one run directory that loses nothing."""

import functools
import json
import shutil
import types

import numpy as np
import pytest

import motionflow
from motionflow import cli, own_model
from motionflow.commands import train
from motionflow.commands.training_flags import settings_from
from motionflow.data import data_dir
from motionflow.errors import InputError
from motionflow.media import video
from motionflow.scoring import assessment
from motionflow.training.settings import Settings
from tests.conftest import MOVES, moving_square, write_avi

pytestmark = pytest.mark.slow

TINY = ["--frame_stride=2", "--num_clusters=6", "--width=0.03", "--batch_size=4"]
TINY += ["--model=allconv"]


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """A plain folder: nine files, nine sources."""
    folder = tmp_path_factory.mktemp("own") / "videos"
    for i, move in enumerate(MOVES):
        write_avi(folder / f"{i}.avi", moving_square(move, 8, seed=i))
    return folder


def state(folder):
    """Files with their times, but for what each training writes anew."""
    again = {"config.json", "flags.txt", "data.json", "history.csv", "result.json"}
    return {
        path.relative_to(folder).as_posix(): path.stat().st_mtime_ns
        for path in folder.rglob("*")
        if path.is_file() and path.name not in again
    }


def test_one_command_then_it_is_finished_then_it_goes_further(
    call, videos, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    quick = functools.partial(assessment.Options, baselines="constant")
    monkeypatch.setattr(assessment, "Options", quick)
    done = call(train, videos, *TINY, "--epochs=1")
    assert done.code == 0, done.err
    run = tmp_path / "runs" / "videos"
    flags = json.loads((run / "data" / "manifest.json").read_text())["flags"]
    assert (flags["dataset"], flags["flow_method"]) == ("folder", "dis")
    assert (run / "evaluation/test/report.html").stat().st_size > 10_000
    frames = list(video.iter_frames(run / "film.mp4"))
    assert frames[0].shape == (200, 3 * 200 + 2 * 4, 3)  # predicted, flow, real
    frame = np.zeros((200, 200, 3), np.uint8)
    flows = [motionflow.load(p).flow(frame).flow for p in (run, run / "exported")]
    np.testing.assert_allclose(*flows, atol=1e-4)
    assert "finished; look at\n" in done.out and "report.html" in done.out

    before = state(run)
    done = call(train, videos, *TINY, "--epochs=1")
    assert done.code == 0, done.err
    assert "data is complete" in done.out and "is finished: 1 epochs" in done.out
    assert state(run) == before

    # Stopped before the film was there: only that is made.
    (run / "film.mp4").unlink()
    steps = json.loads((run / "steps.json").read_text())
    assert steps.pop("film") == 1
    (run / "steps.json").write_text(json.dumps(steps))
    done = call(train, videos, *TINY, "--epochs=1")
    after = state(run)
    assert after.keys() == before.keys()
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"film.mp4", "film.csv", "steps.json"}


def test_what_is_refused(call, videos, tmp_path, tiny_data_dir):
    run = videos / "run"
    done = call(train, videos, f"--run_dir={run}")
    assert done.code == 1 and f"the run directory {run} lies in {videos}" in done.err
    assert not run.exists()
    done = call(train, tiny_data_dir, "--flow_method=dis", f"--run_dir={tmp_path}/r")
    assert "--flow_method is for a folder of videos" in done.err
    done = call(train, tmp_path / "none", f"--run_dir={tmp_path}/r")
    assert "none is no complete data directory: there is none" in done.err


def test_what_is_a_folder_of_videos(videos, tiny_data_dir, tmp_path):
    assert own_model.is_video_folder(videos)
    assert not own_model.is_video_folder(tiny_data_dir)
    assert not own_model.is_video_folder(tmp_path)
    assert not own_model.is_video_folder(tmp_path / "none")
    shutil.copytree(videos, tmp_path / "videos")
    (tmp_path / "manifest.json").touch()
    assert not own_model.is_video_folder(tmp_path)  # a data directory, whatever else


@pytest.mark.parametrize(
    ("defaults", "config"),
    [(train.NETWORK_DEFAULTS, "demo"), (train.SMALL_DEFAULTS, "small")],
)
def test_the_networks_have_flag_files(defaults, config):
    recipe = settings_from(cli.parse(train, [f"--flagfile=configs/{config}.flags"]))
    places = {"data_dir": recipe.data_dir, "run_dir": recipe.run_dir}
    assert Settings(**defaults, **places) == recipe


@pytest.fixture
def started(call, videos, tmp_path, monkeypatch):
    """The settings that `train VIDEOS` would train with, and what it prints."""

    def start(*words, num_samples=100):
        seen = []
        data = types.SimpleNamespace(num_samples=lambda split: num_samples)
        monkeypatch.setattr(data_dir, "open_data_dir", lambda path: data)
        monkeypatch.setattr(own_model, "build_data", lambda *a, **k: "built")
        monkeypatch.setattr(own_model, "make_model", lambda *a, **k: seen.append(a[1]))
        done = call(train, videos, "--run_dir=r", *words)
        return seen[0], done.out

    return start


def test_a_flag_file_is_a_recipe_of_its_own(started, tmp_path):
    file = tmp_path / "own.flags"
    file.write_text("--dropout=0.3\n--model=efficientnet\n--freeze_trunk\n")
    recipe, _ = started(f"--flagfile={file}", "--epochs=3")
    boxed, _ = started("--epochs=3")
    small, _ = started("--epochs=3", "--model=convnext")
    assert recipe.epochs == boxed.epochs == small.epochs == 3
    assert (recipe.width, recipe.dropout, recipe.keep_trunk_maps) == (1.0, 0.3, None)
    assert (boxed.model, boxed.width) == ("efficientnet", 0.75)
    assert (boxed.pretrained, boxed.keep_trunk_maps) == ("default", "r/trunk_maps")
    assert (small.model, small.width, small.pretrained) == ("convnext", 0.25, None)
    assert boxed.data_dir == "r/data" and boxed.run_dir == "r"


def test_maps_are_kept_unasked_where_they_are_few(started):
    many, said = started(num_samples=20_000)
    assert many.keep_trunk_maps is None
    assert "three times as fast, for 16 GB" in said  # of two views, 0.4 MB each
    asked, _ = started("--keep_trunk_maps=m", num_samples=20_000)
    assert asked.keep_trunk_maps == "m"
    for other in ("--strategy=mirrored", "--train_trunk_from=14", "--nofreeze_trunk"):
        assert started(other)[0].keep_trunk_maps is None


def test_few_videos_get_smaller_batches(call, videos, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(own_model, "make_model", lambda *a, **k: seen.append(a[1]))
    own = ["--frame_stride=4", "--num_clusters=4", f"--run_dir={tmp_path}"]
    done = call(train, videos, *own)
    num_samples = json.loads((tmp_path / "data" / "manifest.json").read_text())
    num_samples = num_samples["splits"]["train"]["num_samples"]
    assert 0 < num_samples < 16 and seen[0].batch_size == num_samples
    assert f"only {num_samples} training samples, so batches of" in done.out
    call(train, videos, *own, "--batch_size=3")
    assert seen[1].batch_size == 3


def test_input_error_is_the_usual_one(videos):
    with pytest.raises(InputError, match="lies in"):
        own_model.build_data(videos, videos / "a" / "b", None)
