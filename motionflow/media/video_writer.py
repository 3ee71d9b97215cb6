"""RGB frames to a video file.

frames --write_video--> MP4 (H.264) or endless GIF, whole or not there

An MP4 holds the colour matrix that players assume of its size, and the tags that name
it: BT.709 of high definition, BT.601 of what is smaller. The sound of another file can
come along: what an MP4 can hold is copied, anything else is encoded as AAC. Sound that
is damaged or unknown never stops a film: what is lost is said.
"""

import contextlib
import logging
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import IO, Any

import numpy as np
from PIL import Image

from motionflow.files import drafts
from motionflow.files.outputs import check_file
from motionflow.media.video import open_container

VIDEO_OUTPUTS = (".mp4", ".gif")
_QUALITY = {"crf": "10"}  # of x264: hardly to be told from the original
_TICKS = {"movie_timescale": "90000"}  # a film of a millisecond would be empty
# Matrix, primaries and transfer by ITU-T H.273.
_HD = {"colorspace": 1, "color_primaries": 1, "color_trc": 1}
_SD = {"colorspace": 6, "color_primaries": 6, "color_trc": 6}
_GIF_SHORTEST = 2  # hundredths of a second; players show what is shorter as ten
_COPIED = ("aac", "mp3", "mp3float", "ac3", "eac3", "alac", "flac", "opus", "libopus")
# AAC's, by their number of channels; another number is mixed to two.
_LAYOUTS = {1: "mono", 3: "3.0", 4: "4.0", 5: "5.0", 6: "5.1", 8: "7.1"}
_LOG = logging.getLogger(__name__)


def write_video(
    path: str | Path,
    frames: Iterable[np.ndarray],
    fps: float,
    mark: str = "",
    sound_of: str | Path | None = None,
) -> None:
    """Writes an MP4 (H.264) or an endless GIF; it appears whole or not at all.

    A GIF of more than 50 frames a second leaves some out, for players show it slower.

    Args:
      path: ends in .mp4 or .gif.
      frames: uint8 [H, W, 3] RGB each, all of one size; MP4 pads odd sizes to even.
      fps: frames a second.
      mark: who made it, see `files.outputs`.
      sound_of: a video whose sound, if it has any, an MP4 gets, from the time of its
        first frame on.

    Raises:
      InputError: see `check_output`, or it could not be written.
    """
    check_output(path)
    path = Path(path)
    with drafts.draft(path) as draft, draft.open("wb") as file:
        if path.suffix.lower() == ".gif":
            write_gif(file, frames, fps, mark)
        else:
            write_mp4(file, frames, fps, mark, sound_of)


def check_output(path: str | Path) -> None:
    """Refuses what `write_video` cannot write.

    Raises:
      InputError: another suffix, or see `outputs.check_file`.
    """
    check_file(path, VIDEO_OUTPUTS)


def write_mp4(
    file: IO[bytes],
    frames: Iterable[np.ndarray],
    fps: float,
    mark: str = "",
    sound_of: str | Path | None = None,
) -> None:
    """Writes an MP4 into a file that can seek; see `write_video`."""
    import av

    # Containers count in 32 bits.
    rate = Fraction(fps).limit_denominator(min(2**16, max(1, int(2**30 / fps))))
    with contextlib.ExitStack() as stack:
        container = av.open(file, "w", format="mp4", options=_TICKS)
        stack.enter_context(container)
        container.metadata["comment"] = mark
        stream: Any = container.add_stream("libx264", rate, options=_QUALITY)
        sound = None
        if sound_of:
            sound = stack.enter_context(open_sound(sound_of, container))
        for number, pixels in enumerate(frames):
            if not number:
                _set_up(stream, pixels.shape[0], pixels.shape[1])
            frame = _to_yuv(pixels, stream)
            frame.pts, frame.time_base = number, 1 / rate
            container.mux(stream.encode(frame))
            if sound:
                sound.play_until((number + 1) / rate)
        container.mux(stream.encode(None))


def _set_up(stream: Any, height: int, width: int) -> None:
    codec = stream.codec_context
    codec.width, codec.height = width + width % 2, height + height % 2
    codec.pix_fmt, codec.color_range = "yuv420p", 1
    # As players tell what has no tag.
    tags = _HD if codec.width >= 1280 or codec.height > 576 else _SD
    for name, value in tags.items():
        setattr(codec, name, value)


def _to_yuv(pixels: np.ndarray, stream: Any) -> Any:
    import av

    codec = stream.codec_context
    rows, columns = codec.height - pixels.shape[0], codec.width - pixels.shape[1]
    if rows or columns:
        pixels = np.pad(pixels, ((0, rows), (0, columns), (0, 0)), mode="edge")
    return av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels)).reformat(
        format=codec.pix_fmt,
        dst_colorspace="ITU709" if codec.colorspace == 1 else "ITU601",
        dst_color_range="MPEG",
        interpolation="BICUBIC",
    )


