"""Requests that the server sends itself before a version answers others.

    signatures -> <version>/assets.extra/tf_serving_warmup_requests

A TFRecord of PredictionLogs that TensorFlow Serving replays when it loads a version:
the first real request does not pay for what is made lazily, and a version that cannot
answer them does not load. Pictures are grey: only their size costs time, and a tensor
of one value takes a few bytes of file.
"""

from collections.abc import Iterator
from pathlib import Path

import tensorflow as tf
from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import prediction_log_pb2

from motionflow.data.known import NUM_KNOWN
from motionflow.models.predictor import FRAMES_SIGNATURE, KNOWN_SIGNATURE

BATCH_SIZES = (1, 8)
_GREY = 128


def write(version: Path, frame_size: int, grid_size: int | None = None) -> None:
    """Writes the requests of each signature at batch 1 and 8.

    Args:
      version: folder of the SavedModel.
      frame_size: S; pictures are of this size, those of `predict_bytes` larger too.
      grid_size: g, of a network that can be told.
    """
    path = version / "assets.extra" / "tf_serving_warmup_requests"
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for batch in BATCH_SIZES:
            for signature, inputs in requests(batch, frame_size, grid_size):
                writer.write(_log(signature, inputs).SerializeToString())


def requests(
    batch: int, frame_size: int, grid_size: int | None = None
) -> Iterator[tuple[str, dict[str, tensor_pb2.TensorProto]]]:
    """Yields each signature with inputs for a batch."""
    size = [batch, frame_size, frame_size, 3]
    image = tf.make_tensor_proto(_GREY, tf.uint8, size)
    ones = tf.make_tensor_proto(1, tf.int32, [batch])
    files = tf.make_tensor_proto([_file(i, frame_size) for i in range(batch)])
    yield "serving_default", {"image": image}
    yield "predict_bytes", {"image_bytes": files}
    yield "probabilities", {"image": image}
    yield "steps", {"image": image}
    numbers = {"num_predictions": ones, "frames_per_prediction": ones}
    yield "rollout", {"image": image} | numbers
    frames = {"image": tf.make_tensor_proto(_GREY, tf.float32, size)}
    yield FRAMES_SIGNATURE, frames
    if grid_size:
        shape = [batch, grid_size, grid_size, NUM_KNOWN]
        known = tf.make_tensor_proto(0, tf.float32, shape)
        yield KNOWN_SIGNATURE, frames | {"known": known}
        said = {
            "image": image,
            "arrows": tf.make_tensor_proto(0, tf.float32, [batch, 1, 4]),
            "num_arrows": ones,
            "pins": tf.make_tensor_proto(1, tf.float32, [batch, 1, 2]),
            "num_pins": ones,
        }
        yield "guided", said
        yield "guided_rollout", said | numbers


def _file(index: int, frame_size: int) -> bytes:
    """JPEG and PNG by turns; a wide picture, so that resizing is warmed up too."""
    grey = tf.fill([frame_size + 40, 2 * frame_size, 3], tf.constant(_GREY, tf.uint8))
    encode = (tf.io.encode_jpeg, tf.io.encode_png)[index % 2]
    return encode(grey).numpy()


def _log(signature: str, inputs: dict) -> prediction_log_pb2.PredictionLog:
    log = prediction_log_pb2.PredictionLog()
    request = log.predict_log.request
    # The server puts the name of the model in itself.
    request.model_spec.signature_name = signature
    for name, tensor in inputs.items():
        request.inputs[name].CopyFrom(tensor)
    return log
