"""Baselines worked out by hand on four cells and three classes, and from records."""

import math

import numpy as np
import pytest
import tensorflow as tf

from motionflow import baselines
from motionflow.baselines import TrainingStatistics
from motionflow.data.codebook import Codebook
from motionflow.data.records import open_data_dir
from motionflow.metrics import FlowMetrics, flow_scores

# Class 1 is the still one, so "code 0" cannot pass for it.
CODEBOOK = Codebook(np.array([[4, 0], [0, 0], [0, 8]], np.float32))
STATISTICS = TrainingStatistics(
    # 5 samples of a 2x2 grid: cells 0 and 3 mostly still, cell 1 right, cell 2 down.
    class_counts=np.array([[0, 5, 0], [4, 1, 0], [0, 1, 4], [1, 3, 1]]),
    mean_flow=np.array([[[0.0, 0], [3, 1]], [[0, 6], [1, 1]]]),
)
FRAMES = np.zeros([3, 8, 8, 3], np.uint8)


def test_zero_flow():
    out = baselines.zero_flow(STATISTICS, CODEBOOK)(FRAMES)
    np.testing.assert_array_equal(out["flow"], np.zeros([3, 2, 2, 2]))
    np.testing.assert_array_equal(out["codes"], np.full([3, 4], 1))
    assert out["probabilities"] is None


def test_mean_flow():
    out = baselines.mean_flow(STATISTICS)(FRAMES)
    # dx: (0 + 3 + 0 + 1) / 4 = 1; dy: (0 + 1 + 6 + 1) / 4 = 2.
    np.testing.assert_array_equal(out["flow"], np.broadcast_to([1, 2], [3, 2, 2, 2]))
    assert out["probabilities"] is out["codes"] is None


def test_mean_flow_per_cell():
    flow = baselines.mean_flow_per_cell(STATISTICS)(FRAMES)["flow"]
    assert flow.shape == (3, 2, 2, 2) and flow.dtype == np.float32
    np.testing.assert_array_equal(flow[2, 1, 0], [0, 6])
    np.testing.assert_array_equal(flow[0, 0, 1], [3, 1])


def test_class_prior():
    out = baselines.class_prior(STATISTICS, CODEBOOK)(FRAMES)
    # Counts 5, 10, 5 of 20; with one more each: 6, 11, 6 of 23.
    expected = np.broadcast_to(np.array([6, 11, 6]) / 23, [3, 4, 3])
    np.testing.assert_allclose(out["probabilities"], expected)
    # 6/23 of (4, 0) and 6/23 of (0, 8).
    np.testing.assert_allclose(
        out["flow"], np.broadcast_to([24 / 23, 48 / 23], [3, 2, 2, 2]), rtol=1e-6
    )
    assert (out["codes"] == 1).all()


def test_class_prior_per_cell():
    out = baselines.class_prior_per_cell(STATISTICS, CODEBOOK)(FRAMES)
    # Of 5 + 3 smoothed counts: (1, 6, 1), (5, 2, 1), (1, 2, 5), (2, 4, 2).
    expected = np.array([[1, 6, 1], [5, 2, 1], [1, 2, 5], [2, 4, 2]]) / 8
    np.testing.assert_allclose(out["probabilities"][1], expected)
    # Cell 1, row 0 column 1: (4 * 5/8, 8 * 1/8); cell 2, row 1 column 0: (1/2, 5).
    np.testing.assert_allclose(out["flow"][0, 0, 1], [2.5, 1])
    np.testing.assert_allclose(out["flow"][0, 1, 0], [0.5, 5])
    np.testing.assert_array_equal(out["codes"][2], [1, 0, 2, 1])


def test_smoothing_keeps_unseen_classes_possible():
    for smoothing in (0.5, 1, 3):
        out = baselines.class_prior_per_cell(STATISTICS, CODEBOOK, smoothing)(FRAMES)
        # Cell 0 saw class 1 five times, class 0 never.
        expected = smoothing / (5 + 3 * smoothing)
        assert out["probabilities"][0, 0, 0] == pytest.approx(expected)
        np.testing.assert_allclose(out["probabilities"].sum(axis=-1), 1)


