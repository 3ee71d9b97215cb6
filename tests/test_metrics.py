"""Metrics against values worked out by hand, scikit-learn, and physics."""

import math

import cv2
import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from motionflow.data.codebook import Codebook
from motionflow.errors import InputError
from motionflow.metrics import (
    FlowMetrics,
    canny_cells,
    flow_scores,
    recall_and_precision,
    true_class_ranks,
)

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


def by_hand() -> FlowMetrics:
    metrics = FlowMetrics(CODEBOOK, grid_size=2)
    canny = np.array([[True, True, False, False]])
    metrics.update(FLOW_TRUE, FLOW_PRED, CODES_TRUE, PROBABILITIES, canny=canny)
    return metrics


def test_flow_scores_by_hand():
    masks = by_hand().result()["masks"]
    # Cell by cell: distance 3, 5, 0, 4; cosine 1, 0 (zero truth), 1, -1.
    assert masks["all"]["epe"] == pytest.approx((3 + 5 + 0 + 4) / 4)
    assert masks["all"]["dir"] == pytest.approx((1 + 0 + 1 - 1) / 4)
    assert masks["all"]["ori"] == pytest.approx((1 + 0 + 1 + 1) / 4)
    # nz: codes 1 and 2, the first and the third cell.
    assert masks["nz"]["count"] == 2
    assert masks["nz"]["epe"] == pytest.approx((3 + 0) / 2)
    assert masks["nz"]["dir"] == pytest.approx(1)
    # canny: the first two cells.
    assert masks["canny"]["count"] == 2
    assert masks["canny"]["epe"] == pytest.approx((3 + 5) / 2)
    assert masks["canny"]["ori"] == pytest.approx((1 + 0) / 2)


def test_class_scores_by_hand():
    result = by_hand().result()
    masks = result["masks"]
    # The true class is 2nd (.3 behind .5), 1st, 1st, 3rd (.1 behind .7 and .2).
    assert masks["all"]["top1"] == pytest.approx(2 / 4)
    assert masks["all"]["top5"] == masks["all"]["top10"] == 1  # there are 3 classes
    assert masks["nz"]["top1"] == pytest.approx(1 / 2)
    assert masks["canny"]["top1"] == pytest.approx(1 / 2)
    # Truth 1, 0, 2, 0 was called 0, 0, 2, 2.
    np.testing.assert_array_equal(
        result["confusion"], [[1, 0, 1], [1, 0, 0], [0, 0, 1]]
    )
    assert result["recall"] == pytest.approx((1 / 2 + 0 / 1 + 1 / 1) / 3)
    # Class 0 was said twice, once rightly; class 1 never (0); class 2 twice, once.
    assert result["precision"] == pytest.approx((1 / 2 + 0 + 1 / 2) / 3)
    assert (result["num_classes_true"], result["num_classes_predicted"]) == (3, 2)
    np.testing.assert_array_equal(result["top1_by_cell"], [[0, 1], [1, 0]])
    # Probabilities of the truth: .3, .6, .5, .1.
    assert result["nll"] == pytest.approx(-math.log(0.3 * 0.6 * 0.5 * 0.1) / 4)


def test_ranks_order_equal_scores_by_index():
    scores = np.array([[0.2, 0.5, 0.2, 0.1], [0.25, 0.25, 0.25, 0.25]])
    # First row, sorted stably: class 1, 0, 2, 3. Second row: 0, 1, 2, 3.
    for code, ranks in enumerate([[1, 0], [0, 1], [2, 2], [3, 3]]):
        found = true_class_ranks(scores, np.array([code, code]))
        np.testing.assert_array_equal(found, ranks)


def test_constant_scores_earn_no_more_than_their_share():
    codebook = Codebook(np.arange(80).reshape(40, 2))
    metrics = FlowMetrics(codebook, grid_size=20)
    codes = np.arange(400)[None] % 40  # every class equally often
    metrics.update(
        np.ones([1, 20, 20, 2]), np.ones([1, 20, 20, 2]), codes, np.ones([1, 400, 40])
    )
    result = metrics.result()
    assert result["masks"]["all"]["top1"] == pytest.approx(1 / 40)
    assert result["masks"]["all"]["top5"] == pytest.approx(5 / 40)
    assert result["masks"]["all"]["top10"] == pytest.approx(10 / 40)
    assert result["recall"] == pytest.approx(1 / 40)


