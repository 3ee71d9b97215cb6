"""One graph for other runtimes, and how its files compare with the Keras model.

    model, codebook --graph--> image uint8 [N, S, S, 3] -> flow, speed, codes,
                               confidence, probabilities, see `forecast`
    file, its runner --measure--> Written

A network that can be told also takes `known` float32 [N, g, g, 7], see `data.known`:
zeros where nothing is known; but not in TensorFlow Lite, whose interpreter finds
another flow for it.
Frames are of the network's size, as a camera gives them: uint8. Resizing is left to the
caller (`media.video.fit_frame`), since the runtimes resize otherwise than training did.
"""

import dataclasses
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import tensorflow as tf

from motionflow.compat import keras
from motionflow.data.known import NUM_KNOWN, pack_known
from motionflow.drawing.tables import markdown_table
from motionflow.models.guided import GuidedNetwork
from motionflow.serving.forecast import forecast_function

Runner = Callable[..., dict[str, np.ndarray]]
_NUM_TIMED = 10


@dataclasses.dataclass(frozen=True)
class Written:
    """A file and how it differs from the Keras model, on noise and smooth frames.

    Attributes:
      name: of the file.
      num_bytes: its size.
      flow_error: largest difference of a flow component, pixels.
      mean_flow_error: mean length of the difference of flow, pixels.
      probability_error: largest difference of a probability.
      equal_codes: share of cells with the same most probable flow vector.
      milliseconds: a frame takes, alone, after warming up; the median.
    """

    name: str
    num_bytes: int
    flow_error: float
    mean_flow_error: float
    probability_error: float
    equal_codes: float
    milliseconds: float


def graph(
    model: keras.Model, centers: np.ndarray, can_be_told: bool = True
) -> tf.types.experimental.Callable:
    """The function that is converted: of `image`, and `known` if it can be told.

    Args:
      model: from frames [B, S, S, 3] to logits.
      centers: float32 [K, 2].
      can_be_told: whether a network that can be told is.
    """
    shape = [None, *model.input_shape[1:]]
    specs = [tf.TensorSpec(shape, tf.uint8, name="image")]
    if can_be_told and isinstance(model, GuidedNetwork):
        shape = [None, model.grid_size, model.grid_size, NUM_KNOWN]
        specs.append(tf.TensorSpec(shape, tf.float32, name="known"))
    forecast = forecast_function(model, centers)
    return tf.function(forecast, input_signature=specs, autograph=False)


def measure(
    path: Path, run: Runner, function: tf.types.experimental.Callable, bound: float
) -> Written:
    """Compares a file with the function that it was made of, one by one and batched.

    Args:
      path: the file.
      run: from the inputs, in their order, to the outputs by their names.
      function: from `graph`.
      bound: the largest difference of a probability that is let pass.

    Raises:
      RuntimeError: an output is missing, of another shape or type, a probability is
        off by more than the bound, or a batch answers otherwise than its frames.
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


def format_table(written: Sequence[Written]) -> str:
    """The files as a Markdown table."""
    head = ["file", "bytes", "flow off by (px)", "mean", "probability", "same codes"]
    head.append("ms a frame")
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
    return "\n".join(markdown_table(head, rows))


def _frames(size: int) -> np.ndarray:
    """Noise, which is unlike any picture, and smooth frames, which are more so."""
    random = np.random.default_rng(0)
    noise = random.integers(0, 256, (2, size, size, 3), np.uint8)
    coarse = random.integers(0, 256, (4, 6, 6, 3), np.uint8)
    smooth = [
        cv2.resize(c, (size, size), interpolation=cv2.INTER_CUBIC) for c in coarse
    ]
    return np.concatenate([noise, smooth])


def example_known(num: int, grid_size: int) -> np.ndarray:
    """What frames are told by turns: an arrow and a pin, the past, nothing.

    Returns:
      float32 [num, grid_size, grid_size, 7].
    """
    shape = num, grid_size, grid_size
    arrows, past = np.full((2, *shape, 2), np.nan)
    pins = np.zeros(shape, bool)
    arrows[::3, 0, 0], pins[::3, -1, -1], past[1::3] = (3, -1), True, (-2, 1)
    return pack_known(shape, arrows=arrows, pins=pins, past=past)


def _time(run: Runner, row: Sequence[np.ndarray]) -> float:
    times = []
    for _ in range(_NUM_TIMED):
        start = time.perf_counter()
        run(*row)
        times.append(time.perf_counter() - start)
    return 1000 * float(np.median(times))
