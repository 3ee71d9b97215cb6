"""A video file to RGB frames, for all who read one.

    video file --open_video--> Video: when its frames were taken, what is lost
    Video.read, iter_frames--> uint8 [H, W, 3] RGB, one at a time, as players show them
    any frame  --fit_frame---> uint8 [size, size, 3]   (the report's section 2)

PyAV decodes. What it refuses is left out, and so are the frames behind it up to the
next that needs no other: they may be built on what is lost.

A frame is shown by the filters that the program ffmpeg uses: `transpose`, `hflip`,
`vflip` or `rotate` by the display matrix, `scale` by the shape of the pixels, and to
RGB by the colour matrix and range that the frame is tagged with.
"""

import collections
import contextlib
import dataclasses
import functools
import math
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from motionflow.errors import InputError
from motionflow.media.timing import Timing

# FFmpeg would open the files that such a list names; a tag of music may stand before.
_SCRIPTS = (b"ffconcat", b"#EXTM3U", b"ID3")
# Brands of HEIF: a large photo is many tiles, and FFmpeg would show one of them.
_HEIF = (b"heic", b"heix", b"heim", b"heis", b"mif1")
# Frames; the last slot of an AVI may be empty, and containers round.
_EMPTY_SLOT = 1.25
# Of a pixel's width: encoders round it, and stretching by a column would only blur.
_ROUNDED = 0.01
_SQUARE = "scale=w='max(1,iw*sar)':h=ih"


@dataclasses.dataclass(frozen=True)
class Video:
    """A video file; it can be read again and again, one frame at a time.

    Attributes:
      path: the file.
      timing: when its frames were taken.
      num_frames: frames that decode, one at least.
      num_announced: frames with those that were lost.
      remarks: what a user should know, one line each.
    """

    path: Path
    timing: Timing
    num_frames: int
    num_announced: int
    remarks: Sequence[str]

    def read(self) -> Iterator[np.ndarray]:
        """Yields the frames, uint8 [H, W, 3] RGB."""
        return iter_frames(self.path)


@dataclasses.dataclass
class Tally:
    """What a pass over a video came across.

    Attributes:
      announced: frames, without those that a trim hides, rate: frames a second, and
        end: seconds, by the container; 0, None, 0 where it does not say.
      lost: what could not be decoded -> how often.
    """

    announced: int = 0
    rate: Fraction | None = None
    end: Fraction = Fraction(0)
    lost: collections.Counter[str] = dataclasses.field(
        default_factory=collections.Counter
    )


def open_video(
    path: str | Path,
    look: Callable[[Callable[[], np.ndarray]], object] = lambda show: None,
) -> Video:
    """Decodes a video once, to find out which frames it has.

    `look` is called at each frame, with a function that gives it.

    Raises:
      InputError: there is no such file, it is no video or holds no frame.
    """
    tally, stamps = Tally(), []
    for stamp, show in decode(path, tally):
        stamps.append(stamp)
        look(show)
    timing = Timing.of(stamps)
    lost = dict(tally.lost)
    if fewer := _num_fewer(stamps, timing, tally):
        lost["frames fewer than its container announces"] = fewer
    return Video(
        path=Path(path),
        timing=timing,
        num_frames=len(stamps),
        num_announced=len(stamps) + sum(lost.values()),
        remarks=[f"{path}: {count} {what}" for what, count in lost.items()],
    )


def _num_fewer(stamps: Sequence[Fraction | None], timing: Timing, tally: Tally) -> int:
    """Frames behind the last one that there is no trace of."""
    left = max(0, tally.announced - len(stamps))
    if not timing.step or (tally.announced and not left):
        return left  # the last one may be shown for long
    known = [stamp for stamp in stamps if stamp is not None]
    # Of an AVI that is cut short the end is what is there, the number is not.
    end = tally.announced / tally.rate if tally.rate else Fraction(0)
    end = max(tally.end, end)
    left = (end - max(known)) / timing.step - 1
    return round(left) if left > _EMPTY_SLOT else 0


def iter_frames(path: str | Path, decoder: str = "pyav") -> Iterator[np.ndarray]:
    """Yields the frames, uint8 [H, W, 3] RGB; `decoder` is of callers of 0.7."""
    return (show() for _, show in decode(path))


def decode(
    path: str | Path, tally: Tally | None = None
) -> Iterator[tuple[Fraction | None, Callable[[], np.ndarray]]]:
    """Yields of each frame its time stamp, and a function that gives the frame.

    The tally is filled on the way. Raises InputError as `open_video` does.
    """
    tally = tally or Tally()
    with open_container(path) as container:
        stream = container.streams.best("video")
        if stream is None:
            raise InputError(f"{path} has no video in it")
        tally.announced, tally.rate = stream.frames, stream.average_rate
        if stream.duration and container.format.name != "asf":
            tally.end = (stream.duration + (stream.start_time or 0)) * stream.time_base
        stream.codec_context.thread_count = 1  # the processes share the cores
        show = Display(stream.sample_aspect_ratio)
        frame = None
        for frame in _good_frames(container, stream, tally):
            stamp = None if frame.pts is None else frame.pts * frame.time_base
            yield stamp, functools.partial(show, frame)
        if frame is None:
            raise InputError(f"{path} holds no frame that can be decoded")


@contextlib.contextmanager
def open_container(path: str | Path) -> Iterator[Any]:
    """Opens a video file by PyAV; InputError where it is none."""
    import av

    check_file(path)
    # Only local files: a playlist that poses as a video must not fetch others.
    arguments: dict[str, Any] = {"options": {"protocol_whitelist": "file"}}
    arguments["file"] = f"file:{path}"
    try:
        try:
            container = av.open(**arguments)
        except UnicodeDecodeError:  # PyAV 18, for a title that is no text
            container = av.open(**arguments | {"metadata_errors": "replace"})
    except av.error.FFmpegError as error:
        raise InputError(f"{path} holds no frame that can be decoded") from error
    with container:
        yield container


