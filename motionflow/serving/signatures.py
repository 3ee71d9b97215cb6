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

from typing import Any

import numpy as np
import tensorflow as tf

from motionflow.compat import graph, keras
from motionflow.data.known import NUM_KNOWN
from motionflow.generate import fitting, picture_flow, rollout, steering
from motionflow.models import predictor
from motionflow.models.predictor import FRAMES_SIGNATURE, KNOWN_SIGNATURE, Predictor
from motionflow.serving import inputs, picture_bytes
from motionflow.serving.inputs import HINTS, NUMBERS, PICTURE, Hints

Answer = dict[str, tf.Tensor]


def make_signatures(
    model: keras.Model, centers: np.ndarray
) -> dict[str, tf.types.experimental.ConcreteFunction]:
    """Traces the signatures of a model.

    Args:
      model: from frames [B, S, S, 3] to logits [B, T, s, s, K].
      centers: float32 [K, 2], the codebook.

    Returns:
      Concrete functions by their names, as `tf.saved_model.save` takes them.
    """
    predict = predictor.of_model(model, centers)
    side, grid = [predict.frame_size] * 2, [predict.grid_size] * 2
    frames = tf.TensorSpec([None, *side, 3], tf.float32, name="image")
    known = tf.TensorSpec([None, *grid, NUM_KNOWN], tf.float32, name="known")
    # The name of an input is that of its TensorSpec.
    specs = {
        "serving_default": [PICTURE],
        "predict_bytes": [tf.TensorSpec([None], tf.string, name="image_bytes")],
        "probabilities": [PICTURE],
        "steps": [PICTURE],
        "rollout": [PICTURE, *NUMBERS],
        FRAMES_SIGNATURE: [frames],
    }
    if predict.takes_known:
        specs[KNOWN_SIGNATURE] = [frames, known]
        specs["guided"] = [PICTURE, *HINTS]
        specs["guided_rollout"] = [PICTURE, *NUMBERS, *HINTS]
    signatures = _Signatures(predict)
    return {
        name: graph(getattr(signatures, name)).get_concrete_function(*taken)
        for name, taken in specs.items()
    }


def forecast(
    predict: Predictor, frames: tf.Tensor, known: tf.Tensor | None = None
) -> Answer:
    """All that an export says about frames, whatever its format.

    Args:
      predict: the network.
      frames: [B, S, S, 3] in 0..255.
      known: float32 [B, g, g, 7], see `data.known`, of a network that can be told.

    Returns:
      flow, speed, codes, confidence, probabilities as above; and where the network says
      more than `flow`: steps, and step_probabilities float32 [B, T, s * s, K].
    """
    found = predict(frames, known)
    flow, chances = found["flow"], found["step_probabilities"]
    answer = {
        "flow": flow,
        "speed": tf.sqrt(tf.reduce_sum(flow**2, axis=-1)),
        "codes": found["codes"],
        "confidence": tf.reduce_max(found["probabilities"], axis=-1),
        "probabilities": found["probabilities"],
    }
    if (predict.num_steps, predict.fine_size) == (1, predict.grid_size):
        return answer
    flat = [-1, predict.num_steps, predict.fine_size**2, len(predict.centers)]
    return answer | {
        "steps": chances @ predict.centers,
        "step_probabilities": tf.reshape(chances, flat),
    }


def _picked(answer: Answer, *names: str) -> Answer:
    return {name: answer[name] for name in names if name in answer}


class _Signatures:
    """A method for each signature, of its name."""

    def __init__(self, predict: Predictor):
        self._predictor = predict

    def serving_default(self, image: tf.Tensor) -> Answer:
        return self._answer(self._fit(image))

    def predict_bytes(self, image_bytes: tf.Tensor) -> Answer:
        size = self._predictor.frame_size

        def decode(data: tf.Tensor) -> tf.Tensor:
            return fitting.fit(picture_bytes.decode(data)[tf.newaxis], size)[0]

        squares = tf.map_fn(
            decode,
            tf.ensure_shape(image_bytes, [None]),
            fn_output_signature=tf.TensorSpec([size, size, 3], tf.uint8),
        )
        return self._answer(squares)

    def probabilities(self, image: tf.Tensor) -> Answer:
        return _picked(forecast(self._predictor, self._fit(image)), "probabilities")

    def steps(self, image: tf.Tensor) -> Answer:
        found = forecast(self._predictor, self._fit(image))
        return {"steps": found.get("steps", found["flow"][:, tf.newaxis])}

    def frames(self, image: tf.Tensor, known: tf.Tensor | None = None) -> Answer:
        size = self._predictor.frame_size
        image = tf.ensure_shape(image, [None, size, size, 3])
        found = forecast(self._predictor, image, known)
        return _picked(found, "flow", "probabilities", "codes", "step_probabilities")

    known = frames

    def rollout(self, image: tf.Tensor, *numbers: tf.Tensor) -> Answer:
        image, n, m = inputs.film(image, *numbers)
        predict = picture_flow.sequence_function(self._predictor)
        film = rollout.generate_in_graph(
            lambda frames, memory: (predict(frames), memory), image, n, m
        )
        return {"frames": film}

    def guided(self, image: tf.Tensor, *hints: tf.Tensor) -> Answer:
        image = inputs.whole_picture(image)
        course = inputs.course(self._predictor, image, Hints(*hints))
        steps, _ = steering.cell_flow(self._predictor, image, course, 1)
        flow = steps[:, 0]
        return {"flow": flow, "speed": tf.norm(flow, axis=-1)}

    def guided_rollout(
        self,
        image: tf.Tensor,
        num_predictions: tf.Tensor,
        frames_per_prediction: tf.Tensor,
        *hints: tf.Tensor,
    ) -> Answer:
        image, n, m = inputs.film(image, num_predictions, frames_per_prediction)
        course = inputs.course(self._predictor, image, Hints(*hints))

        def predict(frames: tf.Tensor, memory: Any) -> tuple[tf.Tensor, Any]:
            course, num_left = memory
            flow, _ = steering.predict(self._predictor, frames, course, num_left)
            course = steering.advance(self._predictor, course, flow[:, 0])
            return flow, (course, num_left - 1)

        film = rollout.generate_in_graph(predict, image, n, m, (course, n))
        return {"frames": film}

    def _answer(self, frames: tf.Tensor) -> Answer:
        found = forecast(self._predictor, frames)
        return _picked(found, "flow", "speed", "codes", "confidence")

    def _fit(self, image: tf.Tensor) -> tf.Tensor:
        return fitting.fit(inputs.picture(image), self._predictor.frame_size)
