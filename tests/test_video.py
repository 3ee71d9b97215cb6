"""Frames in and out of files."""

import os
import subprocess

import cv2
import imageio_ffmpeg
import numpy as np
import pytest

from motionflow.data import video
from motionflow.errors import InputError
from tests.conftest import moving_square, texture, write_avi


def test_frames_come_in_order_and_in_rgb(tmp_path):
    frames = np.zeros((4, 32, 48, 3), np.uint8)
    frames[..., 0] = 200  # red
    frames[:, :, :, 2] = (np.arange(4) * 50)[:, None, None]
    write_avi(tmp_path / "red.avi", frames)
    read = list(video.iter_frames(tmp_path / "red.avi"))
    np.testing.assert_allclose(read, frames, atol=8)
    assert video.count_frames(tmp_path / "red.avi") == video.FrameCounts(4, 4, -1)


def test_what_is_no_video(tmp_path):
    (tmp_path / "text.avi").write_text("no video")
    for name in ("text.avi", "missing.avi"):
        with pytest.raises(InputError, match="no frame|no file"):
            list(video.iter_frames(tmp_path / name))
        with pytest.raises(InputError, match="no frame|no file"):
            video.count_frames(tmp_path / name)


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.avi")
    with pytest.raises(InputError, match="there is no file"):
        video.count_frames(tmp_path / "pipe.avi")


def test_a_cut_file_gets_a_second_opinion(tmp_path):
    write_avi(tmp_path / "a.avi", moving_square((2, 0), 9, seed=2))
    whole = (tmp_path / "a.avi").read_bytes()
    (tmp_path / "a.avi").write_bytes(whole[: len(whole) // 2])
    counts = video.count_frames(tmp_path / "a.avi")
    assert counts.announced == 9
    assert 3 <= counts.opencv <= 5
    assert abs(counts.pyav - counts.opencv) <= 1


def test_a_title_that_is_no_text_does_no_harm(tmp_path):
    write_avi(tmp_path / "a.avi", moving_square((2, 0), 9, seed=2))
    data = (tmp_path / "a.avi").read_bytes()
    title = b"INAM" + (4).to_bytes(4, "little") + b"\xd3\xff\xd3\x00"
    info = b"LIST" + (len(title) + 4).to_bytes(4, "little") + b"INFO" + title
    start = data.index(b"LIST", data.index(b"hdrl"))  # before the frames
    (tmp_path / "a.avi").write_bytes(data[:start] + info + data[start:])
    assert len(list(video.iter_frames(tmp_path / "a.avi"))) == 9
    # Cut short, so that both decoders are asked.
    whole = (tmp_path / "a.avi").read_bytes()
    (tmp_path / "a.avi").write_bytes(whole[: len(whole) * 2 // 3])
    counts = video.count_frames(tmp_path / "a.avi")
    assert 0 <= counts.pyav <= counts.opencv < counts.announced == 9


def test_more_frames_decide_between_the_decoders():
    assert video.FrameCounts(9, 4, 4).decoder == "opencv"
    assert video.FrameCounts(9, 4, 6).decoder == "pyav"
    assert video.FrameCounts(9, 4, 6).decoded == 6
    assert video.FrameCounts(9, 9, -1).decoder == "opencv"


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_both_decoders_turn_a_film_as_its_header_says(tmp_path, turn):
    video.write_video(tmp_path / "a.mp4", moving_square((4, 0), 3, seed=2), fps=10)
    ffmpeg = [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-loglevel", "error"]
    turned = ["-display_rotation", str(turn), "-i", str(tmp_path / "a.mp4")]
    subprocess.run([*ffmpeg, *turned, "-c", "copy", tmp_path / "b.mp4"], check=True)
    films = [
        np.array(list(video.iter_frames(tmp_path / "b.mp4", decoder)), np.float32)
        for decoder in ("opencv", "pyav")
    ]
    straight = np.array(list(video.iter_frames(tmp_path / "a.mp4")), np.float32)
    expected = np.rot90(straight, turn // 90, axes=(1, 2))
    for film in films:
        assert np.abs(film - expected).mean() < 2


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


@pytest.mark.parametrize("suffix", [".mp4", ".gif"])
def test_write_video_reads_back(tmp_path, suffix):
    frames = moving_square((4, 0), 5, seed=2)
    video.write_video(tmp_path / f"a{suffix}", frames, fps=10)
    capture = cv2.VideoCapture(str(tmp_path / f"a{suffix}"))
    assert round(capture.get(cv2.CAP_PROP_FPS)) == 10
    read = np.array(list(video.iter_frames(tmp_path / f"a{suffix}")))
    assert read.shape == frames.shape
    # Each frame is nearest to its own original.
    for i, frame in enumerate(read.astype(float)):
        assert np.argmin(np.abs(frames - frame).mean(axis=(1, 2, 3))) == i
    assert [p.name for p in tmp_path.iterdir()] == [f"a{suffix}"]


def test_odd_sizes_are_padded(tmp_path):
    video.write_video(tmp_path / "a.mp4", [texture(0, 31, 41)] * 2, fps=5)
    assert next(video.iter_frames(tmp_path / "a.mp4")).shape == (32, 42, 3)


def test_ffmpeg_starts_without_python_code_in_a_fork(tmp_path, monkeypatch):
    """A fork that runs Python beside other threads can hang for ever."""
    started, popen = [], subprocess.Popen

    def recorded(*args, **kwargs):
        started.append(kwargs.get("preexec_fn"))
        return popen(*args, **kwargs)

    monkeypatch.setattr(subprocess, "Popen", recorded)
    video.write_video(tmp_path / "a.mp4", np.zeros((3, 16, 16, 3), np.uint8), 10)
    assert started and set(started) == {None}


def test_write_video_refuses_early_and_leaves_nothing(tmp_path):
    with pytest.raises(InputError, match="must end in .mp4 or .gif"):
        video.write_video(tmp_path / "a.mkv", [], fps=5)
    with pytest.raises(InputError, match="no folder"):
        video.write_video(tmp_path / "none" / "a.mp4", [], fps=5)

    def broken():
        yield texture(0, 32, 32)
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        video.write_video(tmp_path / "a.mp4", broken(), fps=5)
    assert not list(tmp_path.iterdir())
