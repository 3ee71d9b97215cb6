"""Stabilised flow under cameras whose motion is known, over people large and small."""

import csv
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from motionflow.labels import stabilize
from motionflow.labels.flow import make_flow_function
from motionflow.media.video import fit_frame, iter_frames
from tests.conftest import SIZE, moving_square, texture

MARGIN = 60  # scenery around the frame that a moving camera brings into view
PAN = np.array([[1, 0, 12], [0, 1, -5], [0, 0, 1]], np.float64)
TURN = np.deg2rad(2)
CAMERAS = {
    "pan": PAN,
    "far pan": np.array([[1, 0, -25], [0, 1, 4], [0, 0, 1]], np.float64),
    "roll": np.array(
        [[np.cos(TURN), -np.sin(TURN), 4], [np.sin(TURN), np.cos(TURN), -3], [0, 0, 1]]
    ),
    "zoom": np.array([[1.05, 0, -5], [0, 1.05, -5], [0, 0, 1]]),
    # At x = 200 the depth is 1.04: 200 / 1.04 is 192, so the right edge moves 8 in.
    "perspective": np.array([[1, 0, 0], [0, 1, 0], [2e-4, 0, 1]]),
}


def gray(frames):
    return [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames]


def shoot(homography, square_size=60, square_move=(0, 0)):
    """Two gray frames of a square on scenery, the second by a camera that has moved.

    The square's motion is that of the scene, so it is what a still camera would see.
    """
    scene = texture(1, SIZE + 2 * MARGIN, SIZE + 2 * MARGIN)
    square = texture(2, square_size, square_size)
    frames = []
    for dx, dy in ((0, 0), square_move):
        frame, start = scene.copy(), MARGIN + (SIZE - square_size) // 2
        frame[
            start + dy : start + dy + square_size, start + dx : start + dx + square_size
        ] = square
        frames.append(frame)
    # The second frame's pixel q shows the scene at inverse(H) q.
    offset = np.array([[1, 0, MARGIN], [0, 1, MARGIN], [0, 0, 1]], np.float64)
    first = frames[0][MARGIN:-MARGIN, MARGIN:-MARGIN]
    second = cv2.warpPerspective(
        frames[1],
        offset @ np.linalg.inv(homography),
        (SIZE, SIZE),
        flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
    )
    return gray([first, second])


def project(homography, x, y):
    moved = homography @ (x, y, 1)
    return moved[:2] / moved[2]


@pytest.fixture
def stabilized():
    return stabilize.StabilizedFlow(make_flow_function("dis"))


def test_a_still_camera_changes_nothing_at_all(stabilized):
    first, second = gray(moving_square((3, -2), 2, seed=0))
    plain = make_flow_function("dis")(first, second)
    np.testing.assert_array_equal(stabilized(first, second), plain)
    (camera,) = stabilized.estimates
    np.testing.assert_array_equal(camera.homography, np.eye(3))
    assert camera.motion == 0
    assert camera.trusted
    # The square is 16 % of the frame, and some corners at its edge are lost.
    assert 0.75 < camera.inliers < 0.95


def test_a_camera_that_hardly_moves_counts_as_still(stabilized):
    # A roll of 0.23 degrees: 0.4 px at the sides' middles, 0.57 px in the corners, so
    # that nearly all of the border lies within the half pixel that a point may be off.
    cos, sin = np.cos(0.004), np.sin(0.004)
    center = np.array([[1, 0, 99.5], [0, 1, 99.5], [0, 0, 1]])
    nudge = center @ [[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]] @ np.linalg.inv(center)
    first, second = shoot(nudge, square_move=(4, 2))
    plain = make_flow_function("dis")(first, second)
    np.testing.assert_array_equal(stabilized(first, second), plain)


@pytest.mark.parametrize("name", CAMERAS)
def test_the_cameras_homography_is_found(name):
    homography = CAMERAS[name]
    camera = stabilize.estimate_camera(*shoot(homography, square_move=(4, 2)))
    assert camera.trusted
    for x, y in ((0, 0), (199, 0), (199, 199), (0, 199), (100, 100)):
        np.testing.assert_allclose(
            project(camera.homography, x, y), project(homography, x, y), atol=0.3
        )


