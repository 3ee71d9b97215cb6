"""Predicts how a picture will move next: a drawing, .flo, or .npy.

    motionflow flow photo.jpg                                    -> photo-flow.png
    motionflow flow photo.jpg --model=runs/allconv --output=photo.flo

A .png shows the flow over the picture, as colours and arrows. A .flo (Middlebury's
format) or .npy holds the flow itself, float32 [rows, columns, 2] of the model's grid
over the whole picture: dx right, dy down, pixels of the picture in one step.
"""

from pathlib import Path

from absl import flags

from motionflow import cli
from motionflow.commands.control_flags import define_control, read_control
from motionflow.files.outputs import check_replaceable
from motionflow.flag_groups import MODEL, FlagGroups
from motionflow.models.model_path import DEFAULT

WORDS = "input"
MARK = "motionflow flow"


def define_flags(values: flags.FlagValues) -> None:
    """Adds this command's flags."""
    define = FlagGroups(values, "Input and output")
    define.text("model", DEFAULT, MODEL)
    define.text("input", None, "Picture, or video whose last frame is taken.")
    text = ".png, .flo or .npy. Default: beside the picture, photo-flow.png."
    define.text("output", None, text)
    text = "Replace a file that this command did not make."
    define.switch("overwrite", False, text)
    define_control(define)


def main(values: flags.FlagValues) -> None:
    """Predicts, writes, says how much moves."""
    cli.require(values, "model", "input")
    source = Path(values.input)
    output = Path(values.output or source.with_name(f"{source.stem}-flow.png"))
    check_replaceable(output, MARK, values.overwrite)

    from motionflow.films import model
    from motionflow.media import still

    control = read_control(values)
    model.check_motion_output(output)
    moment = still.read_moment(source)  # before the model, which takes seconds
    found = model.load(values.model).flow(moment, **control)
    found.save(output, MARK)
    height, width = found.picture.shape[:2]
    rows, columns = found.speed.shape
    print(
        f"wrote {output}: {columns}x{rows} cells, fastest {found.speed.max():.2f} "
        f"pixels of {width}x{height}"
    )
