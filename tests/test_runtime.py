import random
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from motionflow import runtime
from motionflow.compat import keras
from motionflow.errors import InputError

# Same batches on one and on two devices. Without batch normalisation (each replica has
# its own) and dropout the two must agree.
TWO_DEVICES = """
import dataclasses, sys, pathlib
import numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
two = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(cpu, two)
from motionflow import runtime, train
from motionflow.compat import keras
from motionflow.models.run_dir import RunDir
from tests import tiny_run

random = np.random.default_rng(0)
x = random.normal(size=(20, 6)).astype("float32")
codes = random.integers(0, 3, (20, 4))

# One strategy of a kind: two of them would share the names of their collectives.
strategies = {name: runtime.make_strategy(name) for name in ("one_device", "mirrored")}
runtime.make_strategy = strategies.get

def fit(name):
    strategy = strategies[name]
    assert runtime.is_chief(strategy)
    runtime.set_seeds(0)
    with strategy.scope():
        dense = keras.layers.Dense(12, kernel_regularizer="l2", activation="tanh")
        model = keras.Sequential(
            [keras.Input((6,)), dense, keras.layers.Reshape((4, 3))]
        )
        train.compile_model(model, 0.01)
    # 20 samples in batches of 8: the last is smaller and odd-sized for evaluation.
    data = tf.data.Dataset.from_tensor_slices((x, codes))
    model.fit(data.batch(8, drop_remainder=True).repeat(), epochs=1, steps_per_epoch=6,
              verbose=0)
    answer = model.evaluate(data.take(19).batch(8), return_dict=True, verbose=0)
    return strategy.num_replicas_in_sync, model.get_weights(), answer

one, weights_one, metrics_one = fit("one_device")
two, weights_two, metrics_two = fit("mirrored")
assert (one, two) == (1, 2), (one, two)
for a, b in zip(weights_one, weights_two):
    np.testing.assert_allclose(a, b, atol=1e-6)
for key in metrics_one:
    np.testing.assert_allclose(metrics_one[key], metrics_two[key], rtol=1e-5)

folder = pathlib.Path(sys.argv[1])
data = tiny_run.write_data(folder / "data")
settings = tiny_run.settings(data, folder / "run", strategy="mirrored", epochs=1)
train.train(settings)
RunDir.open(folder / "run").load_model()
try:
    train.train(dataclasses.replace(settings, batch_size=5))
except ValueError as error:
    assert "pass --batch_size=6" in str(error), error
else:
    raise AssertionError("5 images were split over 2 replicas")
"""


def test_two_replicas_learn_what_one_does(tmp_path):
    subprocess.run([sys.executable, "-c", TWO_DEVICES, tmp_path], check=True)


def test_names_of_strategies():
    assert runtime.make_strategy("one_device").num_replicas_in_sync == 1
    with pytest.raises(InputError, match="no strategy 'gpu'; choose one of one_device"):
        runtime.make_strategy("gpu")


def test_a_missing_tpu_is_said_plainly(monkeypatch):
    for name in ("TPU_NAME", "KUBE_GOOGLE_CLOUD_TPU_ENDPOINTS"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(InputError, match="--strategy=tpu found no TPU"):
        runtime.make_strategy("tpu")


@pytest.mark.parametrize("policy", runtime.PRECISIONS)
def test_precision_is_the_policy_of_new_layers(policy):
    try:
        runtime.set_precision(policy)
        layer = keras.layers.Dense(1)
    finally:
        runtime.set_precision("float32")
    assert layer.compute_dtype == policy.removeprefix("mixed_")
    assert layer.variable_dtype == "float32"


def test_an_unknown_precision_lists_the_choices():
    with pytest.raises(InputError, match="no precision 'half'; choose one of float32"):
        runtime.set_precision("half")


def test_the_same_seed_gives_the_same_numbers():
    def draw():
        return random.random(), np.random.rand(), float(tf.random.uniform(()))

    runtime.set_seeds(3)
    first = draw()
    runtime.set_seeds(3)
    assert draw() == first
    runtime.set_seeds(4)
    assert draw() != first
