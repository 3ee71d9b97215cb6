"""Whole trainings, tiny."""

import csv
import dataclasses
import functools
import json
import shutil
from unittest import mock

import numpy as np
import pytest
import tensorflow as tf

from motionflow.data import pipeline
from motionflow.data.data_dir import open_data_dir
from motionflow.errors import InputError
from motionflow.labels.codebook import Codebook
from motionflow.models import blocks, efficientnet, weights
from motionflow.models.run_dir import RunDir
from motionflow.training import devices, trainer
from motionflow.training.trainer import train
from tests import tiny_run
from tests.exact_resume import differences

pytestmark = pytest.mark.slow

METRICS = ["loss", "cross_entropy", "top1", "top5", "top10", "mean_recall"]
METRICS += ["epe", "epe_nz"]


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch):
    """Runs made inside of a test draw nothing for TensorBoard; `straight` does."""
    monkeypatch.setattr(trainer, "Board", mock.Mock())


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    return tiny_run.write_data(tmp_path_factory.mktemp("train") / "data")


@pytest.fixture(scope="module")
def straight(data_dir, tmp_path_factory):
    """Two epochs without a pause: the run directory, the result."""
    run = tmp_path_factory.mktemp("straight") / "run"
    return run, train(tiny_run.settings(data_dir, run))


def test_a_run_leaves_all_its_files(straight):
    run, result = straight
    names = {"checkpoints", "logs", "codebook.npz", "mean_frame.npy", "flags.txt"}
    names |= {"config.json", "data.json", "history.csv", "result.json"}
    assert {path.name for path in run.iterdir()} == names
    assert json.loads((run / "result.json").read_text()) == result
    config = RunDir(run).config
    assert config["data"] == {
        "frame_size": 64,
        "codebook_fingerprint": RunDir(run).codebook.fingerprint,
        "num_training_samples": 12,
        "num_validation_samples": 5,
    }
    assert config["model"]["untilt"] is False and config["model"]["width"] == 0.05


