"""Fills in the missing frames of a video; or lists those that need not be there.

    python tools/restore_frames.py --model=runs/allconv --input=a.mp4 --output=b.mp4

Which frames are missing follows from the input: from gaps in a video's time stamps
(--notimestamps takes its frames as they come: film of 25 frames a second in a
container of 30 has such gaps, although nothing is missing), or in the numbers of a
folder of pictures. --missing=3,7-9 names frames of the restored video that the input
lacks, and its own numbers do not count then; --damaged=LIST names frames to replace. A
video's frames are numbered from 0, pictures as they are called. What fills a gap:

    --method=predicted   the model, from both sides of a gap where both are known
    --method=forward     the model, from the frame before
    --method=flow        computed optical flow between the two; needs no model
    --method=blend       their mixture
    --method=repeat      the frame before

The other way round, --plan lists the frames that could be dropped, since the method
restores each within --min_psnr, and what that saves:

    python tools/restore_frames.py --model=runs/allconv --input=a.mp4 --plan \
        --output=plan.json --thinned_output=thin.mp4
    python tools/restore_frames.py --model=runs/allconv --input=thin.mp4 \
        --missing=plan.json --output=b.mp4

An output that ends in .mp4 or .gif is a video, another a folder of PNGs, which loses
nothing: the promise of a plan is about the frames before a codec.
"""

import collections
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags

from motionflow import cli
from motionflow.data import picture, video
from motionflow.data.frame_sequence import FrameSequence, open_sequence, parse_numbers
from motionflow.errors import InputError
from motionflow.generate import picture_flow, restoration, thinning
from motionflow.models import predictor

FPS = 30.0  # of pictures, which do not say


def define_flags(flag_values: flags.FlagValues = flags.FLAGS) -> None:
    """Adds this tool's flags."""
    own: dict[str, Any] = {"flag_values": flag_values}
    for name, help_text in (
        ("model", "Run directory, or an exported model's version folder."),
        ("input", "Video, or folder of numbered pictures."),
        ("output", "Video or folder (default: restored.mp4), or plan (plan.json)."),
        ("missing", "Numbers that the input lacks, such as 3,7-9; or a plan.json."),
        ("damaged", "Numbers of frames to replace, such as 3,7-9."),
        ("thinned_output", "With --plan: video or folder without those frames."),
    ):
        flags.DEFINE_string(name, None, help_text, **own)
    flags.DEFINE_enum(
        "method",
        None,
        list(restoration.METHODS),
        "How gaps are filled (default: predicted, or as --missing=plan.json says).",
        **own,
    )
    flags.DEFINE_integer(
        "frames_per_prediction",
        None,
        "Frames that one predicted motion takes (default: 2, or the plan's): 2 for "
        "models of flow_average=anchored over 3 frames, 1 for the other two averages.",
        lower_bound=1,
        **own,
    )
    flags.DEFINE_integer(
        "max_gap",
        None,
        "Longest gap that motion fills, longer ones repeat a frame; longest run that "
        "a plan drops (default: 8, or the plan's).",
        lower_bound=1,
        **own,
    )
    flags.DEFINE_boolean(
        "timestamps", True, "Look for gaps in a video's time stamps.", **own
    )
    flags.DEFINE_boolean(
        "replace_duplicates", False, "Replace frames that repeat the last one.", **own
    )
    flags.DEFINE_float(
        "fps",
        None,
        "Frames a second to write (default: the input's; 30 for pictures).",
        lower_bound=0.1,
        **own,
    )
    flags.DEFINE_boolean("plan", False, "List what could be dropped.", **own)
    flags.DEFINE_float("min_psnr", 35.0, "Of dropped frames, dB.", **own)


def main(argv: Sequence[str]) -> None:
    """Reads the flags, restores or plans, says what was done."""
    del argv
    values = flags.FLAGS
    if not values.input:
        raise InputError(f"--input is missing: {values['input'].help}")
    for name in ("output", "thinned_output"):
        path = values[name].value
        if path and Path(path).resolve() == Path(values.input).resolve():
            raise InputError(f"--{name}={path} is the input itself")
    (_plan if values.plan else _restore)(values)


def _restore(values: flags.FlagValues) -> None:
    output = values.output or "restored.mp4"
    _check_output(output)
    if values.thinned_output:
        raise InputError("--thinned_output goes with --plan")
    plan = None
    if values.missing and values.missing.endswith(".json"):
        plan = thinning.Plan.load(values.missing)
    sequence = _with_missing(_open(values), values, plan)
    bad = _damaged(sequence, values)
    filler = _filler(values, plan)
    numbered = zip(sequence.numbers, sequence.read(), strict=True)
    numbered = (pair for pair in numbered if pair[0] not in bad)
    total = sequence.last + 1 - sequence.first
    counts: collections.Counter[str] = collections.Counter()
    with cli.progress_bar("frames", "frame") as progress:
        filled = restoration.restore(numbered, sequence.first, sequence.last, filler)
        frames = _counted(filled, counts, lambda done: progress(done, total))
        _write(output, frames, values.fps or sequence.fps or FPS)
    print(_summary(output, counts))


def _open(values: flags.FlagValues) -> FrameSequence:
    sequence = open_sequence(values.input)
    for remark in sequence.remarks:
        print(f"remark: {remark}", file=sys.stderr)
    if not values.timestamps and not Path(values.input).is_dir():
        return sequence.without_gaps()
    return sequence


