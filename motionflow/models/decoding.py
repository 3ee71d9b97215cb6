"""Logits -> a distribution over the codebook in each cell -> one flow, or several.

    logits [B, T, s, s, K], centers [K, 2] -> flow [B, T, s, s, 2], pixels per step

    expected         f = sum_c p_c m_c, the report's second equation
    annealed         the same after sharpening: p_c^(1/T) (Zhang et al. 2016, equation
                     5, T = 0.38)
    mode             the centre of the most probable class
    prior-corrected  the same after dividing by the prior: p_c / pi_c, the logit
                     adjustment of Menon et al. 2020 (equation 9, tau = 1), where still
                     cells stop outvoting the rest
    sampled          a class drawn in each cell, neighbours together

Averaging shortens: where left and right are as likely, the expected flow is none. All
of it is float32 whatever the precision policy, eager or in a graph.
"""

import cv2
import numpy as np
import tensorflow as tf
from scipy import ndimage, special

TEMPERATURE = 0.38
COHERENCE = 2.0  # cells; a drawn future is smooth over about twice as many


def probabilities(logits: tf.Tensor) -> tf.Tensor:
    """Softmax over the codebook: [..., K] -> float32 [..., K]."""
    return tf.nn.softmax(tf.cast(logits, tf.float32), axis=-1)


def to_grid(values: tf.Tensor, grid_size: int) -> tf.Tensor:
    """Means over blocks: [..., s, s, C] -> [..., g, g, C], s a multiple of g.

    Of probabilities: the distribution of a pixel drawn from the cell. Its expected flow
    is the mean of the pixels' expected flow.
    """
    *_, side, channels = values.shape
    block = side // grid_size
    if block == 1:
        return values
    outer = tf.shape(values)[:-3]
    blocks = tf.concat([outer, [grid_size, block, grid_size, block, channels]], 0)
    return tf.reduce_mean(tf.reshape(values, blocks), axis=[-4, -2])


def predictions(
    logits: tf.Tensor, centers: tf.Tensor, grid_size: int
) -> dict[str, tf.Tensor]:
    """What a model says about frames.

    Args:
      logits: [B, T, s, s, K], s a multiple of g.
      centers: float32 [K, 2].
      grid_size: g.

    Returns:
      of the first step on the grid g x g: flow float32 [B, g, g, 2], probabilities
      float32 [B, g, g, K] and codes int32 [B, g, g], the most probable centre of each
      cell; and step_probabilities float32 [B, T, s, s, K] of all it knows.
    """
    steps = probabilities(logits)
    first = to_grid(steps[:, 0], grid_size)
    return {
        "flow": first @ tf.cast(centers, tf.float32),
        "probabilities": first,
        "codes": tf.argmax(first, axis=-1, output_type=tf.int32),
        "step_probabilities": steps,
    }


def reweight(
    probabilities: tf.Tensor | np.ndarray,
    temperature: float = 1.0,
    prior: np.ndarray | None = None,
) -> tf.Tensor:
    """Other distributions: proportional to (p / prior)^(1 / temperature).

    Args:
      probabilities: [..., K].
      temperature: less than 1 sharpens.
      prior: [K], or of each cell, all above zero; None: even.
    """
    scores = _log(probabilities)
    if prior is not None:
        scores -= np.log(prior).astype(np.float32)
    return tf.nn.softmax(scores / temperature)


def decode(
    probabilities: tf.Tensor | np.ndarray,
    centers: np.ndarray | tf.Tensor,
    temperature: float = 1.0,
    noise: tf.Tensor | np.ndarray | None = None,
) -> tf.Tensor:
    """One flow from the distribution in each cell.

    Args:
      probabilities: [..., K].
      centers: [K, 2].
      temperature: 1 gives the expected flow, less the annealed mean, 0 the centre of
        the most probable class.
      noise: Gumbel noise of the same shape or of the last axes of it, see
        `future_noise`; with it and temperature 0 the flow is one draw.

    Returns:
      float32 [..., 2].
    """
    centers = tf.cast(centers, tf.float32)
    scores = _log(probabilities)
    if noise is not None:
        scores += noise
    if temperature == 0:
        return tf.gather(centers, tf.argmax(scores, axis=-1))
    return tf.nn.softmax(scores / temperature) @ centers


