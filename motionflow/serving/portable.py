"""Model -> files for other runtimes, and how they compare with the Keras model.

    tflite   model.tflite           TensorFlow Lite, for phones and small computers
             model-dynamic.tflite   weights of 8 bits: a quarter of the size
             model-float16.tflite   weights of 16 bits: half
    onnx     model.onnx             for ONNX Runtime and what else reads it
    packed   model.npz              half the size, for this package alone

One graph is behind all of them: image uint8 [N, S, S, 3] -> flow, speed, codes,
confidence, probabilities (and steps), see `signatures.forecast`. A network that can be
told also takes `known` float32 [N, g, g, 7], see `data.known`: zeros where nothing is
known; but not in TensorFlow Lite, whose interpreter finds another flow for it.

Frames are of the network's size, as a camera gives them: uint8. Resizing is left to the
caller (`media.video.fit_frame`), since the runtimes resize otherwise than training did.
"""

import importlib.util
import os
import statistics
import timeit
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import tensorflow as tf

from motionflow import compat
from motionflow.data.known import NUM_KNOWN
from motionflow.drawing.tables import markdown_table
from motionflow.errors import InputError
from motionflow.files import drafts
from motionflow.models import predictor, weights
from motionflow.models.network import Network
from motionflow.models.run_dir import RunDir
from motionflow.serving import FORMATS
from motionflow.serving.inputs import example_known
from motionflow.serving.signatures import forecast
from motionflow.terminal import stderr_held_back

# From the inputs, in their order, to the outputs by their names.
Runner = Callable[..., dict[str, np.ndarray]]
# Files of TensorFlow Lite: quantisation, and how far a probability may be off.
TFLITE = {
    "model.tflite": ("none", 1e-4),
    "model-dynamic.tflite": ("dynamic", 0.25),
    "model-float16.tflite": ("float16", 0.02),
}
ONNX_BOUND, PACKED_BOUND = 1e-4, 0.02
_OPSET = 17
_ONNX_PACKAGES = ("onnx", "onnxruntime", "tf2onnx")
_NUM_TIMED = 10


class Written(NamedTuple):
    """A file and how it differs from the Keras model, on noise and smooth frames."""

    name: str
    num_bytes: int
    flow_error: float  # largest difference of a component, pixels
    mean_flow_error: float  # mean length of the difference, pixels
    probability_error: float  # largest difference
    equal_codes: float  # share of cells with the same most probable flow vector
    milliseconds: float  # a frame takes, alone, after warming up; the median


def write_tflite(folder: Path, model: Network, run_dir: RunDir) -> list[Written]:
    """Writes TensorFlow Lite's files, of built-in operations: see `WRITERS`."""
    function = graph(model, run_dir.codebook.centers, can_be_told=False)
    holder, written = tf.Module(), []
    holder.weights = model.weights
    for name, (quantisation, bound) in TFLITE.items():
        path = folder / name
        drafts.write(path, _converted(function, holder, quantisation))
        written.append(measure(path, open_tflite(path), function, bound))
    run_dir.codebook.save(folder / "codebook.npz")
    return written


