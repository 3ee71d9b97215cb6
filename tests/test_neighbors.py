"""Nearest training frames: by hand, by a loop, and as a search must behave."""

import numpy as np
import pytest

from motionflow.baselines.neighbors import (
    FrameIndex,
    NearestFrame,
    VotingFrames,
    tiny_images,
)

CENTERS = np.float32([[4, 0], [0, 0], [0, 8]])


def brightness(frames):
    """One number a frame: easy to see who is near."""
    return frames.reshape(len(frames), -1).mean(axis=1, keepdims=True, dtype=np.float32)


def frames_of(*levels):
    return np.stack([np.full((8, 8, 3), level, np.uint8) for level in levels])


def hand_made_index(num_neighbors=20):
    """Four training frames of grey 10, 20, 30, 200; a grid of one cell."""
    flow = np.float32([[1, 0], [2, 0], [3, 0], [0, 9]]).reshape(4, 1, 1, 2)
    codes = np.array([[0], [0], [1], [2]], np.int32)
    vectors = np.float32([[10], [20], [30], [200]])
    return FrameIndex(brightness, vectors, flow, codes, num_neighbors)


def random_index(num_neighbors=20):
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (50, 64, 64, 3)).astype(np.uint8)
    flow = rng.normal(size=(50, 2, 2, 2)).astype(np.float32)
    codes = rng.integers(0, 3, (50, 4))
    index = FrameIndex(tiny_images, tiny_images(frames), flow, codes, num_neighbors)
    return index, frames


def test_the_nearest_frame_by_hand():
    out = NearestFrame(hand_made_index())(frames_of(13, 255, 26))
    np.testing.assert_array_equal(out["flow"][:, 0, 0], [[1, 0], [0, 9], [3, 0]])
    assert out["flow"].shape == (3, 1, 1, 2)
    assert out["probabilities"] is None


def test_three_neighbours_and_the_prior_vote():
    prior = np.array([[0.5, 0.25, 0.25]])
    predict = VotingFrames(hand_made_index(3), prior, CENTERS)
    out = predict(frames_of(13, 199))
    # Grey 13: frames 10, 20, 30 vote 0, 0, 1. Grey 199: 200, 30, 20 vote 2, 1, 0.
    expected = np.array([[2.5, 1.25, 0.25], [1.5, 1.25, 1.25]]) / 4
    np.testing.assert_allclose(out["probabilities"][:, 0], expected)
    # 4 px right times the first column, 8 px down times the last.
    np.testing.assert_allclose(out["flow"][:, 0, 0], [[2.5, 0.5], [1.5, 2.5]])
    assert out["flow"].dtype == out["probabilities"].dtype == np.float32


def test_with_few_training_frames_all_of_them_vote():
    prior = np.array([[0.5, 0.25, 0.25]])
    out = VotingFrames(hand_made_index(), prior, CENTERS)(frames_of(0))
    np.testing.assert_allclose(
        out["probabilities"][0, 0], np.array([2.5, 1.25, 1.25]) / 5
    )


def test_cells_vote_for_themselves():
    index, frames = random_index(num_neighbors=7)
    prior = np.full((4, 3), 1 / 3)
    predict = VotingFrames(index, prior, CENTERS)
    out = predict(frames[:5])
    for b, neighbors in enumerate(index.nearest(frames[:5])):
        for cell in range(4):
            votes = [np.sum(index.codes[neighbors, cell] == c) for c in range(3)]
            expected = (np.array(votes) + 1 / 3) / 8
            np.testing.assert_allclose(out["probabilities"][b, cell], expected, 1e-6)
    np.testing.assert_allclose(out["probabilities"].sum(-1), 1, rtol=1e-6)
    row_1_column_0 = out["probabilities"][:, 2] @ CENTERS
    np.testing.assert_allclose(out["flow"][:, 1, 0], row_1_column_0, rtol=1e-5)


def test_a_training_frame_is_nearest_to_itself():
    index, frames = random_index()
    np.testing.assert_array_equal(index.nearest(frames)[:, 0], np.arange(50))
    np.testing.assert_array_equal(NearestFrame(index)(frames)["flow"], index.flow)


def test_frames_that_differ_by_one_grey_level_are_told_apart():
    # Squares of pixels cancel: neighbours in a clip are this close.
    rng = np.random.default_rng(3)
    base = rng.integers(100, 250, (1, 64, 64, 3)).astype(np.uint8)
    frames = np.concatenate([base + np.uint8(i) for i in range(5)])
    flow = np.zeros((5, 1, 1, 2), np.float32)
    index = FrameIndex(tiny_images, tiny_images(frames), flow, np.zeros((5, 1)))
    np.testing.assert_array_equal(index.nearest(frames)[:, 0], np.arange(5))


def test_the_order_is_that_of_a_loop_over_all_pairs():
    index, frames = random_index()
    queries = np.random.default_rng(9).integers(0, 256, (6, 64, 64, 3)).astype(np.uint8)
    stored = tiny_images(frames).astype(np.float64)
    nearest = index.nearest(queries)
    for query, found in zip(tiny_images(queries), nearest, strict=True):
        distances = [np.sqrt(np.sum((row - query) ** 2)) for row in stored]
        np.testing.assert_array_equal(found, np.argsort(distances)[:20])


@pytest.mark.parametrize("num_neighbors", [1, 3, 19])
def test_fewer_neighbours_are_a_prefix(num_neighbors):
    index, frames = random_index()
    most = index.nearest(frames[::3])
    fewer = random_index(num_neighbors)[0].nearest(frames[::3])
    np.testing.assert_array_equal(fewer, most[:, :num_neighbors])


def test_two_rows_search_a_batch_once_and_the_next_batch_again():
    index, calls = hand_made_index(), []
    index._describe = lambda frames: calls.append(1) or brightness(frames)
    prior = np.array([[0.5, 0.25, 0.25]])
    rows = NearestFrame(index), VotingFrames(index, prior, CENTERS)
    dark, bright = frames_of(12), frames_of(210)
    assert [row(dark)["flow"][0, 0, 0, 1] > 5 for row in rows] == [False, False]
    assert len(calls) == 1
    np.testing.assert_array_equal(rows[0](bright)["flow"][0, 0, 0], [0, 9])
    np.testing.assert_array_equal(rows[0](dark)["flow"][0, 0, 0], [1, 0])
    assert len(calls) == 3


def test_tiny_images_are_means_of_what_they_cover():
    frames = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3)).astype(np.uint8)
    tiny = tiny_images(frames)
    assert tiny.shape == (2, 32 * 32 * 3) and tiny.dtype == np.float32
    blocks = frames.reshape(2, 32, 2, 32, 2, 3).mean(axis=(2, 4)) / 255
    # OpenCV rounds the means to whole grey levels.
    np.testing.assert_allclose(tiny.reshape(2, 32, 32, 3), blocks, atol=0.51 / 255)
