"""One way to predict, from a run directory or from an exported model.

    frames [B, S, S, 3] -> Predictor -> flow [B, g, g, 2], probabilities, codes

The callers, from evaluation to video, do not know which of the two they hold.
"""

import math
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf

from motionflow.compat import keras
from motionflow.data.known import NUM_KNOWN
from motionflow.errors import InputError
from motionflow.files.outputs import check_name
from motionflow.labels.codebook import Codebook
from motionflow.models import blocks, packed, spatial_softmax
from motionflow.models.guided import GuidedNetwork
from motionflow.models.model_path import (
    DEFAULT_DIGEST,
    DEFAULT_FILE,
    PACKED,
    find_model,
    is_export,
)
from motionflow.models.network import Network
from motionflow.models.run_dir import RunDir
from motionflow.models.sequence import SequenceNetwork
from motionflow.models.teller import Teller

# An export's signature for float frames; `serving_default` takes uint8 only.
FRAMES_SIGNATURE = "frames"
KNOWN_SIGNATURE = "known"  # and what is known; of a network that can be told
NUM_REGIONS = 5  # along one side, that a feature map is averaged over


class Predictor:
    """Callable from frames to predictions, all in float32.

    Attributes:
      frame_size: S, pixels along one side of a frame.
      grid_size: g, cells along one side of the flow grid.
      centers: float32 [K, 2], the codebook in pixels of the frame per step.
      num_steps: T, how many steps ahead one prediction looks; 1 but for sequences.
      fine_size: s, cells along one side of each step's flow; g but for dense networks.
      num_parameters: convolution and dense parameters; None for an export, which holds
        a program rather than layers.
      features: None for an export; else a function from such frames as predictions take
        to float32 [B, D], the activations before the last layer of scores. A feature
        map is averaged over 5x5 regions: D = 25 C, 12,800 for allconv; D = 4,096 for
        alexnet and walker (fc7). For comparing frames by what the network sees in them.
    """

    def __init__(
        self,
        predict: Callable[[tf.Tensor], dict[str, tf.Tensor]],
        frame_size: int,
        grid_size: int,
        centers: np.ndarray,
        num_parameters: int | None,
        features: Callable[[tf.Tensor | np.ndarray], np.ndarray] | None = None,
        num_steps: int = 1,
        fine_size: int | None = None,
        draw: Callable[[tf.Tensor, tf.Tensor], tf.Tensor] | None = None,
        tell: Callable[..., dict[str, tf.Tensor]] | None = None,
    ):
        self._predict = predict
        self.frame_size = frame_size
        self.grid_size = grid_size
        self.centers = centers
        self.num_parameters = num_parameters
        self.features = features
        self.num_steps = num_steps
        self.fine_size = fine_size or grid_size
        self._draw, self._tell = draw, tell

    @property
    def takes_known(self) -> bool:
        """Whether it can be told what is known of the motion."""
        return self._tell is not None

    def __call__(
        self, frames: tf.Tensor | np.ndarray, known: np.ndarray | None = None
    ) -> dict[str, tf.Tensor]:
        """Predicts how each cell of each frame moves.

        Args:
          frames: [B, S, S, 3], uint8 or float in 0..255.
          known: float32 [B, g, g, 7], see `data.known`; None where nothing is. Cells
            that are told keep their vector in the flow.

        Returns:
          flow float32 [B, g, g, 2] (dx right, dy down, pixels of the frame per step),
          probabilities float32 [B, g, g, K], codes int32 [B, g, g], all of the first
          step; step_probabilities float32 [B, T, s, s, K].

        Raises:
          InputError: frames or what is known of another size, or a model that cannot be
            told.
        """
        frames = _checked(frames, self.frame_size)
        if known is None:
            return self._predict(frames)
        if self._tell is None:
            raise InputError("this model cannot be told: only guided networks can")
        expected = (frames.shape[0], self.grid_size, self.grid_size, NUM_KNOWN)
        if tuple(known.shape) != expected:
            raise InputError(f"known is {tuple(known.shape)}, expected {expected}")
        return self._tell(frames, known)

    def sample_steps(
        self, frames: tf.Tensor | np.ndarray, noise: np.ndarray
    ) -> tf.Tensor:
        """Draws futures: a step is told the flow that was drawn of the one before.

        An export cannot be told; its steps are drawn from what it says by itself.

        Args:
          frames: [B, S, S, 3], uint8 or float in 0..255.
          noise: [n, g, g, K] from `decoding.future_noise`; a future keeps its own
            through all steps, and finer cells have that of theirs on the grid.

        Returns:
          float32 [n, B, T, s, s, 2], centres of the codebook.

        Raises:
          InputError: frames of another size.
        """
        frames = _checked(frames, self.frame_size)
        sides, futures = [self.fine_size, self.fine_size], []
        untold = None if self._draw else self(frames)["step_probabilities"]
        for one in tf.cast(noise, tf.float32):
            found = self._draw(frames, one) if self._draw else untold
            fine = tf.image.resize(one, sides, "nearest")
            futures.append(spatial_softmax.drawn(found, fine))
        return tf.gather(tf.constant(self.centers), tf.stack(futures))


