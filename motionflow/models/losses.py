"""The training loss, with remedies for cells that mostly stand still.

    codes [B, T, s, s], logits [B, T, s, s, K] -> loss [B]

With F_ic the probability that cell i moves like centre m_c of the codebook, the report
trains with the sum over all cells (`cross_entropy`)

    L(I, Y) = - sum_i sum_c 1(y_i = c) log F_ic(I)

Three quarters of all cells have the same class; each option changes one thing:

- class weights w_c, with p_c the training set's frequencies and sum p_c w_c = 1:
  "inverse_frequency" is 1 / (K p_c), which the report tried in vain; "smoothed" is
  ((1 - lambda) p_c + lambda / K)^-1 (Zhang et al. 2016, equation 4);
- logit adjustment: the loss sees logits + tau log p_c (Menon et al. 2020, equation 10);
- focal loss: each cell times (1 - probability of its class)^gamma (Lin et al. 2017);
- smoothed labels: a share of each label goes to the centres near its own.

The first two tilt the posterior: trained so, exp(logits) grows as w_c p(c | image) or
as p(c | image) / p_c^tau. `tilt` is the logarithm of that factor. Subtracted from the
logits (`blocks.Untilt`) it gives the probabilities back.
"""

import dataclasses
from collections.abc import Callable

import numpy as np
import tensorflow as tf

NUM_NEAR = 4  # centres that get a share of a smoothed label


@dataclasses.dataclass(frozen=True)
class LossOptions:
    """What to change about cross-entropy; the default is nothing.

    Attributes:
      class_weights: one of `models.CLASS_WEIGHTS`.
      class_weights_lambda: of "smoothed", 0 (inverse frequency) to 1 (no weights).
      logit_adjustment: tau; 0: none, 1: balanced classes.
      focal_gamma: 0: none; 2 is usual.
      label_smoothing: the share that goes to near centres; 0: none.
    """

    class_weights: str = "none"
    class_weights_lambda: float = 0.5
    logit_adjustment: float = 0.0
    focal_gamma: float = 0.0
    label_smoothing: float = 0.0

    @property
    def is_tilted(self) -> bool:
        """Whether logits trained so are not log probabilities."""
        return self.class_weights != "none" or self.logit_adjustment != 0


def cross_entropy(codes: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Summed over the cells of each image and in float32, see the module.

    One value an image: Keras averages over the global batch, on any number of replicas.

    Args:
      codes: int32 [B, ...], of any cells and steps.
      logits: [B, ..., K].

    Returns:
      float32 [B], in nats.
    """
    return sum_cells(_of_cells(codes, tf.cast(logits, tf.float32)))


def sum_cells(values: tf.Tensor) -> tf.Tensor:
    """Sums over the cells of all steps: [B, ...] -> [B]."""
    return tf.reduce_sum(values, axis=list(range(1, values.shape.rank)))


def class_weights(counts: np.ndarray, options: LossOptions) -> np.ndarray:
    """Weights float64 [K] of the classes, whose mean over all training cells is 1.

    `counts` [K] are the cells of each class in the training split; 0 counts as 1.
    """
    frequencies = _frequencies(counts)
    if options.class_weights == "none":
        return np.ones(len(frequencies))
    smoothing = options.class_weights == "smoothed" and options.class_weights_lambda
    uniform = 1 / len(frequencies)
    weights = 1 / ((1 - smoothing) * frequencies + smoothing * uniform)
    return weights / (frequencies * weights).sum()


def tilt(counts: np.ndarray, options: LossOptions) -> np.ndarray:
    """How far logits exceed log probabilities: log w_c - tau log p_c, float64 [K]."""
    prior = np.log(_frequencies(counts))
    return np.log(class_weights(counts, options)) - options.logit_adjustment * prior


def smoothed_labels(centers: np.ndarray, share: float) -> np.ndarray:
    """What takes the place of one-hot labels.

    The four centres nearest to a label's own get `share` of it, the nearer the more: as
    a Gaussian of their mean distance. So what is near depends on how dense the codebook
    is there: small motions lie close together, large ones far apart.

    Args:
      centers: float32 [K, 2].
      share: 0 to 1.

    Returns:
      float64 [K, K], rows sum to 1.
    """
    distances = np.linalg.norm(centers[:, None] - centers[None], axis=-1)
    labels = np.eye(len(centers))
    for row, others in zip(labels, distances, strict=True):
        near = np.argsort(others, kind="stable")[1 : 1 + NUM_NEAR]
        closeness = np.exp(-0.5 * (others[near] / others[near].mean()) ** 2)
        row *= 1 - share
        row[near] += share * closeness / closeness.sum()
    return labels


def make_loss(
    options: LossOptions, counts: np.ndarray, centers: np.ndarray
) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """Makes the loss that training minimises.

    Args:
      options: what to change about cross-entropy.
      counts: [K], cells of each class in the training split.
      centers: float32 [K, 2], the codebook.

    Returns:
      A function of int32 [B, ...] and [B, ..., K] that returns float32 [B], as
      `cross_entropy` does.
    """
    weights = tf.constant(class_weights(counts, options), tf.float32)
    adjustment = options.logit_adjustment * np.log(_frequencies(counts))
    labels = tf.constant(smoothed_labels(centers, options.label_smoothing), tf.float32)

    def loss(codes: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        logits = tf.cast(logits, tf.float32) + tf.constant(adjustment, tf.float32)
        plain = _of_cells(codes, logits)
        cells = plain
        if options.label_smoothing:
            cells = tf.nn.softmax_cross_entropy_with_logits(
                tf.gather(labels, codes), logits
            )
        if options.focal_gamma:
            # 1 - p, which must not be 0: its powers below 1 have no slope there.
            missing = tf.maximum(-tf.math.expm1(-plain), 1e-7)
            cells *= missing**options.focal_gamma
        if options.class_weights != "none":
            cells *= tf.gather(weights, codes)
        return sum_cells(cells)

    return loss


def _of_cells(codes: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=codes, logits=logits)


def _frequencies(counts: np.ndarray) -> np.ndarray:
    counts = np.maximum(np.asarray(counts, np.float64), 1)
    return counts / counts.sum()
