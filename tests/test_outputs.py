"""Where results go, and names that are no UTF-8."""

import dataclasses
import io
import json
import os
import sys

import cv2
import numpy as np
import pytest

from motionflow import cli
from motionflow.data.data_dir import open_data_dir
from motionflow.data.pipeline import targets
from motionflow.errors import InputError
from motionflow.files import drafts, outputs
from motionflow.files.outputs import check_replaceable
from motionflow.films import filming, model
from motionflow.films.film import check_output
from motionflow.films.model import Motion
from motionflow.inspection.contact_sheet import save_samples
from motionflow.inspection.inspector import inspect_data_dir
from motionflow.inspection.record_reader import record_at
from motionflow.labels.clip_status import read_clips, write_clips
from motionflow.media import picture, video_writer
from motionflow.media.drawn import write_clips as draw_clips
from motionflow.models.predictor import load
from motionflow.scoring.rows import row_name
from motionflow.serving import exporting, query
from motionflow.training.trainer import Trainer
from tests import tiny_run
from tests.tiny_data import write_hand_made

LATIN1 = os.fsdecode(b"caf\xe9")


def no_place(kind, folder):
    """A folder that cannot be made, whoever asks for it."""
    if kind == "file":
        (folder / "file").touch()
        return folder / "file" / "out"
    if kind == "link":
        (folder / "link").symlink_to(folder / "nowhere")
        return folder / "link"
    return folder / ("n" * 300) if kind == "long" else "/proc/motionflow/out"


@pytest.mark.parametrize("kind", ["file", "link", "long", "proc"])
def test_a_folder_that_cannot_be_made_is_refused(kind, tmp_path):
    if kind == "proc" and not os.path.isdir("/proc/self"):
        pytest.skip("there is no such file system here")
    folder = no_place(kind, tmp_path)
    with pytest.raises(InputError, match="^nothing can be written into .*: [A-Z]"):
        outputs.make_folder(folder)


def test_a_check_leaves_nothing(tmp_path):
    outputs.check_folder(tmp_path / "a" / "b")
    outputs.check_file(tmp_path / "a")
    assert not list(tmp_path.iterdir())
    assert outputs.make_folder(tmp_path / "a" / "b").is_dir()


@pytest.fixture
def read_only(monkeypatch):
    """No file system can be written to."""

    def refuse(dir):
        raise OSError(30, os.strerror(30), str(dir))

    monkeypatch.setattr(outputs.tempfile, "TemporaryFile", refuse)


def train(folder):
    data = folder / "data"
    Trainer(tiny_run.settings(data, folder / "run"))


@pytest.mark.parametrize(
    "check",
    [
        lambda folder: check_output(folder / "a.mp4"),
        lambda folder: picture.check_frames_folder(folder / "frames"),
        lambda folder: model.check_motion_output(folder / "a.flo"),
        lambda folder: outputs.check_file(folder / "a.png", query.SUFFIXES),
        lambda folder: filming.plan([str(folder)], str(folder / "films")),
        lambda folder: exporting.check_folder(folder / "x", "packed"),
        lambda folder: draw_clips(str(folder / "clips")),
        train,
    ],
)
def test_each_command_asks_before_it_works(check, tmp_path, read_only):
    (tmp_path / "photo.jpg").touch()
    with pytest.raises(InputError, match="Read-only file system"):
        check(tmp_path)


@pytest.mark.parametrize(
    "check", [check_output, model.check_motion_output, outputs.check_file]
)
def test_a_folder_in_the_place_of_a_file_is_refused(check, tmp_path):
    name = tmp_path / ("a.mp4" if check is check_output else "a.png")
    name.mkdir()
    with pytest.raises(InputError, match="is a folder, expected a file"):
        check(name)
    name.rmdir()
    name.symlink_to("/dev/null")
    with pytest.raises(InputError, match="is a device or a pipe"):
        check(name)


def test_tensorflow_takes_no_name_that_is_not_utf8(tmp_path):
    with pytest.raises(InputError, match="TensorFlow cannot take the name .*caf"):
        Trainer(tiny_run.settings(tmp_path / "data", tmp_path / LATIN1))
    with pytest.raises(InputError, match="TensorFlow cannot take the name .*caf"):
        exporting.publish(tmp_path / LATIN1, "saved_model", lambda _: 1 / 0)
    run, export = tmp_path / LATIN1, tmp_path / f"{LATIN1}2"
    for folder, file in ((run, "config.json"), (export, "saved_model.pb")):
        folder.mkdir()
        (folder / file).write_text("{}")
        with pytest.raises(InputError, match="TensorFlow cannot take the name .*caf"):
            load(folder)


