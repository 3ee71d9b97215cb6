"""One frame to a film, with the flow that moves it: one future, or several.

    frame --Animation.play--> moments: the frame itself, then what follows

A moment holds one shot for each future: the frame as it is then, and the predicted flow
that is moving it, so that both can be shown. The first moment is the input.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from motionflow.errors import InputError
from motionflow.generate import MODES, picture_flow, rollout
from motionflow.generate.control import NOTHING, Control
from motionflow.generate.steering import Steering
from motionflow.models.predictor import Predictor


class Shot(NamedTuple):
    """One frame of one future.

    Attributes:
      frame: uint8 [H, W, 3] RGB.
      flow: float32 [H, W, 2], pixels of the frame per prediction. All frames of one
        prediction hold the same array.
      probabilities: float32 [rows, columns, K] that it was decoded from.
    """

    frame: np.ndarray
    flow: np.ndarray
    probabilities: np.ndarray


@dataclasses.dataclass(frozen=True)
class Animation:
    """How a frame is played on.

    Attributes:
      num_predictions: how often the flow is predicted.
      frames_per_prediction: frames that divide each predicted motion.
      mode: one of `generate.MODES`.
      temperature: of the one flow: 1 expected, less sharper, 0 the most probable.
      num_futures: 0 for the one flow that `temperature` gives; else how many futures
        are drawn from the predicted distributions.
      seed: of the futures.
      control: what is said of the frame; its places are pixels of it.

    Raises:
      InputError: an unknown mode, or a temperature beside drawn futures.
    """

    num_predictions: int = 5
    frames_per_prediction: int = 5
    mode: str = "composed"
    temperature: float = 1.0
    num_futures: int = 0
    seed: int = 0
    control: Control = NOTHING

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise InputError(
                f"mode is {self.mode!r}, expected one of {', '.join(MODES)}"
            )
        if self.num_futures and self.temperature != 1:
            raise InputError(
                "a temperature shapes the one flow that is predicted; futures are "
                "drawn from the distribution itself: give one of the two"
            )

    @property
    def num_moments(self) -> int:
        """How many moments `play` gives."""
        num_frames = self.num_predictions * self.frames_per_prediction
        # A loop ends with the input. Played over and over, it would stand there twice.
        return num_frames if self.mode == "loop" else 1 + num_frames

    def play(self, predictor: Predictor, frame: np.ndarray) -> Iterator[list[Shot]]:
        """Yields moments, each a shot a future.

        Args:
          predictor: predicts squares.
          frame: uint8 [H, W, 3], any size.

        Raises:
          InputError: one side of the frame is more than 16 times the other, or the
            model cannot be told what `control` says.
        """
        if self.mode == "sequence" and predictor.num_steps == 1:
            raise InputError(
                "the mode sequence needs a model of sequences, this one predicts one "
                "step (train --model=sequence)"
            )
        decodings: list[dict[str, Any]] = [{"temperature": self.temperature}]
        if self.num_futures:
            size = frame.shape[0], frame.shape[1]
            noises = picture_flow.future_noises(
                predictor, size, self.num_futures, self.seed
            )
            decodings = [{"temperature": 0, "noise": noise} for noise in noises]
        futures = [self._shots(predictor, frame, decoding) for decoding in decodings]
        for _ in range(self.num_moments):
            yield [next(future) for future in futures]

    def _shots(
        self, predictor: Predictor, frame: np.ndarray, decoding: dict[str, Any]
    ) -> Iterator[Shot]:
        model = Steering(
            predictor,
            self.control,
            frame.shape[:2],
            self.num_predictions,
            along=self.mode in ("euler", "loop"),
            num_steps=None if self.mode == "sequence" else 1,
            **decoding,
        )
        steps: list[tuple[np.ndarray, np.ndarray]] = []

        def recorded(frames: tf.Tensor) -> tf.Tensor:
            flow = model(frames)
            assert model.probabilities is not None, "it was asked"
            found = flow[0].numpy(), model.probabilities[0].numpy()
            steps.extend(zip(*found, strict=True))
            return flow

        following = rollout.iterate(
            recorded,
            frame[np.newaxis],
            self.num_predictions,
            self.frames_per_prediction,
            self.mode,
        )
        # Predicted before the input is shown, since it is shown with its flow.
        second = next(following)
        step = steps.pop(0)
        yield Shot(frame, *step)
        yield Shot(rollout.to_uint8(second[0]), *step)
        for number, frames in enumerate(following, start=1):
            if steps and number % self.frames_per_prediction == 0:
                step = steps.pop(0)
            yield Shot(rollout.to_uint8(frames[0]), *step)
