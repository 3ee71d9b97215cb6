"""What a served model answers: the functions behind a SavedModel's signatures.

    serving_default   image uint8 [N, H, W, 3]      -> flow, speed, codes, confidence
    predict_bytes     image_bytes string [N]        -> the same; JPEG or PNG files
    probabilities     image uint8 [N, H, W, 3]      -> probabilities
    steps             image uint8 [N, H, W, 3]      -> steps
    rollout           image uint8 [N, H, W, 3],     -> frames
                      num_predictions int32 [N],
                      frames_per_prediction int32 [N]
    frames            image float32 [N, S, S, 3]    -> flow, probabilities, codes,
                                                       (and step_probabilities [N, T,
                                                       s * s, K], where that says more)
    known             image float32 [N, S, S, 3],   -> flow, probabilities, codes; of a
                      known float32 [N, g, g, 7]       network that can be told only,
                                                       see `data.known`

    flow            float32 [N, g, g, 2]      dx right, dy down, pixels of the S x S
                                              frame per prediction
    speed           float32 [N, g, g]         its length
    codes           int32 [N, g, g]           the most probable flow vector's number
    confidence      float32 [N, g, g]         and its probability
    probabilities   float32 [N, g, g, K]
    steps           float32 [N, T, s, s, 2]   flow of each step that the model predicts,
                                              as fine as it does: T > 1 for sequences,
                                              s > g for dense networks
    frames          uint8 [N, T, H, W, 3]     what follows the image; T is the two
                                              numbers' product

`serving_default`, `predict_bytes`, `probabilities` and `steps` fit a picture as
training did: its short side becomes S, and the centre square is taken; flow is flow of
that square.
`rollout` covers the whole picture. `frames` is for frames that were warped.

These names are public. Everything has a leading batch dimension, since batching and
the row format of REST need one; `rollout` takes its two numbers once an image, equal in
all of them. What does not fit is an InvalidArgumentError, never a silent answer.
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from motionflow.compat import keras
from motionflow.data.known import NUM_KNOWN
from motionflow.generate import fitting, picture_flow, rollout
from motionflow.models import predictor
from motionflow.models.predictor import FRAMES_SIGNATURE, KNOWN_SIGNATURE
from motionflow.serving import picture_bytes
from motionflow.serving.forecast import Forecast, forecast_function

MAX_FRAMES = 1000  # of a roll-out
MAX_BYTES = 1 << 30  # of its answer; a protocol buffer ends at 2 GiB
_PICTURE = tf.TensorSpec([None, None, None, 3], tf.uint8, name="image")


def make_signatures(
    model: keras.Model, centers: np.ndarray
) -> dict[str, tf.types.experimental.ConcreteFunction]:
    """Traces the signatures of a model.

    Args:
      model: from frames [B, S, S, 3] to logits [B, cells, K].
      centers: float32 [K, 2], the codebook.

    Returns:
      Concrete functions by their names, as `tf.saved_model.save` takes them.
    """
    functions = _Functions(model, centers)
    numbers = [
        tf.TensorSpec([None], tf.int32, name=name)
        for name in ("num_predictions", "frames_per_prediction")
    ]
    size = functions.predictor.frame_size
    frames = tf.TensorSpec([None, size, size, 3], tf.float32, name="image")
    bytes_spec = tf.TensorSpec([None], tf.string, name="image_bytes")
    traced: dict[str, tuple[Callable, list[tf.TensorSpec]]] = {
        "serving_default": (functions.predict, [_PICTURE]),
        "predict_bytes": (functions.predict_bytes, [bytes_spec]),
        "probabilities": (functions.probabilities, [_PICTURE]),
        "steps": (functions.steps, [_PICTURE]),
        "rollout": (functions.rollout, [_PICTURE, *numbers]),
        FRAMES_SIGNATURE: (functions.frames, [frames]),
    }
    if functions.predictor.takes_known:
        shape = [None, *2 * [functions.predictor.grid_size], NUM_KNOWN]
        known = tf.TensorSpec(shape, tf.float32, name="known")
        traced[KNOWN_SIGNATURE] = functions.known, [frames, known]
    return {
        name: tf.function(function).get_concrete_function(*specs)
        for name, (function, specs) in traced.items()
    }


class _Functions:
    """The functions, for one model and its codebook."""

    def __init__(self, model: keras.Model, centers: np.ndarray):
        self._forecast, self._centers = forecast_function(model, centers), centers
        self.predictor = predictor.of_model(model, centers)

    def predict(self, image: tf.Tensor) -> Forecast:
        return self._answer(self._fit(image))

    def predict_bytes(self, image_bytes: tf.Tensor) -> Forecast:
        size = self.predictor.frame_size

        def decode(data: tf.Tensor) -> tf.Tensor:
            return fitting.fit(picture_bytes.decode(data)[tf.newaxis], size)[0]

        squares = tf.map_fn(
            decode,
            tf.ensure_shape(image_bytes, [None]),
            fn_output_signature=tf.TensorSpec([size, size, 3], tf.uint8),
        )
        return self._answer(squares)

    def probabilities(self, image: tf.Tensor) -> Forecast:
        return {"probabilities": self._forecast(self._fit(image))["probabilities"]}

    def steps(self, image: tf.Tensor) -> Forecast:
        found = self._forecast(self._fit(image))
        return {"steps": found.get("steps", found["flow"][:, tf.newaxis])}

    def frames(self, image: tf.Tensor) -> Forecast:
        size = self.predictor.frame_size
        found = self.predictor(tf.ensure_shape(image, [None, size, size, 3]))
        answer, steps = self._on_grid(found), found["step_probabilities"]
        says_more = steps.shape[1:3] != [1, self.predictor.grid_size**2]
        return answer | ({"step_probabilities": steps} if says_more else {})

    def known(self, image: tf.Tensor, known: tf.Tensor) -> Forecast:
        size = self.predictor.frame_size
        image = tf.ensure_shape(image, [None, size, size, 3])
        return self._on_grid(self.predictor(image, known))

    def _on_grid(self, found: Forecast) -> Forecast:
        grid = [-1, *found["flow"].shape[1:3]]
        probabilities = tf.reshape(found["probabilities"], [*grid, len(self._centers)])
        codes = tf.reshape(found["codes"], grid)
        return {"flow": found["flow"], "probabilities": probabilities, "codes": codes}

    def rollout(
        self,
        image: tf.Tensor,
        num_predictions: tf.Tensor,
        frames_per_prediction: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        image = _checked_picture(image)
        batch, height, width, _ = tf.unstack(tf.shape(image))
        counts = [
            _common_number(values, name, batch)
            for values, name in (
                (num_predictions, "num_predictions"),
                (frames_per_prediction, "frames_per_prediction"),
            )
        ]
        total = tf.cast(counts[0], tf.int64) * tf.cast(counts[1], tf.int64)
        num_bytes = tf.cast(tf.size(image), tf.int64) * total
        aspect = picture_flow.MAX_ASPECT
        checks = [
            tf.debugging.Assert(
                total <= MAX_FRAMES, [f"more than {MAX_FRAMES} frames:", total]
            ),
            tf.debugging.Assert(
                num_bytes <= MAX_BYTES, [f"more than {MAX_BYTES} bytes:", num_bytes]
            ),
            tf.debugging.Assert(
                tf.maximum(height, width) <= aspect * tf.minimum(height, width),
                [f"image has a side of more than {aspect} others:", height, width],
            ),
        ]
        with tf.control_dependencies(checks):
            image = tf.identity(image)
        model = picture_flow.sequence_function(self.predictor)
        num_steps = self.predictor.num_steps
        film = rollout.generate_in_graph(model, image, counts[0], counts[1], num_steps)
        return {"frames": film}

    def _answer(self, frames: tf.Tensor) -> Forecast:
        found = self._forecast(frames)
        return {key: found[key] for key in ("flow", "speed", "codes", "confidence")}

    def _fit(self, image: tf.Tensor) -> tf.Tensor:
        return fitting.fit(_checked_picture(image), self.predictor.frame_size)


def _checked_picture(image: tf.Tensor) -> tf.Tensor:
    # The server looks at the type only: the graph must refuse shapes by itself.
    image = tf.ensure_shape(image, _PICTURE.shape)
    holds_pixels = tf.debugging.Assert(
        tf.reduce_all(tf.shape(image)[1:3] > 0),
        ["image holds no pixels; its shape:", tf.shape(image)],
    )
    with tf.control_dependencies([holds_pixels]):
        return tf.identity(image)


def _common_number(values: tf.Tensor, name: str, batch: tf.Tensor) -> tf.Tensor:
    """The one number that all rows of a request hold, scalar."""
    values = tf.ensure_shape(values, [None])
    is_one_number = tf.debugging.Assert(
        (tf.size(values) == batch) & (batch > 0) & tf.reduce_all(values == values[:1]),
        [f"{name} must hold one number an image, the same for all:", values],
    )
    with tf.control_dependencies([is_one_number]):
        number = values[0]
    positive = tf.debugging.Assert(number >= 1, [f"{name} is below 1:", number])
    with tf.control_dependencies([positive]):
        return tf.identity(number)
