import numpy as np
import pytest
import tensorflow as tf

from motionflow.serving import gate

pytestmark = pytest.mark.slow

SPEC = tf.TensorSpec([None, 4], tf.float32, name="image")


def save(folder, function, spec=SPEC):
    module = tf.Module()
    module.f = tf.function(function, input_signature=[spec])
    tf.saved_model.save(module, str(folder), signatures=module.f)
    return folder


@pytest.mark.parametrize("name", ["version", "guided_version"])
def test_an_export_has_nothing_to_object_to(name, request):
    assert gate.violations(request.getfixturevalue(name)) == []


@tf.function(jit_compile=True)
def compiled(x):
    return 2 * x


def from_numpy(x):
    return tf.ensure_shape(tf.numpy_function(np.sin, [x], tf.float32), [None, 4])


@pytest.mark.parametrize(
    "function, words",
    [
        (lambda x: {"flow": compiled(x)}, "must be compiled by XLA"),
        (lambda x: {"flow": from_numpy(x)}, "PyFunc is not in the server"),
        (lambda x: {"flow": tf.reduce_sum(x)}, "flow has no batch dimension"),
        (lambda x: {"flow": tf.cast(x, tf.bfloat16)}, "flow is bfloat16"),
        (lambda x: {"flow_bytes": x}, "REST would send flow_bytes in base64"),
        (lambda x: {"flow": tf.reshape(x, [1, -1])}, "flow has no batch dimension"),
    ],
)
def test_each_violation_is_named(function, words, tmp_path):
    found = gate.violations(save(tmp_path / "model", function))
    assert found and all(words in sentence for sentence in found)


def test_a_fixed_batch_is_named(tmp_path):
    spec = tf.TensorSpec([8, 4], tf.float32, name="image")
    found = gate.violations(save(tmp_path / "m", lambda x: {"flow": 2 * x}, spec))
    assert found == [
        f"serving_default: {key} has no batch dimension of any size, but [8, 4]"
        for key in ("flow", "image")
    ]


def test_operations_of_others_are_named(tmp_path):
    version = save(tmp_path / "model", lambda x: {"flow": tf.sin(x)})
    path = version / "saved_model.pb"
    # As an operation that a library brought would stand there.
    path.write_bytes(path.read_bytes().replace(b"\x12\x03Sin", b"\x12\x03Zin"))
    assert gate.violations(version) == [
        "the operation Zin is not one of TensorFlow's own"
    ]
