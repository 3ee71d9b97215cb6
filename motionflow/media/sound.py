"""The sound of one video for another.

video file --Sound--> packets in an output container, as far as its frames have come

What an MP4 can hold is copied, anything else is encoded as AAC. Sound that is damaged
or unknown never stops a film: what is lost is said.
"""

import contextlib
import logging
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from motionflow.media.video import open_container

_COPIED = ("aac", "mp3", "mp3float", "ac3", "eac3", "alac", "flac", "opus", "libopus")
# AAC's, by their number of channels; another number is mixed to two.
_LAYOUTS = {1: "mono", 3: "3.0", 4: "4.0", 5: "5.0", 6: "5.1", 8: "7.1"}
_LOG = logging.getLogger(__name__)


def has_sound(path: str | Path) -> bool:
    """Whether a video file has sound.

    Raises:
      InputError: it is no video.
    """
    with open_container(path) as container:
        return bool(container.streams.audio)


@contextlib.contextmanager
def open_sound(path: str | Path, output: Any) -> Iterator["Sound | None"]:
    """Opens the sound of a video, if it has any, for an output container.

    In the end it says what is not kept.

    Raises:
      InputError: it is no video.
    """
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

    Args:
      source: the container that has it; its video's first frame is second 0.
      output: the container that gets it.

    Attributes:
      num_packets: what was put out.
      num_lost: packets that could not be decoded.
    """

    def __init__(self, source: Any, output: Any):
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
