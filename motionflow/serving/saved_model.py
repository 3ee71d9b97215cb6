"""Model -> SavedModel for TensorFlow Serving, and the check that it answers alike.

    model, codebook -> V/saved_model.pb, variables/,
                       V/assets/codebook.npz, labels.txt
                       V/assets.extra/tf_serving_warmup_requests

labels.txt has a line for each code: its number, dx and dy in pixels.

Batch normalisation is put into the convolutions before it: the same answers, sooner.

    w <- w gamma / sqrt(variance + epsilon)
    b <- (b - mean) gamma / sqrt(variance + epsilon) + beta

TensorFlow merges the two by itself where the convolution has no bias, and only there.
The report's have one.
"""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from motionflow.compat import keras
from motionflow.films.model import Model
from motionflow.generate.control import Control
from motionflow.labels.codebook import Codebook
from motionflow.models import blocks, predictor
from motionflow.models.predictor import KNOWN_SIGNATURE
from motionflow.serving import inputs, tf_serving
from motionflow.serving.signatures import forecast, make_signatures

TOLERANCE = 1e-5


def write(
    folder: Path, served: keras.Model, model: keras.Model, codebook: Codebook
) -> None:
    """Writes a SavedModel with its assets and warm-up requests, and checks it.

    Args:
      folder: exists and is empty.
      served: what is written, `fold`ed.
      model: what it is compared with.
      codebook: that it was trained with.

    Raises:
      RuntimeError: see `check`.
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
    tf_serving.write_warmup(folder, model.input_shape[1], grid_size)
    check(folder, model, codebook.centers)


def fold(model: keras.Model) -> keras.Model:
    """Folds batch normalisation in place and gives the model back.

    It is for predictions only: training it on makes no sense.
    """
    for norm in model.layers:
        if not isinstance(norm, keras.layers.BatchNormalization):
            continue
        layer = norm.inbound_nodes[0].inbound_layers
        kinds = keras.layers.Conv2D, blocks.PaddedConv2D
        if type(layer) not in kinds or not layer.use_bias:
            continue  # TensorFlow's to merge, or a kernel of another layout
        gamma, beta, mean, variance = map(np.float64, norm.get_weights())
        factor = gamma / np.sqrt(variance + norm.epsilon)
        kernel, bias = layer.get_weights()
        layer.set_weights([kernel * factor, (bias - mean) * factor + beta])
        norm.call = _identity
    return model


def _identity(inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
    del training
    return inputs


def labels(centers: np.ndarray) -> str:
    """One line a code: number, dx right, dy down, in pixels of the frame."""
    return "".join(f"{i} {dx:+.3f} {dy:+.3f}\n" for i, (dx, dy) in enumerate(centers))


def check(folder: Path, model: keras.Model, centers: np.ndarray) -> None:
    """Loads an export back and compares every signature with the Keras model.

    Raises:
      RuntimeError: an output differs by more than 1e-5 (relative, for large flows), a
        frame by more than 1 of 255, or the server would refuse it.
    """
    if found := tf_serving.violations(folder):
        raise RuntimeError(f"TensorFlow Serving would refuse it: {'; '.join(found)}")
    exported = tf.saved_model.load(str(folder))
    network = Model(predictor.of_model(model, centers))
    side = model.input_shape[1]
    frames = np.random.default_rng(0).integers(0, 256, (2, side, side, 3), np.uint8)
    files = [tf.io.encode_png(frame).numpy() for frame in frames]
    known = inputs.example_known(2, model.grid_size)
    arrow = (side / 4, side / 4), (side / 2, side / 3)
    control = Control([arrow], [(3 * side / 4, side / 2)])
    hints = inputs.hints_of(control, 2)
    expected = dict.fromkeys(exported.signatures, _expected(network, frames))
    if network.predictor.takes_known:
        expected[KNOWN_SIGNATURE] = _expected(network, frames, known)
        told = _expected_of_hints(network, frames, control)
        expected |= dict.fromkeys(("guided", "guided_rollout"), told)
    asked = inputs.requests(frames, files, 2, known, hints)
    for name, signature in exported.signatures.items():
        fed = {key: tf.constant(value) for key, value in asked[name].items()}
        for key, answer in signature(**fed).items():
            place, answer, truth = f"{name}: {key}", answer.numpy(), expected[name]
            if key == "codes":
                # Of two classes that are equally probable, either will do.
                chances, answer = truth["probabilities"], answer[..., np.newaxis]
                picked = np.take_along_axis(chances, answer, axis=-1)[..., 0]
                _compare(place, picked, truth["confidence"])
            else:
                tolerance = 1 if key == "frames" else TOLERANCE
                _compare(place, answer, truth[key], tolerance)


def _expected(
    network: Model, frames: np.ndarray, known: np.ndarray | None = None
) -> dict[str, np.ndarray]:
    """What the Keras model says, by the names of the outputs."""
    found = forecast(network.predictor, frames, known)
    found.setdefault("steps", found["flow"][:, tf.newaxis])
    mode = "sequence" if network.predictor.num_steps > 1 else "composed"
    films = _films(network, frames, mode=mode)
    return {key: value.numpy() for key, value in found.items()} | {"frames": films}


def _expected_of_hints(
    network: Model, frames: np.ndarray, control: Control
) -> dict[str, np.ndarray]:
    """The same where somebody said how each picture moves."""
    said: dict[str, Any] = {"arrows": control.arrows, "pins": control.pins}
    flow = np.stack([network.flow(frame, **said).flow for frame in frames])
    speed = np.linalg.norm(flow, axis=-1)
    return {"flow": flow, "speed": speed, "frames": _films(network, frames, **said)}


def _films(network: Model, frames: np.ndarray, **options: Any) -> np.ndarray:
    options |= {"num_predictions": 2, "frames_per_prediction": 2}
    films = [network.animate(frame, **options) for frame in frames]
    return np.array([list(film)[1:] for film in films], np.float32)


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
