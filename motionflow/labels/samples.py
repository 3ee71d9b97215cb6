"""One clip to its samples: every n-th frame with the flow it will experience.

    video file --> fitted frames, t = 0, 1, 2, ... (a window of window_frames)
               --> at t = 0, stride, 2 stride, ...: encoded frame, averaged grid flow

With `sequence_length` T a sample holds the labels of T steps: of the frame itself, and
of those that are 1 .. T - 1 times `step_frames` later. With `past_frames` n it also
holds the flow of the n frames just before, where it is known.

A window that spans a shot cut, a repeated frame or a gap in time, or whose camera's
motion cannot be removed, gives no sample and is counted.

This is the unit of work that runs in a process of its own, so it imports no TensorFlow
and holds only the window's frames of a long video; those of a short one are held from
the pass that finds out which frames it has.
"""

import collections
import dataclasses
import functools
import itertools
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from motionflow.files import drafts
from motionflow.labels.flow import (
    FlowFunction,
    average_flow,
    make_flow_function,
    to_grid,
)
from motionflow.labels.options import LabelOptions
from motionflow.labels.stabilize import StabilizedFlow, UnstableCamera
from motionflow.media.continuity import Step, marked_steps
from motionflow.media.video import Video, fit_frame, open_video

MAX_HELD_FRAMES = 300  # 48 MB at 200x267


@dataclasses.dataclass
class ClipSamples:
    """What one clip gives.

    Attributes:
      frames: N encoded frames.
      flow: float32 [N, g, g, 2], pixels.
      dense_flow: float16 [N, D, D, 2], pixels; D is 0 where it is not kept.
      later_flow: float16 [N, T - 1, g, g, 2], of the steps that follow.
      later_dense_flow: float16 [N, T - 1, D, D, 2].
      past_flow: float16 [N, g, g, 2], of the frames before, pixels per step; NaN in all
        of a sample where it is not known. g is 0 where it is not kept.
      frame_indices: int64 [N].
      num_decoded: frames of the clip.
      num_announced: frames with those that were lost.
      num_cut, num_duplicate, num_gap, num_unstable: samples left out because of a shot
        cut, a duplicated frame, a gap in time, a camera motion that could not be
        removed.
      camera_motion: mean displacement by the camera, pixels; nan if not estimated.
      camera_inliers: mean share of the tracked points that follow the camera, or nan.
    """

    frames: list[bytes]
    flow: np.ndarray
    dense_flow: np.ndarray
    later_flow: np.ndarray
    later_dense_flow: np.ndarray
    past_flow: np.ndarray
    frame_indices: np.ndarray
    num_decoded: int = 0
    num_announced: int = 0
    num_cut: int = 0
    num_duplicate: int = 0
    num_gap: int = 0
    num_unstable: int = 0
    camera_motion: float = math.nan
    camera_inliers: float = math.nan

    def save(self, path: str | Path) -> None:
        """Writes an .npz; uncompressed, since the frames are encoded already."""
        arrays = vars(self).copy()
        arrays["lengths"] = np.array([len(frame) for frame in self.frames], np.int64)
        arrays["frames"] = np.frombuffer(b"".join(self.frames), np.uint8)
        drafts.write_arrays(path, arrays)

    @staticmethod
    def load_flow(path: str | Path) -> np.ndarray:
        """Reads only the flow of what `save` wrote, float32 [N, g, g, 2]."""
        with np.load(path) as file:
            return file["flow"]

    @classmethod
    def load(
        cls, path: str | Path, parts: Collection[str] | None = None
    ) -> "ClipSamples":
        """Reads what `save` wrote.

        Args:
          path: the file.
          parts: the attributes to read; others are empty, or as if never counted. None
            reads all.
        """
        fields = dataclasses.fields(cls)
        parts = [field.name for field in fields] if parts is None else parts
        values: dict[str, Any] = {
            field.name: np.zeros(0)
            for field in fields
            if field.default is dataclasses.MISSING
        }
        with np.load(path) as file:
            arrays = {name: file[name] for name in parts}
            lengths = file["lengths"] if "frames" in parts else np.zeros(0, int)
        joined = arrays.pop("frames", np.zeros(0, np.uint8)).tobytes()
        for name, array in arrays.items():
            values[name] = array if array.ndim else array.item()
        places = itertools.pairwise([0, *np.cumsum(lengths)])
        return cls(**values | {"frames": [joined[i:j] for i, j in places]})


def encode_frame(
    frame: np.ndarray, encoding: str, jpeg_quality: int = LabelOptions.jpeg_quality
) -> bytes:
    """Encodes uint8 [S, S, 3] RGB as png, jpeg or raw bytes."""
    if encoding == "raw":
        return frame.tobytes()
    quality = [cv2.IMWRITE_JPEG_QUALITY, jpeg_quality] if encoding == "jpeg" else []
    bgr = cv2.cvtColor(frame, cv2.COLOR_RGB2BGR)
    return cv2.imencode(f".{encoding}", bgr, quality)[1].tobytes()


def decode_frame(encoded: bytes, encoding: str, frame_size: int) -> np.ndarray:
    """Decodes what `encode_frame` gave, to uint8 [S, S, 3] RGB."""
    values = np.frombuffer(encoded, np.uint8)
    if encoding == "raw":
        return values.reshape(frame_size, frame_size, 3)
    # None, for what is no picture, is an error of cvtColor.
    decoded: Any = cv2.imdecode(values, cv2.IMREAD_COLOR)
    return cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)


