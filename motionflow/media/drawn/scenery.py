"""Seed -> textures: clothes for the drawn people and still backgrounds behind them.

    random generator -> cloth, background        float32 [height, width, 3], RGB, 0..255

Optical flow is the teacher, and flow needs something to hold on to: every surface here
carries detail at several scales (a sum of noises, from a few pixels up to the whole
surface) under a plain pattern, the coarse shape of what wallpaper, brick and cloth are.
"""

import colorsys

import cv2
import numpy as np

Color = tuple[float, float, float]


def pick_color(
    rng: np.random.Generator,
    saturation: tuple[float, float],
    value: tuple[float, float],
) -> np.ndarray:
    """A colour of any hue, float32 [3], RGB 0..255; the ranges lie in 0..1."""
    rgb = colorsys.hsv_to_rgb(
        rng.random(), rng.uniform(*saturation), rng.uniform(*value)
    )
    return np.array(rgb, np.float32) * 255


def noise(
    rng: np.random.Generator, height: int, width: int, scales: tuple[float, ...]
) -> np.ndarray:
    """Smooth noise with detail at each of `scales` (in pixels).

    Returns:
      float32 [height, width], mean 0, standard deviation 1.
    """
    total = np.zeros((height, width), np.float32)
    for scale in scales:
        rows, columns = int(height / scale) + 3, int(width / scale) + 3
        coarse = rng.standard_normal((rows, columns)).astype(np.float32)
        size = (int(columns * scale) + 1, int(rows * scale) + 1)
        fine = cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC)
        total += fine[int(scale) :, int(scale) :][:height, :width]
    return (total - total.mean()) / max(float(total.std()), 1e-6)


def cloth(
    rng: np.random.Generator,
    height: int,
    width: int,
    colors: tuple[np.ndarray, np.ndarray],
    pattern: str,
    step: float,
) -> np.ndarray:
    """One piece of cloth, skin or hair.

    Args:
      rng: draws the noise.
      height: texels.
      width: texels.
      colors: ground and pattern colour, each float32 [3].
      pattern: "rings", "checks", "dots" or "plain".
      step: texels from one ring, check or dot to the next.

    Returns:
      float32 [height, width, 3], not clipped.
    """
    y, x = np.mgrid[:height, :width].astype(np.float32) * np.float32(2 * np.pi / step)
    waves = {
        "rings": np.sin(x),
        "checks": np.sin(x) + np.sin(y),
        "dots": 2 * np.sin(x) * np.sin(y),
        "plain": noise(rng, height, width, (step,)),
    }
    # A steep sigmoid of a wave is a pattern with soft edges, free of aliasing.
    mix = 1 / (1 + np.exp(-3 * waves[pattern]))[..., None]
    grain = 1 + 0.09 * noise(rng, height, width, (5, 11))[..., None]
    return ((1 - mix) * colors[0] + mix * colors[1]) * grain


def _bricks(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """A wall of stones, each of its own shade, with mortar between them."""
    tall, wide = rng.integers(9, 16), rng.integers(20, 34)
    y, x = np.mgrid[:height, :width]
    row = y // tall
    shifted = x + (row % 2) * (wide // 2)
    shades = rng.uniform(0.75, 1.2, (height // tall + 2, width // wide + 3))
    shade = shades[row, shifted // wide]
    shade[(y % tall < 2) | (shifted % wide < 2)] = 0.55
    return shade


def _planks(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Upright boards with grain along them."""
    wide = rng.integers(14, 30)
    x = np.arange(width)
    shade = rng.uniform(0.75, 1.15, width // wide + 1)[x // wide]
    shade = np.where(x % wide < 2, 0.5, shade)[None] * np.ones((height, 1))
    grain = cv2.resize(noise(rng, height // 6 + 2, width, (2, 5)), (width, height))
    return shade * (1 + 0.10 * grain)


def _foliage(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Leaves: noise at all scales."""
    return 1 + 0.15 * noise(rng, height, width, (4, 9, 20, 45))


def _plaster(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """The smooth kind: broad stains and a faint grain."""
    stains = noise(rng, height, width, (30, 60))
    return 1 + 0.10 * stains + 0.06 * noise(rng, height, width, (3, 7))


def _wallpaper(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Broad stripes and a row of pictures."""
    y, x = np.mgrid[:height, :width]
    shade = 1 + 0.10 * np.tanh(3 * np.sin(x * 2 * np.pi / rng.integers(24, 44)))
    for left in range(int(rng.integers(0, 30)), width - 20, int(rng.integers(60, 90))):
        top, tall, wide = (
            rng.integers(8, 40),
            rng.integers(25, 50),
            rng.integers(22, 45),
        )
        inside = (y >= top) & (y < top + tall) & (x >= left) & (x < left + wide)
        picture = 0.9 + 0.3 * noise(rng, height, width, (6, 14))
        shade = np.where(inside, picture, shade)
    return shade


WALLS = (_bricks, _planks, _foliage, _plaster, _wallpaper)


def background(
    rng: np.random.Generator, height: int, width: int, horizon: int
) -> np.ndarray:
    """A wall above row `horizon` and a floor below it, float32 [height, width, 3].

    Muted colours, so that the people stand out; unclipped values.
    """
    wall = WALLS[rng.integers(len(WALLS))](rng, height, width)
    floor = 1 + 0.14 * noise(rng, height, width, (4, 10, 35))
    rows = np.arange(height)[:, None, None]
    paint = [pick_color(rng, (0.1, 0.35), (0.5, 0.8)) for _ in range(2)]
    image = np.where(
        rows < horizon, wall[..., None] * paint[0], 0.8 * floor[..., None] * paint[1]
    )
    image *= np.where(np.abs(rows - horizon) < 2, 0.6, 1.0)  # a skirting board
    grain = 1 + 0.06 * noise(rng, height, width, (3, 6))
    return (image * grain[..., None]).astype(np.float32)
