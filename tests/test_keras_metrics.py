import numpy as np
import pytest
from sklearn.metrics import recall_score, top_k_accuracy_score

from motionflow.models import keras_metrics

NUM_CLUSTERS = 12


def random_batch(batch, seed):
    random = np.random.default_rng(seed)
    codes = random.integers(0, NUM_CLUSTERS - 2, (batch, 9))  # two classes never occur
    return codes, random.normal(size=(batch, 9, NUM_CLUSTERS)).astype(np.float32)


def test_over_batches_of_different_sizes_they_are_sklearns_over_all_cells():
    batches = [random_batch(5, seed=0), random_batch(2, seed=1)]
    metrics = keras_metrics.training_metrics(NUM_CLUSTERS)
    for codes, logits in batches:
        for metric in metrics:
            metric.update_state(codes, logits)
    codes = np.concatenate([c.ravel() for c, _ in batches])
    logits = np.concatenate([s.reshape(-1, NUM_CLUSTERS) for _, s in batches])
    labels = np.arange(NUM_CLUSTERS)
    expected = {
        f"top{k}": top_k_accuracy_score(codes, logits, k=k, labels=labels)
        for k in (1, 5, 10)
    }
    expected["mean_recall"] = recall_score(
        codes, logits.argmax(1), labels=np.unique(codes), average="macro"
    )
    answers = {metric.name: float(metric.result()) for metric in metrics}
    assert answers == pytest.approx(expected, abs=1e-6)


def test_mean_recall_by_hand():
    metric = keras_metrics.MeanRecall(4)
    assert float(metric.result()) == 0
    # Class 0: two of three right, class 2: none of one. Classes 1 and 3 do not occur.
    predicted = np.array([[0, 0, 1, 3]])
    metric.update_state(np.array([[0, 0, 0, 2]]), np.eye(4)[predicted])
    assert float(metric.result()) == pytest.approx((2 / 3 + 0) / 2)
    metric.reset_state()
    assert float(metric.result()) == 0


def test_predicting_no_motion_everywhere_has_high_top1_and_the_recall_of_chance():
    codes = np.zeros((1, 100), int)
    codes[0, :25] = np.arange(25) % 4 + 1
    logits = np.tile([1.0, 0, 0, 0, 0], (1, 100, 1))
    metrics = keras_metrics.training_metrics(5)
    for metric in metrics:
        metric.update_state(codes, logits)
    assert float(metrics[0].result()) == 0.75
    assert float(metrics[-1].result()) == pytest.approx(1 / 5)


def test_fewer_clusters_than_k_are_always_among_the_best():
    codes, logits = np.array([[0, 1]]), np.array([[[0.0, 1.0], [0.0, 1.0]]])
    _, top5, top10, _ = keras_metrics.training_metrics(2)
    for metric in (top5, top10):
        metric.update_state(codes, logits)
        assert float(metric.result()) == 1


def test_sample_weights_are_refused():
    with pytest.raises(ValueError, match="sample weights"):
        keras_metrics.MeanRecall(2).update_state([[0]], [[[1.0, 0]]], sample_weight=1)