def _log(probabilities: tf.Tensor | np.ndarray) -> tf.Tensor:
    # A float32 softmax underflows to 0, and log(0) - log(0) would be NaN.
    return tf.math.log(tf.maximum(probabilities, np.finfo(np.float32).tiny))


def future_noise(
    num_futures: int, grid_shape: tuple[int, int], num_clusters: int, seed: int
) -> np.ndarray:
    """Gumbel noise that is smooth over the grid, to draw coherent futures with.

    White noise for each class is smoothed over the cells by a Gaussian of COHERENCE
    cells (wrapping around, so that every cell has the same variance) and mapped to a
    Gumbel distribution value by value. Each cell's noise is exactly what drawing from
    its own distribution needs (the Gumbel-max trick), independent between classes;
    only neighbouring cells agree.

    Args:
      num_futures: how many draws.
      grid_shape: (rows, columns).
      num_clusters: K.
      seed: of the noise.

    Returns:
      float32 [num_futures, rows, columns, num_clusters].
    """
    shape = (num_futures, *grid_shape, num_clusters)
    white = np.random.default_rng(seed).normal(size=shape)
    smooth = ndimage.gaussian_filter(white, COHERENCE, mode="wrap", axes=(1, 2))
    smooth /= _kernel_norm(grid_shape)
    return -np.log(-special.log_ndtr(smooth)).astype(np.float32)


def _kernel_norm(grid_shape: tuple[int, int]) -> float:
    """Standard deviation of smoothed white noise."""
    impulse = np.zeros(grid_shape)
    impulse[0, 0] = 1
    response = ndimage.gaussian_filter(impulse, COHERENCE, mode="wrap")
    return float(np.sqrt((response**2).sum()))


def sample_flows(
    probabilities: np.ndarray, centers: np.ndarray, noise: np.ndarray
) -> np.ndarray:
    """Draws futures from distributions.

    Args:
      probabilities: [B, ..., K].
      centers: [K, 2].
      noise: [n, ..., K] from `future_noise`; the same noise gives the same futures,
        whatever the batch.

    Returns:
      float32 [n, B, ..., 2].
    """
    if not probabilities.strides[0]:  # every frame has the same: drawn once
        one = sample_flows(probabilities[:1].copy(), centers, noise)
        return np.broadcast_to(
            one, (*one.shape[:1], len(probabilities), *one.shape[2:])
        )
    logs = classes_first(probabilities)
    logs = np.log(np.maximum(logs, np.finfo(np.float32).tiny))
    # Frames, and whatever else the noise has no axis for, share it.
    shared = tuple(range(1, logs.ndim - noise.ndim + 2))
    numbers = [
        first_largest(logs + np.expand_dims(np.moveaxis(one, -1, 0), shared))[1]
        for one in noise
    ]
    return np.asarray(centers, np.float32).take(np.stack(numbers), axis=0)


def classes_first(values: np.ndarray) -> np.ndarray:
    """[..., K] -> [K, ...], laid out so: NumPy is several times faster over this."""
    values = np.ascontiguousarray(values)
    *outer, num_classes = values.shape
    # NumPy's own copy takes five times as long.
    return cv2.transpose(values.reshape(-1, num_classes)).reshape(-1, *outer)


def first_largest(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The largest of each place, and the class of the first that is as large.

    Args:
      scores: [K, ...].

    Returns:
      [...] and int64 [...], as `max` and `argmax` give them.
    """
    count, largest = len(scores), scores.max(axis=0)
    # Counted from the end, the first of equals has the largest number.
    from_end = np.arange(count, 0, -1, dtype=np.min_scalar_type(count))
    numbers = (scores == largest) * from_end.reshape(-1, *[1] * largest.ndim)
    return largest, count - numbers.max(axis=0).astype(np.int64)
