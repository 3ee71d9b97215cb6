"""Frames that a video lacks -> frames, from the good ones around them.

    good frames with their numbers --restore(filler)--> every frame, and how it came

A gap has a good frame before it, one after it, or both. What fills it:

    predicted  where both are known, the model predicts the first forwards and the last
               backwards, and the two are blended (`rollout.between`); at an end of the
               video the one that is known is played on, or back
    flow       nothing is predicted: optical flow computed between the two frames (DIS)
               moves both of them to the time in between, the holes of one filled by
               the other; at an end of the video the one that is known is repeated

A model that can be told is told how the frames on each side of a gap moved. Across a
shot cut nothing is mixed: the frame before it is played on, or repeated.

Time: one prediction is what a training label is, by default the mean flow to the next
three frames, which is the motion of two frames of the training videos. So two frames a
prediction keep the pace; labels of the `flow_average` "consecutive" or "velocity" are
the motion of one.
"""

import dataclasses
import functools
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence

import cv2
import numpy as np
import tensorflow as tf

from motionflow.errors import InputError
from motionflow.generate import film_warp, picture_flow, rollout
from motionflow.generate.control import Control, Past, measure_past
from motionflow.generate.fitting import resize
from motionflow.generate.rollout import FlowModel
from motionflow.generate.steering import Steering
from motionflow.labels.flow import make_flow_function
from motionflow.media.continuity import is_cut
from motionflow.models.predictor import Predictor

KEPT = "kept"
_SMALLEST = 16  # pixels a side; DIS has no pyramid for less

Filled = Iterator[tuple[np.ndarray, str]]


@dataclasses.dataclass(frozen=True)
class Filler:
    """Fills gaps, all of them in one way.

    Attributes:
      network: predicts what is missing; None: computed flow tells it.
      frames_per_prediction: how many frames one predicted motion takes.
      max_gap: the longest gap that moving pixels fill; longer ones, of which a model
        knows nothing and flow little, repeat the frame before them.
      looks_ahead: whether a network that can be told may see several frames after a
        gap.
    """

    network: Predictor | None = None
    frames_per_prediction: int = 2
    max_gap: int = 8
    looks_ahead: bool = True

    def __post_init__(self) -> None:
        """Refuses what no gap could be filled with."""
        for name in ("frames_per_prediction", "max_gap"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}, expected 1 or more")

    @property
    def method(self) -> str:
        """Its name, one of `films.METHODS`."""
        return "flow" if self.network is None else "predicted"

    @property
    def num_seen(self) -> int:
        """Frames on each side of a gap that are worth having."""
        is_told = self.network is not None and self.network.takes_known
        return 2 * self.frames_per_prediction + 1 if is_told else 1

    def fill(
        self,
        before: Sequence[np.ndarray],
        after: Sequence[np.ndarray],
        num_frames: int,
    ) -> Filled:
        """Yields the frames of one gap, uint8 [H, W, 3], each with how it came.

        That is "symmetric", "forward", "backward", "flow" or "repeat", and the reason
        if there is one.

        Args:
          before: the good frames up to the gap; none at the start.
          after: the good frames behind it; none at the end. One of the two is given.
          num_frames: that are missing.
        """
        if num_frames < 1:
            return
        how, reason = self._choose(before, after, num_frames)
        if how == "forward":
            frames = self._played(before, num_frames)
        elif how == "backward":
            frames = list(self._played(after[::-1], num_frames, backwards=True))[::-1]
        elif how == "symmetric":
            frames = rollout.between(
                self._onward(before),
                self._onward(after[::-1], backwards=True),
                before[-1][np.newaxis],
                after[0][np.newaxis],
                num_frames,
                self.frames_per_prediction,
            )
        elif how == "flow":
            frames = _along_flow(before[-1], after[0], num_frames)
        else:
            start = before[-1] if before else after[0]
            frames = itertools.repeat(start[np.newaxis], num_frames)
        for frame in frames:
            yield rollout.to_uint8(frame[0]), how + reason

    def _choose(
        self,
        before: Sequence[np.ndarray],
        after: Sequence[np.ndarray],
        num_frames: int,
    ) -> tuple[str, str]:
        """How a gap is filled, and why otherwise than the method says."""
        predicts = self.network is not None
        if num_frames > self.max_gap:
            return "repeat", " (long gap)"
        if not before:
            return ("backward" if predicts else "repeat"), " (start of the video)"
        one_sided = "forward" if predicts else "repeat"
        if not after:
            return one_sided, " (end of the video)"
        if is_cut(before[-1], after[0]):
            return one_sided, " (shot cut)"
        return ("symmetric" if predicts else "flow"), ""

    def _played(
        self, frames: Sequence[np.ndarray], num_frames: int, backwards: bool = False
    ) -> Iterable[tf.Tensor]:
        """What follows the last of some frames, in their order."""
        film = rollout.iterate(
            self._onward(frames, backwards),
            frames[-1][np.newaxis],
            math.ceil(num_frames / self.frames_per_prediction),
            self.frames_per_prediction,
        )
        return itertools.islice(film, num_frames)

    def _onward(
        self, frames: Sequence[np.ndarray], backwards: bool = False
    ) -> FlowModel:
        """Moves the last of some frames on in their order, be it against the video's.

        A model that is told nothing speaks of the video's order.
        """
        network = self.network
        assert network is not None, "flow is computed"
        if network.takes_known and len(frames) > 1:
            past = measure_past(network, frames, self.frames_per_prediction)
            if past:
                return _told(network, past, frames[-1].shape[:2])
        model = picture_flow.flow_function(network)
        return (lambda now: -model(now)) if backwards else model


