"""Model -> ONNX, for ONNX Runtime and what else reads it.

model, codebook -> model.onnx, float32; `image` (and `known`) as in `portable`
"""

import importlib.util
from pathlib import Path

import numpy as np

from motionflow.compat import keras
from motionflow.errors import InputError
from motionflow.serving import portable

OPSET = 17
TOLERANCE = 1e-4
_PACKAGES = ("onnx", "onnxruntime", "tf2onnx")


def write(
    folder: Path, model: keras.Model, centers: np.ndarray
) -> list[portable.Written]:
    """Writes model.onnx and checks it with ONNX's checker and ONNX Runtime.

    Args:
      folder: exists.
      model: from frames [B, S, S, 3] to logits.
      centers: float32 [K, 2].

    Raises:
      InputError: the packages of the extra `onnx` are not installed.
      RuntimeError: the file does not answer like the Keras model.
    """
    missing = [name for name in _PACKAGES if not importlib.util.find_spec(name)]
    if missing:
        raise InputError(
            f"--format=onnx needs {', '.join(missing)}: pip install 'motionflow[onnx]'"
        )
    import onnx
    import tf2onnx

    function, path = portable.graph(model, centers), folder / "model.onnx"
    tf2onnx.convert.from_function(
        function, function.input_signature, opset=OPSET, output_path=str(path)
    )
    onnx.checker.check_model(str(path))
    return [portable.measure(path, open_runner(path), function, TOLERANCE)]


def open_runner(path: Path) -> portable.Runner:
    """Opens a file with ONNX Runtime, on all cores.

    Returns:
      A function from the inputs, in their order, to the outputs by their names.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(
        str(path), providers=["CPUExecutionProvider"]
    )
    names = [output.name for output in session.get_outputs()]
    inputs = [one.name for one in session.get_inputs()]

    def run(*values: np.ndarray) -> dict[str, np.ndarray]:
        fed = dict(zip(inputs, values, strict=True))
        return dict(zip(names, session.run(names, fed), strict=True))

    return run
