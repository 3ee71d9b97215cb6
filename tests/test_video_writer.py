"""Films that are written, read back by another program."""

import io
import resource
from fractions import Fraction

import av
import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image

from motionflow.errors import InputError
from motionflow.media import video, video_writer
from tests.conftest import moving_square, texture
from tests.test_video import ffmpeg


@pytest.mark.parametrize("suffix", [".mp4", ".gif"])
def test_it_reads_back(tmp_path, suffix):
    path, frames = tmp_path / f"a{suffix}", moving_square((4, 0), 5, seed=2)
    video_writer.write_video(path, frames, fps=10)
    found, *read = imageio_ffmpeg.read_frames(str(path))
    assert (found["fps"], found["size"]) == (10, (200, 200))
    read = np.array([np.frombuffer(data, np.uint8) for data in read], float)
    # Each frame is nearest to its own original.
    for i, frame in enumerate(read.reshape(frames.shape)):
        assert np.argmin(np.abs(frames - frame).mean(axis=(1, 2, 3))) == i
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_odd_sizes_are_padded(tmp_path):
    video_writer.write_video(tmp_path / "a.mp4", [texture(0, 31, 41)] * 2, fps=5)
    assert next(video.iter_frames(tmp_path / "a.mp4")).shape == (32, 42, 3)


@pytest.mark.parametrize("size, tag", [((480, 640), 6), ((720, 1280), 1)])
def test_colours_survive_and_their_matrix_is_named(tmp_path, size, tag):
    colors = [(220, 0, 0), (0, 220, 0), (0, 0, 220), (128, 128, 128)]
    frames = [np.full((*size, 3), color, np.uint8) for color in colors]
    video_writer.write_video(tmp_path / "a.mp4", frames, fps=5)
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert container.streams.video[0].codec_context.colorspace == tag
    raw = ffmpeg("-i", tmp_path / "a.mp4", "-f", "rawvideo", "-pix_fmt", "rgb24", "-")
    shown = np.frombuffer(raw, np.uint8).reshape(-1, *size, 3)[:, size[0] // 2, 9]
    np.testing.assert_allclose(shown, colors, atol=3)


@pytest.mark.parametrize("fps, count", [(60, 60), (30, 30), (120, 60), (50, 10)])
def test_a_gif_takes_its_time_and_no_frame_is_too_short(fps, count):
    frames = [np.full((8, 8, 3), i, np.uint8) for i in range(count)]
    file = io.BytesIO()
    video_writer.write_gif(file, frames, fps)
    delays, grays = [], []
    with Image.open(file) as image:
        for number in range(image.n_frames):
            image.seek(number)
            delays.append(image.info["duration"])
            grays.append(image.convert("L").getpixel((4, 4)))
    assert min(delays) >= 20
    assert sum(delays) == round(1000 * count / fps)
    # What is shown at a time is the frame of that time, or the one before.
    starts = np.cumsum([0, *delays[:-1]])
    late = starts * fps / 1000 - grays
    assert late.max() < 1.5 and late.min() > -1


def test_it_refuses_early_and_leaves_nothing(tmp_path):
    with pytest.raises(InputError, match="must end in .mp4 or .gif"):
        video_writer.write_video(tmp_path / "a.mkv", [], fps=5)
    with pytest.raises(InputError, match="no folder"):
        video_writer.write_video(tmp_path / "none" / "a.mp4", [], fps=5)

    def broken():
        yield texture(0, 32, 32)
        raise RuntimeError("broken")

    for name in ("a.mp4", "a.gif"):
        with pytest.raises(RuntimeError, match="broken"):
            video_writer.write_video(tmp_path / name, broken(), fps=5)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["a.mp4", "a.gif"])
def test_a_full_disk_costs_no_old_film(tmp_path, name):
    """A limit of the file's size stands for the disk."""
    (tmp_path / name).write_bytes(b"the old film")
    noise = np.random.default_rng(0).integers(0, 255, (3, 96, 96, 3), np.uint8)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (9000, limits[1]))
    try:
        with pytest.raises(InputError, match=f"{name} could not be written: File too"):
            video_writer.write_video(tmp_path / name, noise, fps=5)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (tmp_path / name).read_bytes() == b"the old film"
    assert [p.name for p in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("fps", [93265.6, 1e-4 / 3])
def test_an_absurd_rate_gives_a_film_all_the_same(tmp_path, fps):
    video_writer.write_video(tmp_path / "a.mp4", moving_square((2, 0), 5, seed=0), fps)
    opened = video.open_video(tmp_path / "a.mp4")
    assert opened.num_frames == 5
    assert opened.timing.rate == pytest.approx(fps, rel=0.01)


def test_a_rate_that_is_no_whole_number(tmp_path):
    rate = 30000 / 1001
    frames = moving_square((2, 0), 4, seed=0)
    video_writer.write_video(tmp_path / "a.mp4", frames, rate)
    opened = video.open_video(tmp_path / "a.mp4")
    assert opened.timing.step == pytest.approx(Fraction(1001, 30000), rel=1e-4)
