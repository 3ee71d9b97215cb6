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

from motionflow.compat import graph, keras
from motionflow.data.known import NUM_KNOWN
from motionflow.errors import InputError
from motionflow.files.outputs import check_name
from motionflow.labels.codebook import Codebook
from motionflow.models import blocks, decoding, weights
from motionflow.models.dilated_head import JOINED
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

# An export's signature for float frames; `serving_default` takes uint8 only.
FRAMES_SIGNATURE = "frames"
KNOWN_SIGNATURE = "known"  # and what is known; of a network that takes it
NUM_REGIONS = 5  # along one side, that a feature map is averaged over

Answer = dict[str, tf.Tensor]


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

    features: Callable[[tf.Tensor | np.ndarray], np.ndarray] | None = None
    num_parameters: int | None = None
    frame_size: int
    grid_size: int
    num_steps: int
    fine_size: int
    centers: np.ndarray

    # What a subclass answers of float frames, where it can.
    _predict: Callable[[tf.Tensor], Answer]
    _guide: Callable[[tf.Tensor, np.ndarray], Answer] | None = None
    _draw: Callable[[tf.Tensor, tf.Tensor], tf.Tensor] | None = None

    @property
    def takes_known(self) -> bool:
        """Whether it can be told what is known of the motion."""
        return self._guide is not None

    def __call__(
        self, frames: tf.Tensor | np.ndarray, known: np.ndarray | None = None
    ) -> Answer:
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
        if self._guide is None:
            raise InputError("this model cannot be told: only guided networks can")
        expected = (frames.shape[0], self.grid_size, self.grid_size, NUM_KNOWN)
        if tuple(known.shape) != expected:
            raise InputError(f"known is {tuple(known.shape)}, expected {expected}")
        return self._guide(frames, tf.cast(known, tf.float32))

    def sample_steps(
        self, frames: tf.Tensor | np.ndarray, noise: np.ndarray
    ) -> tf.Tensor:
        """Draws futures: a step is given the flow that was drawn of the one before.

        An export cannot be given it; its steps are drawn from what it says by itself.

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
        alone = None if self._draw else self(frames)["step_probabilities"]
        for one in tf.cast(noise, tf.float32):
            found = self._draw(frames, one) if self._draw else alone
            fine = tf.image.resize(one, sides, "nearest")
            futures.append(decoding.decode(found, self.centers, 0, fine))
        return tf.stack(futures)


class _OfNetwork(Predictor):
    """Of a Keras model in memory, and the codebook that it was trained with."""

    def __init__(self, model: Network, centers: np.ndarray):
        self.centers, self.frame_size = centers, model.input_shape[1]
        self.grid_size, self.fine_size = model.grid_size, model.fine_size
        self.num_steps = model.num_steps
        self.num_parameters = blocks.count_parameters(model)
        frames = tf.TensorSpec(model.input_shape, tf.float32)
        inside = keras.Model(model.input, model.get_layer(blocks.FEATURES).output)

        @graph(input_signature=[frames])
        def predict(frames: tf.Tensor) -> Answer:
            logits = model(frames, training=False)
            return decoding.predictions(logits, centers, model.grid_size)

        @graph(input_signature=[frames])
        def regions(frames: tf.Tensor) -> tf.Tensor:
            features = inside(frames, training=False)
            if len(features.shape) == 4:
                side = min(NUM_REGIONS, features.shape[1])
                features = tf.image.resize(features, [side, side], method="area")
            return tf.reshape(features, [-1, np.prod(features.shape[1:])])

        def features(frames: tf.Tensor | np.ndarray) -> np.ndarray:
            return regions(_checked(frames, self.frame_size)).numpy()

        self._predict, self.features = predict, features
        if model.draw:
            self._draw = _drawing(model.draw)
        if isinstance(model, GuidedNetwork):
            self._guide = _Guide(model, centers)


def _drawing(
    draw: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """Frames, noise [g, g, K] -> probabilities of steps given what it draws."""

    @graph(reduce_retracing=True)
    def probabilities(frames: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
        noise = tf.repeat(noise[tf.newaxis], tf.shape(frames)[0], axis=0)
        return decoding.probabilities(draw(frames, noise))

    return probabilities


class _Guide:
    """Frames and what is known -> the answer of a guided network.

    What its trunk says of the last frames is kept: who tries other arrows on a picture
    waits for the head only.
    """

    def __init__(self, model: GuidedNetwork, centers: np.ndarray):
        grid = [None, model.grid_size, model.grid_size]
        trunk = keras.Model(model.input, model.get_layer(JOINED).output)
        frames = tf.TensorSpec(model.input_shape, tf.float32)
        maps = tf.TensorSpec([*grid, trunk.output_shape[-1]])

        @graph(input_signature=[frames])
        def see(frames: tf.Tensor) -> tf.Tensor:
            return trunk(frames, training=False)

        @graph(input_signature=[maps, tf.TensorSpec([*grid, NUM_KNOWN])])
        def say(maps: tf.Tensor, known: tf.Tensor) -> Answer:
            logits, flow = model.guided_maps(maps, known, training=False)
            found = decoding.predictions(logits, centers, model.grid_size)
            return found | {"flow": flow}

        self._see, self._say = see, say
        self._frames, self._maps = np.zeros(0), tf.zeros(0)

    def __call__(self, frames: tf.Tensor, known: tf.Tensor) -> Answer:
        if not tf.executing_eagerly():
            return self._say(self._see(frames), known)
        values = frames.numpy()
        if not np.array_equal(values, self._frames):
            self._frames, self._maps = values, self._see(frames)
        return self._say(self._maps, known)


class _OfExport(Predictor):
    """Of an exported version, read in its own signatures."""

    def __init__(self, path: Path):
        check_name(path)
        exported = tf.saved_model.load(str(path))
        if FRAMES_SIGNATURE not in exported.signatures:
            raise InputError(
                f"{path} has the signatures {sorted(exported.signatures)}, expected "
                f"{FRAMES_SIGNATURE!r} among them: was it written by `motionflow "
                f"export`?"
            )
        # The signatures' variables live as long as the object that holds them.
        self._exported = exported
        predict = exported.signatures[FRAMES_SIGNATURE]
        outputs = predict.structured_outputs
        self.frame_size = predict.structured_input_signature[1]["image"].shape[1]
        self.grid_size = self.fine_size = outputs["flow"].shape[1]
        self.num_steps = 1
        if "step_probabilities" in outputs:
            _, self.num_steps, num_cells, _ = outputs["step_probabilities"].shape
            self.fine_size = math.isqrt(num_cells)
        self.centers = Codebook.load(path / "assets" / "codebook.npz").centers
        if KNOWN_SIGNATURE in exported.signatures:
            self._guide = self._ask_known

    def _predict(self, frames: tf.Tensor) -> Answer:
        return self._ask(FRAMES_SIGNATURE, image=frames)

    def _ask_known(self, frames: tf.Tensor, known: tf.Tensor) -> Answer:
        return self._ask(KNOWN_SIGNATURE, image=frames, known=known)

    def _ask(self, signature: str, **inputs: tf.Tensor) -> Answer:
        found = self._exported.signatures[signature](**inputs)
        # One step on the grid is said once.
        steps = found.get("step_probabilities", found["probabilities"])
        cells = self.num_steps, self.fine_size, self.fine_size, len(self.centers)
        return found | {"step_probabilities": tf.reshape(steps, [-1, *cells])}


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
        network, codebook = weights.unpack(path, digest)
        return of_model(network, codebook.centers)
    if not is_export(path):
        run_dir = RunDir.open(path)
        return of_model(run_dir.load_model(), run_dir.codebook.centers)
    try:
        return _OfExport(path)
    except OSError as error:
        raise InputError(f"{path} holds a damaged model: {error}") from error


def of_model(model: Network, centers: np.ndarray) -> Predictor:
    """A predictor of a model in memory.

    Args:
      model: see `build_model`.
      centers: float32 [K, 2], the codebook that it was trained with.
    """
    return _OfNetwork(model, centers)


def _checked(frames: tf.Tensor | np.ndarray, frame_size: int) -> tf.Tensor:
    expected = (frame_size, frame_size, 3)
    if tuple(frames.shape[1:]) != expected or len(frames.shape) != 4:
        raise InputError(
            f"frames have the shape {tuple(frames.shape)}, expected [B, "
            f"{', '.join(map(str, expected))}]"
        )
    return tf.cast(frames, tf.float32)
