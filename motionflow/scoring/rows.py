"""The rows of an evaluation: what is asked of a batch, and of whom.

    frames --models, their decodings--> Prediction of each row
    batch --kind by kind of known motion--> sums of models and of naive answers

A model may be judged on data of another frame size, grid or codebook: its flow is then
scaled to the data's frames and cells. Its classes are compared only where they are the
data's: same codebook, same frame size, same grid.
"""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from motionflow.baselines import PredictFlow
from motionflow.baselines.arrows import draw_batch
from motionflow.baselines.constant import ConstantPredictor
from motionflow.baselines.known import Kind, NaiveMotion
from motionflow.data.data_dir import DataDir
from motionflow.errors import InputError
from motionflow.files.outputs import shown
from motionflow.labels.codebook import Codebook
from motionflow.models import decoding, predictor
from motionflow.models.predictor import Predictor
from motionflow.scoring.cells import MASKS, Prediction, Truth, cell_columns
from motionflow.scoring.evaluation import KNOWN_MASKS, KnownSums
from motionflow.scoring.scores import PRIOR, ZERO
from motionflow.scoring.sums import ClipSums

_KNOWN_PLACES = [MASKS.index(mask) for mask in KNOWN_MASKS]


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
        self.name, self._model, self._decodings = name, model, decodings
        self._data = data
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
        return [f"{self.name}, {kind}" for kind in kinds]

    def __call__(self, frames: np.ndarray) -> dict[str, Prediction]:
        """Predicts a batch, uint8 [B, S, S, 3]: all rows by their names."""
        flow, probabilities = self._ask(frames)
        rows = {self.name: self._prediction(flow, probabilities)}
        for name in self.decoding_names:
            decoded = self._decode(name, probabilities)
            rows[name] = self._prediction(*decoded, is_decoding=True)
        return rows

    def with_known(self, frames: np.ndarray, known: np.ndarray | None) -> Prediction:
        """Predicts a batch, given what is known of its motion, float32 [B, g, g, 7].

        Raises:
          InputError: something is known, on another grid than the model's.
        """
        return self._prediction(*self._ask(frames, known))

    def flow(self, frames: np.ndarray, known: np.ndarray | None = None) -> np.ndarray:
        """The flow of `with_known` to draw, [B, g, g, 2]."""
        return self._to_data(self._ask(frames, known)[0])

    def _ask(
        self, frames: np.ndarray, known: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Flow [B, h, h, 2] in the model's pixels, and probabilities [B, cells, K]."""
        given = () if known is None else (self._to_model(known),)
        if frames.shape[1] != self._model.frame_size:
            size = [self._model.frame_size] * 2
            frames = tf.image.resize(frames, size, antialias=True)
        out = self._model(frames, *given)
        flow, probabilities = (np.asarray(out[k]) for k in ("flow", "probabilities"))
        return flow, probabilities.reshape(len(flow), -1, probabilities.shape[-1])

    def _prediction(
        self,
        flow: np.ndarray,
        probabilities: np.ndarray | None,
        is_decoding: bool = False,
    ) -> Prediction:
        codebook = self._data.codebook if self.classes_agree else None
        flow = self._to_data(flow)
        return Prediction.of_output(flow, probabilities, codebook, is_decoding)

    def _decode(
        self, name: str, probabilities: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray | None]:
        centers, side = self._model.centers, self._model.grid_size
        decoded: np.ndarray | None = None
        if name.endswith("mode"):
            flow = decoding.decode(probabilities, centers, 0).numpy()
        else:
            weights = (1.0, self._prior)
            if name.endswith("annealed"):
                weights = (decoding.TEMPERATURE, None)
            decoded = decoding.reweight(probabilities, *weights).numpy()
            flow = decoded @ centers
        return flow.reshape(-1, side, side, 2), decoded

    def _to_model(self, known: np.ndarray) -> np.ndarray:
        """What is known, in the model's pixels."""
        if known.shape[1] != self._model.grid_size:
            raise InputError(
                f"{self.name} has {self._model.grid_size} cells a side, the data have "
                f"{known.shape[1]}: it cannot be told their motion"
            )
        scale = np.ones(known.shape[-1], np.float32)
        scale[[1, 2, 5, 6]] = self._model.frame_size / self._data.frame_size
        return known * scale

    def _to_data(self, flow: np.ndarray) -> np.ndarray:
        """Flow [B, h, h, 2] in the model's pixels -> [B, g, g, 2] in the data's."""
        if flow.shape[1] != self._data.grid_size:
            size = [self._data.grid_size] * 2
            flow = tf.image.resize(flow, size, antialias=True).numpy()
        return flow * np.float32(self._data.frame_size / self._model.frame_size)


def all_rows(
    models: Iterable[ModelRows], baselines: Mapping[str, PredictFlow], data: DataDir
) -> Callable[[np.ndarray], dict[str, Prediction]]:
    """Models and baselines of some data as one function: frames -> all rows."""
    constants = {
        name: Prediction.of_output(
            one.flow[np.newaxis],
            None if one.probabilities is None else one.probabilities[np.newaxis],
            data.codebook,
        )
        for name, one in baselines.items()
        if isinstance(one, ConstantPredictor)
    }

    def predict(frames: np.ndarray) -> dict[str, Prediction]:
        rows = {name: one for model in models for name, one in model(frames).items()}
        for name, baseline in baselines.items():
            if name in constants:
                rows[name] = constants[name]
                continue
            out = baseline(frames)
            outputs = out["flow"], out["probabilities"]
            rows[name] = Prediction.of_output(*outputs, data.codebook)
        return rows

    return predict


@dataclasses.dataclass(frozen=True)
class KnownRows:
    """Who is given which kinds of known motion, arrows being drawn by a seed.

    Models that cannot be given any predict the frames alone.
    """

    kinds: Sequence[Kind]
    models: Mapping[str, ModelRows]
    naive: NaiveMotion
    seed: int

    def draw(self, batch: Mapping[str, np.ndarray]) -> np.ndarray:
        """Cells of the arrows of a batch, int64 [B, n]."""
        most = max(kind.num_arrows for kind in self.kinds)
        return draw_batch(batch, most, self.seed)

    def sums(
        self,
        batch: Mapping[str, np.ndarray],
        truth: Truth,
        without: Mapping[str, np.ndarray],
        codebook: Codebook,
    ) -> Iterator[tuple[str, str, np.ndarray]]:
        """Measures a batch: kind, row, and float64 [B, KNOWN_MASKS, CELL_COLUMNS].

        `without` holds what the frames alone gave, [B, cells, CELL_COLUMNS]: of all
        models, of zero flow and of the class prior.
        """
        cells = self.draw(batch)
        for kind in self.kinds:
            masks, columns = truth.masks[_KNOWN_PLACES], {}
            if not kind.is_empty:
                known = kind.of_batch(batch["flow"], cells, batch.get("past_flow"))
                masks = masks * (known[..., 0] == 0).reshape(truth.codes.shape)
                for name, one in self._predict(batch["frames"], known, kind, codebook):
                    columns[name] = cell_columns(truth, one)
            for name in {**self.models, **columns, ZERO: None, PRIOR: None}:
                found = columns[name] if name in columns else without[name]
                yield kind.name, name, np.einsum("mbc,bcf->bmf", masks, found)

    def kept(self, sums: ClipSums, data: DataDir) -> KnownSums:
        """What was measured, once it was added up by kind."""
        has_arrows = any(kind.num_arrows for kind in self.kinds)
        unable = [name for name, model in self.models.items() if not model.takes_known]
        return KnownSums(
            rows={kind.name: sums.rows(kind.name) for kind in self.kinds},
            data_sets=np.array(data.data_sets, str),
            not_told=np.array(unable, str),
            factors=np.array([self.naive.factor] * data.past),
            widths=np.array([self.naive.width] * has_arrows),
        )

    def _predict(
        self, frames: np.ndarray, known: np.ndarray, kind: Kind, codebook: Codebook
    ) -> Iterator[tuple[str, Prediction]]:
        for name, model in self.models.items():
            if model.takes_known:
                yield name, model.with_known(frames, known)
        for name, flow in self.naive(known, kind).items():
            yield name, Prediction.of_output(flow, None, codebook)


def load_models(
    paths: Sequence[str | Path], first: str | None = None
) -> dict[str, Predictor]:
    """Loads run directories or exports by the names of their rows.

    Raises:
      InputError: no model, or two rows of one name.
    """
    models: dict[str, Predictor] = {}
    for path in paths:
        name = first if first and not models else row_name(path)
        if name in models:
            raise InputError(f"two rows would be named {name}: rename a folder")
        models[name] = predictor.load(path)
    return models


def row_name(path: str | Path) -> str:
    """What a model is called: its run's folder, or an export's with its version."""
    path = Path(path).resolve()
    name = f"{path.parent.name}/{path.name}" if path.name.isdigit() else path.name
    return shown(name)