def _converted(
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


def open_tflite(path: Path) -> Runner:
    """Opens a file with TensorFlow Lite's interpreter, on all cores."""
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


def write_onnx(folder: Path, model: Network, run_dir: RunDir) -> list[Written]:
    """Writes model.onnx, which ONNX's checker takes, too: see `WRITERS`.

    Raises:
      InputError: the packages of the extra `onnx` are not installed.
    """
    missing = [name for name in _ONNX_PACKAGES if not importlib.util.find_spec(name)]
    if missing:
        raise InputError(
            f"--format=onnx needs {', '.join(missing)}: pip install 'motionflow[onnx]'"
        )
    import onnx
    import tf2onnx

    function, path = graph(model, run_dir.codebook.centers), folder / FORMATS["onnx"]
    tf2onnx.convert.from_function(
        function, function.input_signature, opset=_OPSET, output_path=str(path)
    )
    onnx.checker.check_model(str(path))
    run_dir.codebook.save(folder / "codebook.npz")
    return [measure(path, open_onnx(path), function, ONNX_BOUND)]


def open_onnx(path: Path) -> Runner:
    """Opens a file with ONNX Runtime, on all cores."""
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


def write_packed(folder: Path, model: Network, run_dir: RunDir) -> list[Written]:
    """Writes model.npz, see `models.weights`: see `WRITERS`."""
    path, centers = folder / FORMATS["packed"], run_dir.codebook.centers
    weights.pack(path, model, run_dir.model_config, run_dir.codebook)
    back = graph(weights.unpack(path)[0], centers)

    def run(*inputs: np.ndarray) -> dict[str, np.ndarray]:
        return {key: value.numpy() for key, value in back(*inputs).items()}

    return [measure(path, run, graph(model, centers), PACKED_BOUND)]


# By format: fills an empty folder with a model of a run, and says how the files differ
# from it. RuntimeError: one does not answer like the Keras model.
WRITERS: dict[str, Callable[[Path, Network, RunDir], list[Written]]] = {
    "tflite": write_tflite,
    "onnx": write_onnx,
    "packed": write_packed,
}


def graph(
    model: Network, centers: np.ndarray, can_be_told: bool = True
) -> tf.types.experimental.Callable:
    """The function that is converted: of `image`, and `known` if it can be told."""
    predict = predictor.of_model(model, centers)
    shape = [None, *model.input_shape[1:]]
    specs = [tf.TensorSpec(shape, tf.uint8, name="image")]
    if can_be_told and predict.takes_known:
        shape = [None, *2 * [predict.grid_size], NUM_KNOWN]
        specs.append(tf.TensorSpec(shape, tf.float32, name="known"))

    def answer(*inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        found = forecast(predict, *inputs)
        found.pop("step_probabilities", None)
        return found

    return compat.graph(answer, input_signature=specs)


def measure(
    path: Path, run: Runner, function: tf.types.experimental.Callable, bound: float
) -> Written:
    """Compares a file, as `run` answers for it, with the function that it was made of.

    Raises:
      RuntimeError: an output is missing, of another shape or type, or a probability is
        off by more than the bound, in a batch or alone.
    """
    image, *more = function.input_signature
    inputs = [_frames(image.shape[1])]
    inputs += [example_known(len(inputs[0]), spec.shape[1]) for spec in more]
    expected = {key: value.numpy() for key, value in function(*inputs).items()}
    batched = run(*inputs)
    for key, wanted in expected.items():
        found = batched.get(key)
        if found is None or (found.shape, found.dtype) != (wanted.shape, wanted.dtype):
            got = "missing" if found is None else f"{found.dtype} {found.shape}"
            raise RuntimeError(
                f"{path.name}: {key} is {got}, expected {wanted.dtype} {wanted.shape}"
            )
    rows = [[value[i : i + 1] for value in inputs] for i in range(len(inputs[0]))]
    singly = np.concatenate([run(*row)["probabilities"] for row in rows])
    worst = max(
        float(np.abs(found - expected["probabilities"]).max())
        for found in (batched["probabilities"], singly)
    )
    if not worst <= bound:
        raise RuntimeError(
            f"{path.name}: probabilities are off by {worst}, at most {bound} is good"
        )
    difference = batched["flow"] - expected["flow"]
    return Written(
        name=path.name,
        num_bytes=path.stat().st_size,
        flow_error=float(np.abs(difference).max()),
        mean_flow_error=float(np.linalg.norm(difference, axis=-1).mean()),
        probability_error=worst,
        equal_codes=float((batched["codes"] == expected["codes"]).mean()),
        milliseconds=_time(run, rows[0]),
    )


def _time(run: Runner, row: Sequence[np.ndarray]) -> float:
    return 1000 * statistics.median(
        timeit.repeat(lambda: run(*row), number=1, repeat=_NUM_TIMED)
    )


def format_table(written: Sequence[Written]) -> str:
    """The files as a Markdown table."""
    head = ["file", "bytes", "flow off by (px)", "mean", "probability", "same codes"]
    rows = [
        [
            one.name,
            f"{one.num_bytes:,}",
            f"{one.flow_error:.1e}",
            f"{one.mean_flow_error:.1e}",
            f"{one.probability_error:.1e}",
            f"{100 * one.equal_codes:.2f} %",
            f"{one.milliseconds:.1f}",
        ]
        for one in written
    ]
    return "\n".join(markdown_table([*head, "ms a frame"], rows))


def _frames(size: int) -> np.ndarray:
    """Noise, which is unlike any picture, and smooth frames, which are more so."""
    random = np.random.default_rng(0)
    noise = random.integers(0, 256, (2, size, size, 3), np.uint8)
    coarse = random.integers(0, 256, (4, 6, 6, 3), np.uint8)
    smooth = [
        cv2.resize(c, (size, size), interpolation=cv2.INTER_CUBIC) for c in coarse
    ]
    return np.concatenate([noise, smooth])