def test_chance_levels_are_what_guessing_scores():
    rng = np.random.default_rng(0)
    truth, guess = rng.normal(size=[2, 100_000, 2])
    _, direction, orientation = flow_scores(guess, truth).mean(axis=0)
    assert direction == pytest.approx(baselines.CHANCE_DIR, abs=0.01)
    assert orientation == pytest.approx(baselines.CHANCE_ORI, abs=0.005)
    # A lopsided guess that does not see the frame, on a lopsided truth.
    metrics = FlowMetrics(CODEBOOK, grid_size=100)
    codes = rng.choice(3, p=[0.1, 0.8, 0.1], size=[20, 10_000])
    guess = rng.choice(3, p=[0.5, 0.3, 0.2], size=[20, 10_000])
    flow = np.zeros([20, 100, 100, 2])
    metrics.update(flow, flow, codes, codes_pred=guess)
    assert metrics.result()["recall"] == pytest.approx(
        baselines.chance_recall(3), abs=0.01
    )


def test_constants_are_the_best_of_their_kind():
    """What each baseline is for: no other constant does better on the training data."""
    rng = np.random.default_rng(1)
    flow = rng.normal(np.array([[0, 0], [3, 1], [0, 6], [1, 1]]), size=[50, 4, 2])
    mean = flow.mean(axis=0).reshape(2, 2, 2)
    statistics = TrainingStatistics(STATISTICS.class_counts, mean)
    best = baselines.mean_flow_per_cell(statistics)(FRAMES[:1])["flow"].reshape(4, 2)
    error = ((flow - best) ** 2).sum()
    for shift in ([0.1, 0], [0, -0.1]):
        assert ((flow - best - shift) ** 2).sum() > error


def read_examples(data_dir):
    """Codes and flow of the training records, by protocol buffer."""
    codes, flows = [], []
    for record in tf.data.TFRecordDataset(data_dir.shards("train")):
        feature = tf.train.Example.FromString(record.numpy()).features.feature
        codes.append(feature["codes"].int64_list.value)
        flows.append(feature["flow"].float_list.value)
    size = data_dir.grid_size
    flow = np.array(flows, np.float64).reshape(-1, size, size, 2)
    return np.array(codes), flow


@pytest.mark.parametrize("batch_size", [1, 7, 256])
def test_training_statistics(tiny_data_dir, batch_size):
    data_dir = open_data_dir(tiny_data_dir)
    statistics = baselines.training_statistics(data_dir, batch_size)
    codes, flow = read_examples(data_dir)
    assert len(codes) == data_dir.num_samples("train") > 1
    np.testing.assert_allclose(statistics.mean_flow, flow.mean(axis=0), atol=1e-9)
    for code in range(data_dir.codebook.num_clusters):
        expected = np.count_nonzero(codes == code, axis=0)
        np.testing.assert_array_equal(statistics.class_counts[:, code], expected)


def test_the_five_rows(tiny_data_dir):
    data_dir = open_data_dir(tiny_data_dir)
    statistics = baselines.training_statistics(data_dir)
    rivals = baselines.make_baselines(statistics, data_dir.codebook)
    assert list(rivals) == [
        "zero flow",
        "mean flow",
        "mean flow per cell",
        "class prior",
        "class prior per cell",
    ]
    for predict in rivals.values():
        out = predict(FRAMES)
        size = data_dir.grid_size
        assert out["flow"].shape == (3, size, size, 2)
        assert np.isfinite(out["flow"]).all()
    # The decoded prior has a likelihood; smoothing keeps it finite.
    prior = rivals["class prior"](FRAMES)["probabilities"]
    assert math.isfinite(np.log(prior).sum())
