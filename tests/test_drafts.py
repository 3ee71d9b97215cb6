"""Every writer leaves the whole new thing, or the old one and an error that names it.

Writers are called under a limit for the size of files, which acts as a full disk does.
"""

import collections
import contextlib
import os
import pickle
import sys

import numpy as np
import pytest
from matplotlib.figure import Figure

from motionflow.data import records
from motionflow.data.data_dir import open_data_dir
from motionflow.drawing import plots
from motionflow.errors import InputError, NotWritten
from motionflow.files import drafts
from motionflow.films.compared import FrameScores, write_csv
from motionflow.films.model import Motion
from motionflow.films.thinning import Plan
from motionflow.labels import extraction
from motionflow.labels.clip_status import ClipStatus, write_clips
from motionflow.labels.codebook import Codebook
from motionflow.labels.samples import ClipSamples
from motionflow.media import picture
from motionflow.media.drawn import clip as drawn
from motionflow.models import efficientnet_weights
from motionflow.models.run_dir import RunDir
from motionflow.scoring.evaluation import Evaluation, KnownSums
from motionflow.serving import exporting
from motionflow.training.sweep import Run, write_table
from motionflow.training.tensorboard import Board
from motionflow.training.trunk_maps import MapStore
from tests import test_checkpoints, tiny_run

resource = pytest.importorskip("resource")  # which Windows lacks

NOISE = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
FLOW = np.random.default_rng(0).normal(size=(5, 5, 2)).astype(np.float32)
MOTION = Motion(NOISE, FLOW, FLOW)
NONE = dict.fromkeys(("clips", "actions", "sources"), FLOW)
NONE["sample_clips"] = np.zeros(5, int)
LIMIT = 100  # bytes; all that is written here is longer


