"""Sound that comes along, read back by another program."""

import av
import numpy as np
import pytest

from motionflow.media import video, video_writer
from motionflow.media.sound import has_sound
from tests.conftest import moving_square
from tests.test_video import ffmpeg

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