def random_batches(seed, num_samples=6, num_clusters=12, grid_size=4):
    rng = np.random.default_rng(seed)
    cells = grid_size**2
    flow = rng.normal(size=[2, num_samples, grid_size, grid_size, 2])
    codes = rng.integers(num_clusters - 1, size=[num_samples, cells])  # last is absent
    scores = rng.dirichlet(np.ones(num_clusters), [num_samples, cells])
    canny = rng.random([num_samples, cells]) < 0.4
    codebook = Codebook(rng.normal(size=[num_clusters, 2]))
    return codebook, flow[0], flow[1], codes, scores, canny


def test_agrees_with_scikit_learn():
    codebook, true, pred, codes, scores, _ = random_batches(0)
    metrics = FlowMetrics(codebook, grid_size=4)
    metrics.update(true, pred, codes, scores)
    result = metrics.result()
    truth, guess = codes.ravel(), scores.argmax(-1).ravel()
    labels = np.arange(12)
    np.testing.assert_array_equal(
        result["confusion"],
        sklearn_metrics.confusion_matrix(truth, guess, labels=labels),
    )
    present = {"labels": np.unique(truth), "average": "macro", "zero_division": 0}
    assert result["recall"] == pytest.approx(
        sklearn_metrics.recall_score(truth, guess, **present)
    )
    assert result["precision"] == pytest.approx(
        sklearn_metrics.precision_score(truth, guess, **present)
    )
    still = np.hypot(*codebook.centers.T).argmin()
    assert still != 0
    assert result["masks"]["nz"]["count"] == np.count_nonzero(truth != still)
    for k in (1, 5, 10):
        expected = sklearn_metrics.top_k_accuracy_score(
            truth, scores.reshape(-1, 12), k=k, labels=labels
        )
        assert result["masks"]["all"][f"top{k}"] == pytest.approx(expected)
    assert result["nll"] == pytest.approx(
        sklearn_metrics.log_loss(truth, scores.reshape(-1, 12), labels=labels)
    )


def test_pieces_add_up_to_the_whole():
    codebook, true, pred, codes, scores, canny = random_batches(1)
    whole, pieces = FlowMetrics(codebook, 4), FlowMetrics(codebook, 4)
    whole.update(true, pred, codes, scores, canny=canny)
    for part in (slice(0, 1), slice(1, 4), slice(4, 6)):
        pieces.update(
            true[part], pred[part], codes[part], scores[part], canny=canny[part]
        )
    one, other = whole.result(), pieces.result()
    for mask in ("all", "canny", "nz"):
        assert one["masks"][mask] == pytest.approx(other["masks"][mask], rel=1e-12)
    assert one["nll"] == pytest.approx(other["nll"], rel=1e-12)
    np.testing.assert_array_equal(one["confusion"], other["confusion"])
    np.testing.assert_array_equal(one["top1_by_cell"], other["top1_by_cell"])


def test_random_directions_are_at_chance():
    angles = np.random.default_rng(2).uniform(0, 2 * np.pi, [2, 200_000])
    pred, true = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    _, direction, orientation = flow_scores(pred, true).mean(axis=0)
    # Standard errors: 0.707 / sqrt(200000) = 0.0016 and 0.308 / sqrt(200000) = 0.0007.
    assert direction == pytest.approx(0, abs=0.006)
    assert orientation == pytest.approx(2 / np.pi, abs=0.003)


def test_direction_ignores_length_and_follows_a_turn():
    rng = np.random.default_rng(3)
    pred, true = rng.normal(size=[2, 100, 2]) + 3
    scores = flow_scores(pred, true)
    np.testing.assert_allclose(flow_scores(7 * pred, true)[:, 1:], scores[:, 1:])
    np.testing.assert_allclose(flow_scores(3 * pred, 3 * true)[:, 0], 3 * scores[:, 0])
    turned = flow_scores(pred[:, ::-1] * [-1, 1], true[:, ::-1] * [-1, 1])
    np.testing.assert_allclose(turned, scores, atol=1e-9)  # both by a quarter
    # One of them by a quarter: cosine and sine of an angle make 1.
    quarter = flow_scores(pred[:, ::-1] * [-1, 1], true)
    np.testing.assert_allclose(scores[:, 1] ** 2 + quarter[:, 1] ** 2, 1, atol=1e-9)


def test_zero_vectors_score_zero():
    zero, right = np.zeros([1, 2]), np.array([[1.0, 0]])
    for pred, true in ((zero, right), (right, zero), (zero, zero)):
        np.testing.assert_array_equal(flow_scores(pred, true)[0, 1:], [0, 0])


