"""Many clips to their samples, in several processes, and what became of each.

Each finished clip leaves one file in a work folder; a clip whose file is there is not
computed again. The folder's name holds a digest of the label options, so that a build
with other options never finds it.
"""

import concurrent.futures
import dataclasses
import hashlib
import json
import multiprocessing
import multiprocessing.connection
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import cv2

from motionflow.data.clips import Clip
from motionflow.data.samples import ClipSamples, LabelOptions, extract_samples
from motionflow.errors import InputError


@dataclasses.dataclass
class ClipStatus:
    """What became of a clip: one line of clips.jsonl.

    Attributes:
      clip: path in the video directory.
      status: ok, truncated (its samples are kept), corrupt, too_short or filtered.
      reason: why it is not ok, "" where it is.
      frames: frames decoded.
      announced: frames that the container announces, 0 where it does not say.
      samples: samples made.
      split: the clip's split; "frame" where its samples are spread over all three.
      action: class of the motion.
      source: the video that the clip was cut from.
    """

    clip: str
    status: str
    reason: str
    frames: int
    announced: int
    samples: int
    split: str
    action: str
    source: str


class WorkDir:
    """Folder for the samples of finished clips."""

    def __init__(self, output_dir: Path, labels: LabelOptions):
        """Creates it inside `output_dir`."""
        self.labels = labels
        key = json.dumps([dataclasses.asdict(labels), cv2.__version__])
        digest = hashlib.sha256(key.encode()).hexdigest()[:12]
        self.path = output_dir / f".samples-{digest}"
        self.path.mkdir(parents=True, exist_ok=True)

    def file(self, clip: str) -> Path:
        """Where the clip's samples are kept."""
        return self.path / f"{hashlib.sha256(clip.encode()).hexdigest()[:32]}.npz"

    def load(
        self, statuses: Sequence[ClipStatus]
    ) -> Iterator[tuple[ClipStatus, ClipSamples]]:
        """Yields the samples of each clip that has some."""
        for status in statuses:
            if status.samples:
                yield status, ClipSamples.load(self.file(status.clip))


def extract_clips(
    video_dir: Path,
    clips: Sequence[Clip],
    work_dir: WorkDir,
    num_workers: int,
    progress: Callable[[int, int], None],
) -> dict[str, str]:
    """Makes the samples of all clips.

    Returns:
      clip path -> what is wrong with it, for the clips that cannot be decoded.
    """
    errors = {}
    # OpenCV is not fork-safe, so workers start afresh.
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(
        num_workers, context, initializer=_end_with_parent
    ) as pool:
        jobs = {}
        for clip in clips:
            video, file = video_dir / clip.path, work_dir.file(clip.path)
            jobs[pool.submit(_extract_to_file, video, file, work_dir.labels)] = clip
        for done, job in enumerate(concurrent.futures.as_completed(jobs), start=1):
            try:
                job.result()
            except InputError as error:
                errors[jobs[job].path] = str(error)
            progress(done, len(jobs))
    return errors


def _end_with_parent() -> None:
    """Ends this worker when the program that started it is killed."""
    parent = multiprocessing.parent_process()

    def wait() -> None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _extract_to_file(video: Path, file: Path, labels: LabelOptions) -> None:
    if file.exists():
        return
    draft = file.with_suffix(".draft.npz")
    extract_samples(video, labels).save(draft)
    os.replace(draft, file)


def clip_status(
    clip: Clip, split_of: Mapping[str, str], errors: Mapping[str, str], work: WorkDir
) -> ClipStatus:
    """Says what became of one clip."""
    split = split_of.get(clip.path, "")
    status = ClipStatus(clip.path, "ok", "", 0, 0, 0, split, clip.action, clip.source)
    if not split:
        status.status = "filtered"
        status.reason = clip.excluded or "in no split of the official lists"
        return status
    if clip.path in errors:
        status.status, status.reason = "corrupt", errors[clip.path]
        return status
    samples = ClipSamples.load(work.file(clip.path))
    status.frames, status.announced = samples.num_decoded, samples.num_announced
    status.samples = len(samples.frames)
    if status.frames < status.announced:
        status.status = "truncated"
        status.reason = f"{status.frames} of {status.announced} frames decoded"
    elif not status.samples:
        status.status = "too_short"
        needed = work.labels.flow_frames + 1
        status.reason = f"{status.frames} frames, a sample needs {needed}"
    return status
