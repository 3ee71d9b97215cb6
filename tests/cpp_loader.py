"""Runs a SavedModel as TensorFlow Serving does, without Python TensorFlow.

    python cpp_loader.py WHEEL EXPORT INPUT INPUT_TENSOR OUTPUT_TENSOR OUTPUT

The server loads with C++ `LoadSavedModel` and runs `Session::Run`, with XLA off; the
TensorFlow wheel carries that code behind its C API. INPUT is an .npy of uint8, tensors
are named as in the signature ("op:0"), OUTPUT is where the float32 answer goes.
"""

import ctypes
import sys
from pathlib import Path

import numpy as np

TF_FLOAT, TF_UINT8 = 1, 4
wheel, export, input_file, input_name, output_name, output_file = sys.argv[1:]


class Output(ctypes.Structure):
    """TF_Output: an operation and which of its outputs."""

    _fields_ = [("operation", ctypes.c_void_p), ("index", ctypes.c_int)]


library = ctypes.CDLL(str(Path(wheel, "libtensorflow_cc.so.2")))
library["_ZN10tensorflow21DisableXlaCompilationEv"]()
POINTERS = (
    *("TF_NewStatus", "TF_NewGraph", "TF_NewSessionOptions", "TF_AllocateTensor"),
    *("TF_LoadSessionFromSavedModel", "TF_GraphOperationByName", "TF_TensorData"),
)
for name in POINTERS:
    getattr(library, name).restype = ctypes.c_void_p
library.TF_Message.restype = ctypes.c_char_p
library.TF_Dim.restype = ctypes.c_int64
pointer = ctypes.c_void_p
status = pointer(library.TF_NewStatus())


def check() -> None:
    """Ends the process with TensorFlow's message if the last call failed."""
    if library.TF_GetCode(status):
        sys.exit(library.TF_Message(status).decode())


def output(name: str) -> Output:
    """Finds a tensor by its name."""
    operation, index = name.split(":")
    found = library.TF_GraphOperationByName(graph, operation.encode())
    if not found:
        sys.exit(f"no operation {operation}")
    return Output(found, int(index))


graph = pointer(library.TF_NewGraph())
session = pointer(
    library.TF_LoadSessionFromSavedModel(
        pointer(library.TF_NewSessionOptions()),
        None,
        export.encode(),
        (ctypes.c_char_p * 1)(b"serve"),
        1,
        graph,
        None,
        status,
    )
)
check()
image = np.load(input_file)
shape = (ctypes.c_int64 * image.ndim)(*image.shape)
size = ctypes.c_size_t(image.nbytes)
fed = pointer(library.TF_AllocateTensor(TF_UINT8, shape, image.ndim, size))
ctypes.memmove(pointer(library.TF_TensorData(fed)), image.tobytes(), image.nbytes)
answer = (pointer * 1)()
library.TF_SessionRun(
    session,
    None,
    ctypes.byref(output(input_name)),
    (pointer * 1)(fed),
    1,
    ctypes.byref(output(output_name)),
    answer,
    1,
    None,
    0,
    None,
    status,
)
check()
result = pointer(answer[0])
assert library.TF_TensorType(result) == TF_FLOAT
dims = [library.TF_Dim(result, i) for i in range(library.TF_NumDims(result))]
data = library.TF_TensorData(result)
values = np.ctypeslib.as_array((ctypes.c_float * int(np.prod(dims))).from_address(data))
np.save(output_file, values.reshape(dims))
assert "tensorflow" not in sys.modules
