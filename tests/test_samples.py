"""One clip to its samples."""

import dataclasses

import numpy as np
import pytest

from motionflow.errors import InputError
from motionflow.labels.options import FRAME_ENCODINGS, BuildOptions, LabelOptions
from motionflow.labels.samples import (
    ClipSamples,
    decode_frame,
    encode_frame,
    extract_samples,
)
from motionflow.media.video import fit_frame, iter_frames
from tests.conftest import moving_square, texture, write_avi
from tests.test_frame_sequence import write_video

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
    assert (found.num_cut, found.num_duplicate, found.num_unstable) == (0, 0, 0)


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


def test_labels_do_not_depend_on_how_frames_are_kept(tmp_path):
    write_avi(tmp_path / "a.avi", moving_square((1, 0), 9, 0))
    kinds = {"png": {}, "fine": {"jpeg_quality": 95}, "coarse": {"jpeg_quality": 40}}
    found = {
        name: extract_samples(
            tmp_path / "a.avi",
            dataclasses.replace(
                FAST, frame_encoding="jpeg" if quality else "png", **quality
            ),
        )
        for name, quality in kinds.items()
    }
    assert len({one.flow.tobytes() for one in found.values()}) == 1
    png, fine, coarse = (len(one.frames[0]) for one in found.values())
    assert 2 * coarse < fine < png
    default = LabelOptions(frame_encoding="jpeg")
    assert found["fine"].frames[0] == encode_frame(
        decode_frame(found["png"].frames[0], "png", 200), "jpeg", default.jpeg_quality
    )


def test_save_and_load(tmp_path):
    write_avi(tmp_path / "a.avi", moving_square((1, 0), 9, 0))
    found = extract_samples(tmp_path / "a.avi", FAST)
    found.save(tmp_path / "a.npz")
    loaded = ClipSamples.load(tmp_path / "a.npz")
    assert loaded.frames == found.frames
    np.testing.assert_array_equal(loaded.flow, found.flow)
    np.testing.assert_array_equal(loaded.frame_indices, found.frame_indices)
    assert (loaded.num_decoded, loaded.num_announced) == (9, 9)
    np.testing.assert_array_equal(ClipSamples.load_flow(tmp_path / "a.npz"), found.flow)


def test_a_window_that_spans_a_cut_gives_no_sample(tmp_path):
    # The cut lies between frames 6 and 7, in the window of sample 5 (frames 5 to 8).
    scenes = [moving_square((1, 0), 7, 0), 255 - moving_square((1, 0), 7, 50)]
    write_avi(tmp_path / "a.avi", np.concatenate(scenes))
    found = extract_samples(tmp_path / "a.avi", FAST)
    assert found.frame_indices.tolist() == [0, 10]
    assert (found.num_cut, found.num_duplicate) == (1, 0)


def test_a_duplicated_frame_gives_no_sample_or_is_removed(tmp_path):
    frames = moving_square((2, 0), 13, 0)
    repeated = np.insert(frames, 7, frames[6], axis=0)  # frames 6 and 7 are one
    write_avi(tmp_path / "a.avi", repeated)
    found = extract_samples(tmp_path / "a.avi", FAST)
    assert found.frame_indices.tolist() == [0, 10]
    assert found.num_duplicate == 1
    removed = LabelOptions(flow_method="dis", duplicates="remove")
    kept = extract_samples(tmp_path / "a.avi", removed)
    # Positions 0, 5 and none at 10 + 3 = 13: 13 frames are left. Frame 5 is before the
    # duplicate, its window 5, 6, 8, 9 moves by two pixels a frame: (2 + 4 + 6) / 3 = 4.
    assert kept.frame_indices.tolist() == [0, 5]
    assert kept.num_decoded == 14
    for flow in kept.flow:
        np.testing.assert_allclose(
            np.median(flow[8:12, 9:12], axis=(0, 1)), [4, 0], atol=0.4
        )


def test_a_gap_in_time_gives_no_sample_and_no_past(tmp_path):
    """Frames 12 to 16 were never taken; what is left moves by 2 pixels a frame."""
    frames = moving_square((2, 0), 24, 0)
    numbers = [*range(12), *range(17, 24)]
    write_video(tmp_path / "a.mp4", frames[numbers], numbers)
    options = LabelOptions(flow_method="dis", frame_stride=3, past_frames=2)
    found = extract_samples(tmp_path / "a.mp4", options)
    # The window of sample 9 is frames 9 to 12 of those that are there.
    assert found.frame_indices.tolist() == [0, 3, 6, 12, 15]
    assert (found.num_gap, found.num_cut, found.num_duplicate) == (1, 0, 0)
    for flow in found.flow:
        motion = np.median(flow[8:12, 9:12], axis=(0, 1))
        np.testing.assert_allclose(motion, [4, 0], atol=0.4)
    unknown = np.isnan(found.past_flow).all(axis=(1, 2, 3))
    assert unknown.tolist() == [True, False, False, True, False]


