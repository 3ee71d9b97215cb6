r"""Fills in missing frames of a video, or lists those that can go.

    motionflow restore a.mp4 --model=runs/allconv          -> a-restored.mp4

Which frames are missing follows from the input: from gaps in a video's time stamps, or
in the numbers of a folder of pictures. (Film of 25 frames a second in slots of 30
lacks none.) --notimestamps takes the frames as they come, where pictures are named by
time, for example. --missing=3,7-9 names frames of the restored video that the input
lacks, and its own numbers do not count then; --damaged=LIST names frames to replace. A
video's frames are numbered from 0, pictures as they are called. What fills a gap:

    --method=predicted   the model, from both sides of a gap where both are known
    --method=flow        computed optical flow between the two; needs no model

The other way round, --plan lists the frames that could be dropped, since the method
restores each within --min_psnr, and what that saves:

    motionflow restore a.mp4 --model=runs/allconv --plan --output=plan.json \
        --thinned_output=thin.mp4
    motionflow restore thin.mp4 --model=runs/allconv --missing=plan.json

An output that ends in .mp4 or .gif is a video, another a folder of PNGs, which loses
nothing: the promise of a plan is about the frames before a codec.
"""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from absl import flags

from motionflow import cli
from motionflow.errors import InputError
from motionflow.files.outputs import check_replaceable
from motionflow.films import check_method
from motionflow.flag_groups import MODEL, FlagGroups
from motionflow.models.model_path import DEFAULT

if TYPE_CHECKING:
    from motionflow.films.thinning import Plan

WORDS = "input"
MARK = "motionflow restore"
PLAN = '"min_psnr"'  # stands in each plan


def define_flags(values: flags.FlagValues) -> None:
    """Adds this command's flags."""
    define = FlagGroups(values, "Input and output")
    define.text("model", DEFAULT, MODEL)
    define.text("input", None, "Video, or folder of numbered pictures.")
    text = "Video or folder, or plan (.json). Default: beside the input."
    define.text("output", None, text)
    define.switch("overwrite", False, "Replace files that this command did not make.")
    text = "Frames a second to write (default: the input's; 30 for pictures)."
    define.number("fps", None, text, at_least=0.1)
    define.group("What is missing")
    text = "Numbers that the input lacks, such as 3,7-9; or a plan.json."
    define.text("missing", None, text)
    define.text("damaged", None, "Numbers of frames to replace, such as 3,7-9.")
    text = "Look for gaps in a video's time stamps, in the numbers of pictures."
    define.switch("timestamps", True, text)
    text = "Replace frames that repeat the last one."
    define.switch("replace_duplicates", False, text)
    define.group("What fills it")
    text = "predicted (default) or flow; with --missing=plan.json what the plan says."
    define.text("method", None, text)
    define.number(
        "frames_per_prediction",
        None,
        "Frames that one predicted motion takes (default: 2, or the plan's): 2 for "
        "models of flow_average=anchored over 3 frames, 1 for the other two averages.",
        at_least=1,
    )
    define.number(
        "max_gap",
        None,
        "Longest gap that motion fills, longer ones repeat a frame; longest run that "
        "a plan drops (default: 8, or the plan's).",
        at_least=1,
    )
    define.group("What could be dropped")
    define.switch("plan", False, "List what could be dropped.")
    define.number("min_psnr", 35.0, "Of dropped frames, dB.")
    text = "With --plan: video or folder without those frames."
    define.text("thinned_output", None, text)


def main(values: flags.FlagValues) -> None:
    """Restores or plans, says what was done."""
    cli.require(values, "input")
    if values.thinned_output and not values.plan:
        raise InputError("--thinned_output goes with --plan")
    if values.method:
        check_method(values.method)
    output = _output(values)
    for name, path in (("output", output), ("thinned_output", values.thinned_output)):
        if path and Path(path).resolve() == Path(values.input).resolve():
            raise InputError(f"--{name}={path} is the input itself")
        if path:
            sign = PLAN if path.endswith(".json") else None
            check_replaceable(path, MARK, values.overwrite, sign)

    from motionflow.films.restoring import Restoring, plan_video, restore_video

    names = Restoring.__dataclass_fields__
    chosen: dict[str, Any] = {name: values[name].value for name in names}
    options = Restoring(**chosen)
    with cli.progress_bar("frames", "frame") as progress:
        if not values.plan:
            ways = restore_video(values.input, output, options, progress, MARK)
        else:
            plan = plan_video(
                values.input,
                output,
                values.thinned_output,
                values.min_psnr,
                options,
                progress,
                MARK,
            )
    print(_plan_summary(output, plan) if values.plan else _summary(output, ways))


def _output(values: flags.FlagValues) -> str:
    if values.output:
        is_default = values["output"].using_default_value  # of the older name
        return "plan.json" if values.plan and is_default else values.output
    source = Path(values.input)
    name = f"{source.stem}-{'plan.json' if values.plan else 'restored.mp4'}"
    return str(source.with_name(name))


def _summary(output: str, counts: "Counter[str]") -> str:
    from motionflow.films.filling import KEPT

    ways = [f"{n} {how}" for how, n in sorted(counts.items())]
    ways = [way for way in ways if not way.endswith(KEPT)]
    kept = counts[KEPT]
    text = f"wrote {output}: {counts.total()} frames, {kept} as they were, "
    text += f"{counts.total() - kept} filled in"
    return text + (": " + ", ".join(ways) if ways else "")


def _plan_summary(output: str, plan: "Plan") -> str:
    return (
        f"wrote {output}: {len(plan.dropped)} of {plan.num_frames} frames "
        f"({plan.share_dropped:.1%}) can be dropped at {plan.min_psnr:g} dB; "
        f"{plan.bytes_full:,} bytes become {plan.bytes_thinned:,} "
        f"({plan.saving:.1%} saved)"
    )
