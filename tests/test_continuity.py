"""Cuts and duplicates, on frames whose story is known."""

import cv2
import numpy as np
import pytest

from motionflow.media.continuity import is_cut, mark_breaks
from tests.conftest import moving_square, texture


def marks(frames):
    marked = list(mark_breaks(iter(frames)))
    for (frame, _), original in zip(marked, frames, strict=True):
        assert frame is original
    return [mark for _, mark in marked]


@pytest.mark.parametrize("num_frames", range(7))
def test_a_steady_motion_has_no_break(num_frames):
    frames = list(moving_square((2, 0), max(num_frames, 1), 0))[:num_frames]
    assert marks(frames) == [""] * num_frames


def test_a_cut_is_marked_where_the_new_shot_begins():
    frames = [*moving_square((2, 0), 4, 0), *(255 - moving_square((1, 1), 4, 9))]
    assert marks(frames) == ["", "", "", "", "cut", "", "", ""]


def test_a_shift_and_a_flash_are_no_cuts():
    scene = cv2.GaussianBlur(texture(0, 300, 300), (0, 0), 12)
    scene = cv2.normalize(scene, None, 0, 200, cv2.NORM_MINMAX)
    first, moved = scene[:200, :200], scene[:200, 10:210]
    assert not is_cut(first, moved)
    assert not is_cut(first, np.minimum(first + 55, 255).astype(np.uint8))
    assert is_cut(first, 255 - first)
    black, gray = np.zeros_like(first), np.full_like(first, 20)
    assert not is_cut(black, gray)
    assert is_cut(first, black)


def test_an_exact_duplicate():
    frames = list(moving_square((2, 0), 8, 0))
    frames.insert(4, frames[3].copy())
    assert marks(frames) == ["", "", "", "", "duplicate", "", "", "", ""]


def test_a_duplicate_that_was_encoded_again():
    # Every frame twice, with noise of a few levels: film at twice its rate.
    random, scene = np.random.default_rng(0), texture(0, 200, 260)
    frames = []
    for t in range(5):
        frame = scene[:, 5 * t : 5 * t + 200]
        noise = random.integers(-3, 4, frame.shape)
        frames += [frame, np.clip(frame + noise, 0, 255).astype(np.uint8)]
    found = marks(frames)
    # The first change has nothing before it to compare with, the last nothing after.
    assert found[2:-1] == ["", "duplicate"] * 3 + [""]


def test_a_still_scene_with_noise_has_no_duplicates():
    random = np.random.default_rng(0)
    scene = texture(0, 200, 200)
    frames = [
        np.clip(scene + random.integers(-3, 4, scene.shape), 0, 255).astype(np.uint8)
        for _ in range(8)
    ]
    assert marks(frames) == [""] * 8
