"""One picture to a short video: frame -> flow -> frames -> flow -> ...

The report's procedure (section 3, figure 3): predict the flow f of the current frame,
scale it to the frame's size, and warp the frame to `x_i + (k / m) f_i` for k = 1..m;
the m-th of these frames is the next one to predict from. The report uses 5 predictions
of 5 frames each.

What a prediction means in time: one f is one label, by default the mean of the flows to
the next three frames, so the motion of about two frames of the training videos. Its m
frames divide that way evenly: at the training videos' rate, m > 2 is slow motion.

    recursive   the report: each prediction moves the frame that the last one ended
                with. A warp of a warp of a warp gets blurred.
    composed    the flow is predicted as above, but each frame is looked up in the
                *first* one: positions are composed, `d(y) <- g(y) + d(y + g(y))` for an
                inverse flow g and an offset d into the first frame, colours are
                interpolated once.
    sequence    like composed, but one prediction of a sequence network serves for all
                of its steps, and only then it predicts again.
    euler       one prediction M, a field that stands still while things move through
                it (Holynski et al. 2021): displacements are integrated,
                `F_t(x) = F_{t-1}(x) + M(x + F_{t-1}(x)) / m`, and the first frame is
                moved by F_t.
    loop        the same forwards from the first frame and backwards from the last,
                which is the first again; the two are blended (symmetric splatting, the
                same paper): the video ends where it begins.
"""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from motionflow.errors import InputError
from motionflow.generate import MODES, picture_flow, warp
from motionflow.generate.fitting import resize
from motionflow.models.predictor import Predictor

# Where pixels meet, the faster ones are in front; the report leaves that case open.
_IMPORTANCE = "magnitude"
# Of a frame that covers a pixel, against one that leaves a hole there.
_HOLE = 1e-3

FlowFunction = Callable[[tf.Tensor], tf.Tensor]


def generate(
    model: FlowFunction,
    frames: tf.Tensor,
    num_predictions: int = 5,
    frames_per_prediction: int = 5,
    mode: str = "composed",
) -> tf.Tensor:
    """Rolls frames forward; runs eagerly or inside a `tf.function`.

    Args:
      model: from frames float32 [B, H, W, 3] in 0..255 to flow [B, h, w, 2] in pixels
        of these frames: `picture_flow.flow_function(predictor)`, or any function; for
        `sequence` to [B, T, h, w, 2], see `picture_flow.sequence_function`.
        `recursive` and `composed` call it `num_predictions` times, `sequence` for each
        T of them, the others once.
      frames: [B, H, W, 3], uint8 or float in 0..255, any size.
      num_predictions: n, at least 1.
      frames_per_prediction: m, at least 1.
      mode: one of `MODES`.

    Returns:
      float32 [B, n * m, H, W, 3] in 0..255, without the input itself; the last frame
      of a `loop` is the input.

    Raises:
      InputError: n or m is below 1, or the mode is unknown.
    """
    arguments = model, frames, num_predictions, frames_per_prediction, mode
    return tf.stack(list(iterate(*arguments)), axis=1)


def generate_in_graph(
    model: Callable[[tf.Tensor, Any], tuple[tf.Tensor, Any]],
    frames: tf.Tensor,
    num_predictions: tf.Tensor,
    frames_per_prediction: tf.Tensor,
    num_steps: int = 1,
    state: Any = (),
) -> tf.Tensor:
    """`generate` in the mode `sequence`, of numbers that only a graph knows.

    Args:
      model: from frames and a state to flow [B, T, H, W, 2] and the next state; with
        T = 1 this is the mode `composed`.
      frames: [B, H, W, 3], uint8 or float in 0..255, any size.
      num_predictions: n, int32 scalar, at least 1.
      frames_per_prediction: m, int32 scalar, at least 1.
      num_steps: T.
      state: of the first prediction; tensors, nested, whose shapes stay.

    Returns:
      uint8 [B, n * m, H, W, 3], without the input itself.
    """
    first = tf.cast(frames, tf.float32)
    still = tf.zeros_like(first[..., :2])
    num_frames = num_predictions * frames_per_prediction

    def step(
        t: tf.Tensor,
        current: tf.Tensor,
        moved: tf.Tensor,
        offset: tf.Tensor,
        steps: tf.Tensor,
        state: Any,
        film: tf.TensorArray,
    ) -> tuple[Any, ...]:
        k, number = t % frames_per_prediction, t // frames_per_prediction % num_steps
        offset = tf.cond(k == 0, lambda: moved, lambda: offset)
        steps, state = tf.cond(
            (k == 0) & (number == 0),
            lambda: model(current, state),
            lambda: (steps, state),
        )
        share = tf.cast((k + 1) / frames_per_prediction, tf.float32)
        current, (_, moved) = _composed(first, offset, share * steps[:, number])
        as_bytes = tf.cast(tf.round(tf.clip_by_value(current, 0.0, 255.0)), tf.uint8)
        return t + 1, current, moved, offset, steps, state, film.write(t, as_bytes)

    film = tf.TensorArray(tf.uint8, num_frames, element_shape=frames.shape)
    *_, film = tf.while_loop(
        lambda t, *_: t < num_frames,
        step,
        (0, first, still, still, tf.stack([still] * num_steps, axis=1), state, film),
        parallel_iterations=1,
    )
    return tf.transpose(film.stack(), [1, 0, 2, 3, 4])


