"""What every exported model says about frames, whatever its format.

frames [B, S, S, 3] -> flow, speed, codes, confidence, probabilities, on the grid;
                       and of dense networks and sequences the flow of all steps
and what is known [B, g, g, 7] -> the same, of a network that can be told
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from motionflow.compat import keras
from motionflow.models import spatial_softmax

Forecast = dict[str, tf.Tensor]
NAMES = ("flow", "speed", "codes", "confidence", "probabilities")


def forecast_function(
    model: keras.Model, centers: np.ndarray
) -> Callable[..., Forecast]:
    """Makes a function from frames to all that is told about them.

    Args:
      model: from frames float32 [B, S, S, 3] to logits, see `build_model`.
      centers: float32 [K, 2], the codebook, in pixels of the frame.

    Returns:
      A function from frames [B, S, S, 3] in 0..255 and, of a network that can be told,
      what is known, see `data.known`, to
        flow: float32 [B, g, g, 2], dx right and dy down, pixels per prediction.
        speed: float32 [B, g, g], its length.
        codes: int32 [B, g, g], the most probable flow vector's number.
        confidence: float32 [B, g, g], and its probability.
        probabilities: float32 [B, g, g, K].
        steps: float32 [B, T, s, s, 2], where the model says more than `flow`.
    """
    grid_size = model.grid_size
    says_more = (model.num_steps, model.fine_size) != (1, grid_size)

    def forecast(frames: tf.Tensor, known: tf.Tensor | None = None) -> Forecast:
        frames, told = tf.cast(frames, tf.float32), {}
        if known is None:
            logits = model(frames, training=False)
        else:
            logits, told["flow"] = model.told(frames, known, training=False)
        found = spatial_softmax.predictions(logits, centers, grid_size) | told
        flow, probabilities = found["flow"], found["probabilities"]
        more = {"steps": found["step_probabilities"] @ centers}
        return {
            "flow": flow,
            "speed": tf.sqrt(tf.reduce_sum(flow**2, axis=-1)),
            "codes": found["codes"],
            "confidence": tf.reduce_max(probabilities, axis=-1),
            "probabilities": probabilities,
        } | (more if says_more else {})

    return forecast
