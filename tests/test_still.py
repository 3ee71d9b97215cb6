"""Which frame of a file is played on, and at which size."""

import numpy as np
import pytest
from PIL import Image

from motionflow.errors import InputError
from motionflow.media import still
from tests.conftest import moving_square, texture, write_avi
from tests.test_frame_sequence import nearest, write_video
from tests.test_picture import huge_files


def test_a_picture_is_read_whatever_its_name(tmp_path):
    pixels = texture(0, 20, 30)
    Image.fromarray(pixels).save(tmp_path / "a.avi", "PNG")
    np.testing.assert_array_equal(still.read_still(tmp_path / "a.avi"), pixels)


@pytest.mark.parametrize("name", ["clip.avi", "clip.mp4"])
def test_of_a_video_the_last_frame(tmp_path, name):
    frames = moving_square((3, 0), 6, seed=1)
    write_avi(tmp_path / name, frames)
    last = still.read_still(tmp_path / name).astype(int)
    errors = [np.abs(last - frame).mean() for frame in frames.astype(int)]
    assert np.argmin(errors) == 5


def test_what_comes_before_does_so_without_a_gap(tmp_path):
    numbers = [*range(9), 14, 15, 16]
    frames = moving_square((2, 0), 17, seed=1)
    write_video(tmp_path / "a.mp4", frames[numbers], numbers)
    moment = still.read_moment(tmp_path / "a.mp4")
    assert moment.fps == 25
    assert [nearest(frame, frames) for frame in moment.before] == [14, 15]
    assert nearest(moment.frame, frames) == 16


def test_of_an_animation_the_last_frame(tmp_path):
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert still.read_still(tmp_path / "a.gif")[4, 4].tolist() == [0, 0, 255]


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_a_refused_picture_is_not_tried_as_a_video(tmp_path, suffix, monkeypatch):
    monkeypatch.setattr(still.video, "decode", None)
    (tmp_path / "huge").write_bytes(huge_files()[suffix])
    with pytest.raises(InputError, match="exceeds limit"):
        still.read_still(tmp_path / "huge")


def test_what_is_neither(tmp_path):
    (tmp_path / "note.txt").write_text("no picture")
    with pytest.raises(InputError, match="neither a picture nor a video"):
        still.read_still(tmp_path / "note.txt")
    with pytest.raises(InputError, match="no file"):
        still.read_still(tmp_path / "none.png")


def test_a_heic_photo_is_told_from_damage(tmp_path):
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    with pytest.raises(InputError, match="is a HEIC photo, .* save it as JPEG"):
        still.read_still(tmp_path / "a.heic")


def test_the_longer_side_is_bounded():
    frame = texture(0, 30, 60)
    assert still.bound_size(frame, 60) is frame
    assert still.bound_size(frame, 0) is frame
    # Halved: each pixel is the mean of four.
    mean = frame.reshape(15, 2, 30, 2, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(still.bound_size(frame, 30), mean, atol=0.51)
    assert still.bound_size(frame.transpose(1, 0, 2), 30).shape == (30, 15, 3)
    assert still.bound_size(texture(0, 2, 500), 50).shape == (1, 50, 3)
