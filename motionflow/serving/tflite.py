"""Model -> TensorFlow Lite, for phones and small computers.

    model, codebook -> model.tflite           float32
                       model-dynamic.tflite   weights of 8 bits: a quarter of the size
                       model-float16.tflite   weights of 16 bits: half

Built-in operations only, so that the plain runtime is enough. The signature
`serving_default` takes `image` (and `known`), see `portable`.
"""

import os
import warnings
from pathlib import Path

import numpy as np
import tensorflow as tf

from motionflow.compat import keras
from motionflow.files import drafts
from motionflow.serving import portable
from motionflow.terminal import stderr_held_back

# File, quantisation, and how far a probability may be off.
VARIANTS = (
    ("model.tflite", "none", 1e-4),
    ("model-dynamic.tflite", "dynamic", 0.25),
    ("model-float16.tflite", "float16", 0.02),
)


def write(
    folder: Path, model: keras.Model, centers: np.ndarray
) -> list[portable.Written]:
    """Writes the three files and checks them with the interpreter.

    Args:
      folder: exists.
      model: from frames [B, S, S, 3] to logits.
      centers: float32 [K, 2].

    Raises:
      RuntimeError: a file does not answer like the Keras model.
    """
    function, written = portable.graph(model, centers, can_be_told=False), []
    holder = tf.Module()
    holder.weights = model.weights
    for name, quantisation, bound in VARIANTS:
        path = folder / name
        drafts.write(path, _convert(function, holder, quantisation))
        written.append(portable.measure(path, open_runner(path), function, bound))
    return written


def _convert(
    function: tf.types.experimental.Callable, holder: tf.Module, quantisation: str
) -> bytes:
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [function.get_concrete_function()], holder
    )
    if quantisation != "none":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if quantisation == "float16":
        converter.target_spec.supported_types = [tf.float16]
    with stderr_held_back():  # how many operations it counts
        return converter.convert()


def open_runner(path: Path) -> portable.Runner:
    """Opens a file with the interpreter, on all cores.

    Returns:
      A function from the inputs, in their order, to the outputs by their names.
    """
    with warnings.catch_warnings(), stderr_held_back():  # says what it runs on
        # It moves to a package of its own, with the same class.
        warnings.filterwarnings("ignore", ".*tf.lite.Interpreter is deprecated")
        interpreter = tf.lite.Interpreter(str(path), num_threads=os.cpu_count())
        runner = interpreter.get_signature_runner("serving_default")
        inputs = runner.get_input_details()
        runner(**{k: np.zeros(v["shape"], v["dtype"]) for k, v in inputs.items()})

    def run(*values: np.ndarray) -> dict[str, np.ndarray]:
        # Names are in alphabetical order: `image`, `known`.
        fed = dict(zip(sorted(inputs), values, strict=True))
        return {key: value.copy() for key, value in runner(**fed).items()}

    return run
