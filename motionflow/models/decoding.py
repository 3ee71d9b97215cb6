"""A distribution over the codebook in each cell -> one flow, or several.

    probabilities [..., K], centers [K, 2] -> flow [..., 2], pixels per step

    expected         f = sum_c p_c m_c, the report's second equation
    annealed         the same after sharpening: p_c^(1/T) (Zhang et al. 2016, T = 0.38)
    mode             the centre of the most probable class
    prior-corrected  the same after dividing by the prior: p_c / pi_c^tau, the logit
                     adjustment of Menon et al. 2020 (tau = 1), where still cells stop
                     outvoting the rest
    sampled          a class drawn in each cell, neighbours together

Averaging shortens: where left and right are as likely, the expected flow is none.
"""

import numpy as np
from scipy import ndimage, special

TEMPERATURE = 0.38
COHERENCE = 2.0  # cells; a drawn future is smooth over about twice as many


def anneal(probabilities: np.ndarray, temperature: float = TEMPERATURE) -> np.ndarray:
    """Sharpens (T < 1) or flattens distributions [..., K]; 1 changes nothing.

    Source: Zhang, Isola, Efros 2016, equation 5.
    """
    return special.softmax(_log(probabilities) / temperature, axis=-1)


def correct_prior(
    probabilities: np.ndarray, prior: np.ndarray, strength: float = 1.0
) -> np.ndarray:
    """Takes the prior out of distributions: p / prior^strength, summing to 1 again.

    Args:
      probabilities: [..., K].
      prior: [K], or of each cell, all above zero.
      strength: tau in Menon et al. 2020, equation 9; 0 changes nothing.
    """
    adjusted = _log(probabilities) - strength * np.log(prior).astype(np.float32)
    return special.softmax(adjusted, axis=-1)


def _log(probabilities: np.ndarray) -> np.ndarray:
    # A float32 softmax underflows to 0, and log(0) - log(0) would be NaN.
    return np.log(np.maximum(probabilities, np.finfo(np.float32).tiny))


def expected_flow(probabilities: np.ndarray, centers: np.ndarray) -> np.ndarray:
    """Mean of the centres: [..., K] and [K, 2] -> [..., 2]."""
    return probabilities @ np.asarray(centers, np.float32)


def mode_flow(probabilities: np.ndarray, centers: np.ndarray) -> np.ndarray:
    """Centre of the most probable class: [..., K] and [K, 2] -> float32 [..., 2]."""
    return np.asarray(centers, np.float32)[probabilities.argmax(axis=-1)]


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
    noise = -np.log(-special.log_ndtr(smooth))
    return noise.astype(np.float32)


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
    log = _log(probabilities)
    codes = np.stack([(log + one).argmax(axis=-1) for one in noise])
    return np.asarray(centers, np.float32)[codes]