def test_history_has_a_row_an_epoch_and_the_result_is_its_last(straight):
    run, result = straight
    with (run / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    for split, prefix in (("training", ""), ("validation", "val_")):
        own = ["most_predicted"] if split == "validation" else []
        assert list(result[split]) == METRICS + own
        for name, value in result[split].items():
            assert float(rows[-1][prefix + name]) == value
    assert result["epochs"] == 2 and result["images_per_second"] > 0
    assert 0 <= result["input_share"] < 1


def test_validation_metrics_are_those_of_the_saved_weights_over_all_samples(
    straight, data_dir
):
    run, result = straight
    model = RunDir(run).load_model()
    data = open_data_dir(data_dir)
    (batch,) = pipeline.evaluation_batches(data, "validation", 5)
    logits, codes = model(batch["frames"]).numpy(), batch["codes"].numpy()
    shifted = np.exp(logits - logits.max(-1, keepdims=True))
    probabilities = shifted / shifted.sum(-1, keepdims=True)
    # Which class is predicted most, and in how many of the cells.
    counts = np.bincount(probabilities.argmax(-1).ravel())
    share = counts.max() / counts.sum()
    assert result["validation"]["most_predicted"] == pytest.approx(share)
    right = np.take_along_axis(probabilities, codes[..., None], -1)
    cross_entropy = -np.log(right).sum() / 5
    kernels = [w.numpy() for w in model.weights if "kernel" in w.name]
    penalty = sum(0.5 * 1e-5 * (kernel**2).sum() for kernel in kernels)
    flow = batch["flow"].numpy()
    error = np.linalg.norm(probabilities @ tiny_run.CENTERS - flow, axis=-1)
    validation = result["validation"]
    assert validation["cross_entropy"] == pytest.approx(cross_entropy, rel=1e-5)
    assert validation["loss"] == pytest.approx(cross_entropy + penalty, rel=1e-5)
    assert validation["top1"] == pytest.approx((logits.argmax(-1) == codes).mean())
    assert validation["epe"] == pytest.approx(error.mean(), rel=1e-5)
    assert validation["epe_nz"] == pytest.approx(error[codes != 0].mean(), rel=1e-5)


def test_more_epochs_go_on_where_the_run_ended(straight, data_dir, tmp_path):
    train(tiny_run.settings(data_dir, tmp_path, epochs=1))
    train(tiny_run.settings(data_dir, tmp_path))
    assert not differences(straight[0], tmp_path)


def test_images_change_in_the_step_as_they_would_on_the_host(
    data_dir, tmp_path, monkeypatch
):
    changes = {"mirror": True, "min_crop": 0.7, "brightness": 0.3}
    changes |= {"contrast": 0.3, "saturation": 0.4, "epochs": 1}

    def loss(name, **changes):
        result = train(tiny_run.settings(data_dir, tmp_path / name, **changes))
        return result["training"]["loss"]

    plain, in_step = loss("plain", epochs=1), loss("step", **changes)
    monkeypatch.setattr(devices, "finishes_on_host", lambda strategy: True)
    assert loss("host", **changes) == pytest.approx(in_step, rel=1e-4)
    assert plain != pytest.approx(in_step, rel=1e-3)


ALL_AT_ONCE = {
    "ema_decay": 0.9,
    "class_weights": "smoothed",
    "focal_gamma": 1.0,
    "label_smoothing": 0.1,
    "learning_rate_schedule": "cosine",
    "warmup_epochs": 0.5,
    "min_crop": 0.8,
    "brightness": 0.2,
    "optimizer": "sgd",
    "learning_rate": 1e-4,
}


@pytest.fixture(scope="module")
def all_at_once(data_dir, tmp_path_factory):
    """A function of a network's name: its data, and its run without a pause."""

    @functools.cache
    def learned(model):
        folder = tmp_path_factory.mktemp(model)
        data = data_dir
        if model == "dense_sequence":
            data = tiny_run.write_data(folder / "data", steps=True)
        train(tiny_run.settings(data, folder / "run", model=model, **ALL_AT_ONCE))
        return data, folder / "run"

    return learned


@pytest.mark.parametrize(
    "place, model",
    [
        ("training", "allconv"),
        ("last step", "allconv"),
        ("validation", "allconv"),
        ("training", "dense_sequence"),
    ],
)
def test_stopped_anywhere_it_goes_on_to_the_same_weights_and_metrics(
    all_at_once, tmp_path, monkeypatch, place, model
):
    # An epoch has 3 steps; the kill comes after the last save of the second one.
    saved = 3 if place == "last step" else 2
    changes = {**ALL_AT_ONCE, "checkpoint_steps": saved, "model": model}
    data_dir, straight = all_at_once(model)

    class Killed(BaseException):
        """As a kill, it asks nobody."""

    def kill(*_):
        raise Killed

    stopped = trainer.Trainer(tiny_run.settings(data_dir, tmp_path / "run", **changes))
    if place != "validation":
        save = stopped._save

        def save_and_die():
            save()
            if (stopped.progress.epoch, stopped.progress.step) == (1, saved):
                kill()

        monkeypatch.setattr(stopped, "_save", save_and_die)
    else:
        monkeypatch.setattr(
            stopped, "_finish_epoch", lambda *_: stopped._save() or kill()
        )
    with pytest.raises(Killed):
        stopped.run()
    resumed = trainer.Trainer(tiny_run.settings(data_dir, tmp_path / "run", **changes))
    resumed.run()
    assert not differences(straight, tmp_path / "run")


def test_a_finished_run_is_left_alone(straight, data_dir, caplog):
    run, result = straight
    before = (run / "history.csv").read_bytes()
    caplog.set_level("INFO", "motionflow")
    assert train(tiny_run.settings(data_dir, run)) == result
    assert "is finished: 2 epochs" in caplog.text
    assert (run / "history.csv").read_bytes() == before


def test_another_run_or_other_data_in_the_same_place_is_refused(
    straight, data_dir, tmp_path
):
    run = straight[0]
    with pytest.raises(InputError, match="width is 0.05 there and 0.1 now"):
        train(tiny_run.settings(data_dir, run, width=0.1))
    other = tiny_run.write_data(tmp_path / "other", centers=tiny_run.CENTERS + 1)
    with pytest.raises(InputError, match="codebook_fingerprint is"):
        train(tiny_run.settings(other, run))


def test_too_few_samples_say_what_to_pass(data_dir, tmp_path):
    with pytest.raises(InputError, match="pass --batch_size=12"):
        train(tiny_run.settings(data_dir, tmp_path, batch_size=13))


def test_a_run_directory_can_be_moved(straight, tmp_path):
    moved = shutil.copytree(straight[0], tmp_path / "moved")
    assert RunDir.open(moved).checkpoint_paths()[0].startswith(str(moved))
    assert RunDir.open(moved).load_model().get_weights()


def test_averaged_weights_are_what_predicts(data_dir, tmp_path):
    train(tiny_run.settings(data_dir, tmp_path, ema_decay=0.9))
    path = RunDir(tmp_path).checkpoint_paths()[0]
    name = "/layer_with_weights-1/kernel/.ATTRIBUTES/VARIABLE_VALUE"
    trained, averaged = (
        tf.train.load_variable(path, kind + name) for kind in ("model", "average")
    )
    assert not np.array_equal(trained, averaged)
    kernel = RunDir(tmp_path).load_model().layers[2].kernel
    np.testing.assert_array_equal(kernel, averaged)


def test_class_weights_tilt_training_and_not_the_predictions(tmp_path):
    data_dir = tiny_run.write_data(tmp_path / "data")
    uneven = Codebook(tiny_run.CENTERS, np.array([70, 10, 10, 5, 5]))
    uneven.save(data_dir / "codebook.npz")
    changes = {"class_weights": "inverse_frequency", "epochs": 1}
    for name, untilt in (("tilted", False), ("untilted", True)):
        train(tiny_run.settings(data_dir, tmp_path / name, untilt=untilt, **changes))
    tilted, untilted = (
        RunDir(tmp_path / n).load_model() for n in ("tilted", "untilted")
    )
    frames = np.full((1, 64, 64, 3), 100.0, np.float32)
    difference = (tilted(frames) - untilted(frames)).numpy().reshape(9, 5)
    # They learn the same; between them stand the logarithms of the weights.
    counts = RunDir(tmp_path / "tilted").codebook.counts
    expected = -np.log(np.maximum(counts, 1) / np.maximum(counts, 1).sum())
    assert np.ptp(expected) > 2
    relative = difference - difference[:, :1]
    np.testing.assert_allclose(
        relative, np.tile(expected - expected[0], (9, 1)), atol=1e-4
    )


def test_without_validation_samples_a_network_learns_a_batch_by_heart(tmp_path, caplog):
    data = tiny_run.write_data(tmp_path / "data", (4, 0, 0))
    settings = tiny_run.settings(
        data,
        tmp_path / "run",
        epochs=15,
        learning_rate=5e-3,
        dropout=0.0,
        mirror=False,
        l2=0.0,
        width=0.1,
    )
    caplog.set_level("INFO", "motionflow")
    result = train(settings)
    assert "NO validation samples" in caplog.text
    assert result["validation"] is None
    rows = RunDir(tmp_path / "run").read_history()
    assert result["training"]["cross_entropy"] < 0.2 * rows[0]["cross_entropy"]
    assert result["training"]["top1"] > 0.95


@pytest.fixture(scope="module")
def pretrained(data_dir, tmp_path_factory):
    """The file, its arrays, the settings and the trainer that began from it."""
    folder = tmp_path_factory.mktemp("pretrained")
    random = np.random.default_rng(0)
    arrays = {
        name: random.uniform(0.5, 2, weight.shape).astype(np.float32)
        for layer in efficientnet.build_classifier(64).layers
        if layer.name.startswith(blocks.TRUNK)
        for name, weight in weights.named_weights(layer).items()
    }
    np.savez(folder / "weights.npz", **arrays)
    settings = tiny_run.settings(
        data_dir,
        folder / "run",
        model="efficientnet",
        pretrained=str(folder / "weights.npz"),
        freeze_trunk=True,
    )
    begun = trainer.Trainer(settings)
    begun.set_up()
    return arrays, settings, begun


def test_training_begins_from_the_weights_of_a_file(pretrained):
    arrays, settings, begun = pretrained
    for layer in begun.model.layers:
        if layer.name.startswith(blocks.TRUNK):
            for name, weight in weights.named_weights(layer).items():
                np.testing.assert_array_equal(weight, arrays[name])
    # The head's: 11 convolutions, each but the last with a norm's two; one bias.
    assert len(begun.model.trainable_weights) == 11 + 20 + 1
    config = RunDir(settings.run_dir).config
    assert config["model"]["freeze_trunk"] is True
    assert config["training"]["is_pretrained"] is True
    assert "weights.npz" not in json.dumps(config)


def test_a_resumed_run_does_not_need_the_file(pretrained, monkeypatch):
    _, settings, _ = pretrained
    gone = dataclasses.replace(settings, pretrained="gone.npz")
    with pytest.raises(InputError, match="cannot read gone.npz"):
        trainer.Trainer(gone)
    monkeypatch.setattr(RunDir, "checkpoint_paths", lambda self: ["step-1"])
    trainer.Trainer(gone)
    other = dataclasses.replace(settings, pretrained=None)
    with pytest.raises(InputError, match="is_pretrained is True there and False now"):
        trainer.Trainer(other).run()
