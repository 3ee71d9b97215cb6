"""The flow of the frames before a sample, from videos to training batches."""

import dataclasses

import cv2
import numpy as np
import pytest
import tensorflow as tf

from motionflow.data import finishing, pipeline
from motionflow.data.augmentation import NUM_DRAWS, Augmentation
from motionflow.data.builder import build_data_dir
from motionflow.data.data_dir import open_data_dir
from motionflow.errors import InputError
from motionflow.labels.options import BuildOptions, LabelOptions
from motionflow.labels.samples import extract_samples
from tests.conftest import moving_square, write_avi

PAST = LabelOptions(flow_method="dis", past_frames=2, frame_stride=2)


def test_the_past_of_a_steady_motion_is_its_label(tmp_path):
    # (2, -1) pixels a frame; a label amounts to two frames of it, whatever the gap.
    write_avi(tmp_path / "a.avi", moving_square((2, -1), 9, 0))
    for num in (1, 2, 3):
        options = dataclasses.replace(PAST, past_frames=num)
        past = extract_samples(tmp_path / "a.avi", options).past_flow
        # Of the samples 0, 2 and 4 those with so many frames before.
        known = np.isfinite(past).all(axis=(1, 2, 3))
        assert known.tolist() == [False, num <= 2, True]
        inside = past[-1, 8:11, 10:12].mean(axis=(0, 1))
        np.testing.assert_allclose(inside, [4, -2], atol=0.25)
        np.testing.assert_allclose(past[-1, 1], 0, atol=0.2)


def test_a_motion_that_turned_is_another_past(tmp_path):
    there = moving_square((3, 0), 5, 0)
    write_avi(tmp_path / "a.avi", np.concatenate([there, there[-2::-1]]))
    found = extract_samples(tmp_path / "a.avi", PAST)
    turn = found.frame_indices.tolist().index(4)
    middle = (turn, slice(9, 12), slice(9, 12))
    assert found.flow[middle].mean(axis=(0, 1))[0] == pytest.approx(-6, abs=0.4)
    assert found.past_flow[middle].mean(axis=(0, 1))[0] == pytest.approx(6, abs=0.4)


@pytest.mark.parametrize("stabilize", ["none", "homography"])
def test_samples_are_the_same_with_and_without(tmp_path, stabilize):
    write_avi(tmp_path / "a.avi", moving_square((2, 1), 10, 0))
    options = dataclasses.replace(PAST, stabilize=stabilize)
    found = [
        vars(extract_samples(tmp_path / "a.avi", one))
        for one in (options, dataclasses.replace(options, past_frames=0))
    ]
    assert found[0].pop("past_flow").shape == (4, 20, 20, 2)
    assert found[1].pop("past_flow").shape == (4, 0, 0, 2)
    for name, values in found[0].items():
        np.testing.assert_array_equal(values, found[1][name], err_msg=name)


def test_a_cut_or_a_duplicate_before_a_sample_hides_its_past(tmp_path):
    frames = moving_square((3, 0), 12, 0)
    other = np.concatenate([255 - moving_square((3, 0), 4, 50), frames])
    again = np.concatenate([frames[:4], frames[3:]])
    for name, video, broken in (("cut", other, {4, 5}), ("duplicate", again, {4, 5})):
        write_avi(tmp_path / f"{name}.avi", video)
        options = dataclasses.replace(PAST, frame_stride=1)
        found = extract_samples(tmp_path / f"{name}.avi", options)
        known = np.isfinite(found.past_flow).all(axis=(1, 2, 3))
        indices = found.frame_indices
        assert broken <= set(indices.tolist())
        assert set(indices[~known].tolist()) - {0, 1} == broken


def test_a_duplicate_that_is_removed_hides_nothing(tmp_path):
    frames = moving_square((3, 0), 12, 0)
    write_avi(tmp_path / "a.avi", np.concatenate([frames[:4], frames[3:]]))
    options = dataclasses.replace(PAST, duplicates="remove")
    found = extract_samples(tmp_path / "a.avi", options)
    assert np.isfinite(found.past_flow[1:]).all()


def test_a_camera_that_cannot_be_followed_hides_the_past(tmp_path):
    # The past spans frames without a single corner; the sample's own window has them.
    frames = moving_square((2, 0), 10, 0)
    frames[:4] = cv2.GaussianBlur(frames[0], (0, 0), 60)
    write_avi(tmp_path / "a.avi", frames)
    options = dataclasses.replace(PAST, stabilize="homography", frame_stride=1)
    found = extract_samples(tmp_path / "a.avi", options)
    place = found.frame_indices.tolist().index(5)
    assert np.isnan(found.past_flow[place]).all()


def test_bad_past_frames():
    with pytest.raises(InputError, match="past_frames is -1"):
        LabelOptions(past_frames=-1)


@pytest.fixture(scope="module")
def data(tiny_videos, tmp_path_factory):
    folder = tmp_path_factory.mktemp("past")
    labels = dataclasses.replace(PAST, frame_stride=1)
    build_data_dir(tiny_videos, folder, BuildOptions(num_clusters=5, labels=labels))
    return open_data_dir(folder)