@contextlib.contextmanager
def full_disk(num_bytes=LIMIT):
    """No file can get longer; Python ignores the signal, so writing is an error."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def contents(folder):
    return {
        file.relative_to(folder).as_posix(): file.is_file() and file.read_bytes()
        for file in folder.rglob("*")
    }


def samples():
    return ClipSamples([NOISE.tobytes()], *[FLOW[None]] * 5, np.array([0]))


def evaluation():
    return Evaluation(**NONE, codebook_fingerprint="", rows={})


def known_sums():
    fields = KnownSums.__dataclass_fields__.keys() - {"rows"}
    rows = {"kind": {"row": {"cells": FLOW}}}
    return KnownSums(rows, **dict.fromkeys(fields, FLOW))


def clips(path):
    words = dict.fromkeys(("clip", "status", "action", "source"), "a")
    status = ClipStatus(**words, bytes=0, reason="x" * LIMIT)
    write_clips(path, [status])


def sweep(path):
    failed = Run(path / "run", {"width": "1"}, (), {})
    write_table([failed], {failed.path: "x" * LIMIT}, path)


def add_maps(path):
    labels = {"ids": np.array(["a"]), "flow": FLOW[None], "past": FLOW[None]}
    MapStore(path).add(FLOW[None], **labels)


def figure(path):
    plots.save_figure(Figure(figsize=(1, 1)), path / "figure.png")


def version(path):
    def fill(folder):
        Codebook(tiny_run.CENTERS).save(folder / "codebook.npz")
        (folder / "saved_model.pb").write_bytes(NOISE)

    exporting.publish(path, "saved_model", fill)


def clip(path):
    drawn._write_clip((str(path), 0, 0))


PLAN = Plan(9, {1: 40.0, 2: 41.0}, "predicted", 2, 8, 30.0)
# Name of what the error is about -> what writes it into a folder.
WRITERS = {
    "a.txt": lambda path: drafts.write(path / "a.txt", "x" * 999),
    "frames": lambda path: picture.write_frames(path / "frames", [NOISE] * 2),
    "flow.png": lambda path: picture.write_png(path / "flow.png", NOISE),
    "m.png": lambda path: MOTION.save(path / "m.png"),
    "m.npy": lambda path: MOTION.save(path / "m.npy"),
    "m.flo": lambda path: MOTION.save(path / "m.flo"),
    "plan.json": lambda path: PLAN.save(path / "plan.json"),
    "o.csv": lambda path: write_csv(path / "o.csv", [FrameScores(1, 2, 3, 4, 5)] * 9),
    "samples.npz": lambda path: samples().save(path / "samples.npz"),
    "codebook.npz": lambda path: Codebook(FLOW[0]).save(path / "codebook.npz"),
    "clips.jsonl": clips,
    "scores.npz": lambda path: evaluation().save(path),
    "known.npz": lambda path: evaluation().save_known(path, known_sums()),
    "trunk.npz": lambda path: efficientnet_weights.write(
        path / "trunk.npz", {"trunk_a": FLOW}
    ),
    "history.csv": lambda path: RunDir(path).write_history([{"epoch": 1}] * 99),
    "result.json": lambda path: RunDir(path).write_result({"x": "x" * LIMIT}),
    "flags.txt": lambda path: RunDir(path).write_flags("x" * 999),
    "sweep.csv": sweep,
    "chunk-a.npy": add_maps,
    "figure.png": figure,
    "1/codebook.npz": version,
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_leaves_what_was_there(name, tmp_path):
    write = WRITERS[name]
    with full_disk(), pytest.raises(NotWritten) as caught:
        write(tmp_path)
    text = f"{tmp_path / name} could not be written: File too large"
    assert str(caught.value) == text
    assert contents(tmp_path) == {}
    write(tmp_path)
    before = contents(tmp_path)
    assert name in before and not [n for n in before if "draft" in n]
    with full_disk(), pytest.raises(NotWritten):
        write(tmp_path)
    assert contents(tmp_path) == before


def test_what_is_written_reads_back(tmp_path):
    import cv2

    MOTION.save(tmp_path / "a.flo")
    np.testing.assert_array_equal(cv2.readOpticalFlow(str(tmp_path / "a.flo")), FLOW)
    drafts.write_array(tmp_path / "a.npy", FLOW.T)
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), FLOW.T)


def test_a_link_stays_and_leads_to_what_is_new(tmp_path):
    (tmp_path / "far").mkdir()
    link, file = tmp_path / "link.txt", tmp_path / "far" / "file.txt"
    link.symlink_to("far/file.txt")
    for content in ("one", "two"):  # at first it leads nowhere
        drafts.write(link, content)
        assert link.is_symlink() and file.read_text() == content


def test_a_device_or_pipe_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(NotWritten, match="a device or a pipe is there"):
        drafts.write(tmp_path / "pipe", "text")
    assert (tmp_path / "pipe").is_fifo()


def test_a_clip_that_cannot_be_written_is_named(tmp_path):
    """By another program, which says what stopped it in its own words."""
    with full_disk(20_000), pytest.raises(NotWritten, match=r"\.avi could not be"):
        clip(tmp_path)
    assert [file for file in contents(tmp_path) if "." in file] == []


def test_a_checkpoint_on_a_full_disk(tmp_path):
    run = test_checkpoints.Run(tmp_path)
    run.set(1.0, step=10)
    run.finish_epoch(2.0)
    before = contents(tmp_path)
    for save, name in (
        (lambda: run.set(3.0, step=20), "step-20"),
        (lambda: run.set(3.0, step=10), "step-10"),  # as at a signal
        (lambda: run.finish_epoch(1.0), "best/epoch-2"),
    ):
        with full_disk(), pytest.raises(NotWritten, match=f"{name} could not be"):
            save()
        assert contents(tmp_path) == before
    assert test_checkpoints.restored(tmp_path) == (1.0, 10)
    assert test_checkpoints.best_files(tmp_path) == {"epoch-1"}


@pytest.mark.slow
def test_shards_and_events_on_a_full_disk(tmp_path):
    with full_disk(), pytest.raises(NotWritten), drafts.drafts(tmp_path):
        records.write_shards(tmp_path, "train", [bytes(999)], 1)
    data = open_data_dir(tiny_run.write_data(tmp_path / "data"))
    model = RunDir(tiny_run.write_run(tmp_path / "run")).load_model()
    board = Board(tmp_path / "logs", data, model)
    board.write_run({"width": 0.1})
    with full_disk(2000), pytest.raises(NotWritten, match="logs could not be written"):
        board.write_epoch({"epoch": 1, "loss": 1.0}, np.eye(5))


# --- what else may happen ---------------------------------------------------------


@pytest.mark.parametrize("stop", [KeyboardInterrupt, ValueError, InputError])
def test_nothing_is_left_where_the_work_stops(stop, tmp_path):
    drafts.write(tmp_path / "a.txt", "old")
    with pytest.raises(stop), drafts.drafts(tmp_path) as new:
        drafts.write(new / "a.txt", "new")
        raise stop("Permission denied")
    assert contents(tmp_path) == {"a.txt": b"old"}


def test_errors_about_something_else_stay_what_they_are(tmp_path):
    with pytest.raises(FileNotFoundError), drafts.draft(tmp_path / "a.txt"):
        (tmp_path / "missing.txt").read_text()
    with pytest.raises(NotWritten, match="missing/a.txt could not be written: No such"):
        drafts.write(tmp_path / "missing" / "a.txt", "")
    (tmp_path / "b.txt").mkdir()
    with pytest.raises(NotWritten, match="b.txt could not be written: Is a directory"):
        drafts.write(tmp_path / "b.txt", "")


def test_what_belongs_together_appears_together(tmp_path):
    drafts.write(tmp_path / "a.txt", "old")
    drafts.write(tmp_path / "c.txt", "stays")
    with drafts.drafts(tmp_path, last="a.txt") as new:
        drafts.write(new / "a.txt", "new")
        drafts.write(new / "b.txt", "new")
        assert (tmp_path / "a.txt").read_text() == "old"
    found = contents(tmp_path)
    assert found == {"a.txt": b"new", "b.txt": b"new", "c.txt": b"stays"}


def test_remains_of_a_process_that_was_killed(tmp_path):
    (tmp_path / ".draft-abc").mkdir()
    drafts.write(tmp_path / ".draft-abc" / "a.txt", "half")
    drafts.remove_stale(tmp_path)
    assert contents(tmp_path) == {}


def test_a_full_disk_is_no_clip_s_fault():
    Job = collections.namedtuple("Job", "result")

    def fail():  # as it comes out of a worker
        raise pickle.loads(pickle.dumps(NotWritten("a.npz", "No space left on device")))

    with pytest.raises(NotWritten, match="a.npz could not be written: No space left"):
        extraction.outcome(Job(fail), extraction.DEFAULT_LIMITS)


def test_a_command_ends_in_one_line(call):
    module = type(sys)("command")
    module.__file__, module.define_flags = "command.py", lambda values: None
    for error, line in (
        (NotWritten("o.csv", "No space left"), "o.csv could not be written: No space"),
        (PermissionError(13, "Permission denied", "R"), "R: Permission denied"),
    ):

        def main(values, error=error):
            raise error

        module.main = main
        done = call(module)
        assert (done.code, done.err.count("\n")) == (1, 1)
        assert done.err.startswith(f"error: {line}")