def _with_missing(
    sequence: FrameSequence, values: flags.FlagValues, plan: thinning.Plan | None
) -> FrameSequence:
    """The frames with the numbers that --missing leaves to them."""
    if not values.missing:
        return sequence
    if sequence.num_missing:
        print(
            f"remark: --missing is given, so the {sequence.num_missing} gaps in the "
            f"numbers of {values.input} do not count",
            file=sys.stderr,
        )
    if not plan:
        return sequence.lacking(parse_numbers(values.missing))
    if len(sequence.numbers) != len(plan.kept):
        raise InputError(
            f"{values.input} has {len(sequence.numbers)} frames, and {values.missing} "
            f"keeps {len(plan.kept)} of {plan.num_frames}"
        )
    return sequence.lacking(list(plan.dropped), first=0)


def _damaged(sequence: FrameSequence, values: flags.FlagValues) -> set[int]:
    """Numbers of the frames to replace."""
    bad = set(parse_numbers(values.damaged or ""))
    if unknown := sorted(bad - set(sequence.numbers)):
        raise InputError(
            f"--damaged names frame {unknown[0]}, which the input does not have; its "
            f"frames are {sequence.numbers[0]} to {sequence.numbers[-1]}"
        )
    if values.replace_duplicates:
        bad |= sequence.find_duplicates()
    if bad.issuperset(sequence.numbers):
        raise InputError("all frames are missing or damaged: there is no good frame")
    return bad


def _filler(values: flags.FlagValues, plan: thinning.Plan | None) -> restoration.Filler:
    """The filler of the flags; what they leave open is the plan's, or the default."""
    chosen: dict[str, Any] = {}
    for name in ("method", "frames_per_prediction", "max_gap"):
        if values[name].present:
            chosen[name] = values[name].value
        elif plan:
            chosen[name] = getattr(plan, name)
    if chosen.get("method", restoration.METHODS[0]) in restoration.WITH_MODEL:
        if not values.model:
            raise InputError(
                f"--model is missing: {values['model'].help} Only the methods flow, "
                f"blend and repeat need none."
            )
        model = picture_flow.flow_function(predictor.load(values.model))
        chosen["model"] = model
    return restoration.Filler(**chosen)


def _counted(
    filled: restoration.Filled,
    counts: collections.Counter[str],
    progress: Callable[[int], None],
) -> Iterator[np.ndarray]:
    for frame, how in filled:
        counts[how] += 1
        progress(counts.total())
        yield frame


def _summary(output: str, counts: collections.Counter[str]) -> str:
    ways = [f"{n} {how}" for how, n in sorted(counts.items())]
    ways = [way for way in ways if not way.endswith(restoration.KEPT)]
    kept = counts[restoration.KEPT]
    text = f"wrote {output}: {counts.total()} frames, {kept} as they were, "
    text += f"{counts.total() - kept} filled in"
    return text + (": " + ", ".join(ways) if ways else "")


def _is_video(output: str) -> bool:
    return bool(Path(output).suffix)


def _check_output(output: str) -> None:
    """Says before the work what `_write` would say after it."""
    if not _is_video(output):
        picture.check_frames_folder(output)
        return
    if Path(output).suffix.lower() not in video.VIDEO_OUTPUTS:
        raise InputError(
            f"{output} must end in {' or '.join(video.VIDEO_OUTPUTS)}, or be a folder"
        )
    _check_folder_of(output)


def _check_folder_of(output: str) -> None:
    if not Path(output).parent.is_dir():
        raise InputError(f"there is no folder {Path(output).parent} for {output}")


def _write(output: str, frames: Iterable[np.ndarray], fps: float) -> None:
    if _is_video(output):
        video.write_video(output, frames, fps)
    else:
        picture.write_frames(output, frames)


def _plan(values: flags.FlagValues) -> None:
    output = values.output or "plan.json"
    if not output.endswith(".json"):
        raise InputError(f"--output={output} must end in .json with --plan")
    _check_folder_of(output)
    if values.thinned_output:
        _check_output(values.thinned_output)
    if values.missing or values.damaged or values.replace_duplicates:
        raise InputError("--plan takes a video as it is: restore it first")
    sequence = _open(values)
    if sequence.num_missing:
        raise InputError(
            f"{values.input} lacks {sequence.num_missing} frames: restore it first, or "
            f"take its frames as they come (--notimestamps)"
        )
    total = len(sequence.numbers)
    with cli.progress_bar("frames", "frame") as progress:
        plan = thinning.make_plan(
            _watched(sequence.read(), lambda done: progress(done, total)),
            _filler(values, None),
            values.min_psnr,
        )
    fps = values.fps or sequence.fps or FPS
    plan = thinning.measure_bytes(plan, sequence.read, fps)
    plan.save(output)
    if values.thinned_output:
        _write(values.thinned_output, thinning.thin(plan, sequence.read()), fps)
    print(_plan_summary(output, plan))


def _watched(
    frames: Iterable[np.ndarray], progress: Callable[[int], None]
) -> Iterator[np.ndarray]:
    for done, frame in enumerate(frames, start=1):
        yield frame
        progress(done)


def _plan_summary(output: str, plan: thinning.Plan) -> str:
    return (
        f"wrote {output}: {len(plan.dropped)} of {plan.num_frames} frames "
        f"({plan.share_dropped:.1%}) can be dropped at {plan.min_psnr:g} dB; "
        f"{plan.bytes_full:,} bytes become {plan.bytes_thinned:,} "
        f"({plan.saving:.1%} saved)"
    )


if __name__ == "__main__":
    cli.run(main, define_flags)
