"""A whole assessment: a predictor that knows the answers, and a network."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from motionflow.data.data_dir import open_data_dir
from motionflow.errors import InputError
from motionflow.models import predictor
from motionflow.scoring import assessment, tables
from motionflow.scoring.assessment import Options
from tests import tiny_run

pytestmark = pytest.mark.slow

FIGURES = (
    "confusion_matrix",
    "top1_by_cell",
    "reliability",
    "codebook",
    "predictions",
    "best_predictions",
    "worst_predictions",
)
DECODINGS = ["model, annealed", "model, mode", "model, prior-corrected"]
CONSTANT = (
    "zero flow",
    "random directions",
    "mean flow",
    "mean flow per cell",
    "class prior",
    "class prior per cell",
)
OTHERS = ("nearest frame, pixels", "20 nearest frames, pixels", "random forest")


class Oracle:
    """Stands in for a model: looks the true classes of a frame up, and is sure."""

    num_parameters = 1234
    features = None

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
        return {"flow": tf.constant(flow), "probabilities": tf.constant(probabilities)}


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
    """The oracle's evaluation of the drawn squares: oracle, folder, summary."""
    oracle = Oracle(open_data_dir(tiny_data_dir))
    folder = tmp_path_factory.mktemp("evaluation")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(predictor, "load", lambda path: oracle)
        summary = assessment.assess(
            "runs/oracle", tiny_data_dir, "validation", folder, Options(batch_size=2)
        ).summary
    return oracle, folder, summary


def load_strictly(path: Path) -> dict:
    def refuse(constant):
        raise AssertionError(f"{path} holds {constant}")

    return json.loads(path.read_text(), parse_constant=refuse)


def test_knowing_every_class_is_perfect(evaluated, tiny_data_dir):
    data = open_data_dir(tiny_data_dir)
    summary = load_strictly(evaluated[1] / "metrics.json")
    assert summary == evaluated[2]
    result = summary["results"]["model"]
    for mask in ("all", "canny", "nz"):
        scores = result["masks"][mask]
        assert scores["top1"] == scores["recall"] == scores["precision"] == 1
        assert scores["nll"] == pytest.approx(0)
        assert scores["skill"] == pytest.approx(1)
    assert result["ece"] == pytest.approx(0)
    assert np.all(np.array(result["top1_by_cell"]) == 1)
    confusion = np.array(result["confusion"])
    assert confusion.sum() == np.trace(confusion) == 3 * 400
    # What is left of the distance is the quantisation error.
    samples = read_records(data, "validation")
    errors = [data.codebook.centers[s["codes"]] - s["flow"] for s in samples]
    expected = np.mean(np.linalg.norm(errors, axis=-1))
    assert result["masks"]["all"]["epe"] == pytest.approx(expected, rel=1e-5)
    for name in CONSTANT:
        assert summary["differences"][name]["epe_nz"]["verdict"] == "better"


def test_zero_row_is_the_mean_length_of_the_flow(evaluated, tiny_data_dir):
    data = open_data_dir(tiny_data_dir)
    samples = read_records(data, "validation")
    masks = evaluated[2]["results"]["zero flow"]["masks"]
    lengths = np.array([np.linalg.norm(s["flow"], axis=-1) for s in samples])
    moving = np.array([s["codes"] != data.codebook.zero_index for s in samples])
    assert masks["all"]["epe"] == pytest.approx(lengths.mean(), rel=1e-5)
    assert masks["nz"]["epe"] == pytest.approx(lengths[moving].mean(), rel=1e-5)
    assert masks["all"]["top1"] == pytest.approx(1 - moving.mean())
    assert masks["nz"]["top1"] == 0
    assert masks["all"]["dir"] == masks["all"]["ori"] == 0


def test_each_sample_is_seen_once(evaluated, tiny_data_dir):
    oracle, _, summary = evaluated
    stored = [
        s["frame"] for s in read_records(open_data_dir(tiny_data_dir), "validation")
    ]
    assert summary["num_samples"] == len(stored) == 3
    # The scored frames come first, then those that are drawn.
    assert oracle.frames_seen[: len(stored)] == stored