def iterate(
    model: FlowFunction,
    frames: tf.Tensor,
    num_predictions: int = 5,
    frames_per_prediction: int = 5,
    mode: str = "composed",
) -> Iterator[tf.Tensor]:
    """Yields the frames of `generate` one by one, float32 [B, H, W, 3] each."""
    for name, value in (
        ("num_predictions", num_predictions),
        ("frames_per_prediction", frames_per_prediction),
    ):
        if value < 1:
            raise InputError(f"{name} is {value}, expected at least 1")
    if mode not in MODES:
        raise InputError(f"mode is {mode!r}, expected one of {', '.join(MODES)}")
    first = tf.cast(frames, tf.float32)
    num_frames = num_predictions * frames_per_prediction
    if mode in ("euler", "loop"):
        start = _with_flow(model, first, frames_per_prediction)
        if mode == "euler":
            return _integrated(*start, num_frames)
        return _blended(start, start, num_frames)
    step = _moved if mode == "recursive" else _composed
    if mode == "sequence":
        model = _checked_sequence(model)
    return _predicted(model, first, num_predictions, frames_per_prediction, step)


def generate_futures(
    predictor: Predictor,
    frames: tf.Tensor,
    num_futures: int,
    seed: int = 0,
    **options: Any,
) -> Iterator[tf.Tensor]:
    """Yields rolled-out futures that are drawn from the predicted distributions.

    Args:
      predictor: predicts squares.
      frames: [B, H, W, 3].
      num_futures: how many.
      seed: see `picture_flow.future_noises`.
      **options: of `generate`.

    Yields:
      float32 [B, n * m, H, W, 3] each.
    """
    size = tuple(frames.shape[1:3])
    for noise in picture_flow.future_noises(predictor, size, num_futures, seed):
        model = picture_flow.flow_function(predictor, temperature=0, noise=noise)
        yield generate(model, frames, **options)


def between(
    onward: FlowFunction,
    backward: FlowFunction,
    first: tf.Tensor,
    last: tf.Tensor,
    num_frames: int,
    frames_per_prediction: int,
) -> Iterator[tf.Tensor]:
    """Fills a gap: predicted forwards from its first frame and backwards from its last.

    Args:
      onward: as in `generate`; called once for the first frame.
      backward: called once for the last: where its pixels were.
      first: [B, H, W, 3] before the gap.
      last: [B, H, W, 3] after it.
      num_frames: that are missing between the two.
      frames_per_prediction: m, how many frames one predicted flow takes.

    Yields:
      float32 [B, H, W, 3], `num_frames` times.
    """
    start, end = (
        _with_flow(model, frames, frames_per_prediction)
        for model, frames in ((onward, first), (backward, last))
    )
    ends = start, (end[0], -end[1])
    return itertools.islice(_blended(*ends, num_frames + 1), num_frames)


def to_uint8(frames: tf.Tensor | np.ndarray) -> np.ndarray:
    """Rounds frames in 0..255 of any shape to uint8."""
    return np.rint(frames).clip(0, 255).astype(np.uint8)


def meet(
    first: tf.Tensor,
    there: tf.Tensor,
    last: tf.Tensor,
    back: tf.Tensor,
    time: tf.Tensor,
) -> tf.Tensor:
    """Two frames carried to one time between them, the nearer counting more.

    Where only one of them reaches, it counts alone.

    Args:
      first: [B, H, W, 3] at time 0.
      there: [B, H, W, 2], how far its pixels are at `time`.
      last: [B, H, W, 3] at time 1.
      back: [B, H, W, 2], how far its pixels were then.
      time: from 0 to 1.

    Returns:
      float32 [B, H, W, 3].
    """
    frames, flow = tf.concat([first, last], 0), tf.concat([there, back], 0)
    inverse = _inverse(flow)
    return _mixed(warp.read(frames, inverse), inverse, time)


@tf.function(reduce_retracing=True, autograph=False)
def _mixed(moved: tf.Tensor, inverse: tf.Tensor, time: tf.Tensor) -> tf.Tensor:
    """Mixes the two halves of a batch that was moved, by how far they reach."""
    # The coarse grid has no sharp border.
    reach = tf.minimum(inverse[..., 2], warp.inside(inverse))
    before, after = tf.split(tf.clip_by_value(reach, _HOLE, 1.0), 2)
    before, after = (1.0 - time) * before, time * after
    share = (after / (before + after))[..., tf.newaxis]
    early, late = tf.split(moved, 2)
    return early + share * (late - early)


