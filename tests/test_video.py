"""What is read of a video file; `benchmarks/video_reading.py` compares many kinds."""

import os
import subprocess

import cv2
import imageio_ffmpeg
import numpy as np
import pytest

from motionflow.errors import InputError
from motionflow.media import video
from motionflow.media.video import turns
from tests.conftest import moving_square, texture, write_avi


def ffmpeg(*arguments):
    """What the program ffmpeg writes to its output."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-v", "error"]
    command += map(str, arguments)
    return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout


def test_frames_come_in_order_and_in_rgb(tmp_path):
    frames = np.zeros((4, 32, 48, 3), np.uint8)
    frames[..., 0] = 200  # red
    frames[:, :, :, 2] = (np.arange(4) * 50)[:, None, None]
    write_avi(tmp_path / "red.avi", frames)
    opened = video.open_video(tmp_path / "red.avi")
    for _ in range(2):  # it can be read again
        np.testing.assert_allclose(list(opened.read()), frames, atol=8)
    assert (opened.num_frames, opened.num_announced, opened.remarks) == (4, 4, [])
    assert opened.timing.rate == 30


@pytest.mark.parametrize("name", ["text.avi", "missing.avi", "list.mp4", "folder"])
def test_what_is_no_video(tmp_path, name):
    (tmp_path / "text.avi").write_text("no video")
    (tmp_path / "list.mp4").write_text("#EXTM3U\nother.mp4")
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="no frame|no file|list of other files"):
        video.open_video(tmp_path / name)


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.avi")
    with pytest.raises(InputError, match="there is no file"):
        video.open_video(tmp_path / "pipe.avi")


def test_a_name_that_is_no_text(tmp_path):
    name = os.fsdecode(b"caf\xe9: %d.avi")
    write_avi(tmp_path / "a.avi", moving_square((2, 0), 3, seed=2))
    (tmp_path / "a.avi").rename(tmp_path / name)
    assert video.open_video(tmp_path / name).num_frames == 3


def test_a_cut_file_gives_what_is_left(tmp_path):
    write_avi(tmp_path / "a.avi", moving_square((2, 0), 9, seed=2))
    whole = (tmp_path / "a.avi").read_bytes()
    (tmp_path / "a.avi").write_bytes(whole[: len(whole) // 2])
    opened = video.open_video(tmp_path / "a.avi")
    assert 3 <= opened.num_frames <= 5
    assert opened.num_announced == 9
    assert "fewer than its container announces" in opened.remarks[-1]


def test_a_title_that_is_no_text_does_no_harm(tmp_path):
    write_avi(tmp_path / "a.avi", moving_square((2, 0), 9, seed=2))
    data = (tmp_path / "a.avi").read_bytes()
    title = b"INAM" + (4).to_bytes(4, "little") + b"\xd3\xff\xd3\x00"
    info = b"LIST" + (len(title) + 4).to_bytes(4, "little") + b"INFO" + title
    start = data.index(b"LIST", data.index(b"hdrl"))  # before the frames
    (tmp_path / "a.avi").write_bytes(data[:start] + info + data[start:])
    assert video.open_video(tmp_path / "a.avi").num_frames == 9


def test_frames_that_a_trim_hides_are_not_missed(tmp_path):
    ffmpeg(
        *("-f", "lavfi", "-i", "testsrc2=s=64x48:r=30", "-frames:v", "30"),
        *("-g", "30", "-c:v", "libx264", tmp_path / "a.mp4"),
    )
    # Copied from a time between key frames on, an edit list hides what is before.
    cut = tmp_path / "b.mp4"
    ffmpeg("-ss", "0.5", "-i", tmp_path / "a.mp4", "-c", "copy", cut)
    opened = video.open_video(cut)
    assert (opened.num_frames, opened.num_announced, opened.remarks) == (15, 15, [])


@pytest.mark.parametrize("name", ["held.mp4", "sound.wmv"])
def test_an_end_that_is_not_the_last_frame_s_lacks_none(tmp_path, name):
    """A last picture that is held for long; sound that is longer than the film."""
    source = ["-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=1"]
    held = ["-c:v", "mpeg4", "-bsf:v", r"setts=duration=if(eq(N\,24)\,5/TB\,DURATION)"]
    sound = ["-f", "lavfi", "-i", "sine=d=5"]
    ffmpeg(*source, *(held if name == "held.mp4" else sound), tmp_path / name)
    opened = video.open_video(tmp_path / name)
    assert (opened.num_frames, opened.num_announced, opened.remarks) == (25, 25, [])


def test_frames_stored_out_of_order_have_ordered_times(tmp_path):
    """AVI stamps say when a frame was stored."""
    ffmpeg(
        *("-f", "lavfi", "-i", "testsrc2=s=64x48:r=30", "-frames:v", "20"),
        *("-c:v", "libx264", "-bf", "3", tmp_path / "a.avi"),
    )
    opened = video.open_video(tmp_path / "a.avi")
    assert (opened.timing.rate, opened.timing.gaps) == (30, frozenset())
    assert (opened.num_frames, opened.num_announced) == (20, 20)


# A picture of 48x32 whose quarters have four colours, in reading order.
QUARTERS = np.array([[(200, 0, 0), (0, 200, 0)], [(0, 0, 200), (200, 200, 200)]])


@pytest.mark.parametrize(
    "option, quarters",
    [
        (["-display_rotation", "0"], QUARTERS),
        (["-display_rotation", "90"], np.rot90(QUARTERS)),
        (["-display_rotation", "180"], np.rot90(QUARTERS, 2)),
        (["-display_hflip"], QUARTERS[:, ::-1]),
        (["-display_vflip"], QUARTERS[::-1]),
    ],
)
def test_a_film_is_turned_and_mirrored_as_its_header_says(tmp_path, option, quarters):
    picture = np.kron(QUARTERS, np.ones((16, 24, 1))).astype(np.uint8)
    cv2.imwrite(str(tmp_path / "a.png"), picture[..., ::-1])
    ffmpeg("-i", tmp_path / "a.png", "-pix_fmt", "yuv420p", tmp_path / "a.mp4")
    ffmpeg(*option, "-i", tmp_path / "a.mp4", "-c", "copy", tmp_path / "b.mp4")
    (frame,) = video.iter_frames(tmp_path / "b.mp4")
    height, width = frame.shape[:2]
    assert (height > width) == (quarters.tolist() == np.rot90(QUARTERS).tolist())
    centres = frame[height // 4 :: height // 2, width // 4 :: width // 2]
    np.testing.assert_allclose(centres, quarters, atol=12)


def test_other_angles_are_turned_by_a_filter():
    """A turn by 30 degrees: cosine and sine as fixed-point numbers."""
    cosine, sine = round(np.sqrt(3) / 2 * 2**16), 2**15
    matrix = (cosine, sine, 0, -sine, cosine, 0, 0, 0, 2**30)
    assert list(turns(matrix)) == ["rotate=30*PI/180"]
    assert list(turns(())) == list(turns((0,) * 9)) == []


def test_colours_are_those_of_the_matrix_that_the_file_names(tmp_path):
    """Green by BT.709 read by BT.601 would be 33 levels off."""
    ffmpeg(
        *("-f", "lavfi", "-i", "color=c=0x00dc00:s=64x48", "-frames:v", "1"),
        *("-vf", "scale=out_color_matrix=bt709,format=yuv420p"),
        *("-colorspace", "bt709", "-c:v", "libx264", tmp_path / "a.mp4"),
    )
    (frame,) = video.iter_frames(tmp_path / "a.mp4")
    np.testing.assert_allclose(frame[24, 32], (0, 220, 0), atol=4)


@pytest.mark.parametrize("shape, width", [("64/45", 102), ("399/400", 72)])
def test_pixels_that_are_no_squares_are_stretched(tmp_path, shape, width):
    """72 * 64 / 45 = 102.4; what an encoder rounded is not stretched."""
    ffmpeg(
        *("-f", "lavfi", "-i", f"testsrc2=s=72x58,setsar={shape}", "-frames:v", "1"),
        *("-c:v", "libx264", tmp_path / "a.mp4"),
    )
    (frame,) = video.iter_frames(tmp_path / "a.mp4")
    assert frame.shape == (58, width, 3)


@pytest.mark.parametrize(
    "shape", [(240, 320), (400, 400), (100, 180), (320, 180), (199, 201)]
)
def test_fit_frame_is_square_and_keeps_the_centre(shape):
    frame = np.zeros((*shape, 3), np.uint8)
    cv2.circle(frame, (shape[1] // 2, shape[0] // 2), min(shape) // 8, (255,) * 3, -1)
    fitted = video.fit_frame(frame, 200)
    assert fitted.shape == (200, 200, 3)
    rows, columns = np.nonzero(fitted[..., 0] > 127)
    assert abs(rows.mean() - 99.5) < 2
    assert abs(columns.mean() - 99.5) < 2
    # The disc's radius is an eighth of the side that becomes 200, so 25; circles stay
    # circles where the aspect is kept.
    assert abs(np.ptp(rows) - 50) < 4
    assert abs(np.ptp(columns) - 50) < 4


def test_a_fitting_frame_is_left_alone():
    frame = texture(0, 200, 200)
    np.testing.assert_array_equal(video.fit_frame(frame, 200), frame)
