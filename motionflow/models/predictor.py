"""One way to predict, from a run directory or from an exported model.

    frames [B, S, S, 3] -> Predictor -> flow [B, g, g, 2], probabilities, codes

The callers, from evaluation to video, do not know which of the two they hold.
"""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf

from motionflow.data.codebook import Codebook
from motionflow.errors import InputError
from motionflow.models import blocks, spatial_softmax
from motionflow.models.run_dir import RunDir

# An export's signature for float frames; `serving_default` takes uint8 only.
FRAMES_SIGNATURE = "frames"


class Predictor:
    """Callable from frames to predictions, all in float32.

    Attributes:
      frame_size: S, pixels along one side of a frame.
      grid_size: g, cells along one side of the flow grid.
      centers: float32 [K, 2], the codebook in pixels of the frame per step.
      num_parameters: convolution and dense parameters; None for an export, which holds
        a program rather than layers.
    """

    def __init__(
        self,
        predict: Callable[[tf.Tensor], dict[str, tf.Tensor]],
        frame_size: int,
        grid_size: int,
        centers: np.ndarray,
        num_parameters: int | None,
    ):
        self._predict = predict
        self.frame_size = frame_size
        self.grid_size = grid_size
        self.centers = centers
        self.num_parameters = num_parameters

    def __call__(self, frames: tf.Tensor | np.ndarray) -> dict[str, tf.Tensor]:
        """Predicts how each cell of each frame moves.

        Args:
          frames: [B, S, S, 3], uint8 or float in 0..255.

        Returns:
          flow float32 [B, g, g, 2] (dx right, dy down, pixels of the frame per step),
          probabilities float32 [B, g * g, K], codes int32 [B, g * g].

        Raises:
          InputError: frames of another size.
        """
        expected = (self.frame_size, self.frame_size, 3)
        if tuple(frames.shape[1:]) != expected or len(frames.shape) != 4:
            raise InputError(
                f"frames have the shape {tuple(frames.shape)}, expected [B, "
                f"{', '.join(map(str, expected))}]"
            )
        return self._predict(tf.cast(frames, tf.float32))


def load(path: str | os.PathLike) -> Predictor:
    """Loads the last checkpoint of a run directory, or one version of an export.

    Args:
      path: a run directory (holds config.json), or an export's <version> folder (holds
        saved_model.pb). A SavedModel is a program: load only what you trust.

    Raises:
      InputError: `path` is neither.
    """
    path = Path(path)
    if (path / "saved_model.pb").is_file():
        return _from_export(path)
    if (path / "config.json").is_file():
        return _from_run_dir(RunDir.open(path))
    raise InputError(
        f"{path} {'holds no model' if path.is_dir() else 'does not exist'}: expected a "
        f"run directory (with config.json) or an exported version (with saved_model.pb)"
    )


def _from_run_dir(run_dir: RunDir) -> Predictor:
    model, codebook = run_dir.load_model(), run_dir.codebook
    spec = tf.TensorSpec(model.input_shape, tf.float32)

    @tf.function(input_signature=[spec])
    def predict(frames):
        logits = model(frames, training=False)
        return spatial_softmax.predictions(logits, codebook.centers)

    return Predictor(
        predict,
        frame_size=model.input_shape[1],
        grid_size=run_dir.config["model"]["grid_size"],
        centers=codebook.centers,
        num_parameters=blocks.count_parameters(model),
    )


def _from_export(path: Path) -> Predictor:
    exported = tf.saved_model.load(str(path))
    if FRAMES_SIGNATURE not in exported.signatures:
        raise InputError(
            f"{path} has the signatures {sorted(exported.signatures)}, expected "
            f"{FRAMES_SIGNATURE!r} among them: was it written by motionflow.export?"
        )
    predict = exported.signatures[FRAMES_SIGNATURE]
    codebook = Codebook.load(path / "assets" / "codebook.npz")

    def call(frames: tf.Tensor) -> dict[str, tf.Tensor]:
        # The signature's variables live as long as the object that holds them.
        return exported.signatures[FRAMES_SIGNATURE](image=frames)

    return Predictor(
        call,
        frame_size=predict.structured_input_signature[1]["image"].shape[1],
        grid_size=predict.structured_outputs["flow"].shape[1],
        centers=codebook.centers,
        num_parameters=None,
    )
