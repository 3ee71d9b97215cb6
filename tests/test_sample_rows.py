"""Rows of pictures and videos of the page, by hand-worked values."""

import base64
import io

import imageio.v2 as imageio
import numpy as np
import pytest
from PIL import Image

from motionflow.labels.codebook import Codebook
from motionflow.report import sample_rows
from tests.conftest import texture

SIZE = 40


def content(uri, kind):
    head, encoded = uri.split(",")
    assert head == f"data:{kind};base64"
    return base64.b64decode(encoded)


def pixels(picture):
    with Image.open(io.BytesIO(content(picture.uri, "image/webp"))) as image:
        assert image.size == (picture.width, picture.height)
        return np.asarray(image.convert("RGB")).astype(int)


def make_samples():
    """Two frames; the lower left cell of the first moves 3 right and 4 down."""
    flow = np.zeros([2, 2, 2, 2], np.float32)
    flow[0, 1, 0] = (3, 4)
    return {
        "frames": np.stack([texture(i, SIZE, SIZE) for i in range(2)]),
        "flow": flow,
        "prediction": flow / 2,
        "codes": np.array([[0, 0, 1, 0], [0, 0, 0, 0]]),
        "action": np.array([b"walk", b""]),
        "clip": np.array([b"a.avi", b"b.avi"]),
        "frame_index": np.array([5, 10]),
    }


def test_overlay_row_says_how_far_off_it_is():
    moving, still = sample_rows.overlay_rows(make_samples(), zero_index=0)
    assert moving.title == "walk, frame 5" and still.title == "b.avi, frame 10"
    # (3, 4) is 5 long; half of it is predicted.
    assert moving.note == "EPE where it moves 2.50 px, of the zero flow 5.00 px"
    assert moving.captions == ("frame", "true, 5.0 px", "predicted, 2.5 px")
    assert still.note == "nothing moves"
    frame, true, predicted = map(pixels, moving.pictures)
    changed = np.abs(true - frame).mean(axis=-1) > 20
    assert changed[SIZE // 2 + 4 :, : SIZE // 2 - 4].mean() > 0.9
    assert changed[: SIZE // 2 - 4].mean() == 0
    # On the scale of the truth, half the length is half as opaque.
    corner = np.s_[SIZE // 2 + 4 : -4, 4 : SIZE // 2 - 4]
    strong, pale = (np.abs(p[corner] - frame[corner]).mean() for p in (true, predicted))
    assert pale == pytest.approx(strong / 2, rel=0.1)


def test_first_overlay_is_larger_and_without_the_frame():
    row = sample_rows.first_overlay(make_samples(), zero_index=0)
    assert row.title == "walk, frame 5"
    assert [p.alt for p in row.pictures] == [
        "True flow: walk, frame 5",
        "Predicted flow: walk, frame 5",
    ]
    assert {(p.width, p.height) for p in row.pictures} == {(400, 400)}
    assert row.captions == ("true, 5.0 px", "predicted, 2.5 px")


def test_clustering_shows_what_the_codes_stand_for():
    codebook = Codebook(np.float32([[0, 0], [3, 2]]))
    rows = sample_rows.clustering_rows(make_samples(), codebook)
    # (3, 2) for (3, 4) is 2 off in one of four cells.
    assert rows[0].note == "codes are 0.50 px off, mean over all cells"
    assert rows[0].captions == ("frame", "flow, 2x2", "2 codes, 2x2")
    assert rows[1].note == "codes are 0.00 px off, mean over all cells"
    # A dense flow of which only one quarter of the cell moves.
    dense = np.zeros([2, 4, 4, 2], np.float32)
    dense[0, 2, 0] = (3, 4)
    samples = make_samples() | {"dense_flow": dense}
    row = sample_rows.clustering_rows(samples, codebook)[0]
    assert row.captions[1] == "flow, 4x4"
    frame, before, after = map(pixels, row.pictures)
    change = [(np.abs(p - frame).mean(axis=-1) > 20).mean() for p in (before, after)]
    assert change[0] == pytest.approx(1 / 16, abs=0.02)
    assert change[1] == pytest.approx(1 / 4, abs=0.03)


def test_films_show_both_motions_side_by_side():
    samples = make_samples()
    flow = np.zeros([2, 2, 2, 2], np.float32)
    flow[0], flow[1] = (1, 0), (0, 2)  # the second moves more
    samples |= {"flow": flow, "prediction": np.zeros_like(flow)}
    (one,) = sample_rows.films(samples, 1)
    assert one.title == "b.avi, frame 10"
    film = imageio.mimread(content(one.uri, "video/mp4"), format="mp4")
    assert len(film) == 6 + 1 + 5 * 3 + 6
    first, last = film[0].astype(int), film[-1].astype(int)
    assert first.shape == (SIZE, 2 * SIZE + 4, 3)
    frame = samples["frames"][1].astype(int)
    left, right = np.s_[:, : SIZE - 4], np.s_[:, SIZE + 8 :]
    for start in (first, film[6].astype(int), pixels(one.still)):
        assert np.abs(start[left] - frame[left]).mean() < 8
        assert np.abs(start[right] - frame[:, 4:]).mean() < 8
    # The prediction is that all stands still; really it is five steps of 2 down.
    assert np.abs(last[left] - frame[left]).mean() < 8
    assert np.abs(last[right][14:] - frame[4:-10, 4:]).mean() < 12
    assert [c.title for c in sample_rows.films(samples, 3)][1] == "walk, frame 5"


class MovesRight:
    """A predictor: everything moves two pixels right."""

    frame_size = SIZE

    def __call__(self, frames):
        return {"flow": np.broadcast_to(np.float32([2, 0]), (len(frames), 4, 4, 2))}


def test_clips_start_with_the_frame_and_go_on():
    samples = make_samples()
    clips = sample_rows.play(MovesRight(), samples, 4)
    assert [clip.title for clip in clips] == ["walk, frame 5", "b.avi, frame 10"]
    for clip, frame in zip(clips, samples["frames"], strict=True):
        assert np.abs(pixels(clip.still) - frame).mean() < 6
        played = imageio.mimread(content(clip.uri, "video/mp4"), format="mp4")
        assert len(played) == 1 + 5 * 5
        assert np.abs(played[0].astype(int) - frame).mean() < 8
        # Five times two pixels right, away from the border.
        moved = played[-1][:, 20:-4].astype(int)
        assert np.abs(moved - frame[:, 10:-14]).mean() < 12
