"""Sums of clips against values worked out by hand."""

import numpy as np
import pytest

from motionflow.scoring.cells import MASKS, Prediction, Truth
from motionflow.scoring.sums import ClipSums
from tests.test_scores import (
    ALL,
    CANNY,
    CODEBOOK,
    CODES_TRUE,
    FLOW_PRED,
    FLOW_TRUE,
    NZ,
    assert_same,
    by_hand,
    kept,
    measure,
    random_batch,
    scores,
)


def test_calibration_by_hand():
    found, _ = by_hand()
    # Confidences .5, .6, .5, .7; right: no, yes, yes, no. Fifteenths: .5 lies in
    # (7/15, 8/15], .6 = 9/15 in (8/15, 9/15] (if float32 rounds it up: the next),
    # .7 in (10/15, 11/15].
    share = found["reliability_share"]
    assert share[7] == pytest.approx(2 / 4) and share[10] == pytest.approx(1 / 4)
    assert found["reliability_accuracy"][7] == pytest.approx(1 / 2)
    assert found["reliability_confidence"][10] == pytest.approx(0.7)
    # |1/2 - .5| * 2/4 + |1 - .6| / 4 + |0 - .7| / 4
    assert found["ece"] == pytest.approx((0.4 + 0.7) / 4, abs=1e-6)


def test_magnitude_buckets_by_hand():
    found, _ = by_hand()
    # True lengths 4, 0, 3, 2 in buckets from 0, .5, 1, 2, 4 and 8 px.
    np.testing.assert_allclose(found["bucket_share"], [1 / 4, 0, 0, 2 / 4, 1 / 4, 0])
    epe = found["bucket_epe"]
    assert (epe[0], epe[3], epe[4]) == pytest.approx((5, (0 + 4) / 2, 3))
    assert np.isnan(epe[[1, 2, 5]]).all()


def test_best_of_n_by_hand():
    still, right = np.zeros([1, 1, 4, 2]), np.full([1, 1, 4, 2], [4.0, 0])
    truth = Truth.of_batch(FLOW_TRUE, CODES_TRUE, CANNY, CODEBOOK)
    prediction = Prediction.of_output(FLOW_PRED, None, CODEBOOK)
    futures = np.concatenate([still, right])
    found = scores(kept(truth, prediction, 3, futures))["best_of_n"]
    # Still: 4, 0, 3, 2. Right 4: 0, 4, 5, 6. One of them for the whole frame.
    assert found[ALL] == pytest.approx(9 / 4)
    assert found[MASKS.index("canny")] == pytest.approx(4 / 2)
    assert found[NZ] == pytest.approx(5 / 2)  # right: (0 + 5) / 2, still: 7 / 2
    # Without futures the prediction is the only one.
    assert by_hand()[0]["best_of_n"] == pytest.approx([3, 4, 1.5])


def test_pieces_and_clips_add_up_to_the_whole():
    true, pred, codes, chances, canny, codebook = random_batch(1)
    whole = measure(true, pred, codes, chances, canny, codebook, clips=[0] * 6)
    pieces = ClipSums(3)
    for part in (slice(0, 1), slice(1, 4), slice(4, 6)):
        truth = Truth.of_batch(true[part], codes[part], canny[part], codebook)
        prediction = Prediction.of_output(pred[part], chances[part], codebook)
        clips = np.array([2, 0, 1, 1, 2, 0])[part]
        pieces.add("", "row", clips, kept(truth, prediction, 12))
    found = pieces.rows("")["row"]
    assert_same(scores(whole), scores(found))
    np.testing.assert_array_equal(whole["confusions"], found["confusions"])
    np.testing.assert_allclose(whole["frames"], found["frames"])


def test_a_flow_of_other_classes_has_flow_scores_only():
    truth = Truth.of_batch(FLOW_TRUE, CODES_TRUE, CANNY, CODEBOOK)
    sums = kept(truth, Prediction.of_output(FLOW_PRED, None, None), 3)
    found = scores(sums)
    np.testing.assert_allclose(found["epe"], [3, 4, 1.5])
    for key in ("top1", "top5", "recall", "precision", "nll"):
        assert np.isnan(found[key]).all(), key
    assert not sums["confusions"].any()


@pytest.mark.parametrize("has_probabilities", [True, False])
def test_what_is_said_once_counts_for_every_frame(has_probabilities):
    true, pred, codes, chances, canny, codebook = random_batch(3)
    chances = np.round(chances, 1)  # with ties
    truth = Truth.of_batch(true, codes, canny, codebook)
    futures = np.random.default_rng(0).normal(size=(4, 1, 16, 2)).astype(np.float32)
    found = []
    for repeats in (1, len(codes)):
        flow, probabilities = (np.repeat(x[:1], repeats, 0) for x in (pred, chances))
        answer = flow, probabilities if has_probabilities else None
        prediction = Prediction.of_output(*answer, codebook)
        found.append(kept(truth, prediction, 12, np.repeat(futures, repeats, 1)))
    once, repeated = found
    assert once.keys() == repeated.keys()
    for key, value in once.items():
        assert value.shape == repeated[key].shape
        np.testing.assert_allclose(value, repeated[key], err_msg=key)
