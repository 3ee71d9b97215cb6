"""Evaluation end to end: a predictor that knows the answers, and a network."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from absl import flags
from PIL import Image

from motionflow import evaluate
from motionflow.data.records import open_data_dir
from motionflow.errors import InputError
from motionflow.models import build_model, predictor
from motionflow.models.run_dir import RunDir
from tests import tiny_run

FIGURES = ("confusion_matrix", "top1_by_cell", "predictions", "codebook")
ROWS = (
    "model",
    "zero flow",
    "mean flow",
    "mean flow per cell",
    "class prior",
    "class prior per cell",
)


class Oracle:
    """Stands in for a model: looks the true classes of a frame up, and is sure."""

    num_parameters = 1234

    def __init__(self, data):
        self.frame_size, self.grid_size = data.frame_size, data.grid_size
        self.centers = data.codebook.centers
        self.frames_seen = []
        self._codes = {
            sample["frame"]: sample["codes"]
            for sample in read_records(data, "validation")
        }

    def __call__(self, frames):
        self.frames_seen += [frame.tobytes() for frame in frames]
        codes = np.stack([self._codes[frame.tobytes()] for frame in frames])
        probabilities = np.eye(len(self.centers), dtype=np.float32)[codes]
        flow = (probabilities @ self.centers).reshape(
            len(frames), self.grid_size, self.grid_size, 2
        )
        return {
            "flow": tf.constant(flow),
            "probabilities": tf.constant(probabilities),
            "codes": tf.constant(codes),
        }


def read_records(data, split):
    """Frames, codes and flow of PNG records, by protocol buffer."""
    samples = []
    for record in tf.data.TFRecordDataset(data.shards(split)):
        feature = tf.train.Example.FromString(record.numpy()).features.feature
        frame = feature["frame"].bytes_list.value[0]
        samples.append(
            {
                "frame": tf.io.decode_png(frame).numpy().tobytes(),
                "codes": np.array(feature["codes"].int64_list.value),
                "flow": np.array(feature["flow"].float_list.value).reshape(-1, 2),
            }
        )
    return samples


@pytest.fixture(scope="module")
def evaluated(tiny_data_dir, tmp_path_factory):
    """The oracle's evaluation of the drawn squares: oracle, folder, printed tables."""
    oracle = Oracle(open_data_dir(tiny_data_dir))
    folder = tmp_path_factory.mktemp("evaluation")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(predictor, "load", lambda path: oracle)
        tables = evaluate.evaluate(
            "runs/oracle", tiny_data_dir, "validation", folder, batch_size=2
        )
    return oracle, folder, tables


def load_strictly(path: Path) -> dict:
    def refuse(constant):
        raise AssertionError(f"{path} holds {constant}")

    return json.loads(path.read_text(), parse_constant=refuse)


def test_knowing_every_class_is_perfect(evaluated, tiny_data_dir):
    data = open_data_dir(tiny_data_dir)
    summary = load_strictly(evaluated[1] / "metrics.json")
    result = summary["results"]["model"]
    for mask in ("all", "canny", "nz"):
        assert result["masks"][mask]["top1"] == 1
    assert result["recall"] == result["precision"] == 1
    assert result["nll"] == pytest.approx(0)
    assert np.all(np.array(result["top1_by_cell"]) == 1)
    confusion = np.array(result["confusion"])
    assert confusion.sum() == np.trace(confusion) == 3 * 400
    # What is left of the distance is the quantisation error.
    samples = read_records(data, "validation")
    errors = [data.codebook.centers[s["codes"]] - s["flow"] for s in samples]
    expected = np.mean(np.linalg.norm(errors, axis=-1))
    assert result["masks"]["all"]["epe"] == pytest.approx(expected, rel=1e-5)