def test_flow_alone_has_no_class_columns():
    metrics = FlowMetrics(CODEBOOK, grid_size=2)
    metrics.update(FLOW_TRUE, FLOW_PRED, CODES_TRUE)
    result = metrics.result()
    assert result["masks"]["all"]["epe"] == pytest.approx(3)
    assert result["masks"]["all"]["top1"] is None
    assert result["recall"] is result["confusion"] is result["nll"] is None
    # No canny mask was given.
    assert result["masks"]["canny"]["count"] == 0
    assert result["masks"]["canny"]["epe"] is None


def test_one_guess_has_top1_and_recall_only():
    metrics = FlowMetrics(CODEBOOK, grid_size=2)
    guess = np.array([[1, 0, 0, 0]])
    metrics.update(FLOW_TRUE, FLOW_PRED, CODES_TRUE, codes_pred=guess)
    result = metrics.result()
    # Truth 1, 0, 2, 0: three of four right, one of the two that move.
    assert result["masks"]["all"]["top1"] == pytest.approx(3 / 4)
    assert result["masks"]["nz"]["top1"] == pytest.approx(1 / 2)
    assert result["masks"]["all"]["top5"] is result["nll"] is None
    assert result["recall"] == pytest.approx((1 + 1 + 0) / 3)
    assert result["precision"] == pytest.approx((2 / 3 + 1 + 0) / 3)


def test_always_still_is_not_precise():
    # 75 % still, as in the report; 0.75 would be the mean over predicted classes.
    scores = recall_and_precision(np.array([[75, 0, 0], [15, 0, 0], [10, 0, 0]]))
    assert scores["recall"] == pytest.approx(1 / 3)
    assert scores["precision"] == pytest.approx(0.75 / 3)
    # A class that the truth lacks has no part in either mean.
    scores = recall_and_precision(np.array([[6, 2, 2], [0, 0, 0], [1, 1, 8]]))
    assert scores["recall"] == pytest.approx((0.6 + 0.8) / 2)
    assert scores["precision"] == pytest.approx((6 / 7 + 8 / 10) / 2)
    assert scores["num_classes_true"] == 2


def test_vanished_probability_costs_a_bounded_amount():
    metrics = FlowMetrics(CODEBOOK, grid_size=1)
    flow = np.zeros([1, 1, 1, 2])
    metrics.update(flow, flow, np.array([[1]]), np.array([[[1.0, 0, 0]]], np.float32))
    # The smallest normal float32 is 2^-126.
    assert metrics.result()["nll"] == pytest.approx(126 * math.log(2))


@pytest.mark.parametrize("bad", ["flow", "probabilities"])
def test_a_diverged_model_is_refused(bad):
    pred, scores = FLOW_PRED.copy(), PROBABILITIES.copy()
    (pred if bad == "flow" else scores).flat[0] = np.nan
    with pytest.raises(InputError, match=f"predicted {bad} hold NaN"):
        FlowMetrics(CODEBOOK, 2).update(FLOW_TRUE, pred, CODES_TRUE, scores)


def test_columns_may_not_change_between_batches():
    metrics = by_hand()
    with pytest.raises(ValueError, match="found flow, expected ranks"):
        metrics.update(FLOW_TRUE, FLOW_PRED, CODES_TRUE)


def test_canny_marks_the_cells_of_an_edge_only():
    frames = np.zeros([2, 40, 40, 3], np.uint8)
    frames[1, :20, 25:] = 255  # a corner at row 20, column 25
    cells = canny_cells(frames, grid_size=4).reshape(2, 4, 4)
    assert not cells[0].any()  # no edge at all
    # The vertical side runs down column 25 (cell column 2) from the top, the
    # horizontal one along row 20 to the right; Canny may put either a pixel off.
    assert cells[1, :2, 2].all()
    assert cells[1, 1:3, 3].any()
    assert not cells[1, :, :2].any() and not cells[1, 3].any()
    # A step of 20 grey levels has |dI/dx| = 4 x 20 < 100 and is none.
    faint = np.full([1, 40, 40, 3], 100, np.uint8)
    faint[:, :, 25:] = 120
    assert not canny_cells(faint, grid_size=4).any()


def test_canny_cells_are_blocks_of_the_edge_image():
    frame = np.random.default_rng(4).integers(0, 255, [10, 10, 3]).astype(np.uint8)
    frame = cv2.resize(frame, (60, 60), interpolation=cv2.INTER_CUBIC)
    edges = cv2.Canny(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), 100, 200)
    expected = edges.reshape(6, 10, 6, 10).max(axis=(1, 3)) > 0
    assert 0 < expected.sum() < 36
    np.testing.assert_array_equal(canny_cells(frame[None], 6)[0], expected.ravel())
