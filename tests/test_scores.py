"""Sums and scores against values worked out by hand, scikit-learn, and symmetry."""

import math

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from motionflow.labels.codebook import Codebook
from motionflow.scoring.cells import MASKS, Prediction, Truth, cell_columns
from motionflow.scoring.scores import EVALUATED, PRIOR, compute
from motionflow.scoring.sums import ClipSums, add_up, sample_sums

# Still, right, down.
CODEBOOK = Codebook(np.array([[0, 0], [4, 0], [0, 4]], np.float32))

# One frame of 2x2 cells, row by row. True: right 4, still, down 3, left 2.
FLOW_TRUE = np.array([[[[4.0, 0], [0, 0]], [[0, 3], [-2, 0]]]])
# Predicted: 1 right (short), 3-4-5 (wrong), down 3 (right), 2 right (opposite).
FLOW_PRED = np.array([[[[1.0, 0], [3, 4]], [[0, 3], [2, 0]]]])
CODES_TRUE = np.array([[1, 0, 2, 0]])  # left 2 is as near to still as it gets: code 0
PROBABILITIES = np.array(
    [[[0.5, 0.3, 0.2], [0.6, 0.3, 0.1], [0.2, 0.3, 0.5], [0.1, 0.2, 0.7]]]
)
CANNY = np.array([[True, True, False, False]])
ALL, NZ = MASKS.index("all"), MASKS.index("nz")


def measure(flow, pred, codes, probabilities, canny, codebook=CODEBOOK, clips=None):
    """The sums of a batch, whose samples belong to the given clips."""
    clips = np.arange(len(codes)) if clips is None else np.asarray(clips)
    truth = Truth.of_batch(flow, codes, canny, codebook)
    prediction = Prediction.of_output(pred, probabilities, codebook)
    sums = ClipSums(clips.max() + 1)
    sums.add("", "row", clips, kept(truth, prediction, codebook.num_clusters))
    return sums.rows("")["row"]


def kept(truth, prediction, num_clusters, futures=None):
    cells = cell_columns(truth, prediction)
    return sample_sums(truth, prediction, cells, num_clusters, futures)


def scores(sums, prior=None, weights=None):
    """All scores of a row; the prior is the row itself unless there is one."""
    rows = {"row": sums, PRIOR: sums if prior is None else prior}
    rows = {name: add_up(one, weights) for name, one in rows.items()}
    return compute(rows, EVALUATED)["row"]


def by_hand(probabilities=PROBABILITIES):
    sums = measure(FLOW_TRUE, FLOW_PRED, CODES_TRUE, probabilities, CANNY)
    return scores(sums), sums


def test_flow_scores_by_hand():
    found, _ = by_hand()
    # Cell by cell: distance 3, 5, 0, 4; cosine 1, 0 (zero truth), 1, -1.
    # Masks: all four cells, the first two (canny), the first and third (nz).
    np.testing.assert_array_equal(found["count"], [4, 2, 2])
    np.testing.assert_allclose(found["epe"], [12 / 4, 8 / 2, 3 / 2])
    np.testing.assert_allclose(found["dir"], [1 / 4, 1 / 2, 2 / 2])
    np.testing.assert_allclose(found["ori"], [3 / 4, 1 / 2, 2 / 2])


def test_class_scores_by_hand():
    found, sums = by_hand()
    # The true class is 2nd (.3 behind .5), 1st, 1st, 3rd (.1 behind .7 and .2).
    np.testing.assert_allclose(found["top1"], [2 / 4, 1 / 2, 1 / 2])
    np.testing.assert_allclose(found["top5"], 1)  # there are 3 classes
    # Truth 1, 0, 2, 0 was called 0, 0, 2, 2.
    np.testing.assert_array_equal(sums["confusions"], [[1, 0, 1], [1, 0, 0], [0, 0, 1]])
    # All: recall of class 0 is 1/2, of 1 0, of 2 1. Class 0 was said twice, once
    # rightly; 1 never (0); 2 twice, once rightly. nz holds classes 1 and 2 only.
    np.testing.assert_allclose(found["recall"][[ALL, NZ]], [(1 / 2 + 0 + 1) / 3, 1 / 2])
    expected = [(1 / 2 + 0 + 1 / 2) / 3, (0 + 1) / 2]
    np.testing.assert_allclose(found["precision"][[ALL, NZ]], expected)
    np.testing.assert_array_equal(found["num_classes_true"], [3, 2, 2])
    np.testing.assert_array_equal(found["num_classes_predicted"], [2, 1, 2])
    np.testing.assert_array_equal(sums["cell_hits"], [0, 1, 1, 0])
    # Probabilities of the truth: .3, .6, .5, .1.
    nll = -np.log([0.3 * 0.6 * 0.5 * 0.1, 0.3 * 0.6, 0.3 * 0.5]) / [4, 2, 2]
    np.testing.assert_allclose(found["nll"], nll, rtol=1e-6)


def test_skill_by_hand():
    _, sums = by_hand()
    prior = np.full([1, 4, 3], 1 / 3)
    prior_sums = by_hand(prior)[1]
    found = scores(sums, prior_sums)
    nll = -math.log(0.3 * 0.6 * 0.5 * 0.1) / 4
    assert found["skill"][ALL] == pytest.approx(1 - nll / math.log(3))
    assert scores(prior_sums)["skill"] == pytest.approx([0, 0, 0])


