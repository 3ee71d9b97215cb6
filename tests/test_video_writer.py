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
from motionflow.media.video_writer import has_sound
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


# --- sound that comes along, read back by another program --------------------------


PICTURES = ("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=1")


@pytest.mark.parametrize(
    "name, codecs, kept",
    [
        ("a.mp4", ["libx264", "aac"], "aac"),
        ("a.avi", ["mjpeg", "pcm_s16le"], "aac"),
        ("a.mkv", ["libx264", "libmp3lame"], "mp3"),
    ],
)
def test_sound_comes_along(tmp_path, name, codecs, kept):
    """A tone that begins in the middle still does."""
    ffmpeg(
        *("-f", "lavfi", "-i", "testsrc2=s=64x48:r=30"),
        *("-f", "lavfi", "-i", "aevalsrc='gt(t,1)*sin(2764*t)':s=44100", "-t", "2"),
        *("-c:v", codecs[0], "-c:a", codecs[1], tmp_path / name),
    )
    frames = list(video.iter_frames(tmp_path / name))
    out = tmp_path / "out.mp4"
    video_writer.write_video(out, frames, 30, sound_of=tmp_path / name)
    with av.open(str(out)) as container:
        assert container.streams.audio[0].codec_context.name.startswith(kept)
    raw = ffmpeg("-i", out, "-f", "f32le", "-ac", "1", "-ar", "8000", "-")
    sound = np.abs(np.frombuffer(raw, np.float32))
    assert len(sound) == pytest.approx(16000, abs=500)
    assert sound[:7500].max() < 0.1 < 0.5 < sound[8500:15500].max()


def test_sound_ends_with_the_film(tmp_path):
    ffmpeg(
        *("-f", "lavfi", "-i", "testsrc2=s=64x48:r=30"),
        *("-f", "lavfi", "-i", "sine", "-t", "2", tmp_path / "a.mp4"),
    )
    out, frames = tmp_path / "out.mp4", moving_square((2, 0), 15, seed=0)
    video_writer.write_video(out, frames, 30, sound_of=tmp_path / "a.mp4")
    with av.open(str(out)) as container:
        (sound,) = container.streams.audio
        assert float(sound.duration * sound.time_base) == pytest.approx(0.5, abs=0.05)
    video_writer.write_video(out, frames, 30)
    assert has_sound(tmp_path / "a.mp4") and not has_sound(out)


def film_with_sound_of(path):
    """Writes the frames of a video with its sound: (rate, channels, seconds) of it."""
    out = path.with_name("out.mp4")
    video_writer.write_video(out, video.iter_frames(path), 25, sound_of=path)
    assert len(list(video.iter_frames(out))) == len(list(video.iter_frames(path)))
    with av.open(str(out)) as container:
        for sound in container.streams.audio:
            seconds = float(sound.duration * sound.time_base)
            return sound.rate, sound.layout.nb_channels, seconds
    return None


@pytest.mark.parametrize("rate, written", [(192000, 96000), (6000, 7350)])
def test_aac_has_no_such_rate(tmp_path, rate, written):
    sound = ["-f", "lavfi", "-i", f"sine=r={rate}:d=1", "-c:a", "pcm_s16le"]
    ffmpeg(*PICTURES, *sound, tmp_path / "a.mkv")
    assert film_with_sound_of(tmp_path / "a.mkv")[0] == written


def test_channels_are_kept(tmp_path):
    source = "aevalsrc=sin(t)|0|0|0|0|0:d=1"
    sound = ["-f", "lavfi", "-i", source, "-c:a", "pcm_s16le"]
    ffmpeg(*PICTURES, *sound, tmp_path / "a.mkv")
    assert film_with_sound_of(tmp_path / "a.mkv")[1] == 6


@pytest.mark.parametrize("share", [0.5, 1])
def test_damaged_sound_stops_no_film(tmp_path, caplog, share):
    """Packets become noise."""
    sound = ["-f", "lavfi", "-i", "sine=d=1", "-c:a", "dca", "-strict", "-2"]
    ffmpeg(*PICTURES, *sound, tmp_path / "whole.mkv")
    noise = np.random.default_rng(0)
    source, damaged = str(tmp_path / "whole.mkv"), str(tmp_path / "a.mkv")
    with av.open(source) as whole, av.open(damaged, "w") as file:
        streams = [file.add_stream_from_template(stream) for stream in whole.streams]
        for packet in whole.demux():
            copy = packet
            if packet.stream.type == "audio" and noise.random() < share:
                copy = av.Packet(noise.bytes(packet.size))
                copy.pts, copy.dts = packet.pts, packet.dts
                copy.time_base = packet.time_base
            copy.stream = streams[packet.stream.index]
            if packet.size:
                file.mux(copy)
    film_with_sound_of(tmp_path / "a.mkv")
    expected = "cannot be read" if share == 1 else "could not be decoded"
    assert expected in caplog.text


def test_sound_of_an_unknown_kind_is_left_out(tmp_path, caplog):
    sound = ["-f", "lavfi", "-i", "sine=d=1", "-c:a", "libvorbis"]
    ffmpeg(*PICTURES, *sound, tmp_path / "a.mkv")
    content = (tmp_path / "a.mkv").read_bytes().replace(b"A_VORBIS", b"A_XXXXXX")
    (tmp_path / "a.mkv").write_bytes(content)
    assert film_with_sound_of(tmp_path / "a.mkv") is None
    assert "cannot be read" in caplog.text


@pytest.mark.parametrize("codec", ["aac", "mp2"])
def test_sound_whose_stamps_begin_anew_goes_on(tmp_path, codec):
    """Two files that were joined as they are."""
    sound = ["-f", "lavfi", "-i", "sine=d=1", "-c:a", codec]
    ffmpeg(*PICTURES, *sound, tmp_path / "one.ts")
    (tmp_path / "a.ts").write_bytes(2 * (tmp_path / "one.ts").read_bytes())
    _, _, seconds = film_with_sound_of(tmp_path / "a.ts")
    assert seconds == pytest.approx(2, abs=0.1)


def test_a_second_track_is_said(tmp_path, caplog):
    sounds = ["-f", "lavfi", "-i", "sine=d=1", "-f", "lavfi", "-i", "sine=880:d=1"]
    maps = ["-map", "0", "-map", "1", "-map", "2"]
    ffmpeg(*PICTURES, *sounds, *maps, tmp_path / "a.mp4")
    film_with_sound_of(tmp_path / "a.mp4")
    assert "of the 2 sound tracks" in caplog.text
