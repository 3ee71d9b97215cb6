import numpy as np
import pytest
from scipy.special import log_softmax, softmax
from sklearn.metrics import confusion_matrix, recall_score, top_k_accuracy_score

from motionflow.data.pipeline import pack_targets
from motionflow.labels.codebook import Codebook
from motionflow.models import keras_metrics

NUM_CLUSTERS = 12
CENTERS = np.random.default_rng(1).normal(size=(NUM_CLUSTERS, 2)).astype(np.float32)


def metrics_of(centers=CENTERS):
    metrics = keras_metrics.training_metrics(Codebook(centers))
    return {metric.name: metric for metric in metrics}


def targets_of(codes, flow=None):
    codes = np.asarray(codes, np.int32)
    flow = np.zeros((*codes.shape, 2)) if flow is None else flow
    return pack_targets(codes, np.float32(flow))


def random_batch(batch, seed):
    random = np.random.default_rng(seed)
    codes = random.integers(0, NUM_CLUSTERS - 2, (batch, 9))  # two classes never occur
    logits = random.normal(size=(batch, 9, NUM_CLUSTERS)).astype(np.float32)
    return codes, random.normal(size=(batch, 9, 2)), logits


def test_over_batches_of_different_sizes_they_are_those_over_all_cells():
    batches = [random_batch(5, seed=0), random_batch(2, seed=1)]
    metrics = metrics_of()
    for codes, flow, logits in batches:
        for metric in metrics.values():
            metric.update_state(targets_of(codes, flow), logits)
    codes = np.concatenate([c.ravel() for c, _, _ in batches])
    flow = np.concatenate([f.reshape(-1, 2) for _, f, _ in batches])
    logits = np.concatenate([s.reshape(-1, NUM_CLUSTERS) for _, _, s in batches])
    labels = np.arange(NUM_CLUSTERS)
    expected = {
        f"top{k}": top_k_accuracy_score(codes, logits, k=k, labels=labels)
        for k in (1, 5, 10)
    }
    predicted = logits.argmax(1)
    expected["mean_recall"] = recall_score(
        codes, predicted, labels=np.unique(codes), average="macro"
    )
    likelihood = log_softmax(logits, -1)[np.arange(len(codes)), codes]
    expected["cross_entropy"] = -likelihood.sum() / 7
    errors = np.linalg.norm(softmax(logits, -1) @ CENTERS - flow, axis=1)
    expected["epe"] = errors.mean()
    still = np.linalg.norm(CENTERS, axis=1).argmin()
    expected["epe_nz"] = errors[codes != still].mean()
    answers = {name: float(metric.result()) for name, metric in metrics.items()}
    assert answers == pytest.approx(expected, abs=1e-6, rel=1e-5)
    np.testing.assert_array_equal(
        metrics["mean_recall"].confusion,
        confusion_matrix(codes, predicted, labels=labels),
    )


def test_mean_recall_by_hand():
    metric = keras_metrics.MeanRecall(4)
    assert float(metric.result()) == 0
    # Class 0: two of three right, class 2: none of one. Classes 1 and 3 do not occur.
    predicted = np.array([[0, 0, 1, 3]])
    metric.update_state(targets_of([[0, 0, 0, 2]]), np.eye(4)[predicted])
    assert float(metric.result()) == pytest.approx((2 / 3 + 0) / 2)
    metric.reset_state()
    assert float(metric.result()) == 0


def test_predicting_no_motion_everywhere_has_high_top1_and_the_recall_of_chance():
    codes = np.zeros((1, 100), int)
    codes[0, :25] = np.arange(25) % 4 + 1
    logits = np.tile([1.0, 0, 0, 0, 0], (1, 100, 1))
    metrics = metrics_of(CENTERS[:5])
    for metric in metrics.values():
        metric.update_state(targets_of(codes), logits)
    assert float(metrics["top1"].result()) == 0.75
    assert float(metrics["mean_recall"].result()) == pytest.approx(1 / 5)


def test_fewer_clusters_than_k_are_always_among_the_best():
    metrics = metrics_of(CENTERS[:2])
    for name in ("top5", "top10"):
        metrics[name].update_state(targets_of([[0, 1]]), np.eye(2)[[[1, 1]]])
        assert float(metrics[name].result()) == 1


def test_where_nothing_moves_the_error_over_moving_cells_is_0():
    metric = metrics_of()["epe_nz"]
    still = int(np.linalg.norm(CENTERS, axis=1).argmin())
    metric.update_state(targets_of([[still]]), np.zeros((1, 1, NUM_CLUSTERS)))
    assert float(metric.result()) == 0


@pytest.mark.parametrize("name", ["mean_recall", "epe"])
def test_sample_weights_are_refused(name):
    with pytest.raises(ValueError, match="sample weights"):
        metrics_of()[name].update_state(targets_of([[0]]), [[CENTERS[0]]], 1)
