"""Video files to RGB frames, and RGB frames to video files.

    video file --iter_frames--> uint8 [H, W, 3] RGB, one at a time
    any frame  --fit_frame----> uint8 [size, size, 3]   (the report's section 2)
    frames     --write_video--> MP4 or GIF

OpenCV decodes, PyAV where OpenCV stops early; imageio with its own ffmpeg encodes,
because `cv2.VideoWriter` fails silently on MP4.
"""

import contextlib
import dataclasses
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from motionflow.errors import InputError

# FFmpeg would open the files that such a list names, whatever its suffix is; a tag of
# music may stand before it.
_SCRIPTS = (b"ffconcat", b"#EXTM3U", b"ID3")
VIDEO_OUTPUTS = (".mp4", ".gif")
# Otherwise ffmpeg starts with a plain fork and Python code in the child, to shield it
# from Ctrl-C. Beside TensorFlow's threads that may hang for ever; imageio-ffmpeg has
# this switch because of it.
os.environ.setdefault("IMAGEIO_FFMPEG_NO_PREVENT_SIGINT", "1")


@dataclasses.dataclass(frozen=True)
class FrameCounts:
    """How many frames a file has, by three accounts.

    Attributes:
      announced: by its container; 0 where it does not say.
      opencv: that OpenCV decodes.
      pyav: that PyAV decodes; asked only where OpenCV gives fewer than announced, or
        none, else -1.
    """

    announced: int
    opencv: int
    pyav: int

    @property
    def decoder(self) -> str:
        """The decoder that gives more frames."""
        return "pyav" if self.pyav > self.opencv else "opencv"

    @property
    def decoded(self) -> int:
        """Frames that this decoder gives."""
        return max(self.opencv, self.pyav)


def count_frames(path: str | Path) -> FrameCounts:
    """Counts a video's frames, with a second opinion where the first is doubtful.

    Raises:
      InputError: the file cannot be opened as a video or holds no frame.
    """
    _check_file(path)
    capture = _open(path)
    announced = max(int(capture.get(cv2.CAP_PROP_FRAME_COUNT)), 0)
    capture.release()
    opencv, pyav = sum(1 for _ in _opencv_frames(path)), -1
    if opencv < max(announced, 1):
        pyav = sum(1 for _ in _pyav_frames(path))
    counts = FrameCounts(announced, opencv, pyav)
    if not counts.decoded:
        raise InputError(f"{path} holds no frame that can be decoded")
    return counts


def iter_frames(path: str | Path, decoder: str = "opencv") -> Iterator[np.ndarray]:
    """Yields a video's frames, uint8 [H, W, 3] RGB, until the first that is damaged.

    Args:
      path: the video file.
      decoder: "opencv" or "pyav": two builds of FFmpeg that know different codecs and
        give up at different places.

    Raises:
      InputError: the file cannot be opened as a video or holds no frame.
    """
    _check_file(path)
    frames = {"opencv": _opencv_frames, "pyav": _pyav_frames}[decoder](path)
    first = next(frames, None)
    if first is None:
        raise InputError(f"{path} holds no frame that can be decoded")
    yield first
    yield from frames


def frame_rate(path: str | Path) -> float:
    """Frames a second, by the container; 0 where it does not say."""
    capture = _open(path)
    rate = capture.get(cv2.CAP_PROP_FPS)
    capture.release()
    return float(rate) if np.isfinite(rate) and rate > 0 else 0.0


def _check_file(path: str | Path) -> None:
    if not Path(path).is_file():  # a pipe would be waited for
        raise InputError(f"there is no file {path}")
    try:
        with open(path, "rb") as file:
            start = file.read(16)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    if start.startswith(_SCRIPTS):
        raise InputError(f"{path} is a list of other files, no video")


def _open(path: str | Path) -> cv2.VideoCapture:
    # Only FFmpeg: other backends would read a name with % as a series of pictures. One
    # thread, since the processes share the cores.
    options = [cv2.CAP_PROP_N_THREADS, 1]
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, options)
    capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)  # off in OpenCV 4
    return capture


def _opencv_frames(path: str | Path) -> Iterator[np.ndarray]:
    capture = _open(path)
    try:
        read, frame = capture.read()
        while read:
            yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
            read, frame = capture.read()
    finally:
        capture.release()


def _pyav_frames(path: str | Path) -> Iterator[np.ndarray]:
    import av

    # Only local files: a playlist that poses as a video must not fetch others.
    options = {"protocol_whitelist": "file"}
    with (
        # Ends at the first damaged packet; PyAV 18 refuses titles that are no text.
        contextlib.suppress(av.error.FFmpegError, UnicodeDecodeError),
        av.open(str(path), options=options) as container,
    ):
        for frame in container.decode(video=0) if container.streams.video else ():
            turns = frame.rotation // 90
            yield np.rot90(frame.to_ndarray(format="rgb24"), turns)


def fit_frame(frame: np.ndarray, size: int) -> np.ndarray:
    """Resizes to height `size` and takes the centre crop, as the report does.

    A frame that is taller than wide is resized to width `size` instead, so that there
    is always a square to crop.

    Args:
      frame: uint8 [H, W, 3].
      size: side of the square, pixels.

    Returns:
      uint8 [size, size, 3].
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


def write_video(
    path: str | Path, frames: Iterable[np.ndarray], fps: float, mark: str = ""
) -> None:
    """Writes an MP4 (H.264) or an endless GIF; it appears whole or not at all.

    Args:
      path: ends in .mp4 or .gif.
      frames: uint8 [H, W, 3] RGB each, all of one size; MP4 pads odd sizes to even.
      fps: frames a second.
      mark: who made it, see `marks`.

    Raises:
      InputError: see `check_output`.
    """
    import imageio.v2 as imageio

    check_output(path)
    path, suffix = Path(path), Path(path).suffix.lower()
    options: dict[str, Any] = {"fps": fps, "codec": "libx264", "quality": 8}
    options |= {
        "macro_block_size": 1,
        "output_params": ["-metadata", f"comment={mark}"],
    }
    if suffix == ".gif":
        options = {"duration": 1000 / fps, "loop": 0, "comment": mark}
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        draft = Path(folder, f"draft{suffix}")
        with imageio.get_writer(draft, **options) as writer:
            for frame in frames:
                if suffix == ".mp4":
                    rows, columns = frame.shape[0] % 2, frame.shape[1] % 2
                    pad = ((0, rows), (0, columns), (0, 0))
                    frame = np.pad(frame, pad, mode="edge")
                writer.append_data(frame)
        os.replace(draft, path)


def check_output(path: str | Path) -> None:
    """Refuses what `write_video` cannot write.

    Raises:
      InputError: another suffix, or a folder that does not exist.
    """
    path = Path(path)
    if path.suffix.lower() not in VIDEO_OUTPUTS:
        raise InputError(f"{path} must end in {' or '.join(VIDEO_OUTPUTS)}")
    if not path.parent.is_dir():
        raise InputError(f"there is no folder {path.parent} to write {path.name} into")
