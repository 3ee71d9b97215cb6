import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from tests import served

pytestmark = pytest.mark.slow


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