def test_zero_row_is_the_mean_length_of_the_flow(evaluated, tiny_data_dir):
    data = open_data_dir(tiny_data_dir)
    samples = read_records(data, "validation")
    zero = load_strictly(evaluated[1] / "metrics.json")["results"]["zero flow"]
    lengths = np.array([np.linalg.norm(s["flow"], axis=-1) for s in samples])
    moving = np.array([s["codes"] != data.codebook.zero_index for s in samples])
    masks = zero["masks"]
    assert masks["all"]["epe"] == pytest.approx(lengths.mean(), rel=1e-5)
    assert masks["nz"]["epe"] == pytest.approx(lengths[moving].mean(), rel=1e-5)
    assert masks["all"]["top1"] == pytest.approx(1 - moving.mean())
    assert masks["nz"]["top1"] == 0
    assert masks["all"]["dir"] == masks["all"]["ori"] == 0


def test_each_sample_is_seen_once(evaluated, tiny_data_dir):
    oracle, folder, _ = evaluated
    summary = load_strictly(folder / "metrics.json")
    stored = [
        s["frame"] for s in read_records(open_data_dir(tiny_data_dir), "validation")
    ]
    assert summary["num_samples"] == len(stored) == 3
    # The scored frames come first, then those that are drawn.
    assert oracle.frames_seen[: len(stored)] == stored


def test_result_does_not_depend_on_the_batch_size(tiny_data_dir):
    data = open_data_dir(tiny_data_dir)
    predictors = {"model": Oracle(data)}
    one, all_at_once = (
        evaluate.score(predictors, data, "validation", size)["model"]
        for size in (1, 32)
    )
    assert one["masks"]["canny"] == pytest.approx(all_at_once["masks"]["canny"])
    np.testing.assert_array_equal(one["confusion"], all_at_once["confusion"])


def test_files(evaluated, tiny_data_dir):
    _, folder, tables = evaluated
    assert {path.name for path in folder.iterdir()} == {
        "metrics.json",
        "tables.md",
        *(f"{name}.png" for name in FIGURES),
    }
    for name in FIGURES:
        with Image.open(folder / f"{name}.png") as image:
            image.verify()
    assert (folder / "tables.md").read_text(encoding="utf-8") == tables
    summary = load_strictly(folder / "metrics.json")
    assert tuple(summary["results"]) == ROWS
    assert summary["model"] == "oracle" and summary["split"] == "validation"
    fingerprint = open_data_dir(tiny_data_dir).manifest["codebook_fingerprint"]
    assert summary["codebook_fingerprint"] == fingerprint
    # Results travel: no paths of the machine that made them.
    for name in ("metrics.json", "tables.md"):
        assert str(tiny_data_dir) not in (folder / name).read_text(encoding="utf-8")


def test_another_codebook_is_refused(tiny_data_dir):
    data = open_data_dir(tiny_data_dir)
    oracle = Oracle(data)
    oracle.centers = oracle.centers + 1
    with pytest.raises(InputError, match=r"runs7.*codebook") as error:
        evaluate.check_agreement(oracle, "runs7", data)
    assert data.codebook.fingerprint in str(error.value)
    assert str(tiny_data_dir) in str(error.value)
    oracle = Oracle(data)
    oracle.frame_size = 64
    with pytest.raises(InputError, match=r"\(64, 20\).*\(200, 20\)"):
        evaluate.check_agreement(oracle, "runs7", data)


def test_wrong_count_is_noticed(tiny_data_dir):
    data = open_data_dir(tiny_data_dir)
    manifest = json.loads(json.dumps(data.manifest))
    manifest["splits"]["validation"]["num_samples"] = 4
    wrong = dataclasses.replace(data, manifest=manifest)
    with pytest.raises(InputError, match="holds 3 samples, the manifest says 4"):
        evaluate.score({"model": Oracle(data)}, wrong, "validation", 2)


