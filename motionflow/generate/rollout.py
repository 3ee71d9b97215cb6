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
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from motionflow.errors import InputError
from motionflow.generate import MODES, film_warp
from motionflow.generate.fitting import resize

# Frames float32 [B, H, W, 3] in 0..255 -> flow [B, h, w, 2] or of T steps, [B, T, h, w,
# 2], in pixels of these frames. One that remembers is given its memory, and returns it.
FlowModel = Callable[[tf.Tensor], tf.Tensor]
RememberingModel = Callable[[tf.Tensor, Any], tuple[tf.Tensor, Any]]


def generate(
    model: FlowModel,
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


def iterate(
    model: FlowModel,
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
    num_frames = num_predictions * frames_per_prediction
    if mode in ("euler", "loop"):
        start = _with_flow(model, frames, frames_per_prediction)
        if mode == "loop":
            return _blended(start, start, num_frames)
        first, flow = start
        displacements = _displacements(flow, num_frames)
        return (film_warp.read(first, film_warp.inverse(d)) for d in displacements)
    return _predicted(model, frames, num_frames, frames_per_prediction, mode)


def generate_in_graph(
    model: RememberingModel,
    frames: tf.Tensor,
    num_predictions: tf.Tensor,
    frames_per_prediction: tf.Tensor,
    memory: Any = (),
) -> tf.Tensor:
    """`generate` in the mode `sequence`, of numbers that only a graph knows.

    Args:
      model: from frames and a memory to flow [B, T, h, w, 2] and the next memory; with
        T = 1 this is the mode `composed`.
      frames: [B, H, W, 3], uint8 or float in 0..255, any size.
      num_predictions: int32 scalar, at least 1.
      frames_per_prediction: int32 scalar, at least 1.
      memory: of the first prediction; tensors, nested, whose shapes stay.

    Returns:
      uint8 [B, n * m, H, W, 3], without the input itself.
    """
    num_frames = num_predictions * frames_per_prediction

    def step(t: tf.Tensor, film: _Film, shown: tf.TensorArray) -> tuple[Any, ...]:
        film = _next(model, film, t, frames_per_prediction)
        as_bytes = tf.round(tf.clip_by_value(film.frame, 0.0, 255.0))
        return t + 1, film, shown.write(t, tf.cast(as_bytes, tf.uint8))

    film = _begin(frames, memory)
    shapes = tf.nest.map_structure(lambda tensor: tensor.shape, film)
    shapes = shapes._replace(steps=tf.TensorShape([None, None, None, None, 2]))
    shown = tf.TensorArray(tf.uint8, num_frames, element_shape=frames.shape)
    *_, shown = tf.while_loop(
        lambda t, *_: t < num_frames,
        step,
        (0, film, shown),
        shape_invariants=(tf.TensorShape([]), shapes, tf.TensorShape(None)),
        parallel_iterations=1,
    )
    return tf.transpose(shown.stack(), [1, 0, 2, 3, 4])


class _Film(NamedTuple):
    """How far a film has come."""

    frame: tf.Tensor  # [B, H, W, 3], the last one
    source: tf.Tensor  # the frame that colours are looked up in
    begin: tf.Tensor  # offsets [B, H, W, 2] into it when this step of flow began
    offset: tf.Tensor  # offsets now
    steps: tf.Tensor  # flow [B, T, H, W, 2] that is not yet played to its end
    memory: Any  # the model's


def _begin(frames: tf.Tensor, memory: Any) -> _Film:
    first = tf.cast(frames, tf.float32)
    still = tf.zeros_like(first[..., :2])
    return _Film(first, first, still, still, still[:, tf.newaxis][:, :0], memory)


def _next(
    model: RememberingModel,
    film: _Film,
    number: int | tf.Tensor,
    frames_per_prediction: int | tf.Tensor,
    is_recursive: bool = False,
) -> _Film:
    """A film after one more frame, its `number` from 0 on; known, or by a graph."""
    k = number % frames_per_prediction
    starts, num_left = k == 0, film.steps.shape[1]
    if num_left is None:
        num_left = tf.shape(film.steps)[1]
    steps, memory = _cond(
        starts & (num_left == 0),
        lambda: _predict(model, film),
        lambda: (film.steps, film.memory),
    )
    flow = tf.cast((k + 1) / frames_per_prediction, tf.float32) * steps[:, 0]
    source, begin = film.source, film.begin
    if is_recursive:  # the report: the frame that was moved is moved on
        source = _cond(starts, lambda: film.frame, lambda: source)
        offset = film_warp.inverse(flow)[..., :2]
    else:
        begin = _cond(starts, lambda: film.offset, lambda: begin)
        offset = film_warp.compose(begin, flow)
    frame, is_played = film_warp.read(source, offset), k + 1 == frames_per_prediction
    steps = _cond(is_played, lambda: steps[:, 1:], lambda: steps)
    return _Film(frame, source, begin, offset, steps, memory)


def _cond(condition: bool | tf.Tensor, true: Callable, false: Callable) -> Any:
    if isinstance(condition, bool):
        return true() if condition else false()
    return tf.cond(condition, true, false)


def _predict(model: RememberingModel, film: _Film) -> tuple[tf.Tensor, Any]:
    flow, memory = model(film.frame, film.memory)
    return _steps(flow, film.frame), memory


def _steps(flow: tf.Tensor, frames: tf.Tensor) -> tf.Tensor:
    """The flow [B, T, H, W, 2] of one step or more, of the frames' size."""
    flow = resize(flow, *tf.unstack(tf.shape(frames)[1:3]))
    return flow if len(flow.shape) == 5 else flow[:, tf.newaxis]


def _predicted(
    model: FlowModel,
    frames: tf.Tensor,
    num_frames: int,
    frames_per_prediction: int,
    mode: str,
) -> Iterator[tf.Tensor]:
    """Predicts, moves, and predicts again from where the movement ended."""

    def checked(frames: tf.Tensor, memory: tuple) -> tuple[tf.Tensor, tuple]:
        flow = model(frames)
        if mode == "sequence" and len(flow.shape) != 5:
            raise InputError(
                f"the mode sequence needs flow [B, T, h, w, 2] of T steps, as sequence "
                f"networks predict it; found {flow.shape}"
            )
        return flow, memory

    film, is_recursive = _begin(frames, ()), mode == "recursive"
    for number in range(num_frames):
        film = _next(checked, film, number, frames_per_prediction, is_recursive)
        yield film.frame


def between(
    onward: FlowModel,
    backward: FlowModel,
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
      num_frames: that are missing, and yielded.
      frames_per_prediction: how many frames one predicted flow takes.
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


def _with_flow(
    model: FlowModel, frames: tf.Tensor, frames_per_prediction: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Frames as float32, and their flow to the next frame."""
    frames = tf.cast(frames, tf.float32)
    return frames, _steps(model(frames), frames)[:, 0] / frames_per_prediction


def _displacements(flow: tf.Tensor, num_frames: int) -> Iterator[tf.Tensor]:
    """Where each pixel is after 1, 2, ... frames in a field that stands still."""

    def carried_on(displacement: tf.Tensor, flow: tf.Tensor) -> tf.Tensor:
        return displacement + film_warp.read(flow, displacement)

    return itertools.accumulate(itertools.repeat(flow, num_frames), carried_on)


def _blended(
    start: tuple[tf.Tensor, tf.Tensor],
    end: tuple[tf.Tensor, tf.Tensor],
    num_frames: int,
) -> Iterator[tf.Tensor]:
    """Frames 1..num_frames from one frame to another, both with their flow."""
    backwards = list(_displacements(-end[1], num_frames - 1))[::-1]
    forwards = _displacements(start[1], num_frames - 1)
    for t, (there, back) in enumerate(zip(forwards, backwards, strict=True), start=1):
        time = tf.constant(t / num_frames)
        yield film_warp.meet(start[0], there, end[0], back, time)
    yield end[0]
