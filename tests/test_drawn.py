"""The drawn clips: the truth of their flow, judged by warping and by optical flow."""

import hashlib
import re

import cv2
import numpy as np
import pytest

from motionflow.errors import InputError
from motionflow.media import drawn

pytestmark = pytest.mark.slow

ACTIONS = range(6)  # clips 0..5 show one action each
PATTERN = re.compile(
    r"_(h|u|l|f)_(nm|cm)_np(\d+)_(fr|ba|le|ri)_(goo|med|bad)_(\d+)\.avi$"
)


@pytest.fixture(scope="module")
def clips():
    return [drawn.make_clip(index, seed=3) for index in ACTIONS]


def splat(image, flow):
    """Moves every pixel by its flow: (moved image, how many pixels arrived)."""
    height, width = image.shape[:2]
    y, x = np.mgrid[:height, :width]
    total = np.zeros(image.shape, np.float64)
    weight = np.zeros((height, width, 1))
    left, top = np.floor(x + flow[..., 0]), np.floor(y + flow[..., 1])
    for right in (0, 1):
        for low in (0, 1):
            columns, rows = (left + right).astype(int), (top + low).astype(int)
            share = (1 - abs(x + flow[..., 0] - columns)) * (
                1 - abs(y + flow[..., 1] - rows)
            )
            ok = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
            np.add.at(total, (rows[ok], columns[ok]), share[ok][:, None] * image[ok])
            np.add.at(weight, (rows[ok], columns[ok]), share[ok][:, None])
    return total / np.maximum(weight, 1e-9), weight[..., 0]


def interior(flow, least=1.0):
    """Pixels well inside moving parts: parts' seams and outlines cover and uncover."""
    moving = np.linalg.norm(flow, axis=-1) > least
    seam = np.zeros(moving.shape, bool)
    for axis in (0, 1):
        change = np.abs(np.diff(flow, axis=axis)).max(-1) > 0.25
        pad = [(0, 0), (0, 0)]
        pad[axis] = (1, 0)
        seam |= np.pad(change, pad)
    return moving & ~cv2.dilate(seam.astype(np.uint8), np.ones((7, 7))).astype(bool)


def test_a_clip_is_uint8_and_its_flow_float32(clips):
    assert clips[0].frame(0).shape == (200, 266, 3)
    assert clips[0].frame(0).dtype == np.uint8
    assert clips[0].true_flow(0).shape == (200, 266, 2)
    assert clips[0].true_flow(0).dtype == np.float32
    assert drawn.central_square(clips[0].frame(0)).shape == (200, 200, 3)


@pytest.mark.parametrize("index", ACTIONS)
def test_forward_warping_by_the_flow_gives_the_next_frame(clips, index):
    errors, num_pixels = [], 0
    for t in (6, 18, 30):
        now, then = (clips[index].frame(k).astype(float) for k in (t, t + 1))
        flow = clips[index].true_flow(t)
        moved, weight = splat(now, flow)
        arrived = splat(interior(flow)[..., None].astype(float), flow)[0][..., 0]
        where = (weight > 0.5) & (arrived > 0.99)
        errors.append([((image - then)[where] ** 2).sum() for image in (moved, now)])
        num_pixels += where.sum()
    assert num_pixels > 300
    warped, still = np.sum(errors, axis=0)
    assert warped < 0.15 * still


@pytest.mark.parametrize("index", ACTIONS)
def test_backward_sampling_the_next_frame_gives_this_one(clips, index):
    y, x = np.mgrid[:200, :266].astype(np.float32)
    errors = []
    for t in (6, 18, 30):
        now, then = (clips[index].frame(k).astype(np.float32) for k in (t, t + 1))
        flow = clips[index].true_flow(t)
        sampled = cv2.remap(then, x + flow[..., 0], y + flow[..., 1], cv2.INTER_LINEAR)
        where = interior(flow)
        errors.append([((image - now)[where] ** 2).sum() for image in (sampled, then)])
    sampled, still = np.sum(errors, axis=0)
    assert sampled < 0.15 * still


def test_the_background_has_no_flow_and_stays_as_it_is(clips):
    for clip in clips:
        flow, first, last = clip.true_flow(0), clip.frame(0), clip.frame(39)
        same = (first == last).all(-1)
        assert same.mean() > 0.5
        background = np.uint8(np.clip(clip.background + 0.5, 0, 255))
        bare = (first == background).all(-1)
        assert bare.mean() > 0.5
        assert (flow[bare] == 0).mean() > 0.999  # a textile may match by chance


@pytest.mark.parametrize("index", ACTIONS)
def test_deepflow_finds_the_true_flow(clips, index):
    clip, t = clips[index], 12
    now, then = (
        cv2.cvtColor(drawn.central_square(clip.frame(k)).copy(), cv2.COLOR_RGB2GRAY)
        for k in (t, t + 1)
    )
    found = cv2.optflow.createOptFlow_DeepFlow().calc(now, then, None)
    cells = [
        flow.reshape(20, 10, 20, 10, 2).mean((1, 3)).reshape(-1, 2)
        for flow in (found, drawn.central_square(clip.true_flow(t)))
    ]
    found, true = (flow[np.linalg.norm(cells[1], axis=1) > 0.5] for flow in cells)
    assert len(true) >= 10
    product = np.linalg.norm(found, axis=1) * np.linalg.norm(true, axis=1)
    assert ((found * true).sum(1) / product).mean() > 0.9
    error = np.linalg.norm(found - true, axis=1).mean()
    assert error < 0.4 * np.linalg.norm(true, axis=1).mean()


