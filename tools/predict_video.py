"""Plays a picture, each picture of a folder, or the last frame of a video, on.

    python tools/predict_video.py --model=runs/allconv --input=a.jpg --output=out.mp4
    python tools/predict_video.py --model=runs/allconv --input=photos --output=films
    python tools/predict_video.py --model=runs/allconv --input=a.avi --compare

A film starts with the input, at its own size, and goes on with `num_predictions *
frames_per_prediction` frames. `--compare` starts inside a video and puts what was
predicted beside what really happened, with PSNR and SSIM a frame.
"""

import itertools
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags

from motionflow import cli
from motionflow.data import picture, still, video
from motionflow.errors import InputError
from motionflow.film import draw_film
from motionflow.generate import comparison, rollout
from motionflow.generate.animation import Animation
from motionflow.models import predictor
from motionflow.tables import markdown_table

FORMATS = {"mp4": ".mp4", "gif": ".gif", "png": ""}
STRINGS = {
    "model": "Run directory, or an exported model's version folder.",
    "input": "Picture, folder of pictures, or video whose last frame is taken.",
    "output": "Video to write (.mp4 or .gif), or a folder for PNG frames (no suffix). "
    "If --input is a folder: the folder of all films. Default: out.mp4, or out.",
}
# Name: default, smallest, what it is.
NUMBERS = {
    "num_predictions": (5, 1, "How often the flow is predicted."),
    "frames_per_prediction": (
        None,
        1,
        "Frames that divide each predicted motion. Default: 5; with --compare 2, which "
        "keeps the pace of a model whose labels have --flow_average=anchored (1 does "
        "for consecutive and velocity).",
    ),
    "num_futures": (0, 0, "Draws this many futures, side by side; 0: none is drawn."),
    "seed": (0, 0, "Of the drawn futures."),
    "start_frame": (
        None,
        0,
        "With --compare: the frame to predict from, the first is 0. Default: the last "
        "that is followed by as many frames as are predicted.",
    ),
    "max_size": (4096, 0, "Longer sides are shrunk to this; 0: no bound."),
    "fps": (10.0, 0.1, "Frames a second."),
    "temperature": (
        1.0,
        0.0,
        "1: expected flow; 0.38: annealed, longer where the model is unsure; 0: the "
        "most probable flow.",
    ),
}
SWITCHES = {
    "compare": "Puts a video's real frames beside the predicted ones.",
    "show_flow": "Puts the colour-coded flow beside each frame.",
    "arrows": "Draws the flow as arrows.",
    "crop": "Takes the centre square at the model's frame size.",
}
MODE = (
    "recursive: the report's, warps warped frames; composed: the same, looked up in "
    "the input; euler: one prediction, a field that things move through; loop: the "
    "same, ending where it begins."
)


def define_flags(flag_values: flags.FlagValues = flags.FLAGS) -> None:
    """Adds this tool's flags; the numbers are the report's."""
    own: dict[str, Any] = {"flag_values": flag_values}
    for name, text in STRINGS.items():
        flags.DEFINE_string(name, None, text, **own)
    for name, (default, smallest, text) in NUMBERS.items():
        is_float = isinstance(default, float)
        define: Callable[..., Any] = (
            flags.DEFINE_float if is_float else flags.DEFINE_integer
        )
        define(name, default, text, lower_bound=smallest, **own)
    for name, text in SWITCHES.items():
        flags.DEFINE_bool(name, False, text, **own)
    flags.DEFINE_enum("mode", "composed", rollout.MODES, MODE, **own)
    text = "Of films if --input is a folder; mp4 if unset."
    flags.DEFINE_enum("format", None, FORMATS, text, **own)


def main(argv: Sequence[str]) -> int:
    """Checks the flags, loads the model and writes; 1 if a picture failed."""
    del argv
    values = flags.FLAGS
    for name in ("model", "input"):
        if not values[name].value:
            raise InputError(f"--{name} is missing: {values[name].help}")
    is_folder = Path(values.input).is_dir()
    output = Path(values.output or ("out" if is_folder else "out.mp4"))
    check_flags(values, is_folder, output)
    animation = make_animation(values)
    if is_folder:
        return animate_folder(values, animation, output)
    if values.compare:
        compare_video(values, animation, output)
    else:
        frame = still.read_still(values.input)
        animate(values, predictor.load(values.model), animation, frame, output)
    return 0


def check_flags(values: flags.FlagValues, is_folder: bool, output: Path) -> None:
    """Refuses combinations that mean nothing, before anything is read.

    Raises:
      InputError: such a combination, or an output that cannot be written.
    """
    for is_wrong, message in (
        (values.compare and is_folder, "--compare needs a video as --input"),
        (values.compare and values.num_futures, "--compare shows one future"),
        (values.compare and values.mode == "loop", "--compare: a loop never happened"),
        (
            values.start_frame is not None and not values.compare,
            "--start_frame is for --compare",
        ),
        (
            values.format and not is_folder,
            "--format is for a folder as --input; here the suffix of --output decides",
        ),
        (
            output.exists() and output.resolve() == Path(values.input).resolve(),
            "--output is --input",
        ),
        (
            is_folder and (output.suffix in video.VIDEO_OUTPUTS or output.is_file()),
            f"--input is a folder, so --output must be one, not {output}",
        ),
    ):
        if is_wrong:
            raise InputError(message)
    if not is_folder:
        check_output(output)


