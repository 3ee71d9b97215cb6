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
from motionflow.films.model import predict_motion
from motionflow.generate import picture_flow, rollout
from motionflow.generate.animation import Animation
from motionflow.generate.control import Control
from motionflow.labels.codebook import Codebook
from motionflow.models import predictor
from motionflow.models.predictor import FRAMES_SIGNATURE, KNOWN_SIGNATURE, Predictor
from motionflow.serving import gate, portable, told, warmup
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
    image, floats = tf.constant(frames), tf.constant(frames, tf.float32)
    numbers = {"num_predictions": [2, 2], "frames_per_prediction": [2, 2]}
    known = portable.example_known(2, model.grid_size)
    arrow = (side / 4, side / 4), (side / 2, side / 3)
    control = Control([arrow], [(3 * side / 4, side / 2)])
    said = {k: np.repeat(v, 2, axis=0) for k, v in told.inputs(control).items()}
    inputs = {
        "serving_default": {"image": image},
        "predict_bytes": {"image_bytes": tf.stack(files)},
        "probabilities": {"image": image},
        "steps": {"image": image},
        "rollout": {"image": image} | numbers,
        FRAMES_SIGNATURE: {"image": floats},
        KNOWN_SIGNATURE: {"image": floats, "known": known},
        "guided": {"image": image} | said,
        "guided_rollout": {"image": image} | said | numbers,
    }
    predict = predictor.of_model(model, centers)
    expected = dict.fromkeys(inputs, _expected(predict, frames))
    if predict.takes_known:
        expected[KNOWN_SIGNATURE] = _expected(predict, frames, known)
        said_so = _expected_of_said(predict, frames, control)
        expected |= dict.fromkeys(("guided", "guided_rollout"), said_so)
    for name, signature in exported.signatures.items():
        fed = {key: tf.constant(value) for key, value in inputs[name].items()}
        for key, answer in signature(**fed).items():
            place, answer, truth = f"{name}: {key}", answer.numpy(), expected[name]
            if key == "codes":
                # Of two classes that are equally probable, either will do.
                picked = _picked(truth["probabilities"], answer)
                _compare(place, picked, truth["confidence"])
            else:
                tolerance = 1 if key == "frames" else TOLERANCE
                _compare(place, answer, truth[key], tolerance)


def _expected(
    predict: Predictor, frames: np.ndarray, known: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """What the Keras model says, by the names of the outputs."""
    found = {key: value.numpy() for key, value in predict(frames, known).items()}
    flow, steps = picture_flow.flow_function(predict), found["step_probabilities"]
    mode = "composed"
    if predict.num_steps > 1:
        flow, mode = picture_flow.sequence_function(predict), "sequence"
    return {
        "flow": found["flow"],
        "speed": np.hypot(found["flow"][..., 0], found["flow"][..., 1]),
        "confidence": found["probabilities"].max(axis=-1),
        "probabilities": found["probabilities"],
        "step_probabilities": steps.reshape(*steps.shape[:2], -1, steps.shape[-1]),
        "steps": steps @ predict.centers,
        "frames": rollout.generate(flow, frames, 2, 2, mode).numpy(),
    }


def _expected_of_said(
    predict: Predictor, frames: np.ndarray, control: Control
) -> dict[str, np.ndarray]:
    """The same where somebody said how each picture moves."""
    flow = np.stack([predict_motion(predict, frame, control).flow for frame in frames])
    film = Animation(2, 2, control=control)
    films = [[shot.frame for (shot,) in film.play(predict, frame)] for frame in frames]
    return {
        "flow": flow,
        "speed": np.linalg.norm(flow, axis=-1),
        "frames": np.array(films, np.float32)[:, 1:],
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
