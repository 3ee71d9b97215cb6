"""A model as rows of an evaluation, on whatever data directory.

    frames of the data -> the model's frames -> predictions -> flow in the data's pixels

A model may be judged on data of another frame size, grid or codebook: its flow is then
scaled to the data's frames and cells. Its classes are compared only where they are the
data's: same codebook, same frame size, same grid.
"""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from motionflow.data.data_dir import DataDir
from motionflow.errors import InputError
from motionflow.labels.codebook import Codebook
from motionflow.models import decoding
from motionflow.models.predictor import Predictor


class ModelRows:
    """One model and, on request, its decodings side by side.

    Args:
      name: of the row; decodings are "name, annealed" and so on.
      model: the model.
      data: the data that it is judged on.
      decodings: whether to add them.
    """

    def __init__(
        self, name: str, model: Predictor, data: DataDir, decodings: bool = False
    ):
        self._name, self._model, self._decodings = name, model, decodings
        self._frame_size, self._grid_size = data.frame_size, data.grid_size
        self.classes_agree = (
            Codebook(model.centers).fingerprint,
            model.frame_size,
            model.grid_size,
        ) == (data.codebook.fingerprint, data.frame_size, data.grid_size)
        # One more of each, so that a class of none has no infinite correction.
        counts = data.codebook.counts + 1
        self._prior = counts / counts.sum()
        self.takes_known = getattr(model, "takes_known", False)

    @property
    def decoding_names(self) -> list[str]:
        """Rows besides the model's own."""
        if not self._decodings:
            return []
        kinds = ["annealed", "mode", *["prior-corrected"] * self.classes_agree]
        return [f"{self._name}, {kind}" for kind in kinds]

    @property
    def flow_only(self) -> set[str]:
        """Rows whose classes are not the data's."""
        return set() if self.classes_agree else {self._name, *self.decoding_names}

    def __call__(
        self, frames: np.ndarray, known: np.ndarray | None = None
    ) -> dict[str, Mapping]:
        """Asks the model about a batch.

        Args:
          frames: uint8 [B, S, S, 3].
          known: float32 [B, g, g, 7], for a model that takes it; see `data.known`.

        Returns:
          row -> flow [B, g, g, 2], probabilities [B, g * g, K].

        Raises:
          InputError: something is known, on another grid than the model's.
        """
        told = () if known is None else (self._to_model(known),)
        if frames.shape[1] != self._model.frame_size:
            size = [self._model.frame_size] * 2
            frames = tf.image.resize(frames, size, antialias=True)
        out = self._model(frames, *told)
        flow, probabilities = (np.asarray(out[k]) for k in ("flow", "probabilities"))
        probabilities = probabilities.reshape(len(flow), -1, probabilities.shape[-1])
        rows = {self._name: (flow, probabilities)}
        for name in self.decoding_names:
            rows[name] = self._decode(name, probabilities)
        return {
            name: {"flow": self._to_data(flow), "probabilities": probabilities}
            for name, (flow, probabilities) in rows.items()
        }

    def _decode(self, name: str, probabilities: np.ndarray) -> tuple:
        centers = self._model.centers
        if name.endswith("mode"):
            flow = decoding.mode_flow(probabilities, centers)
            probabilities = None
        else:
            if name.endswith("annealed"):
                probabilities = decoding.anneal(probabilities)
            else:
                probabilities = decoding.correct_prior(probabilities, self._prior)
            flow = decoding.expected_flow(probabilities, centers)
        side = self._model.grid_size
        return flow.reshape(-1, side, side, 2), probabilities

    def _to_model(self, known: np.ndarray) -> np.ndarray:
        """What is known, in the model's pixels."""
        if known.shape[1] != self._model.grid_size:
            raise InputError(
                f"{self._name} has {self._model.grid_size} cells a side, the data have "
                f"{known.shape[1]}: it cannot be told their motion"
            )
        scale = np.ones(known.shape[-1], np.float32)
        scale[[1, 2, 5, 6]] = self._model.frame_size / self._frame_size
        return known * scale

    def _to_data(self, flow: np.ndarray) -> np.ndarray:
        """Flow [B, h, h, 2] in the model's pixels -> [B, g, g, 2] in the data's."""
        if flow.shape[1] != self._grid_size:
            size = [self._grid_size] * 2
            flow = tf.image.resize(flow, size, antialias=True).numpy()
        return flow * np.float32(self._frame_size / self._model.frame_size)