def check_file(path: str | Path) -> None:
    """Refuses a file that cannot be read, a list of other files, a HEIC photo."""
    if not Path(path).is_file():  # a pipe would be waited for
        raise InputError(f"there is no file {path}")
    try:
        with open(path, "rb") as file:
            start = file.read(16)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    if start.startswith(_SCRIPTS):
        raise InputError(f"{path} is a list of other files, no video")
    if start[4:8] == b"ftyp" and start[8:12] in _HEIF:
        raise InputError(f"{path} is a HEIC photo, which is not read: save it as JPEG")


def _good_frames(container: Any, stream: Any, tally: Tally) -> Iterator[Any]:
    from av.error import FFmpegError

    is_whole = True
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except FFmpegError:
            packet = None
            tally.lost["times the container itself could not be read on"] += 1
        if packet is None:
            return
        if packet.is_discard and tally.announced:
            tally.announced -= 1
        try:
            frames = packet.decode()
        except MemoryError:
            raise
        except FFmpegError:
            frames, is_whole = [], False
            tally.lost["packets that could not be decoded"] += 1
        for frame in frames:
            is_whole = is_whole or bool(frame.key_frame)
            if is_whole and not frame.is_corrupt:
                yield frame
            else:
                tally.lost["frames left out, as they are built on lost ones"] += 1


def fit_frame(frame: np.ndarray, size: int) -> np.ndarray:
    """Resizes to height `size` and takes the centre crop, as the report does.

    A frame uint8 [H, W, 3] that is taller than wide is resized to width `size` instead,
    so that there is always a square to crop: uint8 [size, size, 3].
    """
    side = 4 * min(frame.shape[:2])
    top, left = (max(0, (n - side) // 2) for n in frame.shape[:2])
    frame = frame[top : top + side, left : left + side]  # a strip would grow huge
    height, width = frame.shape[:2]
    scale = size / min(height, width)
    if scale != 1:
        shape = max(size, round(width * scale)), max(size, round(height * scale))
        # Averaging when shrinking keeps texture from aliasing into false motion.
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        frame = cv2.resize(frame, shape, interpolation=method)
    top, left = (frame.shape[0] - size) // 2, (frame.shape[1] - size) // 2
    return frame[top : top + size, left : left + size]


class Display:
    """Shows the frames of one video, all in the size of the first."""

    def __init__(self, pixel_aspect: Fraction | None):
        """Takes the width of a pixel over its height."""
        self._pixel_aspect = pixel_aspect or Fraction(1)
        self._key: tuple | None = None
        self._graph: Any = None
        self._size = ""

    def __call__(self, frame: Any) -> np.ndarray:
        """Shows an `av.VideoFrame`: uint8 [H, W, 3]."""
        matrix = _display_matrix(frame)
        kind = (frame.format.name, frame.width, frame.height)
        key = (*kind, frame.colorspace, frame.color_range, matrix)
        if key != self._key:
            self._key, self._graph = key, self._make_graph(frame, matrix)
        self._graph.push(frame)
        shown = self._graph.pull()
        self._size = self._size or f"scale={shown.width}:{shown.height}"
        return shown.to_ndarray()

    def _make_graph(self, frame: Any, matrix: tuple[int, ...]) -> Any:
        import av

        graph = av.filter.Graph()
        graph.threads = 1  # the processes share the cores
        aspect = self._pixel_aspect
        source = graph.add(
            "buffer",
            video_size=f"{frame.width}x{frame.height}",
            pix_fmt=frame.format.name,
            time_base=str(frame.time_base or Fraction(1, 1000)),
            pixel_aspect=f"{aspect.numerator}/{aspect.denominator}",
            colorspace=str(frame.colorspace),
            range=str(frame.color_range),
        )
        chain = [*turns(matrix)]
        chain += [_SQUARE] if abs(aspect - 1) > _ROUNDED else []
        chain += [self._size] if self._size else []
        nodes = [source]
        for text in (*chain, "format=rgb24", "buffersink"):
            name, _, arguments = text.partition("=")
            nodes.append(graph.add(name, arguments or None))
        graph.link_nodes(*nodes).configure()
        return graph


def _display_matrix(frame: Any) -> tuple[int, ...]:
    """Nine fixed-point numbers; () where the frame is shown as it is stored."""
    from av.sidedata.sidedata import Type

    found = frame.side_data.get(Type.DISPLAYMATRIX)
    return tuple(np.frombuffer(found, np.int32).tolist()) if found else ()


def turns(matrix: tuple[int, ...]) -> Iterator[str]:
    """The filters that ffmpeg turns a frame with (fftools, `insert_filter`s).

    A display matrix is [a, b, u, c, d, v, x, y, w], 1 is 1 << 16; or ().
    """
    if not matrix:
        return
    a, b, _, c, d = matrix[:5]
    widths = math.hypot(a, c), math.hypot(b, d)
    if not all(widths):
        return
    angle = round(math.degrees(math.atan2(b / widths[1], a / widths[0]))) % 360
    if angle == 90:
        yield "transpose=" + ("cclock_flip" if c > 0 else "clock")
    elif angle == 270:
        yield "transpose=" + ("clock_flip" if c < 0 else "cclock")
    elif angle == 180:
        if a < 0:
            yield "hflip"
        if d < 0:
            yield "vflip"
    elif angle:
        yield f"rotate={angle}*PI/180"
    elif d < 0:
        yield "vflip"
