"""How alike two pictures are."""

import numpy as np

IDENTICAL = 100.0  # dB, of frames that do not differ: JSON has no infinity


def psnr(
    frames: np.ndarray,
    real: np.ndarray,
    mask: np.ndarray | None = None,
    most: float = IDENTICAL,
) -> np.ndarray:
    """Peak signal to noise ratio, 10 log10(255^2 / MSE) over pixels and colours.

    Args:
      frames: uint8 [..., H, W, 3].
      real: of the same shape.
      mask: bool [..., H, W], the pixels that are looked at; None looks at all.
      most: what is given for frames that are all but equal.

    Returns:
      float64 [...], dB; NaN where the mask is empty.
    """
    errors = ((frames.astype(np.float64) - real) ** 2).mean(axis=-1)
    with np.errstate(divide="ignore"):
        found = 10 * np.log10(255**2 / masked_mean(errors, mask))
    return np.minimum(found, most)


def masked_mean(values: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """Means of [..., H, W] over a mask: float64 [...]; NaN where it is empty."""
    if mask is None:
        return np.float64(values).mean(axis=(-2, -1))
    with np.errstate(invalid="ignore"):  # an empty mask
        total = np.where(mask, np.float64(values), 0).sum(axis=(-2, -1))
        return total / mask.sum(axis=(-2, -1))