@functools.lru_cache(maxsize=1)
def _flow_function(method: str) -> FlowFunction:
    cv2.setNumThreads(1)  # the processes share the cores; threads would only fight
    return make_flow_function(method)


def extract_samples(path: str | Path, options: LabelOptions) -> ClipSamples:
    """Decodes a clip and labels every `frame_stride`-th frame that has a future.

    A clip of fewer than `options.window_frames` frames gives no sample.

    Raises:
      InputError: the file is no video that can be decoded.
    """
    video, fitted = _open(path, options.frame_size)
    compute = compute_past = _flow_function(options.flow_method)
    if options.stabilize == "homography":
        # The past has its own: what is said of a clip's camera does not depend on it.
        compute, compute_past = StabilizedFlow(compute), StabilizedFlow(compute)
    size, dense_size = options.grid_size, options.store_dense_flow
    later = options.sequence_length - 1
    frames, flows, dense_flows, past_flows, indices = [], [], [], [], []
    left_out: collections.Counter[str] = collections.Counter()
    for before, window in _windows(fitted, video.timing.gaps, options):
        marks = {step.mark for step in window[1:]} - {""}
        if marks:
            left_out[min(marks)] += 1  # a cut before a duplicate before a gap
            continue
        try:
            steps = _flow_of_steps(window, compute, options)
        except UnstableCamera:
            left_out["unstable"] += 1
            continue
        frames.append(
            encode_frame(window[0].frame, options.frame_encoding, options.jpeg_quality)
        )
        flows.append([to_grid(flow, size, options.grid_sampling) for flow in steps])
        dense_flows.append([to_grid(flow, dense_size) for flow in steps if dense_size])
        if options.past_frames:
            past_flows.append(_past_flow([*before, window[0]], compute_past, options))
        indices.append(window[0].index)
    cameras = [camera for camera in getattr(compute, "estimates", []) if camera.trusted]
    flow = np.reshape(np.array(flows, np.float32), (-1, later + 1, size, size, 2))
    shape = (len(flows), later + 1, dense_size, dense_size, 2)
    dense_flow = np.reshape(np.array(dense_flows, np.float16), shape)
    past_size = size if options.past_frames else 0
    past_shape = (len(flows), past_size, past_size, 2)
    return ClipSamples(
        frames,
        flow[:, 0],
        dense_flow[:, 0],
        flow[:, 1:].astype(np.float16),
        dense_flow[:, 1:],
        np.reshape(np.array(past_flows, np.float16), past_shape),
        np.array(indices, np.int64),
        video.num_frames,
        video.num_announced,
        left_out["cut"],
        left_out["duplicate"],
        left_out["gap"],
        left_out["unstable"],
        _mean([camera.motion for camera in cameras]),
        _mean([camera.inliers for camera in cameras]),
    )


def _flow_of_steps(
    window: Sequence[Step], compute: FlowFunction, options: LabelOptions
) -> list[np.ndarray]:
    """The averaged flow [S, S, 2] of each step."""
    grays = [cv2.cvtColor(step.frame, cv2.COLOR_RGB2GRAY) for step in window]
    starts = range(0, len(grays) - options.flow_frames, options.step_frames)
    return [
        average_flow(
            grays[start : start + options.flow_frames + 1],
            compute,
            options.flow_average,
        )
        for start in starts
    ]


def _past_flow(
    steps: Sequence[Step], compute: FlowFunction, options: LabelOptions
) -> np.ndarray:
    """How the last of some frames came to be, on the grid [g, g, 2].

    The flow from it back to the first, its sign turned, scaled to what a label amounts
    to: of a steady motion it is the label itself.
    """
    unknown = np.full((options.grid_size, options.grid_size, 2), np.nan)
    is_broken = any(step.mark for step in steps[1:])
    if len(steps) <= options.past_frames or is_broken:
        return unknown
    last, first = (
        cv2.cvtColor(step.frame, cv2.COLOR_RGB2GRAY) for step in (steps[-1], steps[0])
    )
    try:
        back = to_grid(compute(last, first), options.grid_size, options.grid_sampling)
    except UnstableCamera:
        return unknown
    return -back * (options.step_motion / options.past_frames)


def _open(path: str | Path, size: int) -> tuple[Video, Iterable[np.ndarray]]:
    """A video and its fitted frames: a long one is decoded again for them."""
    held: list[np.ndarray] = []

    def hold(show: Callable[[], np.ndarray]) -> None:
        if len(held) < MAX_HELD_FRAMES:
            held.append(fit_frame(show(), size))

    video = open_video(path, hold)
    if video.num_frames == len(held):
        return video, held
    return video, (fit_frame(frame, size) for frame in video.read())


def _windows(
    fitted: Iterable[np.ndarray], gaps: Collection[int], options: LabelOptions
) -> Iterator[tuple[Sequence[Step], Sequence[Step]]]:
    """Yields what comes before each possible sample, and it with its future."""
    steps = marked_steps(fitted, options.duplicates == "remove", gaps)
    length = options.window_frames
    window: collections.deque[Step] = collections.deque(
        maxlen=options.past_frames + length
    )
    for position, step in enumerate(steps):
        window.append(step)
        start = position - length + 1
        if start >= 0 and start % options.frame_stride == 0:
            yield list(window)[:-length], list(window)[-length:]


def _mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else math.nan