def test_motion_is_the_mean_length_in_pixels():
    # Every pixel moves by (12, -5): 13 pixels.
    camera = stabilize.estimate_camera(*shoot(PAN))
    assert camera.motion == pytest.approx(13, abs=0.05)


@pytest.mark.parametrize("name", CAMERAS)
def test_what_is_left_is_the_squares_own_motion(name, stabilized):
    flow = stabilized(*shoot(CAMERAS[name], square_move=(4, 2)))
    np.testing.assert_allclose(
        flow[80:120, 80:120].mean(axis=(0, 1)), [4, 2], atol=0.25
    )
    background = np.ones((SIZE, SIZE), bool)
    background[60:140, 60:140] = False
    assert np.linalg.norm(flow[background], axis=-1).mean() < 0.15


def test_what_has_left_the_frame_stands_still():
    # A pan of 25 to the left: the first frame's columns 0 to 24 are not in the second.
    pairs = []

    def compute(first, second):
        pairs.append((first, second))
        return np.zeros((*first.shape, 2), np.float32)

    stabilize.StabilizedFlow(compute)(*shoot(CAMERAS["far pan"]))
    ((first, second),) = pairs
    np.testing.assert_array_equal(first[:, :20], second[:, :20])
    shown = np.abs(first[10:-10, 30:-5].astype(float) - second[10:-10, 30:-5])
    assert shown.mean() < 2


def test_a_person_that_fills_the_frame_is_not_the_camera(stabilized):
    # 155 x 155 pixels are 60 % of the frame; the camera is what the border does.
    first, second = shoot(np.eye(3), square_size=155, square_move=(3, 0))
    plain = make_flow_function("dis")(first, second)
    np.testing.assert_array_equal(stabilized(first, second), plain)
    assert stabilized.estimates[0].inliers < 0.5


def test_a_camera_that_follows_a_person_moves():
    # The square moves as the pan moves the scene, so it stands still in the picture.
    pan = np.array([[1, 0, 6], [0, 1, 0], [0, 0, 1]], np.float64)
    pair = shoot(pan, square_size=155, square_move=(-6, 0))
    camera = stabilize.estimate_camera(*pair)
    np.testing.assert_allclose(project(camera.homography, 100, 100), (106, 100), atol=1)
    flow = stabilize.StabilizedFlow(make_flow_function("dis"))(*pair)
    np.testing.assert_allclose(flow[60:140, 60:140].mean((0, 1)), [-6, 0], atol=0.5)


def unrelated():
    return gray([texture(1, SIZE, SIZE), texture(2, SIZE, SIZE)])


def featureless():
    return [np.full((SIZE, SIZE), 90, np.uint8)] * 2


def mirrored():
    (frame,) = gray([texture(1, SIZE, SIZE)])
    return [frame, np.ascontiguousarray(frame[:, ::-1])]


def square_on_a_plain_wall(left):
    frames = np.full((2, SIZE, SIZE), 90, np.uint8)
    for frame, shift in zip(frames, (0, 4), strict=True):
        start = left + shift
        frame[left : left + 80, start : start + 80] = gray([texture(2, 80, 80)])[0]
    return list(frames)


def only_a_person():
    return square_on_a_plain_wall(60)


def only_a_person_in_the_corner():
    return square_on_a_plain_wall(0)


def faded_out():
    (frame,) = gray([texture(1, SIZE, SIZE)])
    return [frame, np.zeros_like(frame)]


@pytest.mark.parametrize(
    "pair",
    [
        faded_out,
        unrelated,
        featureless,
        mirrored,
        only_a_person,
        only_a_person_in_the_corner,
    ],
)
def test_no_answer_is_refused_and_recorded(pair, stabilized):
    with pytest.raises(stabilize.UnstableCamera, match="expected 40%"):
        stabilized(*pair())
    assert [camera.trusted for camera in stabilized.estimates] == [False]