def test_walkers_walk_to_where_they_face():
    seen = set()
    for index in (0, 12, 24):  # one walker, three times
        clip = drawn.make_clip(index)
        view = PATTERN.search(clip.name).group(4)
        flow = clip.true_flow(20)
        dx = flow[..., 0][np.linalg.norm(flow, axis=-1) > 0.2].mean()
        assert dx > 0.5 if view == "ri" else dx < -0.5
        seen.add(view)
    assert seen == {"le", "ri"}


@pytest.mark.parametrize("index", ACTIONS)
def test_no_two_moments_of_a_motion_look_alike(clips, index):
    # One pose must not leave open what comes next: between any two moments that are
    # at least a sixth of a cycle apart, some part lies 5 pixels off or more.
    figure = clips[index].figures[0]
    tips = []
    for frame in np.arange(24) / 24 * figure.period:
        placements = figure.place(frame)
        tip = [
            figure.to_frame(placed, part.length, 0.0)
            for placed, part in zip(placements, figure.parts.values(), strict=True)
        ]
        tips.append(np.array(tip) - np.mean(tip, axis=0))
    for first in range(24):
        for later in range(first + 4, min(first + 21, 24)):
            apart = np.linalg.norm(tips[first] - tips[later], axis=-1)
            assert apart.max() > 5


@pytest.mark.parametrize("index", ACTIONS)
def test_three_steps_of_flow_join_to_one_of_three_frames(clips, index):
    clip, t = clips[index], 10
    y, x = np.mgrid[:200, :266].astype(np.float32)
    joined = np.zeros((200, 266, 2), np.float32)
    for k in range(3):
        step = clip.true_flow(t + k)
        at = x + joined[..., 0], y + joined[..., 1]
        joined += cv2.remap(step, *at, cv2.INTER_LINEAR)
    true = clip.true_flow(t, gap=3)
    where = interior(true)
    # The median: some inner pixels get hidden by another part on the way.
    error = np.linalg.norm(joined - true, axis=-1)[where]
    assert np.median(error) < 0.02 * np.linalg.norm(true, axis=-1)[where].mean()


def test_a_sixth_of_the_cells_moves_at_a_speed_that_flow_can_follow():
    moving, speeds = [], []
    for index in range(18):
        flow = drawn.central_square(drawn.make_clip(index).true_flow(5 + index))
        speed = np.linalg.norm(flow, axis=-1)
        cells = flow.reshape(20, 10, 20, 10, 2).mean((1, 3))
        moving.append((np.linalg.norm(cells, axis=-1) > 0.25).mean())
        speeds.append(speed[speed > 0.1])
    assert 0.10 < np.mean(moving) < 0.25
    assert 0.8 < np.concatenate(speeds).mean() < 2.5
    assert np.percentile(np.concatenate(speeds), 95) < 6


def test_names_are_those_of_hmdb51_and_sources_stay_together():
    clips = [drawn.make_clip(index) for index in range(31)]
    assert len({clip.name for clip in clips}) == 31
    for clip in clips:
        match = PATTERN.search(clip.name)
        assert clip.name[: match.start()] == f"{clip.source}_{clip.action}"
        assert match.group(2) == "nm"
        assert int(match.group(3)) == len(clip.figures)
    assert {clip.action for clip in clips} == {
        "walk", "punch", "jump", "pushup", "pullup", "wave"
    }  # fmt: skip
    sources = [clip.source for clip in clips]
    assert len(set(sources[:30])) == 12
    assert sources[30] not in sources[:30]
    # One source is one place: the background of its clips is the same.
    assert np.array_equal(clips[0].background, clips[12].background)
    assert not np.array_equal(clips[0].background, clips[6].background)


def digests(paths):
    contents = []
    for path in paths:
        with open(path, "rb") as file:
            contents.append(hashlib.sha256(file.read()).hexdigest())
    return contents


def test_files_are_byte_identical_and_hold_the_frames(tmp_path):
    one = drawn.write_clips(str(tmp_path / "one"), num_clips=2, seed=5)
    two = drawn.write_clips(str(tmp_path / "two"), num_clips=2, seed=5, num_workers=2)
    other = drawn.write_clips(str(tmp_path / "other"), num_clips=1, seed=6)
    assert digests(one) == digests(two)
    assert digests(one)[0] != digests(other)[0]
    assert len(list((tmp_path / "one").rglob("*"))) == 2 * 2  # no partial files stay
    clip, video = drawn.make_clip(1, seed=5), cv2.VideoCapture(one[1])
    for t in range(clip.num_frames):
        read, frame = video.read()
        assert read
        error = frame[..., ::-1].astype(float) - clip.frame(t)
        assert np.abs(error).mean() < 4  # grey levels, after compression
    assert not video.read()[0]


@pytest.mark.parametrize(
    "wrong", [{"num_clips": 0}, {"num_clips": 1, "seed": -1}, {"num_workers": 0}]
)
def test_wrong_numbers_are_refused(tmp_path, wrong):
    with pytest.raises(InputError, match="expected at least"):
        drawn.write_clips(str(tmp_path), **wrong)


def test_an_output_dir_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="Not a directory"):
        drawn.write_clips(str(tmp_path / "file"), num_clips=1)