def check_output(output: Path) -> None:
    """Refuses an output that `write` would refuse, before the work.

    Raises:
      InputError: another suffix, no such parent, or a folder of other files.
    """
    if output.suffix:
        video.check_output(output)
    else:
        picture.check_frames_folder(output)


def make_animation(values: flags.FlagValues) -> Animation:
    """How frames are played on, by the flags."""
    default = comparison.FRAMES_PER_PREDICTION if values.compare else 5
    return Animation(
        values.num_predictions,
        values.frames_per_prediction or default,
        values.mode,
        values.temperature,
        values.num_futures,
        values.seed,
    )


def animate_folder(values: flags.FlagValues, animation: Animation, output: Path) -> int:
    """Animates each picture of a folder; returns 1 if one failed, else 0."""
    pictures, others = still.find_pictures(values.input)
    model = predictor.load(values.model)
    output.mkdir(exist_ok=True, parents=True)
    suffix, failed = FORMATS[values.format or "mp4"], 0
    stems = Counter(path.stem for path in pictures)
    for path in pictures:
        # a.jpg and a.png must not become one film.
        name = path.stem if stems[path.stem] == 1 else path.name.replace(".", "-")
        try:
            target = output / f"{name}{suffix}"
            if not suffix:
                picture.check_frames_folder(target)
            animate(values, model, animation, still.read_still(path), target)
        except InputError as error:
            failed += 1
            print(f"failed: {error}", file=sys.stderr)
    print(
        f"{len(pictures) - failed} of {len(pictures)} pictures animated, {failed} "
        f"failed, {len(others)} other files passed over"
    )
    return int(failed > 0)


def animate(
    values: flags.FlagValues,
    model: predictor.Predictor,
    animation: Animation,
    frame: np.ndarray,
    output: Path,
) -> None:
    """Plays one frame on and writes the film."""
    moments = animation.play(model, fit(values, model, frame, tell=True))
    frames = draw_film(moments, values.show_flow, values.arrows)
    write(values, output, frames, animation.num_moments)
    print(f"wrote {output}: {animation.num_moments} frames, the first is the input")


def compare_video(values: flags.FlagValues, animation: Animation, output: Path) -> None:
    """Predicts inside of a video; writes film and CSV, prints the table."""
    start, real = comparison.real_frames(
        video.iter_frames(values.input), animation.num_moments - 1, values.start_frame
    )
    model = predictor.load(values.model)
    real = [fit(values, model, frame, tell=not i) for i, frame in enumerate(real)]
    moments = list(itertools.islice(animation.play(model, real[0]), len(real)))
    rows = comparison.compare([shot.frame for (shot,) in moments], real, start)
    frames = draw_film(moments, values.show_flow, values.arrows, real)
    write(values, output, frames, len(real))
    scores = output.with_suffix(".csv")
    comparison.write_csv(scores, rows)
    print_scores(rows)
    print(
        f"{animation.frames_per_prediction} frames a prediction: the video's pace, if "
        "the model's labels are the motion of as many frames (flow_average anchored: "
        "2; consecutive, velocity: 1) at the video's frame rate"
    )
    if missing := animation.num_moments - len(real):
        print(f"the video ends {missing} frames before the prediction would")
    print(f"wrote {output}: frames {start} to {rows[-1].frame}; scores: {scores}")


def print_scores(rows: Sequence[comparison.FrameScores]) -> None:
    """Prints a line a frame, and the means."""
    head = ["frame", "PSNR, dB", "SSIM", "repeated: PSNR, dB", "SSIM"]
    lines = [(str(row.frame), row[1:]) for row in rows]
    lines.append(("mean", comparison.mean_scores(rows)))
    forms = ("{:.2f}", "{:.4f}") * 2
    cells = [
        [name, *(form.format(x) for form, x in zip(forms, scores, strict=True))]
        for name, scores in lines
    ]
    print("\n".join(markdown_table(head, cells)))


def fit(
    values: flags.FlagValues, model: predictor.Predictor, frame: np.ndarray, tell: bool
) -> np.ndarray:
    """The frame at the size of the film; says so if it is not its own."""
    if values.crop:
        return video.fit_frame(frame, model.frame_size)
    bounded = still.bound_size(frame, values.max_size)
    if tell and bounded is not frame:
        sizes = [f"{f.shape[1]}x{f.shape[0]}" for f in (frame, bounded)]
        print(f"shrunk from {sizes[0]} to {sizes[1]} (--max_size={values.max_size})")
    return bounded


def write(
    values: flags.FlagValues, output: Path, frames: Iterator[np.ndarray], total: int
) -> None:
    """Writes frames as the output's suffix says, with a progress bar."""
    with cli.progress_bar(output.name, "frame") as progress:

        def counted() -> Iterator[np.ndarray]:
            for i, frame in enumerate(frames, start=1):
                yield frame
                progress(i, total)

        if output.suffix:
            video.write_video(output, counted(), values.fps)
        else:
            picture.write_frames(output, counted())


if __name__ == "__main__":
    cli.run(main, define_flags)