@pytest.mark.parametrize(
    ("homography", "sane"),
    [
        (np.eye(3), True),
        (PAN, True),
        (np.diag([1.3, 1.3, 1]), True),
        (np.diag([1.5, 1.5, 1]), False),  # 2.25 times the area
        (np.array([[-1, 0, 199], [0, 1, 0], [0, 0, 1]]), False),  # a mirror
        (np.array([[1, 0, 90], [0, 1, 0], [0, 0, 1]]), True),  # 110 of 200 columns left
        (np.array([[1, 0, 110], [0, 1, 0], [0, 0, 1]]), False),  # 90 left
        (np.array([[1, 0, 0], [0, 1, 0], [-0.01, 0, 1]]), False),  # infinite at x = 100
    ],
)
def test_what_a_camera_can_do(homography, sane):
    assert stabilize._is_sane(homography.astype(np.float64), (SIZE, SIZE)) is sane


def test_the_same_frames_give_the_same_bits():
    pair = shoot(CAMERAS["roll"], square_move=(4, 2))
    once = stabilize.StabilizedFlow(make_flow_function("dis"))
    cv2.setRNGSeed(7)
    flow = once(*pair)
    cv2.setRNGSeed(8)
    again = stabilize.StabilizedFlow(make_flow_function("dis"))
    np.testing.assert_array_equal(again(*pair), flow)
    np.testing.assert_array_equal(
        again.estimates[0].homography, once.estimates[0].homography
    )


def test_a_second_flow_from_the_same_frame_is_that_of_a_new_clip():
    pair, other = shoot(CAMERAS["roll"]), shoot(PAN, square_move=(4, 2))
    turned = [np.ascontiguousarray(frame[::-1]) for frame in other]
    stabilized = stabilize.StabilizedFlow(make_flow_function("dis"))
    flows = []
    for first, second in (pair, (pair[0], other[1]), turned):
        flows.append(stabilized(first, second))
        new = stabilize.StabilizedFlow(make_flow_function("dis"))
        np.testing.assert_array_equal(flows[-1], new(first, second))
    assert np.abs(flows[0] - flows[1]).max() > 1


def test_motion_of_some_pixels_is_that_of_all():
    homography = CAMERAS["perspective"] @ CAMERAS["zoom"]
    for step in (2, 4, 25):
        of_all = stabilize.displacement(homography, (200, 300))
        of_some = stabilize.displacement(homography, (200, 300), step)
        assert of_some.shape == (200 // step, 300 // step, 2)
        np.testing.assert_allclose(of_some.mean((0, 1)), of_all.mean((0, 1)), atol=0.05)


def test_frames_need_not_be_square():
    first, second = shoot(PAN)
    camera = stabilize.estimate_camera(first[20:-20], second[20:-20])
    assert camera.trusted
    np.testing.assert_allclose(project(camera.homography, 50, 50), (62, 45), atol=0.2)


def real_pairs(tag, camera):
    """Gray frames 5 and 8 of ten real clips, by tag and by what was measured."""
    folder = Path(os.environ.get("MOTIONFLOW_SHARED", ""), "clips")
    manifest = folder / "MANIFEST.tsv"
    if not manifest.is_file():
        pytest.skip(f"no {manifest} in the folder of MOTIONFLOW_SHARED")
    with open(manifest, encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    rows = [r for r in rows if tag in r["file"] and r["static_camera"] == camera]
    for row in rows[:40:4]:
        frames = [fit_frame(frame, SIZE) for frame in iter_frames(folder / row["file"])]
        yield gray([frames[5], frames[8]])


def test_real_cameras_that_stand_still():
    cameras = [stabilize.estimate_camera(*p) for p in real_pairs("_nm_", "y")]
    assert len(cameras) == 10
    assert all(camera.trusted for camera in cameras)
    assert sum(camera.motion == 0 for camera in cameras) >= 8


def test_real_cameras_that_move(stabilized):
    dis, before, after = make_flow_function("dis"), [], []
    for first, second in real_pairs("_cm_", "n"):
        try:
            flow = stabilized(first, second)
        except stabilize.UnstableCamera:
            continue
        # Most of the picture is scenery: the camera is what the median pixel does.
        before.append(np.median(np.linalg.norm(dis(first, second), axis=-1)))
        after.append(np.median(np.linalg.norm(flow, axis=-1)))
    assert len(after) >= 6
    assert np.mean(after) < 0.4 * np.mean(before)
