"""Exports a network: TensorFlow Serving, TensorFlow Lite, ONNX.

    motionflow export R --export_dir=X  ->  X/1, X/2, ...

X is a folder of versions, as TensorFlow Serving takes it. Each version has a model card
and, for the server, warm-up requests. It is loaded back and compared with the Keras
model before it appears.
"""

from absl import flags

from motionflow.flag_groups import FlagGroups
from motionflow.serving import FORMATS

WORDS = "run_dir"


def define_flags(values: flags.FlagValues) -> None:
    """Adds this command's flags."""
    define = FlagGroups(values, "Export")
    define.text("run_dir", "runs/allconv", "Run directory of a training.")
    define.text("export_dir", "exported", "Folder of versions.")
    text = "What to write; a folder of versions holds one format."
    define.choice("format", "saved_model", FORMATS, text)
    text = "Delete all but so many of the newest versions; 0: none."
    define.number("keep_versions", 0, text, at_least=0)
    define.text(
        "data_licence",
        None,
        "Of the training data, for the model card. Default: what is known of hmdb51 "
        "and ucf101.",
    )


def main(values: flags.FlagValues) -> None:
    """Exports, says where to."""
    from motionflow.serving.exporting import export_model

    version = export_model(
        values.run_dir,
        values.export_dir,
        values.format,
        values.keep_versions,
        values.data_licence,
    )
    print(f"exported {values.run_dir} to {version}")