def test_examples_are_spread_over_what_moves():
    # The median is 0.15; samples 1, 3, 4 and 7 reach it. Ends and middle of these.
    moving = np.array([0, 0.2, 0.1, 0.5, 0.4, 0, 0.1, 0.9])
    np.testing.assert_array_equal(evaluate.choose_examples(moving, 2), [1, 7])
    np.testing.assert_array_equal(evaluate.choose_examples(moving, 4), [1, 3, 4, 7])
    np.testing.assert_array_equal(evaluate.choose_examples(moving, 9), [1, 3, 4, 7])
    # Mostly still: the median is 0, and yet only the one that moves is taken.
    np.testing.assert_array_equal(evaluate.choose_examples(moving[[0, 5, 1]], 6), [2])
    # Nothing moves at all.
    np.testing.assert_array_equal(evaluate.choose_examples(np.zeros(3), 2), [0, 2])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A data directory of noise, and a run directory with fresh weights for it."""
    folder = tmp_path_factory.mktemp("trained")
    data = open_data_dir(tiny_run.write_data(folder / "data", num_samples=(12, 5, 0)))
    config = {"name": "allconv", "num_clusters": 5, "grid_size": 3, "width": 0.05}
    run_dir = RunDir(folder / "tiny")
    run_dir.prepare({"model": config}, data.codebook, data.mean_frame)
    model = build_model(**config, mean_frame=data.mean_frame)
    checkpoint = tf.train.Checkpoint(model=model)
    tf.train.CheckpointManager(checkpoint, run_dir.checkpoints, 1).save()
    return data.path, run_dir.path


def test_command_line(trained):
    data_dir, run_dir = trained
    command = [sys.executable, "-m", "motionflow.evaluate"]
    command += [f"--run_dir={run_dir}", f"--data_dir={data_dir}", "--batch_size=2"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    folder = run_dir / "evaluation" / "validation"
    assert (folder / "tables.md").read_text(encoding="utf-8") in done.stdout
    summary = load_strictly(folder / "metrics.json")
    assert summary["num_samples"] == 5 and summary["model"] == "tiny"
    result = summary["results"]["model"]
    assert np.sum(result["confusion"]) == 5 * 9
    # Independent: the network's own answers on the same records.
    model, data = predictor.load(run_dir), open_data_dir(data_dir)
    hits = []
    for record in tf.data.TFRecordDataset(data.shards("validation")):
        feature = tf.train.Example.FromString(record.numpy()).features.feature
        frame = np.frombuffer(feature["frame"].bytes_list.value[0], np.uint8)
        codes = model(frame.reshape(1, 64, 64, 3))["codes"].numpy()[0]
        hits.append(codes == np.array(feature["codes"].int64_list.value))
    assert result["masks"]["all"]["top1"] == pytest.approx(np.mean(hits))
    np.testing.assert_allclose(
        result["top1_by_cell"], np.mean(hits, axis=0).reshape(3, 3)
    )
    assert summary["num_parameters"] == model.num_parameters


def test_what_a_user_can_get_wrong(trained, tmp_path):
    data_dir, run_dir = trained
    with pytest.raises(InputError, match="nowhere"):
        evaluate.evaluate(tmp_path / "nowhere", data_dir, "validation", tmp_path)
    with pytest.raises(InputError, match="nothing"):
        evaluate.evaluate(run_dir, tmp_path / "nothing", "validation", tmp_path)
    with pytest.raises(InputError, match="no sample in its test split"):
        evaluate.evaluate(run_dir, data_dir, "test", tmp_path / "out")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"output_dir .*file"):
        evaluate.evaluate(run_dir, data_dir, "validation", tmp_path / "file")


def test_flags(monkeypatch):
    values = flags.FlagValues()
    evaluate.define_flags(values)
    values(["evaluate"])
    assert values.run_dir == "runs/allconv" and values.data_dir == "data/tfrecords"
    assert values.split == "validation"
    for wrong in ("--split=train", "--batch_size=0"):
        with pytest.raises(flags.IllegalFlagValueError):
            values(["evaluate", wrong])
    values(["evaluate", "--model=exported/1"])
    monkeypatch.setattr(evaluate.flags, "FLAGS", values)
    with pytest.raises(InputError, match="--model needs --output_dir"):
        evaluate.main(["evaluate"])
