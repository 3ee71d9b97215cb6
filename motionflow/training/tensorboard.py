"""What TensorBoard shows of a training.

    graph, settings, codebook                -> R/logs, at the start
    row of history.csv, confusion, examples  -> R/logs/train, R/logs/validation, after
                                                each epoch

    tensorboard --logdir=R/logs

`train` and `validation` have the same tags, so that TensorBoard draws both curves into
one chart; a point's step is its epoch, and one written again takes the place of the
first. The tab HPARAMS shows the settings beside the last of these numbers.
"""

import contextlib
import math
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from tensorboard.plugins.hparams import api as hparams_api

from motionflow.compat import graph
from motionflow.data import pipeline
from motionflow.data.data_dir import DataDir
from motionflow.drawing import plots
from motionflow.drawing.flow_color import flow_panels
from motionflow.errors import NotWritten
from motionflow.files import drafts
from motionflow.models import decoding
from motionflow.models.network import Network

NUM_EXAMPLES = 4
_NUM_CANDIDATES = 64  # a split's first samples: shards mix all clips


class Board:
    """The event files of one run; in a cluster only the chief has one.

    Everything of an epoch is on disk when `write_epoch` returns.

    Args:
      folder: R/logs.
      data: the data directory; some of its validation samples are drawn each epoch, or
        training samples if it has no others.
      model: what predicts: the average of weights, where there is one.
    """

    def __init__(self, folder: str | Path, data: DataDir, model: Network):
        self._folder, self._codebook = Path(folder), data.codebook
        self._predict = _prediction(model, data.codebook.centers)
        self._split = "validation" if data.num_samples("validation") else "train"
        self._examples = _read_examples(data, self._split)
        self._writers: dict[str, tf.summary.SummaryWriter] = {}
        self._checked: dict[Path, int] = {}  # bytes of event files that are whole

    def write_run(self, hparams: Mapping[str, bool | int | float | str]) -> None:
        """Writes what does not change: graph, hyperparameters, codebook."""
        centers, counts = self._codebook.centers, self._codebook.counts
        with self._writer("", 0):
            tf.summary.graph(self._predict.get_concrete_function().graph)
            hparams_api.hparams(dict(hparams))
            tf.summary.image(
                "codebook",
                _pixels(plots.codebook_figure(centers, counts))[None],
                description="The classes: each centre in the colour of its direction.",
            )
        self._check()

    def write_epoch(self, row: Mapping[str, float], confusion: np.ndarray) -> None:
        """Writes the numbers and pictures of an epoch.

        Args:
          row: of history.csv.
          confusion: [K, K], cells by true and predicted code, of the validation split,
            or of the training split if there is no other.
        """
        epoch = row["epoch"]
        for name, value in row.items():
            split = "validation" if name.startswith("val_") else "train"
            if name != "epoch":
                with self._writer(split, epoch):
                    tf.summary.scalar(name.removeprefix("val_"), value)
        where = f"{self._split}, epoch {epoch}"
        figure = plots.confusion_figure(
            confusion, self._codebook.zero_index, f"Confusion of classes: {where}"
        )
        with self._writer(self._split, epoch):
            tf.summary.image("confusion_matrix", _pixels(figure)[None])
            tf.summary.image(
                "predictions",
                self._draw_examples()[None],
                description="Frame, true flow, predicted flow; both flows on the scale "
                "of the longest true vector, colours as in the codebook's picture.",
            )
        self._check()

    def _draw_examples(self) -> np.ndarray:
        """One row a sample, uint8 [n * S, 3 * S, 3]."""
        frames, flows = self._examples["frames"], self._examples["flow"]
        predicted = self._predict(tf.cast(frames, tf.float32)).numpy()
        examples = zip(frames, flows, predicted, strict=True)
        return np.concatenate([draw_example(*example) for example in examples])

    @contextlib.contextmanager
    def _writer(self, name: str, step: float) -> Iterator[None]:
        """What is written inside is of this step, and flushed behind it."""
        with drafts.naming(self._folder):
            if name not in self._writers:
                path = str(self._folder / name)
                self._writers[name] = tf.summary.create_file_writer(path)
            with self._writers[name].as_default(step=step):
                yield

    def _check(self) -> None:
        """TensorFlow does not say that it could not write an event: looks at the new.

        Raises:
          NotWritten: there is none, or the last one is cut.
        """
        num_new = 0
        for name in self._writers:
            files = (self._folder / name).glob("*.v2")
            file = max(files, key=lambda file: file.stat().st_mtime)
            num, end = _whole_events(file, self._checked.get(file, 0))
            self._checked[file] = end
            num_new = num_new + num if end == file.stat().st_size else -math.inf
        if num_new <= 0:
            raise NotWritten(self._folder, "an event is missing; is the disk full?")


def _whole_events(file: Path, begin: int) -> tuple[int, int]:
    """Events from a place on, and where the last whole one ends.

    As TFRecord keeps them: 8 bytes of length, 4 of its checksum, data, 4 of theirs.
    """
    num, size = 0, file.stat().st_size
    with file.open("rb") as stream:
        while begin + 16 <= size:
            stream.seek(begin)
            end = begin + 16 + int.from_bytes(stream.read(8), "little")
            if end > size:
                break
            num, begin = num + 1, end
    return num, begin


def draw_example(
    frame: np.ndarray, true: np.ndarray, predicted: np.ndarray
) -> np.ndarray:
    """A frame, its true flow and its predicted flow side by side.

    Args:
      frame: uint8 [S, S, 3].
      true: [g, g, 2] in pixels.
      predicted: [g, g, 2] in pixels, drawn on the scale of the true flow.

    Returns:
      uint8 [S, 3 * S, 3].
    """
    panels = flow_panels(frame, true, predicted)
    return np.concatenate([frame, *(panel.picture for panel in panels)], axis=1)


def _read_examples(data: DataDir, split: str) -> dict[str, np.ndarray]:
    batches = pipeline.evaluation_batches(data, split, _NUM_CANDIDATES)
    samples = pipeline.first_step(next(batches.take(1).as_numpy_iterator()))
    moving = np.mean(samples["codes"] != data.codebook.zero_index, axis=1)
    chosen = plots.choose_examples(moving, NUM_EXAMPLES)
    return {key: samples[key][chosen] for key in ("frames", "flow")}


def _prediction(model: Network, centers: np.ndarray) -> tf.types.experimental.Callable:
    """Frames float32 [n, S, S, 3] -> flow [n, s, s, 2], on this worker alone."""
    strategy = model.distribute_strategy

    @graph(input_signature=[tf.TensorSpec(model.input_shape, tf.float32)])
    def predict(frames: tf.Tensor) -> tf.Tensor:
        # Outside of `run`, batch normalisation's statistics are averaged over all
        # workers, and the chief would wait for them for ever.
        logits = strategy.run(model, (frames,), {"training": False})
        logits = strategy.experimental_local_results(logits)[0]
        return decoding.probabilities(logits[:, 0]) @ centers

    return predict


def _pixels(figure: Figure) -> np.ndarray:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]