def restore(
    numbered: Iterable[tuple[int, np.ndarray]], first: int, last: int, filler: Filler
) -> Filled:
    """Yields every frame of a video, uint8 [H, W, 3], and `KEPT` or how it came.

    Holds the good frames around one gap at a time.

    Args:
      numbered: good frames of one size, numbers ascending.
      first: number of the first frame wanted, at most the first good one.
      last: number of the last, at least the last good one.
      filler: fills the gaps.

    Raises:
      InputError: there is no good frame; sizes differ; a number is out of order.
    """
    before: list[np.ndarray] = []
    expected = first
    for run in _runs(numbered, filler.num_seen if filler.looks_ahead else 1):
        number, frame = run[0]
        if not expected <= number <= last:
            raise InputError(
                f"frame number {number} where {expected} to {last} are expected"
            )
        if before and frame.shape != before[-1].shape:
            sizes = "{1}x{0} and {4}x{3}".format(*before[-1].shape, *frame.shape)
            raise InputError(f"the frames have several sizes: {sizes}")
        yield from filler.fill(before, [good for _, good in run], number - expected)
        yield frame, KEPT
        before = [*before, frame] if number == expected else [frame]
        before, expected = before[-filler.num_seen :], number + 1
    if not before:
        raise InputError("there is no good frame to restore others from")
    yield from filler.fill(before, [], last + 1 - expected)


def _runs(
    numbered: Iterable[tuple[int, np.ndarray]], length: int
) -> Iterator[list[tuple[int, np.ndarray]]]:
    """Each good frame with those that follow without a gap, `length` at most."""
    frames = iter(numbered)
    ahead = list(itertools.islice(frames, length))
    while ahead:
        first = ahead[0][0]
        yield [one for i, one in enumerate(ahead) if one[0] == first + i]
        ahead = [*ahead[1:], *itertools.islice(frames, 1)]


def _told(network: Predictor, past: Past, size: tuple[int, ...]) -> FlowModel:
    """A model of a frame of this size that is told how it moved.

    The camera goes on as it went, for what is missing was filmed by it.
    """
    model = Steering(network, Control(past=past.scene), size, num_predictions=1)
    pixels = min(size) / network.frame_size
    camera = resize(pixels * past.camera[np.newaxis], size[0], size[1])
    return lambda now: model(now)[:, 0] + camera


def _along_flow(
    first: np.ndarray, last: np.ndarray, num_frames: int
) -> Iterator[tf.Tensor]:
    """Moves both frames along the straight lines between them."""
    if min(first.shape[:2]) < _SMALLEST:
        raise InputError(
            f"frames of {first.shape[1]}x{first.shape[0]} are too small for optical "
            f"flow; expected {_SMALLEST} pixels a side or more"
        )
    grays = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (first, last)]
    there, back = (
        tf.constant(_dis()(*pair)[np.newaxis]) for pair in (grays, grays[::-1])
    )
    ends = [tf.constant(f[np.newaxis], tf.float32) for f in (first, last)]
    for i in range(1, num_frames + 1):
        time = tf.constant(i / (num_frames + 1), tf.float32)
        yield film_warp.meet(ends[0], time * there, ends[1], (1 - time) * back, time)


@functools.cache
def _dis() -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    return make_flow_function("dis")
