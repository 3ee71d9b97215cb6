"""What version 0.7 wrote still opens, and today's numbers are those that are stored.

`golden/version_0.7.tar.xz` holds a data directory, the runs of an allconv and of a
sequence, an export of the first, and the videos of the validation and test splits, all
made with 0.7.0; `golden/today.tar.xz` a data directory that keeps the past.
`golden/expected` holds what the commands made of them. To store it anew, after a change
that is meant to change it:

    WRITE_GOLDEN=1 python -m pytest -o addopts="" tests/test_golden.py

Keys and texts must agree exactly, numbers as far as two TensorFlows do.
"""

import json
import math
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from motionflow.commands import animate, compare, evaluate, export, inspect
from tests import tiny_run

pytestmark = pytest.mark.slow

GOLDEN = Path(__file__).parent / "golden"
EXPECTED = GOLDEN / "expected"
IS_WRITTEN = bool(os.environ.get("WRITE_GOLDEN"))
TOLERANCE = 1e-4
# Threads add up a warped pixel in any order, and a film rounds it to a level of 255:
# a difference of two films' scores, dB, has this much of chance in it.
TOLERANCE_OF_FILMS = 2e-3
INNERMOST = re.compile(r"\[[^\[\]{}]*\]")
NUMBER = re.compile(r"[-+]?\d+\.\d+")  # -0.00 is as near to +0.00 as any


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Both archives, unpacked, and the run of a network that can be told."""
    folder = tmp_path_factory.mktemp("golden")
    for archive in GOLDEN.glob("*.tar.xz"):
        shutil.unpack_archive(archive, folder)
    centers = np.load(folder / "data_past" / "codebook.npz")["centers"]
    tiny_run.write_run(folder / "run_guided", "guided", centers)
    return folder


@pytest.fixture(autouse=True)
def _in_the_folder(folder, monkeypatch):
    monkeypatch.chdir(folder)


@pytest.fixture
def picture(folder):
    """A frame of the test split, as its record keeps it."""
    shard = str(folder / "data" / "test-00000-of-00004.tfrecord")
    record = next(iter(tf.data.TFRecordDataset(shard))).numpy()
    feature = tf.train.Example.FromString(record).features.feature["frame"]
    path = folder / "picture.png"
    path.write_bytes(feature.bytes_list.value[0])
    return path


def check_text(name, text):
    """Its numbers may differ by one in the last place."""
    if IS_WRITTEN:
        EXPECTED.mkdir(exist_ok=True)
        (EXPECTED / name).write_text(text, encoding="utf-8")
    expected = (EXPECTED / name).read_text(encoding="utf-8")
    assert NUMBER.sub("x", text) == NUMBER.sub("x", expected)
    for found, stored in zip(
        NUMBER.findall(text), NUMBER.findall(expected), strict=True
    ):
        unit = 10.0 ** -len(stored.partition(".")[2])
        assert float(found) == pytest.approx(float(stored), rel=1e-3, abs=1.1 * unit)


def check_json(name, values):
    if IS_WRITTEN:
        EXPECTED.mkdir(exist_ok=True)
        text = json.dumps(_rounded(values), indent=1)
        text = INNERMOST.sub(lambda found: " ".join(found[0].split()), text)
        (EXPECTED / name).write_text(text + "\n", encoding="utf-8")
    expected = json.loads((EXPECTED / name).read_text(encoding="utf-8"))
    compare_values(values, expected, name)


def compare_values(found, expected, place):
    """Dictionaries in their order, too: tables follow it."""
    if isinstance(expected, dict):
        assert list(found) == list(expected), place
        for key, value in expected.items():
            compare_values(found[key], value, f"{place}/{key}")
    elif isinstance(expected, list):
        assert len(found) == len(expected), place
        for number, value in enumerate(expected):
            compare_values(found[number], value, f"{place}/{number}")
    elif isinstance(expected, float):
        is_film = "psnr" in place or "ssim" in place
        tolerance = TOLERANCE_OF_FILMS if is_film else TOLERANCE
        assert found == pytest.approx(expected, rel=1e-3, abs=tolerance), place
    else:
        assert found == expected, place


def _rounded(values):
    if isinstance(values, dict):
        return {key: _rounded(value) for key, value in values.items()}
    if isinstance(values, list):
        return [_rounded(value) for value in values]
    if isinstance(values, float) and math.isfinite(values):
        return float(f"{values:.6g}")
    return values


def shapes(arrays):
    return {name: list(arrays[name].shape) for name in sorted(arrays)}


def read_json(path):
    return json.loads(Path(path).read_text(encoding="utf-8"))


def test_the_data_directory(call):
    done = call(inspect, "--data_dir=data", "--output=samples.png")
    assert (done.code, Path("samples.png").exists()) == (0, True), done.err
    check_text("card.md", done.out)


def test_an_evaluation(call):
    done = call(
        evaluate,
        "--run_dir=run",
        "--rivals=run_sequence,export/1",
        "--data_dir=data",
        "--split=test",
    )
    assert done.code == 0, done.err
    folder = Path("run", "evaluation", "test")
    check_json("metrics.json", read_json(folder / "metrics.json"))
    check_text("tables.md", (folder / "tables.md").read_text(encoding="utf-8"))
    with np.load(folder / "scores.npz") as arrays:
        check_json("scores.json", shapes(arrays))


def test_an_evaluation_of_what_is_known(call):
    done = call(
        evaluate,
        "--run_dir=run_guided",
        "--data_dir=data_past",
        "--split=test",
        "--known=none,past,arrows3,past+arrows1",
    )
    assert done.code == 0, done.err
    folder = Path("run_guided", "evaluation", "test")
    check_json("known.json", read_json(folder / "metrics.json")["known"])
    check_text("known.md", (folder / "tables.md").read_text(encoding="utf-8"))
    with np.load(folder / "known.npz") as arrays:
        check_json("known_scores.json", shapes(arrays))


def test_a_comparison(call):
    done = call(
        compare,
        "--models=run,run_sequence",
        "--data_dir=data",
        "--video_dir=videos",
        "--split=test",
        "--output_dir=compared",
        "--num_futures=3",
    )
    assert done.code == 0, done.err
    summary = read_json("compared/comparison.json")
    del summary["command"]  # names a file of this machine
    check_json("comparison.json", summary)
    text = Path("compared", "comparison.md").read_text(encoding="utf-8")
    check_text("comparison.md", text)


def signatures_of(version):
    def described(specs):
        return {
            name: [spec.dtype.name, spec.shape.as_list()]
            for name, spec in sorted(specs.items())
        }

    found = tf.saved_model.load(version).signatures
    return {
        name: {
            "inputs": described(signature.structured_input_signature[1]),
            "outputs": described(signature.structured_outputs),
        }
        for name, signature in sorted(found.items())
    }


def answers_of(version, picture):
    """Three signatures about one picture, as nested lists."""
    signatures = tf.saved_model.load(version).signatures
    image = tf.io.decode_png(picture.read_bytes(), channels=3)[tf.newaxis]
    answers = signatures["serving_default"](image=image)
    answers |= signatures["steps"](image=image)
    answers |= signatures["probabilities"](image=image)
    return {name: values.numpy().tolist() for name, values in sorted(answers.items())}


def test_exports(call, picture):
    done = call(export, "--run_dir=run", "--export_dir=again")
    assert done.code == 0, done.err
    check_json("signatures.json", signatures_of("again/1"))
    check_json("old_signatures.json", signatures_of("export/1"))
    check_json("answers.json", answers_of("export/1", picture))
    check_json("answers.json", answers_of("again/1", picture))


@pytest.mark.parametrize("model", ["run", "run_sequence", "export"])
def test_a_picture_is_animated(call, model, picture):
    films = f"film_{model}"
    done = call(animate, f"--input={picture}", f"--model={model}", f"--output={films}")
    assert done.code == 0, done.err
    frames = sorted(Path(films).iterdir())
    last = tf.io.decode_png(frames[-1].read_bytes(), channels=3).numpy()
    assert len(frames) == 26
    # Means of squares of 12 pixels: a roll-out that drifts shows in them.
    squares = last.reshape(6, 12, 6, 12, 3).mean(axis=(1, 3, 4))
    expected = "film_run_sequence.json" if model == "run_sequence" else "film_run.json"
    check_json(expected, squares.tolist())
