"""Event files, read back record by record."""

import functools

import numpy as np
import pytest
import tensorflow as tf
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from motionflow.compat import keras
from motionflow.data import finishing, pipeline
from motionflow.data.augmentation import Augmentation
from motionflow.data.data_dir import open_data_dir
from motionflow.models import keras_metrics, losses
from motionflow.models.network import Network
from motionflow.training.callbacks import Profiler, StepKeeper
from motionflow.training.checkpoints import Progress
from motionflow.training.display import ProgressBar
from motionflow.training.tensorboard import Board, draw_example
from tests import tiny_run

pytestmark = pytest.mark.slow

SIZE, GRID, CODES = tiny_run.FRAME_SIZE, tiny_run.GRID_SIZE, len(tiny_run.CENTERS)
CELLS = GRID**2
ROW = {"loss": 3.5, "top1": 0.25, "val_loss": 4.5, "val_top1": 0.125, "seconds": 9.0}
STEPS, BATCH = 3, 4


def make_network(kernel="glorot_uniform", bias="zeros"):
    """The smallest one with a grid of logits."""
    frames = keras.Input((SIZE, SIZE, 3), name="frames")
    colors = keras.layers.GlobalAveragePooling2D()(frames)
    scores = keras.layers.Dense(
        CELLS * CODES, kernel_initializer=kernel, bias_initializer=bias, name="scores"
    )(colors)
    cells = keras.layers.Reshape((1, GRID, GRID, CODES))(scores)
    model = Network(frames, cells)
    model.grid_size = GRID
    return model


def always(code):
    """A network that is sure of one code for each cell."""
    bias = np.tile(100.0 * np.eye(CODES)[code], CELLS)
    return make_network("zeros", keras.initializers.Constant(bias))


def values(folder):
    """tag -> {step: [value, ...]} of a folder's event files."""
    found = {}
    for path in sorted(folder.glob("events*")):
        for record in tf.data.TFRecordDataset(str(path)):
            event = Event.FromString(record.numpy())
            for value in event.summary.value:
                steps = found.setdefault(value.tag, {})
                steps.setdefault(event.step, []).append(value)
    return found


def scalars(folder):
    """tag -> [(step, value), ...]"""
    return {
        tag: [(step, float(tf.make_ndarray(v.tensor))) for step, vs in steps.items()
              for v in vs]
        for tag, steps in values(folder).items()
        if not tag.startswith(("predictions", "confusion"))
    }  # fmt: skip


def picture(folder, tag, step):
    """The pixels of the only picture of a step."""
    (value,) = values(folder)[tag][step]
    width, height, png = tf.make_ndarray(value.tensor)
    pixels = tf.io.decode_png(png).numpy()
    assert pixels.shape == (int(height), int(width), 3)
    return pixels


def test_training_and_validation_have_the_same_tags_in_two_folders(data, tmp_path):
    board = Board(tmp_path, data, make_network())
    board.write_epoch({"epoch": 1, **ROW}, np.eye(CODES))
    # As if resumed: the next epoch joins the first.
    board = Board(tmp_path, data, make_network())
    board.write_epoch({"epoch": 2, **ROW, "val_top1": 0.5}, np.eye(CODES))
    assert scalars(tmp_path / "train") == {
        "loss": [(1, 3.5), (2, 3.5)],
        "top1": [(1, 0.25), (2, 0.25)],
        "seconds": [(1, 9.0), (2, 9.0)],
    }
    assert scalars(tmp_path / "validation") == {
        "loss": [(1, 4.5), (2, 4.5)],
        "top1": [(1, 0.125), (2, 0.5)],
    }
    assert {path.name for path in tmp_path.iterdir()} == {"train", "validation"}


def test_an_example_by_hand():
    frame = np.full((6, 6, 3), 100, np.uint8)
    true, predicted = np.zeros((2, 3, 3, 2))
    true[0, 0], predicted[2, 1] = (0, 4), (2, 0)  # down; right, half as long
    picture = draw_example(frame, true, predicted)
    assert picture.shape == (6, 18, 3) and picture.dtype == np.uint8
    colored = np.full((6, 18, 3), 100.0)
    # Four fifths of the colour for the longest true vector, two for half of it.
    colored[:2, 6:8] = 0.2 * 100 + 0.8 * np.array([127.5, 255, 0])
    colored[4:, 14:16] = 0.6 * 100 + 0.4 * np.array([255, 0, 0])
    np.testing.assert_allclose(picture, colored, atol=1)


