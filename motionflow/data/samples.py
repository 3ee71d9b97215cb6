"""One clip to its samples: every n-th frame with the flow it will experience.

    video file --> fitted frames, t = 0, 1, 2, ... (a window of flow_frames + 1)
               --> at t = 0, stride, 2 stride, ...: encoded frame, averaged grid flow

This is the unit of work that runs in a process of its own, so it imports no TensorFlow
and holds only the window's frames, however long the video is.
"""

import collections
import dataclasses
import functools
from pathlib import Path

import cv2
import numpy as np

from motionflow.data.flow import (
    FLOW_AVERAGES,
    FLOW_METHODS,
    GRID_SAMPLINGS,
    average_flow,
    make_flow_function,
    to_grid,
)
from motionflow.data.video import count_announced, fit_frame, iter_frames
from motionflow.errors import InputError

FRAME_ENCODINGS = ("png", "jpeg", "raw")
JPEG_QUALITY = 95


@dataclasses.dataclass(frozen=True)
class LabelOptions:
    """How frames become labels; the defaults are the report's (section 2)."""

    flow_method: str = "deepflow"
    flow_frames: int = 3
    flow_average: str = "anchored"
    frame_stride: int = 5
    frame_size: int = 200
    grid_size: int = 20
    grid_sampling: str = "area"
    frame_encoding: str = "png"

    def __post_init__(self):
        """Refuses values that no clip could be labelled with."""
        choices = {
            "flow_method": FLOW_METHODS,
            "flow_average": FLOW_AVERAGES,
            "grid_sampling": GRID_SAMPLINGS,
            "frame_encoding": FRAME_ENCODINGS,
        }
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                found = getattr(self, name)
                raise InputError(f"{name} {found!r} is none of {', '.join(allowed)}")
        for name in ("flow_frames", "frame_stride", "frame_size", "grid_size"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}, expected 1 or more")
        if self.frame_size % self.grid_size:
            raise InputError(
                f"frame_size {self.frame_size} is no multiple of "
                f"grid_size {self.grid_size}"
            )


@dataclasses.dataclass(frozen=True)
class ClipSamples:
    """What one clip gives.

    Attributes:
      frames: N encoded frames.
      flow: float32 [N, g, g, 2], pixels.
      frame_indices: int64 [N].
      num_decoded: frames decoded.
      num_announced: frames that the container announces, 0 where it does not say.
    """

    frames: list[bytes]
    flow: np.ndarray
    frame_indices: np.ndarray
    num_decoded: int
    num_announced: int

    def save(self, path: str | Path) -> None:
        """Writes an .npz; uncompressed, since the frames are encoded already."""
        arrays = dataclasses.asdict(self)
        arrays["lengths"] = np.array([len(frame) for frame in self.frames], np.int64)
        arrays["frames"] = np.frombuffer(b"".join(self.frames), np.uint8)
        np.savez(path, **arrays)

    @classmethod
    def load(cls, path: str | Path) -> "ClipSamples":
        """Reads what `save` wrote."""
        with np.load(path) as file:
            arrays = dict(file)
        ends = np.cumsum(arrays.pop("lengths"))
        parts = np.split(arrays.pop("frames"), ends)[:-1]
        for name in ("num_decoded", "num_announced"):
            arrays[name] = int(arrays[name])
        return cls(frames=[part.tobytes() for part in parts], **arrays)


def encode_frame(frame: np.ndarray, encoding: str) -> bytes:
    """Encodes uint8 [S, S, 3] RGB as png, jpeg or raw bytes."""
    if encoding == "raw":
        return frame.tobytes()
    quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY] if encoding == "jpeg" else []
    bgr = cv2.cvtColor(frame, cv2.COLOR_RGB2BGR)
    return cv2.imencode(f".{encoding}", bgr, quality)[1].tobytes()


def decode_frame(encoded: bytes, encoding: str, frame_size: int) -> np.ndarray:
    """Decodes what `encode_frame` gave, to uint8 [S, S, 3] RGB."""
    values = np.frombuffer(encoded, np.uint8)
    if encoding == "raw":
        return values.reshape(frame_size, frame_size, 3)
    return cv2.cvtColor(cv2.imdecode(values, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


@functools.lru_cache(maxsize=1)
def _flow_function(method: str):
    cv2.setNumThreads(1)  # the processes share the cores; threads would only fight
    return make_flow_function(method)


def extract_samples(path: str | Path, options: LabelOptions) -> ClipSamples:
    """Decodes a clip and labels every `frame_stride`-th frame that has a future.

    Args:
      path: the video file.
      options: sizes and methods.

    Returns:
      the clip's samples, none where it has fewer than flow_frames + 1 frames.

    Raises:
      InputError: the file is no video that can be decoded.
    """
    compute = _flow_function(options.flow_method)
    window = collections.deque(maxlen=options.flow_frames + 1)
    grays = collections.deque(maxlen=options.flow_frames + 1)
    frames, flows, indices = [], [], []
    num_decoded = 0
    for num_decoded, frame in enumerate(iter_frames(path), start=1):
        window.append(fit_frame(frame, options.frame_size))
        grays.append(cv2.cvtColor(window[-1], cv2.COLOR_RGB2GRAY))
        index = num_decoded - len(window)
        if len(window) <= options.flow_frames or index % options.frame_stride:
            continue
        flow = average_flow(grays, compute, options.flow_average)
        flows.append(to_grid(flow, options.grid_size, options.grid_sampling))
        frames.append(encode_frame(window[0], options.frame_encoding))
        indices.append(index)
    shape = (-1, options.grid_size, options.grid_size, 2)
    return ClipSamples(
        frames,
        np.reshape(np.array(flows, np.float32), shape),
        np.array(indices, np.int64),
        num_decoded,
        count_announced(path),
    )
