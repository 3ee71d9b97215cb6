"""Running predictors over a split, keeping the result, and pooling folds."""

import json

import numpy as np
import pytest

from motionflow.data import pipeline
from motionflow.data.data_dir import open_data_dir
from motionflow.errors import InputError
from motionflow.scoring.assessment import evaluate
from motionflow.scoring.cells import Prediction
from motionflow.scoring.evaluation import Evaluation, pool
from motionflow.scoring.summary import summarize
from tests.test_scores import scores
from tests.tiny_data import CENTERS, make_sample, write_hand_made

MIXED = [[0, 0], [0, 0], [3, 0], [3, -4]]  # codes 0, 0, 1, 2
FOLDS = {
    "train": [make_sample("a1", 0, 10, MIXED, [0, 0, 1, 2])],
    "validation": [make_sample("c1", 0, 0, MIXED, [0, 0, 1, 2])],
    "test": [
        make_sample("d2", 0, 50, MIXED, [0, 0, 1, 2], action="wave"),
        make_sample("d1", 0, 70, [[0, 0]] * 4, [0] * 4),
        make_sample("d2", 5, 90, MIXED, [0, 0, 1, 2], action="wave"),
    ],
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return open_data_dir(
        write_hand_made(tmp_path_factory.mktemp("d") / "d", FOLDS, statuses=[])
    )


def score(data, split, batch_size, flow_only=(), names=None):
    """Three predictors: one that says still, one by the frame's level, one unsure."""

    def predict(frames):
        num = len(frames)
        level = frames[:, 0, 0, 0].astype(float)
        by_level = np.broadcast_to(level[:, None, None, None] / 10, (num, 2, 2, 2))
        unsure = np.full([num, 4, 3], 1 / 3, np.float32)
        outputs = {
            "zero flow": (np.zeros([num, 2, 2, 2]), None),
            "model": (by_level, unsure),
            "class prior per cell": (by_level, unsure),
        }
        codebooks = dict.fromkeys(flow_only)
        return {
            (names or {}).get(name, name): Prediction.of_output(
                *out, codebooks.get(name, data.codebook)
            )
            for name, out in outputs.items()
            if names is None or name in names
        }

    return evaluate(predict, data, split, batch_size)


def split_order(data):
    """Clips of the test split as the shards hold them, by the other way of reading."""
    batches = pipeline.evaluation_batches(data, "test", 8).as_numpy_iterator()
    return [clip.decode() for batch in batches for clip in batch["clip"]]


def test_samples_belong_to_their_clips(data):
    found = score(data, "test", batch_size=2)
    assert found.clips.tolist() == ["walk/d1.avi", "wave/d2.avi"]
    assert found.actions.tolist() == ["walk", "wave"]
    assert found.sources.tolist() == ["d", "d"]
    assert [found.clips[row] for row in found.sample_clips] == split_order(data)
    # d1: four still cells. d2: two frames of lengths 0, 0, 3, 5.
    cells = found.rows["zero flow"]["cells"]
    np.testing.assert_allclose(cells[:, 0, 0], [4, 8])
    np.testing.assert_allclose(cells[:, 0, 1], [0, 16], atol=1e-6)
    np.testing.assert_allclose(cells[:, 2, 0], [0, 4])  # moving cells


def test_result_does_not_depend_on_the_batch_size(data):
    one, other = (score(data, "test", size) for size in (1, 32))
    for name in one.rows:
        for key, value in one.rows[name].items():
            np.testing.assert_allclose(value, other.rows[name][key])


def test_wrong_count_is_noticed(tmp_path):
    path = write_hand_made(tmp_path / "d", FOLDS, statuses=[])
    manifest = json.loads((path / "manifest.json").read_text())
    manifest["splits"]["test"]["num_samples"] = 4
    (path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match="holds 3 samples, the manifest says 4"):
        score(open_data_dir(path), "test", 2)


def test_flow_only_predictors_have_no_classes(data):
    found = score(data, "test", 2, flow_only={"model"})
    values = scores(found.rows["model"])
    assert np.isnan(values["top1"]).all() and np.isnan(values["nll"]).all()
    assert np.isfinite(values["epe"][0])


def assert_equal(one: Evaluation, other: Evaluation):
    for key in ("clips", "actions", "sources", "sample_clips"):
        np.testing.assert_array_equal(getattr(one, key), getattr(other, key))
    assert one.codebook_fingerprint == other.codebook_fingerprint
    assert list(one.rows) == list(other.rows)
    for name in one.rows:
        assert one.rows[name].keys() == other.rows[name].keys()
        for key, value in one.rows[name].items():
            np.testing.assert_array_equal(value, other.rows[name][key])


def test_saved_and_loaded(data, tmp_path):
    found = score(data, "test", 2)
    found.save(tmp_path)
    assert_equal(Evaluation.load(tmp_path), found)
    for name in ("missing", "other", "foreign"):
        (tmp_path / name).mkdir()
    (tmp_path / "other" / "scores.npz").write_bytes(b"nothing")
    np.savez(tmp_path / "foreign" / "scores.npz", a=np.zeros(2))
    for name in ("missing", "other", "foreign"):
        with pytest.raises(InputError, match=f"{name}/scores.npz is no evaluation"):
            Evaluation.load(tmp_path / name)


def test_pooled_folds_are_the_whole(data):
    """Validation and test of the same data, pooled, are all of their frames."""
    parts = [score(data, split, 2) for split in ("validation", "test")]
    found = pool(parts)
    assert found.clips.tolist() == ["walk/c1.avi", "walk/d1.avi", "wave/d2.avi"]
    assert [found.clips[row] for row in found.sample_clips] == [
        "walk/c1.avi",
        *split_order(data),
    ]
    assert found.codebook_fingerprint == data.codebook.fingerprint
    values = scores(found.rows["zero flow"])
    # Three frames with lengths 0, 0, 3, 5 and one still: 24 px over 16 cells.
    assert values["epe"][0] == pytest.approx(24 / 16)
    # Codes 0 (10 of 16), 1 (3), 2 (3), all called 0.
    confusion = found.rows["zero flow"]["confusions"]
    np.testing.assert_array_equal(confusion, [[10, 0, 0], [3, 0, 0], [3, 0, 0]])
    np.testing.assert_array_equal(found.rows["zero flow"]["cell_hits"], [4, 4, 1, 1])
    assert summarize(found, num_draws=20)["num_clips"] == 3


def test_folds_with_other_codebooks_keep_their_classes(data, tmp_path):
    others = {**FOLDS, "test": [make_sample("e1", 0, 0, MIXED, [0, 0, 1, 2])]}
    centers = CENTERS + np.float32(0.25)
    other = open_data_dir(
        write_hand_made(tmp_path / "d", others, statuses=[], centers=centers)
    )
    found = pool([score(one, "test", 2) for one in (data, other)])
    # Each codebook has 3 classes; "still" is right in all of its still cells, so the
    # mean recall over the six is 2 of 6.
    assert found.rows["zero flow"]["confusions"].shape == (6, 6)
    values = scores(found.rows["zero flow"])
    assert values["num_classes_true"][0] == 6
    assert values["recall"][0] == pytest.approx(2 / 6)
    assert values["top1"][0] == pytest.approx(10 / 16)
    assert data.codebook.fingerprint in found.codebook_fingerprint
    assert other.codebook.fingerprint in found.codebook_fingerprint


def test_pooling_refuses_what_overlaps(data):
    one = score(data, "test", 2)
    with pytest.raises(InputError, match=r"2 clips are in two evaluations: walk/d1"):
        pool([one, one])
    validation = score(data, "validation", 2, names={"zero flow": "other"})
    with pytest.raises(InputError, match="no predictor in common"):
        pool([one, validation])
