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
    guided            image uint8 [N, H, W, 3],     -> flow, speed, on the grid of the
                      arrows float32 [N, M, 4],        whole picture; of such a network
                      num_arrows int32 [N],            only, as the next
                      pins float32 [N, P, 2],
                      num_pins int32 [N]
    guided_rollout    the same,                     -> frames
                      num_predictions int32 [N],
                      frames_per_prediction int32 [N]

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
    of `guided`:
    flow            float32 [N, rows,         dx right, dy down, pixels of the image per
                             columns, 2]      prediction; g cells along its short side
    speed           float32 [N, rows,         its length
                             columns]

`serving_default`, `predict_bytes`, `probabilities` and `steps` fit a picture as
training did: its short side becomes S, and the centre square is taken; flow is flow of
that square.
`rollout`, `guided` and `guided_rollout` cover the whole picture. `frames` is for frames
that were warped.

An arrow is x, y, x2, y2 in pixels of the image, x to the right, y down, counted from
the centre of the first: what is at (x, y) moves to (x2, y2), in one prediction in
`guided`, by the end of the film in `guided_rollout`. What is at a pin (x, y) stays. The
first num_arrows and num_pins rows of an image count, the others are padding. M and P
may be 0, over REST 1, since JSON knows no such shape. The answers are those of
`Model.flow` and `Model.animate`.

These names are public. Everything has a leading batch dimension, since batching and
the row format of REST need one; roll-outs take their two numbers once an image, equal
in all of them. What does not fit is an InvalidArgumentError, never a silent answer.
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from motionflow.compat import keras
from motionflow.data.known import NUM_KNOWN
from motionflow.generate import fitting, picture_flow, rollout, steering
from motionflow.models import predictor
from motionflow.models.predictor import FRAMES_SIGNATURE, KNOWN_SIGNATURE
from motionflow.serving import picture_bytes, told
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
        traced |= {
            KNOWN_SIGNATURE: (functions.known, [frames, known]),
            "guided": (functions.guided, [_PICTURE, *told.SPECS]),
            "guided_rollout": (
                functions.guided_rollout,
                [_PICTURE, *told.SPECS, *numbers],
            ),
        }
    return {
        name: tf.function(function, autograph=False).get_concrete_function(*specs)
        for name, (function, specs) in traced.items()
    }


class _Functions:
    """The functions, for one model and its codebook."""

    def __init__(self, model: keras.Model, centers: np.ndarray):
        frames = tf.TensorSpec(model.input_shape, tf.uint8)
        # One graph of the network, whoever calls it.
        self._forecast = tf.function(
            forecast_function(model, centers), [frames], autograph=False
        )
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
        answer, steps = _on_grid(found), found["step_probabilities"]
        if steps.shape[1:3] == [1, self.predictor.grid_size]:
            return answer
        flat = [-1, steps.shape[1], self.predictor.fine_size**2, steps.shape[-1]]
        return answer | {"step_probabilities": tf.reshape(steps, flat)}

    def known(self, image: tf.Tensor, known: tf.Tensor) -> Forecast:
        size = self.predictor.frame_size
        image = tf.ensure_shape(image, [None, size, size, 3])
        return _on_grid(self.predictor(image, known))

    def rollout(
        self,
        image: tf.Tensor,
        num_predictions: tf.Tensor,
        frames_per_prediction: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        image, n, m = _checked_film(image, num_predictions, frames_per_prediction)
        predict = picture_flow.sequence_function(self.predictor)
        film = rollout.generate_in_graph(
            lambda frames, memory: (predict(frames), memory), image, n, m
        )
        return {"frames": film}

    def guided(
        self,
        image: tf.Tensor,
        arrows: tf.Tensor,
        num_arrows: tf.Tensor,
        pins: tf.Tensor,
        num_pins: tf.Tensor,
    ) -> Forecast:
        image = _checked_whole(image)
        said = arrows, num_arrows, pins, num_pins
        course = told.course(self.predictor, image, *said)
        flow = steering.cell_flow(self.predictor, image, course, 1)[:, 0]
        return {"flow": flow, "speed": tf.norm(flow, axis=-1)}

    def guided_rollout(
        self,
        image: tf.Tensor,
        arrows: tf.Tensor,
        num_arrows: tf.Tensor,
        pins: tf.Tensor,
        num_pins: tf.Tensor,
        num_predictions: tf.Tensor,
        frames_per_prediction: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        image, n, m = _checked_film(image, num_predictions, frames_per_prediction)
        said = arrows, num_arrows, pins, num_pins
        course = told.course(self.predictor, image, *said)

        def predict(
            frames: tf.Tensor, memory: tuple[steering.Course, tf.Tensor]
        ) -> tuple[tf.Tensor, tuple[steering.Course, tf.Tensor]]:
            course, num_left = memory
            flow = steering.predict(self.predictor, frames, course, num_left)
            course = steering.advance(self.predictor, course, flow[:, 0])
            return flow, (course, num_left - 1)

        film = rollout.generate_in_graph(predict, image, n, m, (course, n))
        return {"frames": film}

    def _answer(self, frames: tf.Tensor) -> Forecast:
        found = self._forecast(frames)
        return {key: found[key] for key in ("flow", "speed", "codes", "confidence")}

    def _fit(self, image: tf.Tensor) -> tf.Tensor:
        return fitting.fit(_checked_picture(image), self.predictor.frame_size)


def _on_grid(found: Forecast) -> Forecast:
    return {key: found[key] for key in ("flow", "probabilities", "codes")}


def _checked_picture(image: tf.Tensor) -> tf.Tensor:
    # The server looks at the type only: the graph must refuse shapes by itself.
    image = tf.ensure_shape(image, _PICTURE.shape)
    holds_pixels = tf.debugging.Assert(
        tf.reduce_all(tf.shape(image)[1:3] > 0),
        ["image holds no pixels; its shape:", tf.shape(image)],
    )
    with tf.control_dependencies([holds_pixels]):
        return tf.identity(image)


def _checked_whole(image: tf.Tensor) -> tf.Tensor:
    """A picture that is answered for as a whole."""
    image = _checked_picture(image)
    height, width = tf.unstack(tf.shape(image)[1:3])
    aspect = picture_flow.MAX_ASPECT
    is_no_strip = tf.debugging.Assert(
        tf.maximum(height, width) <= aspect * tf.minimum(height, width),
        [f"image has a side of more than {aspect} others:", height, width],
    )
    with tf.control_dependencies([is_no_strip]):
        return tf.identity(image)


def _checked_film(
    image: tf.Tensor, num_predictions: tf.Tensor, frames_per_prediction: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """The picture, and the two numbers as scalars."""
    image = _checked_whole(image)
    n, m = (
        _common_number(values, name, tf.shape(image)[0])
        for values, name in (
            (num_predictions, "num_predictions"),
            (frames_per_prediction, "frames_per_prediction"),
        )
    )
    total = tf.cast(n, tf.int64) * tf.cast(m, tf.int64)
    num_bytes = tf.cast(tf.size(image), tf.int64) * total
    checks = [
        tf.debugging.Assert(
            total <= MAX_FRAMES, [f"more than {MAX_FRAMES} frames:", total]
        ),
        tf.debugging.Assert(
            num_bytes <= MAX_BYTES, [f"more than {MAX_BYTES} bytes:", num_bytes]
        ),
    ]
    with tf.control_dependencies(checks):
        return tf.identity(image), n, m


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