def test_pictures_are_of_validation_samples_and_of_the_model(data, tmp_path):
    board = Board(tmp_path, data, always(2))  # 2 pixels to the left
    board.write_epoch({"epoch": 7, **ROW}, np.diag(np.arange(1.0, CODES + 1)))
    shown = picture(tmp_path / "validation", "predictions", 7)
    assert shown.shape == (3 * SIZE, 3 * SIZE, 3)
    samples = next(iter(pipeline.evaluation_batches(data, "validation", 5)))
    frames, flows = samples["frames"].numpy(), samples["flow"][:, 0].numpy()
    for left, _, right in (np.split(row, 3, 1) for row in np.split(shown, 3)):
        (place,) = [i for i, frame in enumerate(frames) if np.array_equal(frame, left)]
        share = 0.8 * min(1, 2 / np.linalg.norm(flows[place], axis=-1).max())
        expected = left * (1 - share) + share * np.array([0, 255, 255])
        np.testing.assert_allclose(right, expected, atol=1)
    matrix = picture(tmp_path / "validation", "confusion_matrix", 7)
    assert matrix.std() > 10
    assert not {"predictions", "confusion_matrix"} & values(tmp_path / "train").keys()


def test_without_validation_samples_training_samples_are_drawn(tmp_path):
    path = tiny_run.write_data(tmp_path / "data", (3, 0, 0))
    board = Board(tmp_path / "logs", open_data_dir(path), make_network())
    board.write_epoch({"epoch": 1, "loss": 2.0}, np.eye(CODES))
    assert [path.name for path in (tmp_path / "logs").iterdir()] == ["train"]
    shown = picture(tmp_path / "logs/train", "predictions", 1)
    assert shown.shape[1] == 3 * SIZE


def test_the_start_is_graph_settings_and_codebook(data, tmp_path):
    settings = {"model": "allconv", "width": 0.5, "batch_size": 4, "mirror": True}
    Board(tmp_path, data, make_network()).write_run(settings)
    events = [
        Event.FromString(record.numpy())
        for path in tmp_path.glob("events*")
        for record in tf.data.TFRecordDataset(str(path))
    ]
    (graph,) = [event.graph_def for event in events if event.graph_def]
    graph = tf.compat.v1.GraphDef.FromString(graph)
    assert any("scores/MatMul" in node.name for node in graph.node)
    (value,) = values(tmp_path)["_hparams_/session_start_info"][0]
    content = HParamsPluginData.FromString(value.metadata.plugin_data.content)
    hparams = content.session_start_info.hparams
    assert {
        name: getattr(h, h.WhichOneof("kind")) for name, h in hparams.items()
    } == settings
    assert picture(tmp_path, "codebook", 0).std() > 10


def test_beside_a_training(data, tmp_path):
    """Two epochs as `Trainer` does them, with all that is to be seen of them."""
    model, progress = make_network(), Progress(STEPS, 2, BATCH)
    model.compile(
        keras.optimizers.Adam(0.1),
        loss=lambda targets, logits: losses.cross_entropy(
            pipeline.unpack_targets(targets)[0], logits
        ),
        metrics=[keras_metrics.MeanRecall(CODES)],
    )
    model.finish = functools.partial(finishing.finish, data, Augmentation())
    board = Board(tmp_path, data, model)
    board.write_run({"batch_size": BATCH})
    bar = ProgressBar(progress)
    keeper = StepKeeper(progress, lambda: None, 0, lambda: None)
    profiler = Profiler(tmp_path, (5, 6), progress)
    for epoch in (1, 2):
        fitted = model.fit(
            pipeline.training_batches(data, BATCH, 0, epoch - 1),
            steps_per_epoch=STEPS,
            initial_epoch=epoch - 1,
            epochs=epoch,
            callbacks=[keeper, bar, profiler],
            verbose=0,
        ).history
        validation = pipeline.evaluation_batches(data, "validation", 2).map(
            lambda batch: (
                batch["frames"],
                pipeline.pack_targets(batch["codes"], batch["flow"]),
            )
        )
        found = model.evaluate(
            validation, callbacks=[keeper, bar], return_dict=True, verbose=0
        )
        row = {"epoch": epoch, **{name: v[0] for name, v in fitted.items()}}
        row |= {f"val_{name}": value for name, value in found.items()}
        confusion = model.metrics[1].confusion.numpy()
        assert confusion.sum() == data.num_samples("validation") * CELLS
        board.write_epoch(row, confusion)
        progress.finish_epoch(row)
    for folder, prefix in (("train", ""), ("validation", "val_")):
        written = scalars(tmp_path / folder)
        for name in ("loss", "mean_recall"):
            expected = {row["epoch"]: row[prefix + name] for row in progress.rows}
            assert dict(written[name]) == pytest.approx(expected)
    assert sorted(values(tmp_path / "validation")["predictions"]) == [1, 2]
    (profile,) = tmp_path.glob("plugins/profile/*/*.xplane.pb")
    assert profile.stat().st_size > 1000