def random_batch(seed, num_samples=6, num_clusters=12, grid_size=4):
    rng = np.random.default_rng(seed)
    cells = grid_size**2
    flow = rng.normal(size=[2, num_samples, grid_size, grid_size, 2])
    codes = rng.integers(num_clusters - 1, size=[num_samples, cells])  # last is absent
    chances = rng.dirichlet(np.ones(num_clusters), [num_samples, cells])
    canny = rng.random([num_samples, cells]) < 0.4
    return *flow, codes, chances, canny, Codebook(rng.normal(size=[num_clusters, 2]))


def test_agrees_with_scikit_learn():
    true, pred, codes, chances, canny, codebook = random_batch(0)
    sums = measure(true, pred, codes, chances, canny, codebook)
    found = scores(sums)
    still = np.hypot(*codebook.centers.T).argmin()
    assert still != 0
    labels = np.arange(12)
    for place, mask in enumerate((codes >= 0, canny, codes != still)):
        truth, guess = codes[mask], chances.argmax(-1)[mask]
        present = {"labels": np.unique(truth), "average": "macro", "zero_division": 0}
        for name, score in (
            ("recall", sklearn_metrics.recall_score),
            ("precision", sklearn_metrics.precision_score),
        ):
            expected = score(truth, guess, **present)
            assert found[name][place] == pytest.approx(expected)
        for k in (1, 5, 10):
            expected = sklearn_metrics.top_k_accuracy_score(
                truth, chances[mask], k=k, labels=labels
            )
            assert found[f"top{k}"][place] == pytest.approx(expected)
        expected = sklearn_metrics.log_loss(truth, chances[mask], labels=labels)
        assert found["nll"][place] == pytest.approx(expected, rel=1e-6)
    np.testing.assert_array_equal(
        sums["confusions"],
        sklearn_metrics.confusion_matrix(
            codes.ravel(), chances.argmax(-1).ravel(), labels=labels
        ),
    )


def assert_same(one, other):
    assert one.keys() == other.keys()
    for key in one:
        np.testing.assert_allclose(one[key], other[key], rtol=1e-9, err_msg=key)


def test_a_weight_of_two_is_a_clip_twice():
    batch = random_batch(2)
    once = measure(*batch[:5], batch[5], clips=[0, 1, 2, 0, 1, 2])
    twice = np.array([0, 3, 0, 3, 1, 4])  # clip 0 twice, clip 1 once, clip 2 never
    again = [part[twice] for part in batch[:5]]
    expected = scores(measure(*again, batch[5]))
    found = scores(once, weights=np.array([[2.0, 1, 0], [1, 1, 1]]))
    assert_same({key: value[0] for key, value in found.items()}, expected)


def test_a_mirrored_world_scores_the_same():
    """Mirror data, predictions and codebook: nothing may change."""
    true, pred, codes, chances, canny, codebook = random_batch(3)

    def mirror(cells):
        grid = cells.reshape(len(cells), 4, 4, *cells.shape[2:])
        return grid[:, :, ::-1].reshape(cells.shape)

    turn = np.array([-1, 1])
    mirrored = measure(
        true[:, :, ::-1] * turn,
        pred[:, :, ::-1] * turn,
        mirror(codes),
        mirror(chances),
        mirror(canny),
        Codebook(codebook.centers * turn.astype(np.float32)),
    )
    plain = measure(true, pred, codes, chances, canny, codebook)
    assert_same(scores(plain), scores(mirrored))
    # And of flow alone, whose classes are found by distance.
    flow_only = measure(true, pred, codes, None, canny, codebook)
    mirrored = measure(
        true[:, :, ::-1] * turn,
        pred[:, :, ::-1] * turn,
        mirror(codes),
        None,
        mirror(canny),
        Codebook(codebook.centers * turn.astype(np.float32)),
    )
    assert_same(scores(flow_only), scores(mirrored))


def test_constant_scores_earn_no_more_than_their_share():
    codebook = Codebook(np.arange(80).reshape(40, 2))
    codes, flow = np.arange(400)[None] % 40, np.ones([1, 20, 20, 2])  # equally often
    sums = measure(
        flow, flow, codes, np.ones([1, 400, 40]), np.zeros([1, 400]), codebook
    )
    found = scores(sums)
    for k in (1, 5, 10):
        assert found[f"top{k}"][ALL] == pytest.approx(k / 40)
    assert found["recall"][ALL] == pytest.approx(1 / 40)
    assert np.isnan(found["epe"][MASKS.index("canny")])  # no edge: no mean


def test_flow_alone_has_no_likelihood():
    found, _ = by_hand(None)
    assert np.isnan(found["nll"]).all() and np.isnan(found["ece"])
    # Nearest centres of the prediction: still, down, down, still or right (by index).
    assert found["top1"][ALL] == pytest.approx(2 / 4)
    np.testing.assert_allclose(found["epe"], [3, 4, 1.5])


def test_always_still_is_not_precise():
    # 75 % still, as in the report; 0.75 would be the mean over predicted classes.
    codes = np.repeat([0, 1, 2], [75, 15, 10])[None]
    flow = np.zeros([1, 10, 10, 2])
    sums = measure(flow, flow, codes, None, np.zeros([1, 100]))
    found = scores(sums)
    assert found["recall"][ALL] == pytest.approx(1 / 3)
    assert found["precision"][ALL] == pytest.approx(0.75 / 3)
