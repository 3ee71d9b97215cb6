"""What becomes of a clip, from what was found in it."""

import numpy as np
import pytest

from motionflow.data.records import KEPT
from motionflow.labels.clip_status import STATUSES, ClipStatus, Failure, clip_status
from motionflow.labels.clips import Clip
from motionflow.labels.options import LabelOptions
from motionflow.labels.samples import ClipSamples

CLIP = Clip("walk/a.avi", "walk", "source", bytes=1234)


def status_of(tmp_path, num_samples, **counts) -> ClipStatus:
    samples = ClipSamples(
        frames=[b"frame"] * num_samples,
        flow=np.zeros((num_samples, 2, 2, 2), np.float32),
        **{name: np.zeros((num_samples, 0)) for name in KEPT},
        frame_indices=np.arange(num_samples),
        **counts,
    )
    samples.save(tmp_path / "a.npz")
    status = clip_status(CLIP, tmp_path / "a.npz", LabelOptions(), None)
    assert status.status in STATUSES
    assert (status.clip, status.bytes, status.source) == ("walk/a.avi", 1234, "source")
    return status


@pytest.mark.parametrize(
    ("num_samples", "counts", "status", "reason", "samples"),
    [
        (2, {"num_decoded": 9, "num_announced": 9}, "ok", "", 2),
        (
            2,
            {"num_decoded": 9, "num_announced": 12},
            "truncated",
            "9 of 12 frames decoded",
            2,
        ),
        (
            0,
            {"num_decoded": 3, "num_announced": 3},
            "too_short",
            "3 frames, a sample needs 4 that differ",
            0,
        ),
        (
            0,
            {"num_decoded": 9, "num_cut": 1, "num_gap": 2},
            "filtered",
            "3 of 3 samples left out: 1 span a cut, 0 a duplicated frame, 2 a gap in "
            "time, 0 with an unstable camera",
            0,
        ),
        # A camera that is unstable most of the time is not to be trusted at all.
        (
            2,
            {"num_decoded": 30, "num_unstable": 3},
            "filtered",
            "3 of 5 samples left out: 0 span a cut, 0 a duplicated frame, 0 a gap in "
            "time, 3 with an unstable camera",
            0,
        ),
        (2, {"num_decoded": 30, "num_unstable": 2}, "ok", "", 2),
    ],
)
def test_samples(tmp_path, num_samples, counts, status, reason, samples):
    found = status_of(tmp_path, num_samples, **counts)
    assert (found.status, found.reason, found.samples) == (status, reason, samples)


def test_the_camera_is_written_down_where_it_was_estimated(tmp_path):
    plain = status_of(tmp_path, 1, num_decoded=4)
    assert (plain.camera_motion, plain.camera_inliers) == (None, None)
    moved = status_of(tmp_path, 1, camera_motion=1.23456, camera_inliers=0.5)
    assert (moved.camera_motion, moved.camera_inliers) == (1.235, 0.5)


def test_failed_and_excluded_clips_have_no_file(tmp_path):
    none = tmp_path / "none.npz"
    failure = Failure("timeout", "not done after 3 s")
    failed = clip_status(CLIP, none, LabelOptions(), failure)
    assert (failed.status, failed.reason) == ("timeout", "not done after 3 s")
    excluded = Clip("b.avi", "walk", "b", excluded="quality bad")
    status = clip_status(excluded, none, LabelOptions(), None)
    assert (status.status, status.reason) == ("filtered", "quality bad")