def test_dense_flow_is_the_mean_of_its_blocks(tmp_path):
    write_avi(tmp_path / "a.avi", moving_square((2, 0), 4, 0))
    options = LabelOptions(flow_method="dis", store_dense_flow=100)
    found = extract_samples(tmp_path / "a.avi", options)
    assert found.dense_flow.shape == (1, 100, 100, 2)
    assert found.dense_flow.dtype == np.float16
    # A cell of the coarse grid is five by five cells of the dense one.
    dense = found.dense_flow.astype(np.float32).reshape(1, 20, 5, 20, 5, 2)
    np.testing.assert_allclose(dense.mean(axis=(2, 4)), found.flow, atol=5e-3)


def test_a_sequence_holds_the_labels_of_the_frames_that_follow(tmp_path):
    write_avi(tmp_path / "a.avi", moving_square((2, 1), 12, 0))
    options = LabelOptions(flow_method="dis", frame_stride=2, store_dense_flow=40)
    plain = extract_samples(tmp_path / "a.avi", options)
    assert plain.later_flow.shape == (5, 0, 20, 20, 2)
    # Three steps of two frames, the last looks three frames ahead: 4 + 3 + 1 = 8.
    options = dataclasses.replace(options, sequence_length=3)
    found = extract_samples(tmp_path / "a.avi", options)
    assert found.frame_indices.tolist() == [0, 2, 4]
    np.testing.assert_array_equal(found.flow, plain.flow[:3])
    for i in range(3):
        for step in (1, 2):
            later = plain.flow[i + step].astype(np.float16)
            np.testing.assert_array_equal(found.later_flow[i, step - 1], later)
            later = plain.dense_flow[i + step]
            np.testing.assert_array_equal(found.later_dense_flow[i, step - 1], later)


@pytest.mark.parametrize(
    "average, flow_frames, step_frames, window_frames",
    [
        ("anchored", 3, 2, 12),  # (1 + 2 + 3) / 3 = 2; 4 steps of 2, then 3 + 1 frames
        ("anchored", 1, 1, 6),
        ("consecutive", 3, 1, 8),
        ("velocity", 3, 1, 8),
    ],
)
def test_how_long_a_step_is(average, flow_frames, step_frames, window_frames):
    options = LabelOptions(
        flow_average=average, flow_frames=flow_frames, sequence_length=5
    )
    assert options.step_frames == step_frames
    assert options.window_frames == window_frames


def test_a_moving_camera_is_taken_out(tmp_path):
    # The camera moves left over a still scene by 3 pixels a frame: all goes right.
    scene = texture(0, 240, 320)
    frames = np.array([scene[20:220, 60 - 3 * t : 260 - 3 * t] for t in range(4)])
    write_avi(tmp_path / "a.avi", frames)
    plain = extract_samples(tmp_path / "a.avi", FAST)
    assert np.median(plain.flow[..., 0]) > 5.5  # 2 x 3 pixels
    stabilized = LabelOptions(flow_method="dis", stabilize="homography")
    found = extract_samples(tmp_path / "a.avi", stabilized)
    assert np.abs(found.flow).mean() < 0.05
    np.testing.assert_allclose(found.flow[:, 1:-1, 1:-1], 0, atol=0.2)
    # The mean over one, two and three frames: (3 + 6 + 9) / 3.
    assert abs(found.camera_motion - 6) < 0.2
    assert found.camera_inliers > 0.9
    assert np.isnan(plain.camera_motion)


def test_a_camera_that_cannot_be_followed_is_counted(tmp_path):
    gray = np.full((200, 200, 3), 120, np.uint8)
    write_avi(tmp_path / "a.avi", np.array([gray + 3 * t for t in range(9)]))
    options = LabelOptions(flow_method="dis", stabilize="homography")
    found = extract_samples(tmp_path / "a.avi", options)
    assert (len(found.frames), found.num_unstable) == (0, 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"flow_method": "raft"}, "flow_method 'raft' is none of deepflow"),
        ({"frame_encoding": "webp"}, "none of png, jpeg, raw"),
        ({"jpeg_quality": 101}, "jpeg_quality is 101, expected 100 or less"),
        ({"frame_stride": 0}, "frame_stride is 0"),
        ({"grid_size": 30}, "frame_size 200 is no multiple of grid_size 30"),
        ({"flow_method": "pcaflow", "frame_size": 60}, "pcaflow needs frame_size 72"),
        ({"stabilize": "warp"}, "none of none, homography"),
        ({"duplicates": "keep"}, "none of leave_out, remove"),
        ({"store_dense_flow": 30}, "no multiple of store_dense_flow 30"),
        ({"store_dense_flow": -1}, "store_dense_flow is -1, expected 0 or more"),
    ],
)
def test_options_that_cannot_be(options, message):
    with pytest.raises(InputError, match=message):
        BuildOptions(labels=LabelOptions(**options))
