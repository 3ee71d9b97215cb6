"""Batches of hand-made frames, one after the other."""

import numpy as np
import pytest

from motionflow.data.data_dir import open_data_dir
from motionflow.models import decoding
from motionflow.scoring.cells import Prediction
from motionflow.scoring.scorer import Scorer
from tests.tiny_data import MIXED, STILL, write_hand_made


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return open_data_dir(write_hand_made(tmp_path_factory.mktemp("d") / "d"))


def batch(flow, codes):
    """One grey frame."""
    frames = np.zeros((1, 8, 8, 3), np.uint8)
    flow = np.float32(flow).reshape(1, 2, 2, 2)
    return {"frames": frames, "flow": flow, "codes": np.array([codes])}


def test_batches_go_to_their_clips_and_a_constant_is_drawn_from_once(data, monkeypatch):
    draws, sample_flows = [], decoding.sample_flows

    def counted(probabilities, centers, noise):
        draws.append(probabilities)
        return sample_flows(probabilities, centers, noise)

    monkeypatch.setattr(decoding, "sample_flows", counted)
    answer = np.zeros((1, 2, 2, 2)), np.full((1, 4, 3), 1 / 3)
    always = Prediction.of_output(*answer, data.codebook)
    scorer = Scorer(data, np.array([1, 0, 1]), None, seed=0)
    for flow, codes in ((MIXED, [0, 0, 1, 2]), (STILL, [0] * 4), (MIXED, [0, 0, 1, 2])):
        anew = Prediction.of_output(*answer, data.codebook)
        scorer.add(batch(flow, codes), {"always": always, "anew": anew})
    assert len(draws) == 1 + 3
    rows = scorer.sums.rows("")
    for row in rows.values():
        # Count and EPE of all cells: 4 at rest; twice lengths 0, 0, 3, 5.
        np.testing.assert_allclose(row["cells"][:, 0, :2], [[4, 0], [8, 16]])
    np.testing.assert_array_equal(rows["always"]["best"], rows["anew"]["best"])