def test_records_keep_the_past(data):
    assert data.labels.past_frames
    batches = pipeline.evaluation_batches(data.view(past=True), "train", 64)
    batch = next(batches.as_numpy_iterator())
    known = np.isfinite(batch["past_flow"]).all(axis=(1, 2, 3))
    # Each clip of 8 frames has the samples 0 to 4; 0 and 1 have no two frames before.
    np.testing.assert_array_equal(known, batch["frame_index"] >= 2)
    # Steady motions: where the past is known it is nearly the label.
    inside = (known, slice(9, 11), slice(9, 11))
    difference = batch["past_flow"][inside] - batch["flow"][:, 0][inside]
    assert np.abs(difference.mean(axis=(1, 2))).max() < 0.5


def test_a_directory_without_the_past_says_how_to_keep_it(data):
    plain = dataclasses.replace(data, labels=LabelOptions())
    with pytest.raises(InputError, match="--past_frames=2"):
        plain.view(past=True)


@pytest.mark.parametrize(
    ("mirrored", "min_crop"), [(True, 1.0), (False, 0.6), (True, 0.6)]
)
def test_mirror_and_crop_carry_the_past_along(mirrored, min_crop):
    """A frame that is changed, moved back by its past, is the changed frame before.

    The whole picture turns and grows about its middle: an affine flow, which stays
    exact. Where the frame of two steps before shows a place is known in closed form.
    """
    size, grid = 200, 20
    matrix = np.array([[0.02, -0.05], [0.05, 0.02]])  # pixels of flow a pixel
    y, x = np.mgrid[:size, :size].astype(np.float64)
    earlier = np.stack([x, y, 0 * x], axis=-1)  # each pixel says where it was
    now = np.stack([x, y], axis=-1) - (np.stack([x, y], -1) - 99.5) @ matrix.T
    now = np.concatenate([now, 0 * x[..., None]], axis=-1)
    centers = np.stack(np.meshgrid(*2 * [np.arange(grid) * 10 + 4.5]), axis=-1)
    past = ((centers - 99.5) @ matrix.T).astype(np.float32)
    draws = np.array([[0.0 if mirrored else 0.9, 0.2, 0.3, 0.8, *[0.5] * 20]])
    draws = tf.constant(draws[:, :NUM_DRAWS], tf.float32)
    # Coordinates as brightness: 0..255 holds them, and resampling is linear.
    samples = {
        "frames": tf.constant(now[None], tf.float32),
        "flow": tf.constant(2 * past[None, None]),
        "past_flow": tf.constant(past[None]),
    }
    options = Augmentation(mirror=True, min_crop=min_crop)
    view = Anything()
    frames, flow, moved = finishing.augment_samples(view, samples, draws, options)
    before = samples | {"frames": tf.constant(earlier[None], tf.float32)}
    before, _, _ = finishing.augment_samples(view, before, draws, options)
    np.testing.assert_allclose(flow[:, 0], 2 * moved, atol=1e-5)
    # At a cell's middle: the earlier frame, read where the place came from.
    for row, column in ((5, 5), (10, 14), (15, 8)):
        place = np.array([column * 10 + 4.5, row * 10 + 4.5])
        come_from = place - moved.numpy()[0, row, column]
        seen = _read(frames.numpy()[0], place)
        np.testing.assert_allclose(_read(before.numpy()[0], come_from), seen, atol=0.05)


class Anything:
    """What `augment_samples` asks of a data directory."""

    labels = LabelOptions()
    dense, past = False, True


def _read(image, place):
    """Bilinear: image [H, W, 3] at (x, y)."""
    (x, y), (i, j) = place, np.floor(place).astype(int)
    a, b = x - i, y - j
    top = (1 - a) * image[j, i] + a * image[j, i + 1]
    return (1 - b) * top + b * ((1 - a) * image[j + 1, i] + a * image[j + 1, i + 1])


def test_an_unknown_past_stays_unknown():
    samples = {
        "frames": tf.zeros([2, 40, 40, 3]),
        "flow": tf.ones([2, 1, 4, 4, 2]),
        "past_flow": tf.stack([tf.fill([4, 4, 2], np.nan), tf.ones([4, 4, 2])]),
    }
    draws = tf.fill([2, NUM_DRAWS], 0.3)
    options = Augmentation(mirror=True, min_crop=0.6)
    _, _, past = finishing.augment_samples(Anything(), samples, draws, options)
    assert np.isnan(past[0]).all() and np.isfinite(past[1]).all()


def test_frames_are_kept_as_without(data, tiny_videos, tmp_path):
    labels = dataclasses.replace(PAST, frame_stride=1, past_frames=0)
    build_data_dir(tiny_videos, tmp_path, BuildOptions(num_clusters=5, labels=labels))
    with_past, without = (
        next(pipeline.evaluation_batches(one, "test", 9).as_numpy_iterator())
        for one in (data, open_data_dir(tmp_path))
    )
    for name, values in without.items():
        np.testing.assert_array_equal(values, with_past[name], err_msg=name)
