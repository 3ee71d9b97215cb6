"""What TensorFlow Serving needs of a version: nothing that it refuses, and warm-up.

    <version>/saved_model.pb --violations--> sentences, none if all is well
    <version> --write_warmup--> assets.extra/tf_serving_warmup_requests

The server holds TensorFlow's own operations, without Python and without XLA. Batching
and the row format of REST need a leading dimension of any size on each input and
output, and REST knows no 16-bit floats (TensorFlow Serving, `json_tensor.cc`).

Warm-up is a TFRecord of PredictionLogs that the server sends itself before a version
answers others: the first real request does not pay for what is made lazily, and a
version that cannot answer them does not load. Pictures are grey: only their size costs
time, and a tensor of one value takes a few bytes of file.
"""

from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import graph_pb2, node_def_pb2, tensor_pb2
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2
from tensorflow_serving.apis import prediction_log_pb2

from motionflow.data.known import NUM_KNOWN
from motionflow.generate.control import Control
from motionflow.serving.inputs import hints_of, requests

# In every server these need a Python or an XLA that is not there.
FORBIDDEN = (
    *("PyFunc", "PyFuncStateless", "EagerPyFunc"),
    *("XlaLaunch", "XlaCallModule", "_XlaCompile", "_XlaRun"),
)
_HALF = (tf.float16, tf.bfloat16)
_BATCH_SIZES = (1, 8)  # of warm-up
_GREY = 128
_HINTS = Control(arrows=[((0, 0), (0, 0))], pins=[(1, 1)])


def violations(version: Path) -> list[str]:
    """A sentence for each thing that the server would refuse, or silently get wrong."""
    proto = saved_model_pb2.SavedModel.FromString(
        (version / "saved_model.pb").read_bytes()
    )
    found = []
    for meta in proto.meta_graphs:
        if list(meta.meta_info_def.tags) != ["serve"]:
            found.append(f"the tags are {list(meta.meta_info_def.tags)}, not 'serve'")
        for name, signature in sorted(meta.signature_def.items()):
            if name != "__saved_model_init_op":
                found += _signature_violations(name, signature)
        found += _graph_violations(meta.graph_def)
    return sorted(set(found))


def _signature_violations(
    name: str, signature: meta_graph_pb2.SignatureDef
) -> Iterator[str]:
    if not signature.inputs or not signature.outputs:
        yield f"{name} has no inputs or no outputs"
    for tensors in (signature.inputs, signature.outputs):
        for key, tensor in sorted(tensors.items()):
            shape = [dim.size for dim in tensor.tensor_shape.dim]
            if tensor.tensor_shape.unknown_rank or not shape or shape[0] != -1:
                yield f"{name}: {key} has no batch dimension of any size, but {shape}"
            if tf.as_dtype(tensor.dtype) in _HALF:
                yield f"{name}: {key} is {tf.as_dtype(tensor.dtype).name}"
    for key in sorted(signature.outputs):
        if key.endswith("_bytes"):
            yield f"{name}: REST would send {key} in base64, for its name"


def _graph_violations(graph: graph_pb2.GraphDef) -> Iterator[str]:
    yield from _node_violations(graph.node)
    functions = {function.signature.name for function in graph.library.function}
    for function in graph.library.function:
        if function.attr["_XlaMustCompile"].b:
            yield f"{function.signature.name} must be compiled by XLA"
        yield from _node_violations(function.node_def, functions)


def _node_violations(
    nodes: list[node_def_pb2.NodeDef], functions: Collection[str] = frozenset()
) -> Iterator[str]:
    for node in nodes:
        if node.attr["_XlaMustCompile"].b:
            yield f"{node.name} must be compiled by XLA"
        if node.op in FORBIDDEN:
            yield f"the operation {node.op} is not in the server"
        # Operations of libraries that are loaded later are not in raw_ops.
        elif not hasattr(tf.raw_ops, node.op) and node.op not in functions:
            yield f"the operation {node.op} is not one of TensorFlow's own"


def write_warmup(version: Path, frame_size: int, grid_size: int | None = None) -> None:
    """Writes a request to each signature at batch 1 and 8.

    Pictures are of S pixels, those of `predict_bytes` larger; `grid_size` is that of a
    network that can be told.
    """
    path = version / "assets.extra" / "tf_serving_warmup_requests"
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for batch in _BATCH_SIZES:
            image = np.full((batch, frame_size, frame_size, 3), _GREY, np.uint8)
            files = [_file(i, frame_size) for i in range(batch)]
            known, hints = None, hints_of(_HINTS, batch)
            if grid_size:
                shape = batch, grid_size, grid_size, NUM_KNOWN
                known = np.zeros(shape, np.float32)
            for signature, inputs in requests(image, files, 1, known, hints).items():
                writer.write(_log(signature, inputs).SerializeToString())


def _file(index: int, frame_size: int) -> bytes:
    """JPEG and PNG by turns; a wide picture, so that resizing is warmed up too."""
    grey = tf.fill([frame_size + 40, 2 * frame_size, 3], tf.constant(_GREY, tf.uint8))
    encode = (tf.io.encode_jpeg, tf.io.encode_png)[index % 2]
    return encode(grey).numpy()


def _log(
    signature: str, inputs: dict[str, np.ndarray]
) -> prediction_log_pb2.PredictionLog:
    log = prediction_log_pb2.PredictionLog()
    request = log.predict_log.request
    # The server puts the name of the model in itself.
    request.model_spec.signature_name = signature
    for name, values in inputs.items():
        request.inputs[name].CopyFrom(_tensor(values))
    return log


def _tensor(values: np.ndarray) -> tensor_pb2.TensorProto:
    if values.dtype == object or np.ptp(values):
        return tf.make_tensor_proto(values)
    return tf.make_tensor_proto(values.flat[0], values.dtype, values.shape)
