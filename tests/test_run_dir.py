import json

import numpy as np
import pytest
import tensorflow as tf

from motionflow.compat import keras
from motionflow.errors import InputError
from motionflow.labels.codebook import Codebook
from motionflow.models.network import build_model
from motionflow.models.run_dir import RunDir

MEAN_FRAME = np.full((64, 64, 3), 50, np.float32)
MODEL = {"name": "allconv", "num_clusters": 3, "grid_size": 3, "width": 0.05}
CONFIG = {"model": MODEL, "training": {"epochs": 2, "seed": 0}, "data": {}}


@pytest.fixture
def run_dir(tmp_path):
    run_dir = RunDir(tmp_path / "run")
    codebook = Codebook(np.array([[0, 0], [1, 0], [0, 1]]))
    run_dir.prepare(CONFIG, codebook, MEAN_FRAME)
    return run_dir


def save(run_dir, **objects):
    checkpoint = tf.train.Checkpoint(**objects)
    manager = tf.train.CheckpointManager(
        checkpoint, str(run_dir.checkpoints), 3, checkpoint_name="epoch"
    )
    manager.save(checkpoint_number=12)


def test_what_was_prepared_is_read_again(run_dir):
    assert run_dir.config == CONFIG
    np.testing.assert_array_equal(run_dir.mean_frame, MEAN_FRAME)
    assert run_dir.codebook.num_clusters == 3
    assert run_dir.checkpoint_paths() == []
    assert run_dir.read_history() == [] and run_dir.result is None


def test_another_run_is_refused_by_what_differs(run_dir):
    other = json.loads(json.dumps(CONFIG))
    other["training"] = {"epochs": 9, "seed": 1}
    other["model"]["width"] = 1.0
    with pytest.raises(InputError) as error:
        run_dir.prepare(other, run_dir.codebook, MEAN_FRAME)
    assert "model.width is 0.05 there and 1.0 now; training.seed is" in str(error.value)
    assert "epochs" not in str(error.value)
    assert run_dir.config == CONFIG


def test_what_a_run_is_older_than_was_off_in_it(run_dir):
    newer = json.loads(json.dumps(CONFIG))
    newer["model"] |= {"freeze_trunk": False, "l2": 0.0}
    run_dir.prepare(newer, run_dir.codebook, MEAN_FRAME)
    assert run_dir.config == newer
    newer["training"]["is_pretrained"] = True
    with pytest.raises(InputError, match="is_pretrained is False there and True now"):
        run_dir.prepare(newer, run_dir.codebook, MEAN_FRAME)


def test_more_epochs_are_the_same_run(run_dir):
    longer = {**CONFIG, "training": {"epochs": 9, "seed": 0}}
    run_dir.prepare(longer, run_dir.codebook, MEAN_FRAME)
    assert run_dir.config == longer


def test_with_a_cosine_the_number_of_epochs_is_part_of_the_run(run_dir):
    cosine = {"learning_rate_schedule": "cosine", "epochs": 2, "seed": 0}
    run_dir = RunDir(run_dir.path.with_name("cosine"))
    codebook = Codebook(np.array([[0, 0], [1, 0]]))
    run_dir.prepare({**CONFIG, "training": cosine}, codebook, MEAN_FRAME)
    longer = {**CONFIG, "training": {**cosine, "epochs": 9}}
    with pytest.raises(InputError, match=r"training.epochs is 2 there and 9 now"):
        run_dir.prepare(longer, codebook, MEAN_FRAME)


def test_history_is_a_csv_of_one_row_an_epoch(run_dir):
    rows = [{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.25}]
    run_dir.write_history(rows)
    text = (run_dir.path / "history.csv").read_text()
    assert text == "epoch,loss\n1,0.5\n2,0.25\n"
    assert run_dir.read_history() == rows


def test_a_model_comes_back_with_its_weights(run_dir):
    model = build_model(mean_frame=MEAN_FRAME, **MODEL)
    model.optimizer = keras.optimizers.Adam()
    model.optimizer.build(model.trainable_variables)
    save(run_dir, model=model, optimizer=model.optimizer)
    restored = RunDir.open(run_dir.path).load_model()
    frames = np.random.default_rng(0).uniform(0, 255, (2, 64, 64, 3))
    np.testing.assert_array_equal(restored(frames), model(frames))


def test_a_model_trained_in_low_precision_comes_back_in_float32(run_dir):
    save(run_dir, model=build_model(mean_frame=MEAN_FRAME, **MODEL))
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        restored = run_dir.load_model()
        assert keras.mixed_precision.global_policy().name == "mixed_bfloat16"
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert {layer.compute_dtype for layer in restored.layers} == {"float32"}


def test_the_best_or_the_last_weights_come_back(run_dir):
    model = build_model(mean_frame=MEAN_FRAME, **MODEL)
    bias = model.layers[-3].bias
    rows = [{"epoch": i, "val_cross_entropy": v} for i, v in ((1, 5.0), (2, 7.0))]
    run_dir.write_history(rows)
    for name, value in (("best/epoch-1", 1.0), ("best/epoch-2", 2.0)):
        bias.assign(np.full(3, value))
        tf.train.Checkpoint(model=model).write(str(run_dir.checkpoints / name))
    bias.assign(np.full(3, 3.0))
    save(run_dir, model=model)
    best = RunDir(run_dir.path / "checkpoints" / "best")
    found = [run.load_model().layers[-3].bias[0] for run in (best, run_dir)]
    assert found == [1.0, 3.0]


def test_without_a_best_checkpoint_that_is_said(run_dir):
    save(run_dir, model=build_model(mean_frame=MEAN_FRAME, **MODEL))
    with pytest.raises(InputError, match="holds no checkpoint"):
        RunDir.open(run_dir.checkpoints / "best")


def test_a_checkpoint_that_lacks_a_weight_is_an_error(run_dir):
    model = build_model(mean_frame=MEAN_FRAME, **MODEL)
    incomplete = keras.Model(model.input, model.layers[-4].output)
    save(run_dir, model=incomplete)
    with pytest.raises(AssertionError):
        run_dir.load_model()


def test_open_says_what_is_missing(run_dir, tmp_path):
    with pytest.raises(
        InputError, match="holds no config.json; expected the --run_dir"
    ):
        RunDir.open(tmp_path)
    with pytest.raises(InputError, match="holds no checkpoint"):
        RunDir.open(run_dir.path)