def _checked(frames: tf.Tensor | np.ndarray, frame_size: int) -> tf.Tensor:
    expected = (frame_size, frame_size, 3)
    if tuple(frames.shape[1:]) != expected or len(frames.shape) != 4:
        raise InputError(
            f"frames have the shape {tuple(frames.shape)}, expected [B, "
            f"{', '.join(map(str, expected))}]"
        )
    return tf.cast(frames, tf.float32)


def load(path: str | os.PathLike) -> Predictor:
    """Loads the last checkpoint of a run, one version of an export, or a packed file.

    Args:
      path: see `model_path`. A SavedModel is a program: load only what you trust.

    Raises:
      InputError: `path` is no model, or a damaged one.
    """
    path = find_model(path)
    if path.name == PACKED:
        digest = DEFAULT_DIGEST if path == DEFAULT_FILE else None
        network, codebook = packed.read(path, digest)
        return of_model(network, codebook.centers)
    if not is_export(path):
        return _from_run_dir(RunDir.open(path))
    try:
        return _from_export(path)
    except OSError as error:
        raise InputError(f"{path} holds a damaged model: {error}") from error


def _from_run_dir(run_dir: RunDir) -> Predictor:
    return of_model(run_dir.load_model(), run_dir.codebook.centers)


def of_model(model: Network, centers: np.ndarray) -> Predictor:
    """A predictor of a model in memory.

    Args:
      model: see `build_model`.
      centers: float32 [K, 2], the codebook that it was trained with.
    """
    spec = tf.TensorSpec(model.input_shape, tf.float32)

    @tf.function(input_signature=[spec], autograph=False)
    def predict(frames: tf.Tensor) -> dict[str, tf.Tensor]:
        logits = model(frames, training=False)
        return spatial_softmax.predictions(logits, centers, model.grid_size)

    return Predictor(
        predict,
        frame_size=model.input_shape[1],
        grid_size=model.grid_size,
        centers=centers,
        num_parameters=blocks.count_parameters(model),
        features=_features_of(model),
        num_steps=model.num_steps,
        fine_size=model.fine_size,
        draw=_draw_of(model),
        tell=Teller(model, centers) if isinstance(model, GuidedNetwork) else None,
    )


def _draw_of(model: Network) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor] | None:
    """Frames, noise [g, g, K] -> a sequence's probabilities, told what is drawn."""
    if not isinstance(model, SequenceNetwork):
        return None

    @tf.function(reduce_retracing=True, autograph=False)
    def draw(frames: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
        noise = tf.repeat(noise[tf.newaxis], tf.shape(frames)[0], axis=0)
        return spatial_softmax.probabilities(model.draw(frames, noise))

    return draw


def _features_of(model: keras.Model) -> Callable[..., np.ndarray]:
    inside = keras.Model(model.input, model.get_layer(blocks.FEATURES).output)

    @tf.function(
        input_signature=[tf.TensorSpec(model.input_shape, tf.float32)], autograph=False
    )
    def compute(frames: tf.Tensor) -> tf.Tensor:
        features = inside(frames, training=False)
        if len(features.shape) == 4:
            side = min(NUM_REGIONS, features.shape[1])
            features = tf.image.resize(features, [side, side], method="area")
        return tf.reshape(features, [-1, np.prod(features.shape[1:])])

    def features(frames: tf.Tensor | np.ndarray) -> np.ndarray:
        return compute(_checked(frames, model.input_shape[1])).numpy()

    return features


def _from_export(path: Path) -> Predictor:
    check_name(path)
    exported = tf.saved_model.load(str(path))
    if FRAMES_SIGNATURE not in exported.signatures:
        raise InputError(
            f"{path} has the signatures {sorted(exported.signatures)}, expected "
            f"{FRAMES_SIGNATURE!r} among them: was it written by `motionflow export`?"
        )
    predict = exported.signatures[FRAMES_SIGNATURE]
    centers = Codebook.load(path / "assets" / "codebook.npz").centers

    def ask(signature: str, **inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        # The signature's variables live as long as the object that holds them.
        found = exported.signatures[signature](**inputs)
        # One step on the grid is said once.
        steps = found.get("step_probabilities", found["probabilities"])
        shape = [-1, num_steps, fine_size, fine_size, len(centers)]
        return found | {"step_probabilities": tf.reshape(steps, shape)}

    def call(frames: tf.Tensor) -> dict[str, tf.Tensor]:
        return ask(FRAMES_SIGNATURE, image=frames)

    def tell(frames: tf.Tensor, known: tf.Tensor) -> dict[str, tf.Tensor]:
        return ask(KNOWN_SIGNATURE, image=frames, known=tf.cast(known, tf.float32))

    outputs = predict.structured_outputs
    num_steps, fine_size = 1, outputs["flow"].shape[1]
    if "step_probabilities" in outputs:
        _, num_steps, num_cells, _ = outputs["step_probabilities"].shape
        fine_size = math.isqrt(num_cells)
    return Predictor(
        call,
        frame_size=predict.structured_input_signature[1]["image"].shape[1],
        grid_size=outputs["flow"].shape[1],
        centers=centers,
        num_parameters=None,
        num_steps=num_steps,
        fine_size=fine_size,
        tell=tell if KNOWN_SIGNATURE in exported.signatures else None,
    )
