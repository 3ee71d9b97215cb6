"""Counts of the hand-made training samples, and percentiles against NumPy's."""

import numpy as np
import pytest

from motionflow.inspection.census import Census, LengthCounts
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


def test_percentiles_by_hand(census):
    # All cells: 0 six times, 0.1, 2, 3, 3.5, 4, 5. Moving: 2, 3, 3.5, 4, 5.
    assert (census.lengths.num_counted, census.moving_lengths.num_counted) == (12, 5)
    every = [census.lengths.percentile(p) for p in (50, 58, 75, 90, 95, 100)]
    assert every == pytest.approx([0, 0.1, 3, 4, 5, 5])
    moving = [census.moving_lengths.percentile(p) for p in (1, 50, 75, 90)]
    assert moving == pytest.approx([2, 3.5, 4, 5])
    assert census.lengths.longest == census.moving_lengths.longest == 5


def test_percentiles_are_those_of_all_lengths_kept():
    lengths = np.random.default_rng(0).exponential(2, (50, 400))
    counts = LengthCounts()
    for part in lengths:
        counts.add(part)
    percents = [1, 7, 50, 75, 90, 95, 99, 100]
    expected = np.percentile(lengths, percents, method="inverted_cdf")
    found = [counts.percentile(percent) for percent in percents]
    np.testing.assert_allclose(found, expected, atol=0.00501)
    assert counts.longest == lengths.max()


def test_lengths_without_bound_and_none_at_all():
    counts = LengthCounts()
    assert counts.percentile(50) is None
    counts.add(np.array([]))
    counts.add(np.float32([1, 1e30]))
    assert counts.percentile(50) == pytest.approx(1)
    assert counts.percentile(100) == 1000 and counts.longest > 9e29
    assert Census(3, 0, 8).still_share is None
