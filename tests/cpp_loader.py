"""Runs a SavedModel as TensorFlow Serving does, without Python TensorFlow.

    python cpp_loader.py WHEEL EXPORT < requests > answers

The server loads with C++ `LoadSavedModel` and runs `Session::Run`, XLA off; the
TensorFlow wheel carries that code behind its C API. A request is a pickle of two: what
is fed {tensor: array}, bytes in an array of objects, and the tensors that are asked
for, named as in the signature ("op:0"). Its answer is a pickle: {tensor: array}, or
TensorFlow's message where it failed. Of a model that does not load that is the message
of each request. The end of the requests ends the process.
"""

import ctypes
import pickle
import sys
from pathlib import Path

import numpy as np

STRING, STRING_SIZE = 7, 24  # TF_STRING, sizeof(TF_TString)
TYPES = {1: np.float32, 3: np.int32, 4: np.uint8}
NUMBERS = {np.dtype(dtype): number for number, dtype in TYPES.items()}
wheel, export = sys.argv[1:]


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


def message() -> str | None:
    """What went wrong in the last call, if anything did."""
    failed = library.TF_GetCode(status)
    return library.TF_Message(status).decode() if failed else None


def output(name: str) -> Output:
    """Finds a tensor by its name."""
    operation, index = name.split(":")
    found = library.TF_GraphOperationByName(graph, operation.encode())
    if not found:
        sys.exit(f"no operation {operation}")
    return Output(found, int(index))


def to_tensor(array: np.ndarray) -> pointer:
    """Copies an array into a TF_Tensor."""
    is_string = array.dtype == object
    number = STRING if is_string else NUMBERS[array.dtype]
    size = STRING_SIZE * array.size if is_string else array.nbytes
    shape = (ctypes.c_int64 * array.ndim)(*array.shape)
    tensor = pointer(
        library.TF_AllocateTensor(number, shape, array.ndim, ctypes.c_size_t(size))
    )
    data = library.TF_TensorData(tensor)
    if not is_string:
        ctypes.memmove(pointer(data), array.tobytes(), size)
        return tensor
    for i, value in enumerate(array.ravel()):
        place = pointer(data + i * STRING_SIZE)
        library.TF_StringInit(place)
        library.TF_StringCopy(place, value, ctypes.c_size_t(len(value)))
    return tensor


def to_array(tensor: pointer) -> np.ndarray:
    """Copies a TF_Tensor of numbers into an array."""
    dtype = TYPES[library.TF_TensorType(tensor)]
    shape = [library.TF_Dim(tensor, i) for i in range(library.TF_NumDims(tensor))]
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    data = ctypes.string_at(pointer(library.TF_TensorData(tensor)), size)
    return np.frombuffer(data, dtype).reshape(shape)


def run(inputs: dict[str, np.ndarray], names: list[str]) -> dict[str, np.ndarray] | str:
    """Feeds some tensors and fetches others."""
    fed = (Output * len(inputs))(*map(output, inputs))
    tensors = (pointer * len(inputs))(*map(to_tensor, inputs.values()))
    fetched = (Output * len(names))(*map(output, names))
    answers = (pointer * len(names))()
    library.TF_SessionRun(
        *(session, None, fed, tensors, len(inputs)),
        *(fetched, answers, len(names), None, 0, None, status),
    )
    if failure := message():
        return failure
    return {
        name: to_array(pointer(answer))
        for name, answer in zip(names, answers, strict=True)
    }


graph = pointer(library.TF_NewGraph())
options = pointer(library.TF_NewSessionOptions())
tags = (ctypes.c_char_p * 1)(b"serve")
session = pointer(
    library.TF_LoadSessionFromSavedModel(
        *(options, None, export.encode(), tags, 1, graph, None, status)
    )
)
refusal = message()
while True:
    try:
        request = pickle.load(sys.stdin.buffer)
    except EOFError:
        break
    pickle.dump(refusal or run(*request), sys.stdout.buffer)
    sys.stdout.buffer.flush()
    assert "tensorflow" not in sys.modules
