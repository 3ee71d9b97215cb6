"""What TensorFlow Serving would refuse, or silently get wrong, read off the file.

    X/<version>/saved_model.pb --violations--> sentences, none if all is well

The server holds TensorFlow's own operations, without Python and without XLA. Batching
and the row format of REST need a leading dimension of any size on each input and
output, and REST knows no 16-bit floats (TensorFlow Serving, `json_tensor.cc`).
"""

from collections.abc import Collection, Iterator
from pathlib import Path

import tensorflow as tf
from tensorflow.core.framework import graph_pb2, node_def_pb2
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

# In every server these need a Python or an XLA that is not there.
FORBIDDEN = (
    *("PyFunc", "PyFuncStateless", "EagerPyFunc"),
    *("XlaLaunch", "XlaCallModule", "_XlaCompile", "_XlaRun"),
)
_HALF = (tf.float16, tf.bfloat16)


def violations(version: Path) -> list[str]:
    """Checks a SavedModel without loading it.

    Args:
      version: the folder that holds saved_model.pb.

    Returns:
      One sentence a violation.
    """
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
