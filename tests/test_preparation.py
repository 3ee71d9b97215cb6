import pytest
import tensorflow as tf

from motionflow.compat import keras
from motionflow.data import records
from motionflow.data.augmentation import Augmentation
from motionflow.errors import InputError
from motionflow.models.losses import LossOptions
from motionflow.training import preparation
from motionflow.training.settings import Settings
from tests import tiny_run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return records.open_data_dir(
        tiny_run.write_data(tmp_path_factory.mktemp("data") / "d")
    )


def test_the_reports_learning_rate_falls_after_the_third_epoch():
    schedule = preparation.make_schedule(Settings(), steps=7)
    rates = [float(schedule(step)) for step in (0, 20, 21, 500)]
    assert rates == pytest.approx([1e-3, 1e-3, 1e-4, 1e-4])


def test_warm_up_may_take_part_of_an_epoch():
    settings = Settings(learning_rate=1.0, warmup_epochs=0.5)
    schedule = preparation.make_schedule(settings, steps=8)
    assert [float(schedule(step)) for step in (0, 3, 4)] == [0.25, 1.0, 1.0]


def test_all_metrics_exist_before_the_first_step(data):
    """A checkpoint that lacked one could not resume an epoch."""
    settings = tiny_run.settings("", "")
    schedule = preparation.make_schedule(settings, 3)
    model = preparation.make_model(settings, data, schedule)
    before = [metric.name for metric in model.metrics]
    frames, targets = tf.zeros((2, 64, 64, 3)), tf.zeros((2, 9, 3))
    answer = model.train_on_batch(frames, targets, return_dict=True)
    assert before == list(answer) == [metric.name for metric in model.metrics]
    assert isinstance(model.optimizer, keras.optimizers.Adam)


def test_the_config_says_whether_predictions_are_untilted(data):
    for changes, expected in (
        ({}, False),
        ({"logit_adjustment": 1.0}, True),
        ({"logit_adjustment": 1.0, "untilt": False}, False),
    ):
        settings = tiny_run.settings("", "", **changes)
        assert preparation.make_config(settings, data)["model"]["untilt"] is expected


def test_replicas_must_share_a_batch_evenly():
    preparation.check_replicas(8, 4)
    with pytest.raises(InputError, match="pass --batch_size=12"):
        preparation.check_replicas(9, 4)


def test_options_of_the_parts():
    settings = Settings(mirror=False, min_crop=0.7, brightness=0.3)
    assert preparation.augmentation(settings) == Augmentation(False, 0.7, 0.3)
    settings = Settings(class_weights="smoothed", focal_gamma=2.0, label_smoothing=0.1)
    expected = LossOptions("smoothed", 0.5, focal_gamma=2.0, label_smoothing=0.1)
    assert preparation.loss_options(settings) == expected and expected.is_tilted
