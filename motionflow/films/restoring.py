"""A video file with gaps -> the whole video; a whole video -> what could be left out.

file, Restoring --restore_video--> file, how many frames came in which way
file, Restoring --plan_video-----> plan.json, a thinned file
"""

import collections
import dataclasses
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from motionflow.errors import InputError
from motionflow.files import drafts
from motionflow.files.outputs import check_file
from motionflow.films import check_method, filling, thinning
from motionflow.films.film import Progress, check_output, write_film
from motionflow.media.frame_sequence import FrameSequence, open_sequence, parse_numbers
from motionflow.media.video_writer import has_sound
from motionflow.models import predictor
from motionflow.models.model_path import DEFAULT

FPS = 30.0  # of pictures, which do not say
_LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Restoring:
    """What is missing from a video, and what fills it.

    Attributes:
      missing: numbers that the input lacks, such as "3,7-9", or a plan.json.
      damaged: numbers of frames to replace.
      replace_duplicates: frames that repeat the one before are replaced.
      timestamps: gaps in a video's time stamps, or in the numbers of pictures, are
        missing frames.
      model: see `motionflow.load`; for predicted only.
      method: one of `films.METHODS`; None: predicted, or the plan's.
      frames_per_prediction: see `filling.Filler`; None: 2, or the plan's.
      max_gap: see `filling.Filler`; None: 8, or the plan's.
      fps: to write; None: the input's, 30 for pictures.
    """

    missing: str | None = None
    damaged: str | None = None
    replace_duplicates: bool = False
    timestamps: bool = True
    model: str | os.PathLike = DEFAULT
    method: str | None = None
    frames_per_prediction: int | None = None
    max_gap: int | None = None
    fps: float | None = None

    def plan(self) -> thinning.Plan | None:
        """The plan that says what is missing, if one does."""
        if self.missing and self.missing.endswith(".json"):
            return thinning.Plan.load(self.missing)
        return None

    def filler(self, plan: thinning.Plan | None = None) -> filling.Filler:
        """What fills the gaps: as chosen, else as the plan says, else the default."""
        names = ("method", "frames_per_prediction", "max_gap")
        chosen: dict[str, Any] = {name: getattr(plan, name) for name in names if plan}
        own = {name: getattr(self, name) for name in names}
        chosen |= {name: value for name, value in own.items() if value is not None}
        method = chosen.pop("method", "predicted")
        check_method(method)
        network = predictor.load(self.model) if method == "predicted" else None
        # Which frames are there after a gap no plan knows when it is made.
        return filling.Filler(network, **chosen, looks_ahead=plan is None)


def restore_video(
    source: str, output: str, options: Restoring, progress: Progress, mark: str = ""
) -> collections.Counter[str]:
    """Writes a video in which every frame is there.

    Args:
      source: video, or folder of numbered pictures.
      output: .mp4 or .gif, or a folder for PNGs.
      options: what is missing.
      progress: called with (frames done, frames in all).
      mark: see `files.outputs`.

    Returns:
      How many frames came in which way; `filling.KEPT` were there.

    Raises:
      InputError: unreadable, numbers that do not fit, no frame that is good, or gaps
        that one should ask about: more than there are frames, names that are times.
    """
    check_output(output)
    plan = options.plan()
    sequence = _with_missing(source, _open(source, options), options, plan)
    bad = _damaged(sequence, options)
    filler = options.filler(plan)
    numbered = zip(sequence.numbers, sequence.read(), strict=True)
    numbered = (pair for pair in numbered if pair[0] not in bad)
    counts: collections.Counter[str] = collections.Counter()

    def counted() -> Iterator[np.ndarray]:
        filled = filling.restore(numbered, sequence.first, sequence.last, filler)
        for frame, how in filled:
            counts[how] += 1
            yield frame

    total = sequence.last + 1 - sequence.first
    fps = options.fps or sequence.fps or FPS
    keeps_time = options.timestamps and not options.missing and fps == sequence.fps
    sound_of = source if keeps_time and output.lower().endswith(".mp4") else None
    if not sound_of and Path(source).is_file() and has_sound(source):
        _LOG.warning("remark: the sound of %s is not kept", source)
    write_film(output, counted(), total, fps, progress, mark, sound_of)
    return counts


def plan_video(
    source: str,
    output: str,
    thinned_output: str | None,
    min_psnr: float,
    options: Restoring,
    progress: Progress,
    mark: str = "",
) -> thinning.Plan:
    """Writes which frames could be dropped (.json), and the video without them.

    Args as in `restore_video`; nothing may be missing. `min_psnr` in dB.
    """
    if not output.endswith(".json"):
        raise InputError(f"--output={output} must end in .json with --plan")
    check_file(output)
    if thinned_output:
        check_output(thinned_output)
    if options.missing or options.damaged or options.replace_duplicates:
        raise InputError("--plan takes a video as it is: restore it first")
    sequence = _open(source, options)
    if sequence.num_missing:
        raise InputError(
            f"{source} lacks {sequence.num_missing} frames: restore it first, or take "
            f"its frames as they come (--notimestamps)"
        )

    def watched() -> Iterator[np.ndarray]:
        for done, frame in enumerate(sequence.read(), start=1):
            yield frame
            progress(done, len(sequence.numbers))

    plan = thinning.make_plan(watched(), options.filler(), min_psnr)
    fps = options.fps or sequence.fps or FPS
    plan = thinning.measure_bytes(plan, sequence.read, fps)
    with drafts.draft(output) as written:  # appears when its video is there, too
        plan.save(written)
        if thinned_output:
            kept = thinning.thin(plan, sequence.read())
            write_film(thinned_output, kept, len(plan.kept), fps, progress, mark)
    return plan


def _open(source: str, options: Restoring) -> FrameSequence:
    sequence = open_sequence(source)
    doubt = sequence.doubt
    if doubt and options.timestamps and not options.missing:
        raise InputError(
            f"{source}: {doubt} --notimestamps says that none is and takes them in "
            f"their order, --missing=3,7-9 says which"
        )
    for remark in sequence.remarks:
        if remark != doubt:  # which the flags have answered
            _LOG.warning("remark: %s", remark)
    return sequence if options.timestamps else sequence.without_gaps()


def _with_missing(
    source: str,
    sequence: FrameSequence,
    options: Restoring,
    plan: thinning.Plan | None,
) -> FrameSequence:
    """The frames with the numbers that --missing leaves to them."""
    if not options.missing:
        return sequence
    if sequence.num_missing:
        text = (
            "remark: --missing is given, so the %d gaps in the numbers of %s do not "
            "count"
        )
        _LOG.warning(text, sequence.num_missing, source)
    if not plan:
        return sequence.lacking(parse_numbers(options.missing))
    if len(sequence.numbers) != len(plan.kept):
        raise InputError(
            f"{source} has {len(sequence.numbers)} frames, and {options.missing} "
            f"keeps {len(plan.kept)} of {plan.num_frames}"
        )
    return sequence.lacking(list(plan.dropped), first=0)


def _damaged(sequence: FrameSequence, options: Restoring) -> set[int]:
    """Numbers of the frames to replace."""
    bad = set(parse_numbers(options.damaged or ""))
    if unknown := sorted(bad - set(sequence.numbers)):
        raise InputError(
            f"--damaged names frame {unknown[0]}, which the input does not have; its "
            f"frames are {sequence.numbers[0]} to {sequence.numbers[-1]}"
        )
    if options.replace_duplicates:
        bad |= sequence.find_duplicates()
    if bad.issuperset(sequence.numbers):
        raise InputError("all frames are missing or damaged: there is no good frame")
    return bad
