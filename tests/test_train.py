import csv
import json
import shutil

import numpy as np
import pytest
import tensorflow as tf
from absl import flags

from motionflow import train
from motionflow.errors import InputError
from motionflow.models.run_dir import RunDir
from tests import tiny_run


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    return tiny_run.write_data(tmp_path_factory.mktemp("train") / "data")


@pytest.fixture(scope="module")
def straight(data_dir, tmp_path_factory):
    """Two epochs without a pause: the run directory, the result."""
    run = tmp_path_factory.mktemp("straight") / "run"
    return run, train.train(tiny_run.settings(data_dir, run))


def test_a_run_leaves_all_its_files(straight):
    run, result = straight
    names = {"checkpoints", "logs", "codebook.npz", "mean_frame.npy", "flags.txt"}
    names |= {"config.json", "history.csv", "result.json"}
    assert {path.name for path in run.iterdir()} == names
    assert list(run.glob("logs/train/events*")) and list(run.glob("logs/validation/*"))
    assert json.loads((run / "result.json").read_text()) == result
    config = RunDir(run).config
    assert config["data"] == {
        "frame_size": 64,
        "codebook_fingerprint": RunDir(run).codebook.fingerprint,
        "num_training_samples": 12,
        "num_validation_samples": 5,
    }


def test_history_has_a_row_an_epoch_and_the_result_is_its_last(straight):
    run, result = straight
    with (run / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    names = ["loss", "cross_entropy", "top1", "top5", "top10", "mean_recall"]
    for split, prefix in (("training", ""), ("validation", "val_")):
        assert list(result[split]) == names
        for name, value in result[split].items():
            assert float(rows[-1][prefix + name]) == value
    assert result["tensorflow"] == tf.__version__
    assert result["epochs"] == 2 and result["images_per_second"] > 0


def test_validation_metrics_are_those_of_the_saved_weights_over_all_samples(
    straight, data_dir
):
    run, result = straight
    model = RunDir(run).load_model()
    records = train.records.open_data_dir(data_dir)
    (batch,) = train.pipeline.evaluation_batches(records, "validation", 5)
    logits, codes = model(batch["frames"]).numpy(), batch["codes"].numpy()
    shifted = np.exp(logits - logits.max(-1, keepdims=True))
    probabilities = shifted / shifted.sum(-1, keepdims=True)
    right = np.take_along_axis(probabilities, codes[..., None], -1)
    cross_entropy = -np.log(right).sum() / 5
    kernels = [w.numpy() for w in model.weights if "kernel" in w.name]
    penalty = sum(0.5 * 1e-5 * (kernel**2).sum() for kernel in kernels)
    validation = result["validation"]
    assert validation["cross_entropy"] == pytest.approx(cross_entropy, rel=1e-5)
    assert validation["loss"] == pytest.approx(cross_entropy + penalty, rel=1e-5)
    assert validation["top1"] == pytest.approx((logits.argmax(-1) == codes).mean())


def test_a_resumed_run_ends_with_the_weights_of_an_uninterrupted_one(
    straight, data_dir, tmp_path
):
    run = tmp_path / "run"
    train.train(tiny_run.settings(data_dir, run, epochs=1))
    # As if killed in the second epoch, after its row was written.
    rows = RunDir(run).read_history()
    RunDir(run).write_history([*rows, {**rows[0], "epoch": 2, "loss": -1.0}])
    resumed = train.train(tiny_run.settings(data_dir, run))
    assert [row["epoch"] for row in RunDir(run).read_history()] == [1, 2]
    for split in ("training", "validation"):
        assert resumed[split] == straight[1][split]
    one, other = (RunDir(r).load_model().get_weights() for r in (straight[0], run))
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_finished_run_is_left_alone(straight, data_dir, capsys):
    run, result = straight
    before = (run / "history.csv").read_bytes()
    assert train.train(tiny_run.settings(data_dir, run)) == result
    assert "is finished: 2 epochs" in capsys.readouterr().out
    assert (run / "history.csv").read_bytes() == before


def test_another_run_or_other_data_in_the_same_place_is_refused(
    straight, data_dir, tmp_path
):
    run = straight[0]
    with pytest.raises(InputError, match="width is 0.05 there and 0.1 now"):
        train.train(tiny_run.settings(data_dir, run, width=0.1))
    other = tiny_run.write_data(tmp_path / "other", centers=tiny_run.CENTERS + 1)
    with pytest.raises(InputError, match="codebook_fingerprint is"):
        train.train(tiny_run.settings(other, run))


def test_too_few_samples_say_what_to_pass(data_dir, tmp_path):
    with pytest.raises(InputError, match="pass --batch_size=12"):
        train.train(tiny_run.settings(data_dir, tmp_path, batch_size=13))


def test_a_run_directory_can_be_moved(straight, tmp_path):
    moved = shutil.copytree(straight[0], tmp_path / "moved")
    assert RunDir.open(moved).latest_checkpoint.startswith(str(moved))


def test_the_learning_rate_falls_after_the_third_epoch():
    settings = train.Settings()
    rates = [train.learning_rate_at(epoch, settings) for epoch in range(5)]
    assert rates == pytest.approx([1e-3, 1e-3, 1e-3, 1e-4, 1e-4])
    constant = train.Settings(learning_rate=1e-4, learning_rate_decay_epoch=0)
    assert train.learning_rate_at(80, constant) == 1e-4


def test_without_validation_samples_a_network_learns_a_batch_by_heart(tmp_path, capsys):
    data = tiny_run.write_data(tmp_path / "data", (4, 0, 0))
    settings = tiny_run.settings(
        data, tmp_path / "run", epochs=40, dropout=0.0, mirror=False, l2=0.0, width=0.1
    )
    result = train.train(settings)
    assert "NO validation samples" in capsys.readouterr().out
    assert result["validation"] is None
    rows = RunDir(tmp_path / "run").read_history()
    assert result["training"]["cross_entropy"] < 0.2 * rows[0]["cross_entropy"]
    assert result["training"]["top1"] > 0.95


def test_flags_txt_is_a_flagfile_of_the_same_settings(straight):
    values = flags.FlagValues()
    train.define_flags(values)
    flags.DEFINE_string("flagfile", "", "", flag_values=values)
    values(["train", f"--flagfile={straight[0]}/flags.txt"])
    settings = train.settings_from(values)
    assert settings == tiny_run.settings(settings.data_dir, straight[0])
    assert (settings.mirror, settings.width) == (True, 0.05)