def write_gif(
    file: IO[bytes], frames: Iterable[np.ndarray], fps: float, mark: str = ""
) -> None:
    """Writes an endless GIF; see `write_video`."""
    if fps > 100 / _GIF_SHORTEST:
        _LOG.warning("remark: a GIF shows 50 of %g frames a second at most", fps)
    first, *others = _gif_frames(frames, fps)
    first.save(
        file, "GIF", save_all=True, append_images=others, loop=0, comment=mark.encode()
    )


def _gif_frames(frames: Iterable[np.ndarray], fps: float) -> Iterator[Image.Image]:
    """Those that are far enough from the one before; each says how long it is shown."""
    shown, since, until = None, 0, 0
    for number, pixels in enumerate(frames):
        now, until = (round(100 * (number + i) / fps) for i in (0, 1))
        if shown is not None:
            if now - since < _GIF_SHORTEST:
                continue
            shown.info["duration"] = 10 * (now - since)
            yield shown
        shown, since = Image.fromarray(pixels), now
    if shown is not None:
        shown.info["duration"] = 10 * max(_GIF_SHORTEST, until - since)
        yield shown


def has_sound(path: str | Path) -> bool:
    """Whether a video file has sound; InputError where it is no video."""
    with open_container(path) as container:
        return bool(container.streams.audio)


@contextlib.contextmanager
def open_sound(path: str | Path, output: Any) -> Iterator["Sound | None"]:
    """Opens the sound of a video, if it has any; says in the end what is not kept."""
    with open_container(path) as container:
        num_tracks = len(container.streams.audio)
        if not num_tracks:
            yield None
            return
        sound = Sound(container, output)
        yield sound
    if not sound.num_packets:
        _LOG.warning("remark: the sound of %s is not kept: it cannot be read", path)
    elif sound.num_lost:
        text = "remark: %d packets of the sound of %s could not be decoded"
        _LOG.warning(text, sound.num_lost, path)
    if num_tracks > 1:
        text = "remark: of the %d sound tracks of %s one is kept"
        _LOG.warning(text, num_tracks, path)


class Sound:
    """Sound that goes into an output container beside its frames.

    Attributes:
      num_packets: what was put out.
      num_lost: packets that could not be decoded.
    """

    def __init__(self, source: Any, output: Any):
        """Takes two containers; the first frame of the source's video is second 0."""
        self.num_packets = self.num_lost = 0
        self._source, self._output = source, output
        video = source.streams.best("video")
        self._start = (video.start_time or 0) * video.time_base
        self._latest = self._end = Fraction(-(10**9))
        self._next: Any = None
        self._packets: Iterator[Any] = iter(())
        known = [a for a in source.streams.audio if a.codec_context and a.rate]
        if known and known[0].codec_context.name in _COPIED:
            self._stream = output.add_stream_from_template(known[0])
            self._packets = self._copied(known[0])
        elif known:
            self._stream = _add_aac(known[0], output)
            self._packets = self._encoded(known[0])

    def play_until(self, time: Fraction) -> None:
        """Puts out what is heard before a time, seconds."""
        while True:
            packet = self._next or next(self._packets, None)
            self._next = packet
            if packet is None or packet.pts * packet.time_base >= time:
                return
            self._output.mux(packet)
            self.num_packets += 1
            self._next = None

    def _demuxed(self, audio: Any) -> Iterator[Any]:
        from av.error import FFmpegError

        try:
            yield from self._source.demux(audio)
        except FFmpegError:
            self.num_lost += 1

    def _copied(self, audio: Any) -> Iterator[Any]:
        for packet in self._demuxed(audio):
            if packet.pts is not None and self._shift(packet):
                packet.dts = packet.pts
                packet.stream = self._stream
                yield packet

    def _encoded(self, audio: Any) -> Iterator[Any]:
        from av.error import FFmpegError

        for packet in self._demuxed(audio):
            try:
                frames = packet.decode()
            except FFmpegError:
                self.num_lost += 1
                continue
            for frame in frames:
                if frame.pts is not None and self._shift(frame):
                    yield from self._stream.encode(frame)
        yield from self._stream.encode(None)

    def _shift(self, item: Any) -> bool:
        """Counts from the first frame on; tells whether it is heard after that.

        Where stamps begin anew, it goes on as the frames do (see `timing`).
        """
        time = item.pts * item.time_base - self._start
        if time <= self._latest:
            self._start += time - self._end
            time = self._end
        self._latest, self._end = time, time + (item.duration or 1) * item.time_base
        item.pts = round(time / item.time_base)
        return item.pts >= 0


def _add_aac(audio: Any, output: Any) -> Any:
    """A stream of as many channels, at a rate that AAC has."""
    import av

    rates = sorted(av.codec.Codec("aac", "w").audio_rates or [audio.rate])
    rate = next((rate for rate in rates if rate >= audio.rate), rates[-1])
    layout = _LAYOUTS.get(audio.layout.nb_channels, "stereo")
    stream = output.add_stream("aac", rate=rate, layout=layout)
    stream.codec_context.open()  # the container needs it, even if no sound follows
    return stream
