"""Sound that comes along, read back by another program."""

import av
import numpy as np
import pytest

from motionflow.data import video, video_writer
from motionflow.data.sound import has_sound
from tests.conftest import moving_square
from tests.test_video import ffmpeg


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