def _steps(model: FlowFunction, frames: tf.Tensor) -> list[tf.Tensor]:
    """The flow [B, H, W, 2] of one step or more, of the frames' size."""
    flow = resize(model(frames), *tf.unstack(tf.shape(frames)[1:3]))
    return tf.unstack(flow, axis=1) if len(flow.shape) == 5 else [flow]


def _checked_sequence(model: FlowFunction) -> FlowFunction:
    def checked(frames: tf.Tensor) -> tf.Tensor:
        flow = model(frames)
        if len(flow.shape) != 5:
            raise InputError(
                f"the mode sequence needs flow [B, T, h, w, 2] of T steps, as sequence "
                f"networks predict it; found {flow.shape}"
            )
        return flow

    return checked


def _with_flow(
    model: FlowFunction, frames: tf.Tensor, frames_per_prediction: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Frames as float32, and their flow to the next frame."""
    frames = tf.cast(frames, tf.float32)
    return frames, _steps(model, frames)[0] / frames_per_prediction


def _predicted(
    model: FlowFunction,
    first: tf.Tensor,
    num_predictions: int,
    frames_per_prediction: int,
    step: Callable,
) -> Iterator[tf.Tensor]:
    """Predicts, moves, and predicts again from where the movement ended.

    A state is a frame and the offsets [B, H, W, 2] at which its colours are looked up.
    """
    current, state = first, (first, tf.zeros_like(first[..., :2]))
    steps: list[tf.Tensor] = []
    for _ in range(num_predictions):
        steps = steps or _steps(model, current)
        flow = steps.pop(0)
        for k in range(1, frames_per_prediction + 1):
            share = tf.constant(k / frames_per_prediction, tf.float32)
            current, moved = step(*state, share * flow)
            yield current
        state = moved


def _moved(
    frames: tf.Tensor, offset: tf.Tensor, flow: tf.Tensor
) -> tuple[tf.Tensor, tuple[tf.Tensor, tf.Tensor]]:
    """The report's step: the moved frame is the next state."""
    moved = warp.read(frames, _inverse(flow))
    return moved, (moved, offset)


def _composed(
    frames: tf.Tensor, offset: tf.Tensor, flow: tf.Tensor
) -> tuple[tf.Tensor, tuple[tf.Tensor, tf.Tensor]]:
    """Moves the frame `frames(x + offset(x))`, keeping where its colours come from."""
    offset = _offset_after(offset, flow)
    return warp.read(frames, offset), (frames, offset)


@tf.function(reduce_retracing=True, autograph=False)
def _offset_after(offset: tf.Tensor, flow: tf.Tensor) -> tf.Tensor:
    def compose(offset: tf.Tensor, flow: tf.Tensor) -> tf.Tensor:
        inverse, _ = warp.invert(flow, _IMPORTANCE)
        return inverse + warp.backward(offset, inverse)

    return warp.smoothly(compose, offset, flow)


@tf.function(reduce_retracing=True, autograph=False)
def _inverse(flow: tf.Tensor) -> tf.Tensor:
    """Where pixels came from, and as a third component the coverage."""

    def invert(flow: tf.Tensor) -> tf.Tensor:
        inverse, coverage = warp.invert(flow, _IMPORTANCE)
        return tf.concat([inverse, coverage[..., tf.newaxis]], axis=-1)

    return warp.smoothly(invert, flow)


def _integrated(
    frames: tf.Tensor, flow: tf.Tensor, num_frames: int
) -> Iterator[tf.Tensor]:
    for displacement in _displacements(flow, num_frames):
        yield warp.read(frames, _inverse(displacement))


def _displacements(flow: tf.Tensor, num_frames: int) -> Iterator[tf.Tensor]:
    """Where each pixel is after 1, 2, ... frames in a field that stands still."""
    return itertools.accumulate(itertools.repeat(flow, num_frames), _carried_on)


def _blended(
    start: tuple[tf.Tensor, tf.Tensor],
    end: tuple[tf.Tensor, tf.Tensor],
    num_frames: int,
) -> Iterator[tf.Tensor]:
    """Frames 1..num_frames on the way from one frame to another; the last is the other.

    Args:
      start: frames and their flow to the next frame.
      end: the frames at `num_frames`, and their flow.
      num_frames: how many.
    """
    backwards = list(_displacements(-end[1], num_frames - 1))[::-1]
    forwards = _displacements(start[1], num_frames - 1)
    for t, (there, back) in enumerate(zip(forwards, backwards, strict=True), start=1):
        yield meet(start[0], there, end[0], back, tf.constant(t / num_frames))
    yield end[0]


def _carried_on(displacement: tf.Tensor, flow: tf.Tensor) -> tf.Tensor:
    return displacement + warp.read(flow, displacement)
