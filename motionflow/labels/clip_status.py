"""What became of a clip: one line of clips.jsonl.

clip, failure or samples --clip_status--> ClipStatus
"""

import dataclasses
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from motionflow.errors import InputError
from motionflow.files import drafts
from motionflow.labels.clips import Clip
from motionflow.labels.options import LabelOptions
from motionflow.labels.samples import ClipSamples

FAILED = ("corrupt", "timeout")
LEFT_OUT = ("cut", "duplicate", "gap", "unstable")
_COUNTS = (
    *("frame_indices", "num_decoded", "num_announced", "camera_motion"),
    *("camera_inliers", *(f"num_{cause}" for cause in LEFT_OUT)),
)
STATUSES = ("ok", "truncated", "filtered", "too_short", *FAILED)


class Failure(NamedTuple):
    """Why a clip gave nothing.

    Attributes:
      status: corrupt or timeout.
      reason: one line.
    """

    status: str
    reason: str


@dataclasses.dataclass(kw_only=True)
class ClipStatus:
    """What became of a clip: one line of clips.jsonl.

    Attributes:
      clip: path in the video directory.
      status: ok; truncated (frames were lost, the samples of others are used);
        too_short for a sample; filtered (by its name, which may be that of no
        video, by the official lists, or because every sample was left out); corrupt or
        timeout (nothing could be read).
      reason: why it is not ok, "" where it is.
      bytes: size of the file.
      frames: frames decoded.
      announced: frames with those that were lost.
      samples: samples made.
      cut_samples, duplicate_samples, gap_samples, unstable_samples: samples left out
        because of a shot cut, a duplicated frame, a gap in time, a camera motion that
        could not be removed.
      camera_motion: mean displacement by the camera, pixels; None if not estimated.
      camera_inliers: mean share of the tracked points that follow it, or None.
      split: the clip's split; "frame" where its samples are spread over all three, ""
        where it has no samples.
      action: class of the motion.
      source: the video that the clip was cut from.
    """

    clip: str
    status: str
    reason: str = ""
    bytes: int
    frames: int = 0
    announced: int = 0
    samples: int = 0
    cut_samples: int = 0
    duplicate_samples: int = 0
    gap_samples: int = 0
    unstable_samples: int = 0
    camera_motion: float | None = None
    camera_inliers: float | None = None
    split: str = ""
    action: str
    source: str


def clip_status(
    clip: Clip, file: Path, labels: LabelOptions, failure: Failure | None
) -> ClipStatus:
    """Says what became of a clip; its split is not known yet.

    Args:
      clip: the clip.
      file: its samples; counts are read where it is not excluded and did not fail.
      labels: how they were made.
      failure: why there are none, if so.
    """
    status = ClipStatus(
        clip=clip.path,
        status="ok",
        bytes=clip.bytes,
        action=clip.action,
        source=clip.source,
    )
    if clip.excluded:
        status.status, status.reason = "filtered", clip.excluded
        return status
    if failure:
        status.status, status.reason = failure
        return status
    samples = ClipSamples.load(file, _COUNTS)
    status.frames, status.announced = samples.num_decoded, samples.num_announced
    for cause in LEFT_OUT:
        setattr(status, f"{cause}_samples", getattr(samples, f"num_{cause}"))
    if not math.isnan(samples.camera_motion):
        status.camera_motion = round(samples.camera_motion, 3)
        status.camera_inliers = round(samples.camera_inliers, 3)
    status.status, status.reason = _judge(samples, labels)
    if status.status != "filtered":
        status.samples = len(samples.frame_indices)
    return status


def _judge(samples: ClipSamples, labels: LabelOptions) -> tuple[str, str]:
    """Status and reason of a clip that was decoded."""
    decoded, announced = samples.num_decoded, samples.num_announced
    left_out = sum(getattr(samples, f"num_{cause}") for cause in LEFT_OUT)
    kept = len(samples.frame_indices)
    if not kept + left_out:
        needed = labels.window_frames
        return "too_short", f"{decoded} frames, a sample needs {needed} that differ"
    if not kept or samples.num_unstable > kept:
        return "filtered", (
            f"{left_out} of {left_out + kept} samples left out: {samples.num_cut} span "
            f"a cut, {samples.num_duplicate} a duplicated frame, {samples.num_gap} a "
            f"gap in time, {samples.num_unstable} with an unstable camera"
        )
    if decoded < announced:
        return "truncated", f"{decoded} of {announced} frames decoded"
    return "ok", ""


def read_clips(data_dir: str | Path) -> list[ClipStatus]:
    """Reads clips.jsonl of a data directory; InputError where it cannot be read."""
    file = Path(data_dir, "clips.jsonl")
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
        return [ClipStatus(**json.loads(line)) for line in lines]
    except (OSError, TypeError, ValueError) as error:
        raise InputError(f"{file} cannot be read: {error}") from error


def write_clips(output_dir: Path, statuses: Sequence[ClipStatus]) -> None:
    """Writes clips.jsonl, a line for each clip."""
    lines = [json.dumps(dataclasses.asdict(status)) + "\n" for status in statuses]
    drafts.write(output_dir / "clips.jsonl", "".join(lines))
