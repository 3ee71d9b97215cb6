"""One clip to its samples."""

import numpy as np
import pytest

from motionflow.data.samples import (
    FRAME_ENCODINGS,
    ClipSamples,
    LabelOptions,
    decode_frame,
    encode_frame,
    extract_samples,
)
from motionflow.data.video import fit_frame, iter_frames
from motionflow.errors import InputError
from tests.conftest import moving_square, texture, write_avi

FAST = LabelOptions(flow_method="dis")


@pytest.mark.parametrize(
    # A sample at t needs frames t .. t + 3.
    ("num_frames", "indices"),
    [(3, []), (4, [0]), (8, [0]), (9, [0, 5]), (14, [0, 5, 10])],
)
def test_every_fifth_frame_that_has_a_future(tmp_path, num_frames, indices):
    write_avi(tmp_path / "a.avi", moving_square((1, 0), num_frames, 0))
    found = extract_samples(tmp_path / "a.avi", FAST)
    assert found.frame_indices.tolist() == indices
    assert len(found.frames) == len(indices)
    assert found.flow.shape == (len(indices), 20, 20, 2)
    assert found.num_decoded == found.num_announced == num_frames


def test_the_label_of_a_steady_motion_is_twice_its_speed(tmp_path):
    # anchored: (1 + 2 + 3) / 3 = 2 times (2, -1) pixels a frame.
    write_avi(tmp_path / "a.avi", moving_square((2, -1), 4, 0))
    flow = extract_samples(tmp_path / "a.avi", LabelOptions()).flow[0]
    # Cells 8..11 lie well inside the square of pixels 60..139; cell 1 is background.
    np.testing.assert_allclose(flow[8:12, 8:12].mean(axis=(0, 1)), [4, -2], atol=0.2)
    np.testing.assert_allclose(flow[1], 0, atol=0.2)


def test_the_frame_is_the_one_at_its_index(tmp_path):
    write_avi(tmp_path / "a.avi", moving_square((4, 0), 12, 0))
    found = extract_samples(tmp_path / "a.avi", FAST)
    video = list(iter_frames(tmp_path / "a.avi"))
    for encoded, index in zip(found.frames, found.frame_indices, strict=True):
        np.testing.assert_array_equal(
            decode_frame(encoded, "png", 200), fit_frame(video[index], 200)
        )


@pytest.mark.parametrize("encoding", FRAME_ENCODINGS)
def test_frame_encodings(encoding):
    frame = texture(3, 20, 20)
    decoded = decode_frame(encode_frame(frame, encoding), encoding, 20)
    np.testing.assert_allclose(decoded, frame, atol=40 if encoding == "jpeg" else 0)


def test_save_and_load(tmp_path):
    write_avi(tmp_path / "a.avi", moving_square((1, 0), 9, 0))
    found = extract_samples(tmp_path / "a.avi", FAST)
    found.save(tmp_path / "a.npz")
    loaded = ClipSamples.load(tmp_path / "a.npz")
    assert loaded.frames == found.frames
    np.testing.assert_array_equal(loaded.flow, found.flow)
    np.testing.assert_array_equal(loaded.frame_indices, found.frame_indices)
    assert (loaded.num_decoded, loaded.num_announced) == (9, 9)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"flow_method": "raft"}, "flow_method 'raft' is none of deepflow"),
        ({"frame_encoding": "webp"}, "none of png, jpeg, raw"),
        ({"frame_stride": 0}, "frame_stride is 0"),
        ({"grid_size": 30}, "frame_size 200 is no multiple of grid_size 30"),
    ],
)
def test_options_that_cannot_be(options, message):
    with pytest.raises(InputError, match=message):
        LabelOptions(**options)
