"""Model -> SavedModel for TensorFlow Serving, and the check that it answers alike.

    model, codebook -> V/saved_model.pb, variables/,
                       V/assets/codebook.npz, labels.txt
                       V/assets.extra/tf_serving_warmup_requests

labels.txt has a line for each code: its number, dx and dy in pixels.
"""

import tempfile
from pathlib import Path

import numpy as np
import tensorflow as tf

from motionflow.compat import keras
from motionflow.data.codebook import Codebook
from motionflow.data.known import pack_known
from motionflow.generate import picture_flow, rollout
from motionflow.models import predictor
from motionflow.models.predictor import FRAMES_SIGNATURE, KNOWN_SIGNATURE
from motionflow.serving import gate, warmup
from motionflow.serving.signatures import make_signatures

TOLERANCE = 1e-5


def write(
    folder: Path, served: keras.Model, model: keras.Model, codebook: Codebook
) -> None:
    """Writes a SavedModel with its assets and warm-up requests, and checks it.

    Args:
      folder: exists and is empty.
      served: from frames [B, S, S, 3] to logits; what is written.
      model: what it is compared with, before `folding`.
      codebook: that it was trained with.

    Raises:
      RuntimeError: it does not answer like the Keras model, or the server would refuse
        it.
    """
    module = tf.Module()
    # The weights alone: a Keras model would be traced layer by layer, for nothing.
    module.weights = served.weights
    with tempfile.TemporaryDirectory() as assets:
        codebook.save(Path(assets, "codebook.npz"))
        Path(assets, "labels.txt").write_text(labels(codebook.centers))
        module.codebook = tf.saved_model.Asset(str(Path(assets, "codebook.npz")))
        module.labels = tf.saved_model.Asset(str(Path(assets, "labels.txt")))
        signatures = make_signatures(served, codebook.centers)
        tf.saved_model.save(module, str(folder), signatures=signatures)
    grid_size = model.grid_size if KNOWN_SIGNATURE in signatures else None
    warmup.write(folder, model.input_shape[1], grid_size)
    check(folder, model, codebook.centers)


def labels(centers: np.ndarray) -> str:
    """One line a code: number, dx right, dy down, in pixels of the frame."""
    return "".join(f"{i} {dx:+.3f} {dy:+.3f}\n" for i, (dx, dy) in enumerate(centers))


def check(folder: Path, model: keras.Model, centers: np.ndarray) -> None:
    """Loads an export back and compares every signature with the Keras model.

    Raises:
      RuntimeError: an output differs by more than 1e-5 (relative, for large flows), a
        frame by more than 1 of 255, or the server would refuse it.
    """
    if found := gate.violations(folder):
        raise RuntimeError(f"TensorFlow Serving would refuse it: {'; '.join(found)}")
    exported = tf.saved_model.load(str(folder))
    side = model.input_shape[1]
    frames = np.random.default_rng(0).integers(0, 256, (2, side, side, 3), np.uint8)
    files = [tf.io.encode_png(frame) for frame in frames]
    two = tf.constant([2, 2])
    inputs = {
        "serving_default": {"image": tf.constant(frames)},
        "predict_bytes": {"image_bytes": tf.stack(files)},
        "probabilities": {"image": tf.constant(frames)},
        "steps": {"image": tf.constant(frames)},
        "rollout": {
            "image": tf.constant(frames),
            "num_predictions": two,
            "frames_per_prediction": two,
        },
        FRAMES_SIGNATURE: {"image": tf.constant(frames, tf.float32)},
        KNOWN_SIGNATURE: {
            "image": tf.constant(frames, tf.float32),
            "known": _known(model.grid_size),
        },
    }
    untold = _expected(model, centers, frames)
    for name, signature in exported.signatures.items():
        expected = untold
        if name == KNOWN_SIGNATURE:
            expected = _expected(model, centers, frames, _known(model.grid_size))
        for key, answer in signature(**inputs[name]).items():
            place, answer = f"{name}: {key}", answer.numpy()
            if name == "rollout":
                _compare(place, answer, expected["film"], tolerance=1)
            elif key == "codes":
                # Of two classes that are equally probable, either will do.
                picked = _picked(expected["probabilities"], answer)
                _compare(place, picked, expected["confidence"])
            else:
                _compare(place, answer, expected[key])


def _known(grid_size: int) -> tf.Tensor:
    """An arrow and a pin for the first of two frames, a past for the second."""
    arrows, past = np.full((2, 2, grid_size, grid_size, 2), np.nan)
    arrows[0, 0, 0], past[1] = (3, -1), (-2, 1)
    pins = np.zeros((2, grid_size, grid_size), bool)
    pins[0, -1, -1] = True
    shape = (2, grid_size, grid_size)
    return tf.constant(pack_known(shape, arrows=arrows, pins=pins, past=past))


def _expected(
    model: keras.Model,
    centers: np.ndarray,
    frames: np.ndarray,
    known: tf.Tensor | None = None,
) -> dict[str, np.ndarray]:
    """What the Keras model says, by the names of the outputs."""
    predict = predictor.of_model(model, centers)
    found = {key: value.numpy() for key, value in predict(frames, known).items()}
    grid, num_clusters = found["flow"].shape[:3], len(centers)
    flow, steps = picture_flow.flow_function(predict), found["step_probabilities"]
    mode = "composed"
    if predict.num_steps > 1:
        flow, mode = picture_flow.sequence_function(predict), "sequence"
    fine = [*steps.shape[:2], predict.fine_size, predict.fine_size, 2]
    return {
        "flow": found["flow"],
        "speed": np.hypot(found["flow"][..., 0], found["flow"][..., 1]),
        "confidence": found["probabilities"].max(axis=-1).reshape(grid),
        "probabilities": found["probabilities"].reshape(*grid, num_clusters),
        "step_probabilities": steps,
        "steps": (steps @ centers).reshape(fine),
        "film": rollout.generate(flow, frames, 2, 2, mode).numpy(),
    }


def _picked(probabilities: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Probabilities of some codes: [..., K], [...] -> [...]."""
    return np.take_along_axis(probabilities, codes[..., np.newaxis], -1)[..., 0]


def _compare(
    place: str, answer: np.ndarray, expected: np.ndarray, tolerance: float = TOLERANCE
) -> None:
    if answer.shape != expected.shape:
        raise RuntimeError(
            f"{place} of the export is {answer.shape}, expected {expected.shape}"
        )
    if not np.allclose(answer, expected, TOLERANCE, tolerance):
        worst = np.abs(answer - expected).max()
        raise RuntimeError(f"{place} of the export is off by {worst}")
