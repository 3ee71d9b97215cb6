"""One frame to a film, with the flow that moves it: one future, or several.

    frame --Animation.play--> moments: the frame itself, then what follows

A moment holds one shot for each future: the frame as it is then, and the predicted flow
that is moving it, so that both can be shown. The first moment is the input.
"""

import dataclasses
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from motionflow.errors import InputError
from motionflow.generate import picture_flow, rollout
from motionflow.models.predictor import Predictor


class Shot(NamedTuple):
    """One frame of one future.

    Attributes:
      frame: uint8 [H, W, 3] RGB.
      flow: float32 [H, W, 2], pixels of the frame per prediction. All frames of one
        prediction hold the same array.
    """

    frame: np.ndarray
    flow: np.ndarray


@dataclasses.dataclass(frozen=True)
class Animation:
    """How a frame is played on.

    Attributes:
      num_predictions: how often the flow is predicted.
      frames_per_prediction: frames that divide each predicted motion.
      mode: one of `rollout.MODES`.
      temperature: of the one flow: 1 expected, less sharper, 0 the most probable.
      num_futures: 0 for the one flow that `temperature` gives; else how many futures
        are drawn from the predicted distributions.
      seed: of the futures.

    Raises:
      InputError: an unknown mode, or a temperature beside drawn futures.
    """

    num_predictions: int = 5
    frames_per_prediction: int = 5
    mode: str = "composed"
    temperature: float = 1.0
    num_futures: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.mode not in rollout.MODES:
            raise InputError(
                f"mode is {self.mode!r}, expected one of {', '.join(rollout.MODES)}"
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
          InputError: one side of the frame is more than 16 times the other.
        """
        futures = [
            self._shots(model, frame) for model in self._models(predictor, frame)
        ]
        for _ in range(self.num_moments):
            yield [next(future) for future in futures]

    def _models(
        self, predictor: Predictor, frame: np.ndarray
    ) -> list[rollout.FlowFunction]:
        make = picture_flow.flow_function
        if self.mode == "sequence":
            if predictor.num_steps == 1:
                raise InputError(
                    "the mode sequence needs a model of sequences, this one predicts "
                    "one step (train --model=sequence)"
                )
            make = picture_flow.sequence_function
        if not self.num_futures:
            return [make(predictor, self.temperature)]
        height, width = frame.shape[:2]
        noises = picture_flow.future_noises(
            predictor, (height, width), self.num_futures, self.seed
        )
        return [make(predictor, temperature=0, noise=noise) for noise in noises]

    def _shots(self, model: rollout.FlowFunction, frame: np.ndarray) -> Iterator[Shot]:
        steps: list[np.ndarray] = []

        def recorded(frames: tf.Tensor) -> tf.Tensor:
            flow = model(frames)
            one = flow[0].numpy()
            steps.extend([one] if one.ndim == 3 else one)
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
        flow = steps.pop(0)
        yield Shot(frame, flow)
        yield Shot(rollout.to_uint8(second[0]), flow)
        for number, frames in enumerate(following, start=1):
            if steps and number % self.frames_per_prediction == 0:
                flow = steps.pop(0)
            yield Shot(rollout.to_uint8(frames[0]), flow)
