"""Which frames of a video can be left out, because the others tell them.

    frames --choose(filler, min_psnr)--> for each: kept, or its PSNR when restored

A run of frames is dropped where each of them, restored by `filling` from the two frames
that stay, is within the bound. What fills a gap depends on its two ends only. So from
each kept frame on the longest run is dropped that holds the bound. As long as a run
that can be dropped can be dropped in part too, no other choice gets further with as
many kept frames, and none drops more. A run is grown frame by frame and ends where it
first fails, so that the search costs little more than the restoration.

The first frame always stays; the last ones may go where playing on tells them.
"""

import dataclasses
import io
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from motionflow.errors import InputError
from motionflow.files import drafts
from motionflow.films import check_method
from motionflow.films.filling import Filler
from motionflow.generate.likeness import psnr
from motionflow.media.video_writer import write_mp4


@dataclasses.dataclass(frozen=True)
class Plan:
    """What may be dropped from one video, and how it is to be restored.

    Attributes:
      num_frames: of the whole video.
      dropped: frame number, from 0, -> PSNR of the restored frame in dB.
      method, frames_per_prediction, max_gap: of the `Filler` that keeps the promise.
      min_psnr: the promise, dB.
      bytes_full, bytes_thinned: of the two videos, encoded alike; 0 if not measured.
    """

    num_frames: int
    dropped: dict[int, float]
    method: str
    frames_per_prediction: int
    max_gap: int
    min_psnr: float
    bytes_full: int = 0
    bytes_thinned: int = 0

    @property
    def kept(self) -> list[int]:
        """Numbers of the frames that stay."""
        return [i for i in range(self.num_frames) if i not in self.dropped]

    @property
    def share_dropped(self) -> float:
        """Dropped frames of all frames."""
        return len(self.dropped) / self.num_frames

    @property
    def saving(self) -> float:
        """Bytes saved of those of the full video; 0 if not measured."""
        return 1 - self.bytes_thinned / self.bytes_full if self.bytes_full else 0.0

    def save(self, path: str | Path) -> None:
        """Writes plan.json."""
        values = dataclasses.asdict(self)
        rows = [{"frame": i, "psnr": round(p, 2)} for i, p in self.dropped.items()]
        values |= {"dropped": rows, "share_dropped": self.share_dropped}
        drafts.write(path, json.dumps(values | {"saving": self.saving}, indent=2))

    @classmethod
    def load(cls, path: str | Path) -> "Plan":
        """Reads what `save` wrote.

        Raises:
          InputError: no such file, no plan, or one of a method that is gone.
        """
        try:
            values = json.loads(Path(path).read_text())
            values = {f.name: values[f.name] for f in dataclasses.fields(cls)}
            rows = values["dropped"]
            values["dropped"] = {int(row["frame"]): float(row["psnr"]) for row in rows}
            plan = cls(**values)
            numbers_fit = all(0 < i < plan.num_frames for i in plan.dropped)
        except FileNotFoundError as error:
            raise InputError(f"there is no plan {path}") from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path} is no plan of restore_frames: {error}") from error
        if not numbers_fit:
            raise InputError(f"{path} is no plan: its numbers are impossible")
        try:
            check_method(plan.method)
        except InputError as error:
            raise InputError(f"{path}: {error}; make the plan anew") from error
        return plan


def make_plan(frames: Iterable[np.ndarray], filler: Filler, min_psnr: float) -> Plan:
    """Makes the plan of a video, without its bytes."""
    found = list(choose(frames, filler, min_psnr))
    if not found:
        raise InputError("there is no frame to plan for")
    return Plan(
        num_frames=len(found),
        dropped={i: value for i, value in enumerate(found) if value is not None},
        method=filler.method,
        frames_per_prediction=filler.frames_per_prediction,
        max_gap=filler.max_gap,
        min_psnr=min_psnr,
    )


def measure_bytes(
    plan: Plan, read: Callable[[], Iterable[np.ndarray]], fps: float
) -> Plan:
    """The plan with the bytes of both videos, in H.264 of the same quality.

    `read` gives all frames, each time anew.
    """
    sizes = []
    for frames in (read(), thin(plan, read())):
        buffer = io.BytesIO()
        write_mp4(buffer, frames, fps)
        sizes.append(len(buffer.getvalue()))
    return dataclasses.replace(plan, bytes_full=sizes[0], bytes_thinned=sizes[1])


def thin(plan: Plan, frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Yields the frames that stay."""
    return (frame for i, frame in enumerate(frames) if i not in plan.dropped)


def choose(
    frames: Iterable[np.ndarray], filler: Filler, min_psnr: float
) -> Iterator[float | None]:
    """Decides about each frame: None if it stays, else its PSNR in dB when restored.

    Holds `filler.max_gap + 2` frames at a time.
    """
    frames = iter(frames)
    window = list(itertools.islice(frames, 1))
    before: list[np.ndarray] = []
    while window:
        before = [*before, window[0]][-filler.num_seen :]
        window += itertools.islice(frames, filler.max_gap + 2 - len(window))
        run: list[float] = []
        for length in range(1, min(filler.max_gap, len(window) - 1) + 1):
            found = _restored(before, window[1:], length, filler, min_psnr)
            if len(found) < length:
                break
            run = found
        yield None
        yield from run
        window = window[1 + len(run) :]
        before = [] if run else before


def _restored(
    before: Sequence[np.ndarray],
    following: Sequence[np.ndarray],
    length: int,
    filler: Filler,
    min_psnr: float,
) -> list[float]:
    """PSNR of the frames of one gap when restored, up to the first that fails."""
    # A window that is not full ends with the video: its tail has no other side.
    truth, after = following[:length], following[length : length + 1]
    found = []
    filled = filler.fill(before, after, length)
    for (frame, _), true_frame in zip(filled, truth, strict=True):
        value = float(psnr(frame, true_frame))
        if value < min_psnr:
            break
        found.append(value)
    return found
