import logging
import random

import numpy as np
import pytest
import tensorflow as tf

from motionflow.compat import keras
from motionflow.errors import InputError
from motionflow.training import devices
from motionflow.training.settings import PRECISIONS


def test_names_of_strategies():
    assert devices.make_strategy("one_device").num_replicas_in_sync == 1
    with pytest.raises(InputError, match="no strategy 'gpu'; choose one of one_device"):
        devices.make_strategy("gpu")


def test_a_missing_tpu_is_said_plainly(monkeypatch):
    for name in ("TPU_NAME", "KUBE_GOOGLE_CLOUD_TPU_ENDPOINTS"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(InputError, match="--strategy=tpu found no TPU"):
        devices.make_strategy("tpu")


@pytest.mark.parametrize("policy", PRECISIONS)
def test_precision_is_the_policy_of_new_layers(policy):
    try:
        devices.set_precision(policy)
        layer = keras.layers.Dense(1)
    finally:
        devices.set_precision("float32")
    assert layer.compute_dtype == policy.removeprefix("mixed_")
    assert layer.variable_dtype == "float32"


def test_an_unknown_precision_lists_the_choices():
    with pytest.raises(InputError, match="no precision 'half'; choose one of float32"):
        devices.set_precision("half")


def test_the_same_seed_gives_the_same_numbers():
    def draw():
        return random.random(), np.random.rand(), float(tf.random.uniform(()))

    keras.utils.set_random_seed(3)
    first = draw()
    keras.utils.set_random_seed(3)
    assert draw() == first
    keras.utils.set_random_seed(4)
    assert draw() != first


@pytest.mark.parametrize(
    "policy, seconds, expected",
    [
        (
            "mixed_bfloat16",
            6.2,
            ["mixed_bfloat16 is slow here: this CPU takes 3.1 times"],
        ),
        (
            "mixed_float16",
            6.2,
            ["mixed_float16 is slow here: this CPU takes 3.1 times"],
        ),
        ("mixed_bfloat16", 1.0, []),
        ("float32", 6.2, []),
    ],
)
def test_a_precision_that_is_slower_here_is_said(
    policy, seconds, expected, monkeypatch, caplog
):
    times = {tf.float32: 2.0, tf.bfloat16: seconds, tf.float16: seconds}
    monkeypatch.setattr(devices, "product_seconds", times.get)
    monkeypatch.setattr(devices, "is_on_cpu", lambda: True)
    with caplog.at_level(logging.WARNING):
        devices.warn_if_slow(policy)
    assert [record.message[: len(expected[0])] for record in caplog.records] == expected


def test_a_gpu_is_not_measured(monkeypatch, caplog):
    monkeypatch.setattr(devices, "is_on_cpu", lambda: False)
    monkeypatch.setattr(devices, "product_seconds", None)
    devices.warn_if_slow("mixed_bfloat16")
    assert not caplog.records


def test_products_take_time():
    assert 0 < devices.product_seconds(tf.bfloat16) < 60
