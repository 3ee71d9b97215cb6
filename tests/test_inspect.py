"""The command: card on standard output, problems on standard error, a picture."""

import numpy as np
import pytest
from PIL import Image

from motionflow.commands import inspect
from tests.tiny_data import write_hand_made

pytestmark = pytest.mark.slow


@pytest.fixture
def data(tmp_path):
    return write_hand_made(tmp_path / "data")


@pytest.fixture
def run(call):
    """Runs the tool: exit code, output, lines of errors."""

    def run_tool(data, *arguments):
        done = call(inspect, data, *arguments)
        return done.code, done.out, done.err.splitlines()

    return run_tool


def problems_of(lines):
    return [line for line in lines if line.startswith("problem: ")]


def size_of(path):
    with Image.open(path) as image:
        return image.size


def test_the_command(run, data, tmp_path):
    (data / "test-00000-of-00002.tfrecord").unlink()
    picture = tmp_path / "picture.png"
    code, out, err = run(data, "--num_samples=1", f"--output={picture}")
    assert code == 1
    assert out.startswith("# Data directory data\n")
    # The progress bar: one of six records is missing.
    assert any("5/6" in line for line in err)
    assert f"wrote {picture}" in err and size_of(picture) == (1710, 592)
    assert err[-1].startswith("problem: ")


def test_a_picture_beside_the_directory(run, data):
    before = sorted(data.iterdir())
    code, out, err = run(data)
    picture = data.parent / "data-samples.png"
    assert code == 0 and f"wrote {picture}" in err
    assert out.startswith("# Data directory data\n")
    # All three training samples, fewer than were asked for.
    assert size_of(picture)[1] == pytest.approx(150 * (0.6 + 3 * 3.35), abs=1)
    assert sorted(data.iterdir()) == before


def test_flags_choose_what_is_drawn(run, data, tmp_path):
    pictures = []
    for arguments in (
        ["--num_samples=1"],
        ["--num_samples=1", "--seed=0"],
        ["--num_samples=1", "--seed=1"],
        ["--num_samples=1", "--split=test"],
    ):
        run(data, f"--output={tmp_path / 'a.png'}", *arguments)
        pictures.append((tmp_path / "a.png").read_bytes())
    assert pictures[0] == pictures[1]
    assert len(set(pictures)) == 3
    (tmp_path / "a.png").unlink()
    code, _, err = run(data, "--num_samples=0", f"--output={tmp_path / 'a.png'}")
    assert code == 0 and not (tmp_path / "a.png").exists()
    assert not any("wrote" in line for line in err)


def test_all_problems_are_said(run, data):
    (data / "train-00000-of-00002.tfrecord").unlink()
    (data / "train-00001-of-00002.tfrecord").write_bytes(b"short")
    lines = (data / "clips.jsonl").read_text().splitlines()
    (data / "clips.jsonl").write_text("\n".join(lines[1:]) + "\n")
    code, out, err = run(data)
    assert code == 1
    first, second, third = problems_of(err)
    assert "train-00000-of-00002.tfrecord has no bytes" in first
    assert "train-00001-of-00002.tfrecord has 5 bytes" in second
    assert "clips.jsonl has clips" in third
    assert "- broken: every shard" in out and "3 samples could not be read" in out
    assert "no picture: the train split has no good sample" in err


def test_another_codebook_leaves_nothing_to_show(run, data):
    np.savez(data / "codebook.npz", centers=np.eye(2, dtype=np.float32))
    code, out, err = run(data)
    assert (code, out) == (1, "")
    (line,) = problems_of(err)
    assert "the records were written with" in line
    assert not (data.parent / "data-samples.png").exists()


@pytest.mark.parametrize(
    "argument, message",
    [
        ("--output=a.jpg", "must end in .png"),
        ("--output=no/such/a.png", "no folder no/such"),
    ],
)
def test_a_bad_output_is_said_before_the_work(run, data, argument, message):
    (data / "manifest.json").unlink()
    code, _, err = run(data, argument)
    assert code == 1 and len(err) == 1 and message in err[0]


@pytest.mark.parametrize("argument", ["--num_samples=101", "--split=all"])
def test_flags_out_of_range(run, data, argument):
    code, out, err = run(data, argument)
    assert (code, out) == (1, "") and err[0].startswith("error: flag --")
