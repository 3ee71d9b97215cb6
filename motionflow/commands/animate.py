"""Plays a picture on: a film of what is expected to happen next.

    motionflow animate photo.jpg                               -> photo.mp4
    motionflow animate photos/ --model=runs/allconv --output=films
    motionflow animate 'photos/*.jpg' --model=exported --format=gif
    motionflow animate photo.jpg --arrow=120,80:180,76 --pin=40,200
    motionflow animate clip.mp4 --model=runs/allconv --compare

The input is a picture, a video (its last frame goes on as those before it moved), a
folder of pictures, or several of these. A film starts with the input, at its own size,
and goes on with num_predictions * frames_per_prediction frames. --compare starts inside
a video and puts what was predicted beside what really happened, with PSNR and SSIM a
frame.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from absl import flags

from motionflow import cli
from motionflow.commands.control_flags import define_control, read_control
from motionflow.errors import InputError
from motionflow.files.outputs import check_file, check_replaceable
from motionflow.films import FORMATS
from motionflow.flag_groups import MODEL, FlagGroups
from motionflow.generate import MODES
from motionflow.models.model_path import DEFAULT

if TYPE_CHECKING:
    from motionflow.films.filming import Plan
    from motionflow.films.model import Model
    from motionflow.media.still import Moment

WORDS = "input"
MARK = "motionflow animate"
SCORES = "frame,predicted_psnr,"  # how its table of scores begins


def define_flags(values: flags.FlagValues) -> None:
    """Adds this command's flags."""
    define = FlagGroups(values, "Input and output")
    define.text("model", DEFAULT, MODEL)
    text = "Picture, video whose last frame is taken, folder of pictures, or pattern."
    define.repeated("input", text)
    define.text(
        "output",
        None,
        "Video to write (.mp4 or .gif), or a folder for PNG frames (no suffix); of "
        "several pictures the folder of all films. Default: beside the picture.",
    )
    text = "Of films that --output does not name; mp4 if unset."
    define.choice("format", None, FORMATS, text)
    text = "Replace files that this command did not make."
    define.switch("overwrite", False, text)
    define.group("Motion")
    text = "How often the flow is predicted."
    define.number("num_predictions", 5, text, at_least=1)
    define.number(
        "frames_per_prediction",
        None,
        "Frames that divide each predicted motion. Default: 5; with --compare 2, which "
        "keeps the pace of a model whose labels have --flow_average=anchored (1 does "
        "for consecutive and velocity).",
        at_least=1,
    )
    define.choice(
        "mode",
        "composed",
        MODES,
        "composed: frames are looked up in the first one; recursive: in the one before "
        "(the report); sequence: all steps of one prediction of a sequence network; "
        "euler: one prediction, a field that stands still; loop: the same, ends as it "
        "begins.",
    )
    define.number(
        "temperature",
        1.0,
        "1: expected flow; 0.38: annealed, longer where the model is unsure; 0: the "
        "most probable flow.",
        at_least=0.0,
    )
    text = "Draws this many futures, side by side; 0: none is drawn."
    define.number("num_futures", 0, text, at_least=0)
    define.number("seed", 0, "Of the drawn futures.", at_least=0)
    define_control(define)
    define.group("Film")
    define.number("fps", 10.0, "Frames a second.", at_least=0.1)
    text = "Longer sides are shrunk to this; 0: no bound."
    define.number("max_size", 4096, text, at_least=0)
    text = "Takes the centre square at the model's size."
    define.switch("crop", False, text)
    define.switch("show_flow", False, "Puts the flow beside each frame.")
    define.switch("arrows", False, "Draws the predicted flow over the frames.")
    define.group("Comparison with what happened")
    text = "Puts a video's real frames beside the predicted ones."
    define.switch("compare", False, text)
    define.number(
        "start_frame",
        None,
        "With --compare: the frame to predict from, the first is 0. Default: the last "
        "that is followed by as many frames as are predicted.",
        at_least=0,
    )


def main(values: flags.FlagValues) -> int:
    """Checks the flags, loads the model and writes; 1 if a picture failed."""
    cli.require(values, "model", "input")
    is_batch = len(values.input) > 1 or Path(values.input[0]).is_dir()
    output = values.output
    if output and is_batch and values["output"].using_default_value:
        output = Path(output).stem
    _check_flags(values, is_batch)

    from motionflow.films import filming
    from motionflow.media import still

    played = _played(values)
    control = {} if values.compare else read_control(values)
    plan = filming.plan(values.input, output, values.format)
    for _, target in plan.films:
        check_replaceable(target, MARK, values.overwrite)
    source, target = plan.films[0]
    if plan.is_batch:
        return _animate_all(values, plan, played | control)
    if values.compare:
        _compare(values, source, target, played)
    else:
        moment = still.read_moment(source)  # before the model, which takes seconds
        _animate(values, _load(values), moment, target, played | control)
    return 0


