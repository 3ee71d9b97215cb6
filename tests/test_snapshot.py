import json

import numpy as np
import tensorflow as tf

from motionflow.compat import keras
from motionflow.training.checkpoints import Progress
from motionflow.training.snapshot import Snapshot


def make_checkpoint():
    """A network with states of its own, in training: everything that a run saves."""
    model = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(4, activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.Adam(), "mse", metrics=["mae"])
    model.fit(np.ones((4, 3)), np.ones((4, 1)), verbose=0)
    return tf.train.Checkpoint(
        model=model,
        optimizer=model.optimizer,
        metrics={metric.name: metric for metric in model.metrics},
        progress=Progress(),
    )


def contents(path):
    reader = tf.train.load_checkpoint(path)
    names = set(reader.get_variable_to_shape_map()) - {
        "_CHECKPOINTABLE_OBJECT_GRAPH",
        "save_counter/.ATTRIBUTES/VARIABLE_VALUE",
    }
    return {name: reader.get_tensor(name) for name in names}


def test_its_checkpoint_is_that_of_the_moment_in_which_it_was_taken(tmp_path):
    checkpoint = make_checkpoint()
    snapshot = Snapshot(checkpoint)
    checkpoint.progress.step = 7
    snapshot.take()
    expected = contents(checkpoint.write(str(tmp_path / "original")))
    for variable in (*checkpoint.model.weights, *checkpoint.optimizer.variables):
        variable.assign(tf.ones_like(variable) * 3)
    checkpoint.progress.step = 8

    path = tf.train.Checkpoint(**snapshot.items).write(str(tmp_path / "copy"))
    found = contents(path)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value)
    (state,) = (value for name, value in found.items() if name.startswith("progress"))
    assert json.loads(state)["step"] == 7

    restored = make_checkpoint()
    restored.read(path).assert_consumed()
    assert restored.progress.step == 7
    for variable, original in zip(
        restored.model.weights, checkpoint.model.weights, strict=True
    ):
        assert not np.array_equal(variable, original)