def test_data_may_have_any_name(tmp_path):
    data = open_data_dir(write_hand_made(tmp_path / LATIN1))
    num_samples = data.num_samples("train")
    (batch,) = targets(data, "train", num_samples)
    assert batch["flow"].shape == (num_samples, 1, 2, 2, 2)
    inspected = inspect_data_dir(data.path)
    assert inspected.censuses["train"].num_samples == num_samples
    assert record_at(data.path / os.fsdecode(data.shards("train")[0]), 0).dtype
    sheet = tmp_path / f"{LATIN1}.png"
    assert save_samples(inspected, data.codebook, "train", 1, 0, sheet)
    assert picture.read_image(sheet).size
    (status, *_) = read_clips(data.path)
    statuses = [dataclasses.replace(status, clip=f"{LATIN1}.avi", reason=LATIN1)]
    write_clips(data.path, statuses)
    assert read_clips(data.path) == statuses
    assert row_name(data.path) == "caf\\xe9"


def test_text_with_such_a_name_can_be_read(tmp_path):
    file = tmp_path / LATIN1
    drafts.write(file, f"é {LATIN1}")
    assert file.read_text(encoding="utf-8") == "é caf\\udce9"
    drafts.write(file, json.dumps(LATIN1))
    assert json.loads(file.read_text(encoding="utf-8")) == LATIN1


def test_flow_is_written_under_any_name(tmp_path):
    flow = np.random.default_rng(0).normal(size=(3, 5, 2)).astype(np.float32)
    found = Motion(np.zeros((6, 10, 3), np.uint8), flow, np.ones((3, 5, 1)))
    found.save(tmp_path / f"{LATIN1}.flo")
    os.rename(tmp_path / f"{LATIN1}.flo", tmp_path / "a.flo")
    np.testing.assert_array_equal(cv2.readOpticalFlow(str(tmp_path / "a.flo")), flow)


def test_a_command_prints_any_name(monkeypatch):
    written = io.BytesIO()
    stdout = io.TextIOWrapper(written, "utf-8", "strict", write_through=True)
    monkeypatch.setattr(sys, "stdout", stdout)
    monkeypatch.setattr(cli, "load_command", lambda verb: None)
    monkeypatch.setattr(cli, "call", lambda *_: print(f"wrote é {LATIN1}"))
    with pytest.raises(SystemExit):
        cli.run("animate")
    assert written.getvalue() == b"wrote \xc3\xa9 caf\\udce9\n"


# --- which files may be replaced ---------------------------------------------------


FRAMES = np.zeros((3, 16, 16, 3), np.uint8)


@pytest.mark.parametrize("name", ["a.mp4", "a.gif", "a", "a.png"])
def test_a_file_with_the_mark_may_be_replaced(name, tmp_path):
    path = tmp_path / name
    check_replaceable(path, "motionflow animate")  # nothing is there

    def write(mark):
        if path.suffix == ".png":
            picture.write_png(path, FRAMES[0], mark)
        elif path.suffix:
            video_writer.write_video(path, FRAMES, 10, mark)
        else:
            picture.write_frames(path, FRAMES, mark)
            (path / ".DS_Store").touch()

    write("motionflow animate")
    check_replaceable(path, "motionflow animate")
    for other in ("motionflow restore", ""):
        write(other)
        with pytest.raises(InputError, match="was not made by motionflow animate"):
            check_replaceable(path, "motionflow animate")
        check_replaceable(path, "motionflow animate", overwrite=True)


def test_a_device_without_an_end_is_not_read():
    with pytest.raises(InputError, match="is there already"):
        check_replaceable("/dev/full", "motionflow animate")


def test_an_empty_file_or_folder(tmp_path):
    (tmp_path / "a.mp4").touch()
    with pytest.raises(InputError, match="is there already"):
        check_replaceable(tmp_path / "a.mp4", "motionflow animate")
    (tmp_path / "a").mkdir()
    check_replaceable(tmp_path / "a", "motionflow animate")
    (tmp_path / "a" / "folder").mkdir()
    with pytest.raises(InputError, match="is there already"):
        check_replaceable(tmp_path / "a", "motionflow animate")
