"""Run directory -> SavedModel that TensorFlow Serving loads.

    python -m motionflow.export --run_dir=runs/demo --export_dir=exported

    R/ -> X/<version>/saved_model.pb, variables/, assets/codebook.npz

Two signatures give the same outputs, each with a leading batch dimension: flow float32
[B, g, g, 2], probabilities float32 [B, cells, K], codes int32 [B, cells].

    serving_default    image uint8 [B, S, S, 3]
    frames             image float32 [B, S, S, 3] in 0..255: frames that were warped

The server polls the folder, so a version appears by one rename and only after it was
loaded back and compared with the Keras model.
"""

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from absl import flags

from motionflow import cli
from motionflow.compat import keras
from motionflow.models import spatial_softmax
from motionflow.models.predictor import FRAMES_SIGNATURE
from motionflow.models.run_dir import RunDir

TOLERANCE = 1e-5


def define_flags(flag_values: flags.FlagValues = flags.FLAGS) -> None:
    """Defines this command's flags on a registry."""
    flags.DEFINE_string(
        "run_dir",
        "runs/allconv",
        "Run directory of a training.",
        flag_values=flag_values,
    )
    flags.DEFINE_string(
        "export_dir",
        "exported",
        "Folder of versions, the model base path of TensorFlow Serving.",
        flag_values=flag_values,
    )


def servable(model: keras.Model, run_dir: RunDir) -> tuple[tf.Module, dict]:
    """Wraps a model for `tf.saved_model.save`.

    Returns:
      The module that owns the weights and the codebook, and its signatures by name.
    """
    centers = tf.constant(run_dir.codebook.centers)
    shape = model.input_shape
    module = tf.Module()
    # The weights alone: a Keras model would be traced layer by layer, for nothing.
    module.weights = model.weights
    module.codebook = tf.saved_model.Asset(str(run_dir.path / "codebook.npz"))

    def predict(image):
        # Without this the server would take frames of any size.
        frames = tf.cast(tf.ensure_shape(image, shape), tf.float32)
        return spatial_softmax.predictions(model(frames, training=False), centers)

    signatures = {
        name: tf.function(predict).get_concrete_function(
            tf.TensorSpec(shape, dtype, name="image")
        )
        for name, dtype in [
            ("serving_default", tf.uint8),
            (FRAMES_SIGNATURE, tf.float32),
        ]
    }
    return module, signatures


def export(run_dir: str | os.PathLike, export_dir: str | os.PathLike) -> Path:
    """Exports the last checkpoint of a run as the next version.

    Args:
      run_dir: run directory of a training.
      export_dir: folder of versions; created if missing.

    Returns:
      The new folder, `export_dir`/<largest version there + 1>.

    Raises:
      InputError: `run_dir` is no run directory.
      RuntimeError: the saved model does not answer like the Keras model.
    """
    run_dir, export_dir = RunDir.open(run_dir), Path(export_dir)
    model = run_dir.load_model()
    export_dir.mkdir(parents=True, exist_ok=True)
    # Beside the versions, so on the same filesystem; the server reads integers only.
    temporary = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=export_dir))
    try:
        module, signatures = servable(model, run_dir)
        tf.saved_model.save(module, str(temporary), signatures=signatures)
        check(temporary, model, run_dir.codebook.centers)
        temporary.chmod(0o755)
        version = export_dir / str(_next_version(export_dir))
        os.rename(temporary, version)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return version


def check(path: Path, model: keras.Model, centers: np.ndarray) -> None:
    """Loads an export back and compares both signatures with the Keras model.

    Raises:
      RuntimeError: an output differs by more than 1e-5 (relative, for large flows).
    """
    exported = tf.saved_model.load(str(path))
    random = np.random.default_rng(0)
    frames = random.integers(0, 256, (2, *model.input_shape[1:]), np.uint8)
    logits = model(frames.astype(np.float32), training=False)
    expected = spatial_softmax.predictions(logits, centers)
    for name, dtype in [("serving_default", tf.uint8), (FRAMES_SIGNATURE, tf.float32)]:
        answer = exported.signatures[name](image=tf.constant(frames, dtype))
        for key in ("flow", "probabilities"):
            np_answer, np_expected = answer[key].numpy(), expected[key].numpy()
            if not np.allclose(np_answer, np_expected, TOLERANCE, TOLERANCE):
                worst = np.abs(np_answer - np_expected).max()
                raise RuntimeError(f"{name}: {key} of the export is off by {worst}")


def _next_version(export_dir: Path) -> int:
    versions = [int(path.name) for path in export_dir.iterdir() if path.name.isdigit()]
    return max(versions, default=0) + 1


def main(argv: Sequence[str]) -> None:
    """Runs the command."""
    del argv
    version = export(flags.FLAGS.run_dir, flags.FLAGS.export_dir)
    print(f"exported {flags.FLAGS.run_dir} to {version}")


if __name__ == "__main__":
    cli.run(main, define_flags)
