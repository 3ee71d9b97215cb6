import numpy as np
import pytest
import tensorflow as tf

from motionflow.compat import keras
from motionflow.data.augmentation import Augmentation
from motionflow.errors import InputError
from motionflow.models.losses import LossOptions
from motionflow.training import preparation
from motionflow.training.settings import Settings
from tests import tiny_run

pytestmark = pytest.mark.slow


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
    frames, targets = tf.zeros((2, 64, 64, 3)), tf.zeros((2, 1, 3, 3, 3))
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


def test_the_config_names_only_what_the_run_uses(data):
    """What an older run does not name was off, so it can be resumed."""

    def config(**changes):
        found = preparation.make_config(tiny_run.settings("", "", **changes), data)
        return found["model"] | found["training"]

    plain = config()
    assert plain["head"] == "plain" and plain["fixed_norm"] is False
    assert plain["contrast"] == plain["saturation"] == plain["clip_norm"] == 0
    assert not {"weight_decay", "train_trunk_from"} & plain.keys()
    assert config(optimizer="adamw")["weight_decay"] == 0.05
    assert config(model="efficientnet")["head"] == "dilated"
    own = {"model": "efficientnet", "head": "plain", "train_trunk_from": 3}
    assert config(**own)["head"] == "plain" and config(**own)["train_trunk_from"] == 3


@pytest.mark.parametrize(
    "changes, expected",
    [
        ({}, True),
        ({"freeze_trunk": True}, False),  # stays anyway
        ({"freeze_trunk": True, "train_trunk_from": 11}, True),
        ({"train_trunk_from": 11}, True),
    ],
)
def test_a_pretrained_trunk_that_trains_keeps_its_norms(data, changes, expected):
    changes |= {"model": "efficientnet", "pretrained": "weights.npz"}
    settings = tiny_run.settings("", "", **changes)
    assert preparation.make_config(settings, data)["model"]["fixed_norm"] is expected


def test_a_dilated_head_begins_at_the_prior_whatever_tilts_the_loss(data, monkeypatch):
    monkeypatch.setattr(data.codebook, "counts", np.array([69, 19, 9, 0, 0]))
    # One more of each.
    shares = np.array([70, 20, 10, 1, 1]) / 102
    for changes in ({}, {"logit_adjustment": 1.0}):
        settings = tiny_run.settings("", "", head="dilated", **changes)
        schedule = preparation.make_schedule(settings, 3)
        model = preparation.make_model(settings, data, schedule)
        model.get_layer("scores").kernel.assign(tf.zeros([1, 1, 13, 5]))
        found = tf.nn.softmax(model(tf.zeros((1, 64, 64, 3))))
        for cell in found.numpy().reshape(-1, 5):
            assert cell == pytest.approx(shares, rel=1e-5)


def test_replicas_must_share_a_batch_evenly():
    preparation.check_replicas(8, 4)
    with pytest.raises(InputError, match="pass --batch_size=12"):
        preparation.check_replicas(9, 4)


def test_options_of_the_parts():
    changes = {"min_crop": 0.7, "brightness": 0.3, "contrast": 0.2, "saturation": 0.1}
    found = preparation.augmentation(Settings(mirror=False, **changes))
    assert found == Augmentation(False, 0.7, 0.3, 0.2, 0.1)
    settings = Settings(class_weights="smoothed", focal_gamma=2.0, label_smoothing=0.1)
    expected = LossOptions("smoothed", 0.5, focal_gamma=2.0, label_smoothing=0.1)
    assert preparation.loss_options(settings) == expected and expected.is_tilted
