"""Counts of the hand-made training samples."""

import numpy as np
import pytest

from motionflow.inspection.census import Census
from tests.tiny_data import SAMPLES


@pytest.fixture
def census():
    census = Census(num_clusters=3, zero_index=0, frame_size=8)
    for sample in SAMPLES["train"]:
        frame = np.frombuffer(sample.frame, np.uint8).reshape(8, 8, 3)
        census.add_sample((sample.clip, sample.action, sample.source), frame)
        census.add_motion(sample.flow, sample.codes)
    return census


def test_counts_by_hand(census):
    assert (census.num_samples, census.num_clips) == (3, 2)
    assert census.clips == {"walk/a1.avi", "walk/b1.avi"}
    assert census.sources == {"a", "b"}
    assert census.samples[("walk/a1.avi", "walk", "a")] == 2
    assert census.code_counts.tolist() == [7, 3, 2]
    assert census.still_share == pytest.approx(7 / 12)
    assert (census.frame_sum == 10 + 20 + 60).all()
    assert census.longest == 5  # (3, -4)
    assert Census(3, 0, 8).still_share is None
