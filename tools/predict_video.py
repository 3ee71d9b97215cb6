"""Plays a picture, or the last frame of a video, on into the future.

    python tools/predict_video.py --model=runs/allconv --input=a.jpg --output=out.mp4

The video starts with the input, fitted to the model's frame size, and goes on with
`num_predictions * frames_per_prediction` frames.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from absl import flags

from motionflow import cli
from motionflow.data import picture, video
from motionflow.errors import InputError
from motionflow.generate import rollout
from motionflow.models import predictor


def define_flags(flag_values: flags.FlagValues = flags.FLAGS) -> None:
    """Adds this tool's flags; the numbers are the report's."""
    for name, default, help_text in (
        ("model", None, "Run directory, or an exported model's version folder."),
        ("input", None, "Picture, or video whose last frame is taken."),
        ("output", "out.mp4", "Video to write, .mp4 or .gif."),
    ):
        flags.DEFINE_string(name, default, help_text, flag_values=flag_values)
    for name, help_text in (
        ("num_predictions", "How often the flow is predicted."),
        ("frames_per_prediction", "Frames that divide each predicted motion."),
    ):
        flags.DEFINE_integer(name, 5, help_text, lower_bound=1, flag_values=flag_values)
    flags.DEFINE_float(
        "fps", 10.0, "Frames a second.", lower_bound=0.1, flag_values=flag_values
    )


def main(argv: Sequence[str]) -> None:
    """Reads the flags, predicts, writes the video and says so."""
    del argv
    values = flags.FLAGS
    for name in ("model", "input"):
        if not values[name].value:
            raise InputError(f"--{name} is missing: {values[name].help}")
    frame = read_frame(values.input)
    frames = predict_frames(
        predictor.load(values.model),
        frame,
        values.num_predictions,
        values.frames_per_prediction,
    )
    video.write_video(values.output, frames, values.fps)
    num_frames = 1 + values.num_predictions * values.frames_per_prediction
    print(f"wrote {values.output}: {num_frames} frames, the first is the input")


def read_frame(path: str | Path) -> np.ndarray:
    """Reads a picture, or the last frame of a video, as uint8 [H, W, 3] RGB.

    Raises:
      InputError: the file is missing or neither of the two.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"--input: there is no file {path}")
    try:
        # Pillow would give an animation's first frame.
        if path.suffix.lower() != ".gif":
            return picture.read_image(path)
    except InputError:
        pass
    try:
        *_, last = video.iter_frames(path)
    except InputError as error:
        raise InputError(f"{path} is neither a picture nor a video") from error
    return last


def predict_frames(
    model: predictor.Predictor,
    frame: np.ndarray,
    num_predictions: int,
    frames_per_prediction: int,
) -> Iterator[np.ndarray]:
    """Yields the fitted frame and what follows, uint8 [S, S, 3] each."""
    fitted = video.fit_frame(frame, model.frame_size)
    yield fitted
    future = rollout.generate(
        lambda frames: model(frames)["flow"],
        fitted[np.newaxis],
        num_predictions,
        frames_per_prediction,
    )
    yield from np.rint(future[0]).clip(0, 255).astype(np.uint8)


if __name__ == "__main__":
    cli.run(main, define_flags)
