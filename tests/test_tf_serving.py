import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from motionflow.serving import tf_serving
from tests import served

pytestmark = pytest.mark.slow

SPEC = tf.TensorSpec([None, 4], tf.float32, name="image")


def save(folder, function, spec=SPEC):
    module = tf.Module()
    module.f = tf.function(function, input_signature=[spec])
    tf.saved_model.save(module, str(folder), signatures=module.f)
    return folder


@pytest.mark.parametrize("name", ["version", "guided_version"])
def test_an_export_has_nothing_to_object_to(name, request):
    assert tf_serving.violations(request.getfixturevalue(name)) == []


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
    found = tf_serving.violations(save(tmp_path / "model", function))
    assert found and all(words in sentence for sentence in found)


def test_a_fixed_batch_is_named(tmp_path):
    spec = tf.TensorSpec([8, 4], tf.float32, name="image")
    found = tf_serving.violations(save(tmp_path / "m", lambda x: {"flow": 2 * x}, spec))
    assert found == [
        f"serving_default: {key} has no batch dimension of any size, but [8, 4]"
        for key in ("flow", "image")
    ]


def test_operations_of_others_are_named(tmp_path):
    version = save(tmp_path / "model", lambda x: {"flow": tf.sin(x)})
    path = version / "saved_model.pb"
    # As an operation that a library brought would stand there.
    path.write_bytes(path.read_bytes().replace(b"\x12\x03Sin", b"\x12\x03Zin"))
    assert tf_serving.violations(version) == [
        "the operation Zin is not one of TensorFlow's own"
    ]


# --- warm-up ---------------------------------------------------------------------


def read_requests(version):
    path = version / "assets.extra" / "tf_serving_warmup_requests"
    for record in tf.data.TFRecordDataset(str(path)):
        log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
        assert log.WhichOneof("log_type") == "predict_log"
        yield log.predict_log.request


@pytest.fixture(params=["version", "guided_version"])
def any_version(request):
    return request.getfixturevalue(request.param)


def test_each_signature_is_warmed_up_at_batch_1_and_8(any_version):
    version = any_version
    found = [
        (r.model_spec.signature_name, t.tensor_shape.dim[0].size)
        for r in read_requests(version)
        for t in r.inputs.values()
    ]
    names = served.signature_defs(version)
    assert set(found) == {(name, batch) for name in names for batch in (1, 8)}


def test_the_requests_are_answered(any_version):
    version = any_version
    asked = [
        (
            r.model_spec.signature_name,
            {k: tf.make_ndarray(t) for k, t in r.inputs.items()},
        )
        for r in read_requests(version)
    ]
    answers = served.cpp_answers(version, asked)
    for (name, inputs), answer in zip(asked, answers, strict=True):
        assert isinstance(answer, dict), f"{name}: {answer}"
        batch = {len(value) for value in inputs.values()}
        assert {len(value) for value in answer.values()} == batch


def test_the_pictures_are_grey_whatever_their_format(version):
    files = [
        data
        for request in read_requests(version)
        if request.model_spec.signature_name == "predict_bytes"
        for data in tf.make_ndarray(request.inputs["image_bytes"])
    ]
    assert {data[:4] for data in files} == {b"\xff\xd8\xff\xe0", b"\x89PNG"}
    for data in files:
        assert np.unique(tf.io.decode_image(data)).tolist() == [128]


def test_the_file_is_small(version):
    path = version / "assets.extra" / "tf_serving_warmup_requests"
    assert path.stat().st_size < 50_000