def test_files(evaluated, tiny_data_dir):
    _, folder, summary = evaluated
    assert {path.name for path in folder.iterdir()} >= {
        "metrics.json",
        "scores.npz",
        "tables.md",
        *(f"{name}.png" for name in FIGURES[:5]),
    }
    for path in folder.glob("*.png"):
        assert path.stem in FIGURES
        with Image.open(path) as image:
            image.verify()
    text = (folder / "tables.md").read_text(encoding="utf-8")
    assert text == tables.markdown(summary)
    assert tuple(summary["results"]) == ("model", *DECODINGS, *CONSTANT, *OTHERS)
    assert summary["decodings"] == DECODINGS
    assert summary["model"] == "oracle" and summary["split"] == "validation"
    assert summary["num_parameters"] == {"model": 1234}
    fingerprint = open_data_dir(tiny_data_dir).manifest["codebook_fingerprint"]
    assert summary["codebook_fingerprint"] == fingerprint
    # Results travel: no paths of the machine that made them.
    for name in ("metrics.json", "tables.md"):
        assert str(tiny_data_dir) not in (folder / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A data directory of noise, and a run directory with random weights for it."""
    folder = tmp_path_factory.mktemp("trained")
    data_dir = tiny_run.write_data(folder / "data", num_samples=(12, 5, 0))
    return data_dir, tiny_run.write_run(folder / "tiny")


def assert_close(one, other, path=""):
    """Compares nested results; numbers to 1e-5."""
    assert type(one) is type(other), path
    if isinstance(one, dict):
        assert one.keys() == other.keys(), path
        for key in one:
            assert_close(one[key], other[key], f"{path}/{key}")
    elif isinstance(one, list):
        for index, pair in enumerate(zip(one, other, strict=True)):
            assert_close(*pair, f"{path}/{index}")
    else:
        assert one == pytest.approx(other, abs=1e-5), path


def test_an_exported_model_scores_as_its_run(trained, run_dir, version, tmp_path):
    data_dir, _ = trained
    run, exported = (
        assessment.assess(path, data_dir, "validation", tmp_path / name).summary
        for name, path in (("a", run_dir), ("b", version))
    )
    # An export is a program: it has no layers to take features from.
    assert set(run["results"]) - set(exported["results"]) == {
        "nearest frame, features",
        "20 nearest frames, features",
    }
    assert (run["model"], exported["model"]) == ("run", "exported/1")
    assert run["num_parameters"]["model"] > 0
    assert exported["num_parameters"]["model"] is None
    for name, result in exported["results"].items():
        assert_close(run["results"][name], result, name)


def test_rivals_stand_in_the_same_table(trained, tmp_path):
    data_dir, run_dir = trained
    rival = shutil.copytree(run_dir, tmp_path / "rival")
    options = Options(rivals=[str(rival)], baselines="constant")
    out = tmp_path / "evaluation"
    found = assessment.assess(run_dir, data_dir, "validation", out, options)
    summary = found.summary
    assert tuple(summary["results"]) == ("model", *DECODINGS, "rival", *CONSTANT)
    # The same weights: the same scores, and no difference at all.
    assert_close(summary["results"]["model"], summary["results"]["rival"])
    assert summary["differences"]["rival"]["nll_all"]["interval"] == [0, 0]
    assert summary["num_parameters"]["rival"] > 0


def test_rivals_need_names_of_their_own(trained, tmp_path):
    data_dir, run_dir = trained
    options = Options(rivals=[str(run_dir), f"{run_dir}/"])
    with pytest.raises(InputError, match="two rows would be named tiny"):
        assessment.assess(run_dir, data_dir, "validation", tmp_path, options)


def test_other_data_are_scored_in_flow_space(trained, tiny_data_dir, tmp_path):
    """A network for frames of 64 and 3x3 cells, on frames of 200 and 20x20 cells."""
    found = assessment.assess(trained[1], tiny_data_dir, "validation", tmp_path)
    summary = found.summary
    # The network cannot describe frames of another size.
    assert set(summary["results"]) == {"model", *DECODINGS[:2], *CONSTANT, *OTHERS}
    masks = summary["results"]["model"]["masks"]["all"]
    assert masks["epe"] > 0 and masks["top5"] is masks["nll"] is None
    assert not summary["classes_agree"]
    assert "flow space only" in (tmp_path / "tables.md").read_text(encoding="utf-8")
    assert not (tmp_path / "confusion_matrix.png").exists()
    # The baselines know these data: they keep their classes.
    prior = summary["results"]["class prior per cell"]
    assert prior["masks"]["all"]["nll"] > 0


def test_what_a_user_can_get_wrong(trained, tmp_path):
    data_dir, run_dir = trained
    with pytest.raises(InputError, match="nowhere"):
        assessment.assess(tmp_path / "nowhere", data_dir, "validation", tmp_path)
    with pytest.raises(InputError, match="nothing"):
        assessment.assess(run_dir, tmp_path / "nothing", "validation", tmp_path)
    with pytest.raises(InputError, match="no sample in its test split"):
        assessment.assess(run_dir, data_dir, "test", tmp_path / "out")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"into .*file: Not a dir"):
        assessment.assess(run_dir, data_dir, "validation", tmp_path / "file")