def _check_flags(values: flags.FlagValues, is_batch: bool) -> None:
    """Refuses combinations that mean nothing, before anything is read."""
    if values.start_frame is not None and not values.compare:
        raise InputError("--start_frame is for --compare")
    is_told = values.arrow or values.pin or values.mask or values.strength != 1
    for is_wrong, message in (
        (is_batch, "--compare needs a video as --input"),
        (values.num_futures, "--compare shows one future"),
        (values.mode == "loop", "--compare: a loop never happened"),
        (
            is_told,
            "--compare shows what is predicted by itself: no arrows, pins or masks",
        ),
    ):
        if values.compare and is_wrong:
            raise InputError(message)


def _played(values: flags.FlagValues) -> dict[str, Any]:
    """The flags of an `Animation`, which has been asked whether they fit."""
    from motionflow.films.compared import FRAMES_PER_PREDICTION
    from motionflow.generate.animation import Animation

    names = ("num_predictions", "mode", "temperature", "num_futures", "seed")
    played: dict[str, Any] = {name: values[name].value for name in names}
    default = FRAMES_PER_PREDICTION if values.compare else 5
    played["frames_per_prediction"] = values.frames_per_prediction or default
    Animation(**played)
    return played


def _shown(values: flags.FlagValues) -> dict[str, Any]:
    names = ("max_size", "crop", "show_flow", "fps")
    shown = {name: values[name].value for name in names}
    return shown | {"show_arrows": values.arrows}


def _load(values: flags.FlagValues) -> "Model":
    from motionflow.films import model

    loaded = model.load(values.model)
    for remark in loaded.remarks():
        print(f"remark: {remark}", file=sys.stderr)
    return loaded


def _animate_all(values: flags.FlagValues, plan: "Plan", played: dict[str, Any]) -> int:
    """Animates each picture; returns 1 if one failed, else 0."""
    from motionflow.media import still

    model, failed = _load(values), 0
    for source, target in plan.films:
        try:
            target.parent.mkdir(exist_ok=True, parents=True)
            _animate(values, model, still.read_moment(source), target, played)
        except InputError as error:
            failed += 1
            print(f"failed: {error}", file=sys.stderr)
    total = len(plan.films)
    print(
        f"{total - failed} of {total} pictures animated, {failed} failed, "
        f"{plan.num_others} other files passed over"
    )
    return int(failed > 0)


def _animate(
    values: flags.FlagValues,
    model: "Model",
    moment: "Moment",
    target: Path,
    played: dict[str, Any],
) -> None:
    film = model.animate(moment, **_shown(values), **played)
    with cli.progress_bar(target.name, "frame") as progress:
        film.save(target, progress, MARK)
    print(f"wrote {target}: {len(film)} frames, the first is the input")
    for remark in film.remarks():
        print(remark)


def _compare(
    values: flags.FlagValues, source: Path, target: Path, played: dict[str, Any]
) -> None:
    """Predicts inside of a video; writes film and CSV, prints the table."""
    scores = target.with_suffix(".csv")
    check_file(scores)
    check_replaceable(scores, MARK, values.overwrite, sign=SCORES)

    from motionflow.films.compared import compare_film
    from motionflow.generate.animation import Animation

    animation, start = Animation(**played), values.start_frame
    model, shown = _load(values), _shown(values)
    film = compare_film(model, source, animation, start_frame=start, **shown)
    with cli.progress_bar(target.name, "frame") as progress:
        film.save(target, progress, MARK)
    print(film.table())
    print(
        f"{played['frames_per_prediction']} frames a prediction: the video's pace, if "
        "the model's labels are the motion of as many frames (flow_average anchored: "
        "2; consecutive, velocity: 1) at the video's frame rate"
    )
    if film.num_missing:
        print(f"the video ends {film.num_missing} frames before the prediction would")
    numbers = f"frames {film.start} to {film.rows[-1].frame}"
    print(f"wrote {target}: {numbers}; scores: {scores}")
