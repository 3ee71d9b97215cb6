"""The sound of one video for another.

video file --Sound--> packets in an output container, as far as its frames have come

What an MP4 can hold is copied, anything else is encoded as AAC.
"""

import contextlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from motionflow.data.video import open_container

_COPIED = ("aac", "mp3", "mp3float", "ac3", "eac3", "alac", "flac", "opus", "libopus")


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

    Raises:
      InputError: it is no video.
    """
    with open_container(path) as container:
        yield Sound(container, output) if container.streams.audio else None


class Sound:
    """Sound that goes into an output container beside its frames.

    Args:
      source: the container that has it; its video's first frame is second 0.
      output: the container that gets it.
    """

    def __init__(self, source: Any, output: Any):
        (audio,), video = source.streams.audio[:1], source.streams.best("video")
        self._start = (video.start_time or 0) * video.time_base
        self._output = output
        if audio.codec_context.name in _COPIED:
            self._stream = output.add_stream_from_template(audio)
            self._packets = self._copied(source, audio)
        else:
            self._stream = output.add_stream("aac", rate=audio.rate)
            self._packets = self._encoded(source, audio)
        self._next: Any = None

    def play_until(self, time: Fraction) -> None:
        """Puts out what is heard before a time, seconds."""
        while True:
            packet = self._next or next(self._packets, None)
            self._next = packet
            if packet is None or packet.pts * packet.time_base >= time:
                return
            self._output.mux(packet)
            self._next = None

    def _copied(self, source: Any, audio: Any) -> Iterator[Any]:
        for packet in source.demux(audio):
            if packet.pts is not None and self._shift(packet):
                packet.dts = packet.pts
                packet.stream = self._stream
                yield packet

    def _encoded(self, source: Any, audio: Any) -> Iterator[Any]:
        for frame in source.decode(audio):
            if frame.pts is not None and self._shift(frame):
                yield from self._stream.encode(frame)
        yield from self._stream.encode(None)

    def _shift(self, item: Any) -> bool:
        """Counts from the first frame on; tells whether it is heard after that."""
        item.pts -= round(self._start / item.time_base)
        return item.pts >= 0
