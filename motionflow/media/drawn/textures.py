"""What drawn clips look like: parts of people in cloth, skin and hair; backgrounds.

    random generator -> {(name, side): Part} in drawing order
                     -> background               float32 [height, width, 3], RGB, 0..255

A part is a tapered capsule. Its coordinates are u along its bone, from 0 to its length,
and v across it, in pixels; what is painted on it moves with it.

Optical flow is the teacher, and flow needs something to hold on to: every surface here
carries detail at several scales (a sum of noises, from a few pixels up to the whole
surface) under a plain pattern, the coarse shape of what wallpaper, brick and cloth are.
"""

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from motionflow.media.drawn.motions import FOREARM, SHIN, THIGH, UPPER_ARM

TEXELS = 2  # texels per pixel: finer than the frame, so sampling does not blur
# name: (length, radius at the root, radius at the tip, material)
SHAPES = {
    "upper_arm": (UPPER_ARM, 0.046, 0.040, "shirt"),
    "forearm": (FOREARM, 0.040, 0.033, "skin"),
    "hand": (0.055, 0.038, 0.036, "glove"),
    "thigh": (THIGH, 0.072, 0.056, "trousers"),
    "shin": (SHIN, 0.054, 0.040, "trousers"),
    "foot": (0.10, 0.040, 0.028, "shoe"),
    "trunk": (0.25, 0.082, 0.095, "shirt"),
    "chest": (0.23, 0.095, 0.125, "shirt"),
    "neck": (0.08, 0.04, 0.04, "skin"),
    "head": (0.05, 0.082, 0.090, "head"),
    "nose": (0.105, 0.03, 0.016, "skin"),
    "hair": (0.05, 0.090, 0.097, "hair"),
    "face": (0.06, 0.062, 0.066, "face"),
    "tail": (0.15, 0.040, 0.022, "hair"),
}
ARM, LEG = ("upper_arm", "forearm", "hand"), ("thigh", "shin", "foot")
# From back to front. 0 is the far (or left) limb of a pair, 1 the near (or right) one.
SIDE = (
    *((name, 0) for name in ARM + LEG), *((name, 1) for name in LEG), ("neck", 0),
    ("trunk", 0), ("nose", 0), ("head", 0), ("tail", 0), *((name, 1) for name in ARM),
)  # fmt: skip
FRONT = (
    ("tail", 0), ("tail", 1), *((name, side) for side in (0, 1) for name in LEG),
    ("neck", 0), ("chest", 0), ("hair", 0), ("face", 0),
    *((name, side) for side in (0, 1) for name in ARM),
)  # fmt: skip


@dataclass(frozen=True)
class Part:
    """A rigid piece: the capsule from (0, 0) to (length, 0) and what is painted on it.

    `texture` is float32 [rows, columns, 4]: RGB and the distance to the outline in
    pixels, negative inside. Its texel (0, 0) lies at u = v = -margin.
    """

    length: float
    margin: float
    texture: np.ndarray


def _distance(
    u: np.ndarray, v: np.ndarray, length: float, radii: Sequence[float]
) -> np.ndarray:
    """Signed distance to a tapered capsule (Quilez's "uneven capsule")."""
    slope = (radii[0] - radii[1]) / length
    rise = np.sqrt(1 - slope**2)
    v = np.abs(v)
    along = u * rise - v * slope
    root, tip = np.hypot(u, v) - radii[0], np.hypot(u - length, v) - radii[1]
    side = v * rise + u * slope - radii[0]
    return np.where(along < 0, root, np.where(along > rise * length, tip, side))


def make_parts(
    rng: np.random.Generator, front: bool, size: float
) -> dict[tuple[str, int], Part]:
    """Draws a person's clothes, skin and hair and cuts the parts out of them.

    The far limbs of a figure seen from the side lie in shade: near and far differ.
    """
    hair = pick_color(rng, (0.3, 0.9), (0.15, 0.6))
    fabrics = _choose_fabrics(rng, hair)
    step = TEXELS * size * rng.uniform(0.05, 0.075)
    parts = {}
    for name, side in FRONT if front else SIDE:
        *lengths, material = SHAPES[name]
        length, *radii = (size * value for value in lengths)
        margin = max(radii) + 2
        rows = int(2 * margin * TEXELS) + 2
        columns = int((length + 2 * margin) * TEXELS) + 2
        v, u = np.mgrid[:rows, :columns] / TEXELS - margin
        ground, figure, pattern = fabrics[material]
        color = cloth(rng, rows, columns, (ground, figure), pattern, step)
        if material in ("head", "face"):
            color = _paint_face(color, u / size, v / size, material == "face", hair)
        distance = _distance(u, v, length, radii)
        depth = np.clip(1 + distance / radii[1], 0, 1)  # 0 inside, 1 at the outline
        far = not front and side == 0 and name in ARM + LEG
        light = (0.62 if far else 1.0) * (1.05 - 0.55 * depth**4)
        color = np.clip(color * light[..., None], 0, 255).astype(np.float32)
        color = cv2.GaussianBlur(color, (3, 3), 0.7)
        texture = np.dstack([color, distance.astype(np.float32)])
        parts[name, side] = Part(length, margin, texture)
    return parts


def _choose_fabrics(rng: np.random.Generator, hair: np.ndarray) -> dict[str, tuple]:
    """Material -> ground colour, pattern colour, pattern."""
    skin = np.array([232, 180, 146], np.float32) * rng.uniform(0.45, 1.0)
    shirt, print_, trousers, shoe, glove = (
        pick_color(rng, (0.45, 0.9), (0.6, 1.0)) for _ in range(5)
    )
    glove = glove if rng.random() < 0.5 else skin
    return {
        "shirt": (shirt, print_, rng.choice(["rings", "checks", "dots"])),
        "trousers": (trousers, trousers * 0.6, rng.choice(["rings", "checks"])),
        "shoe": (shoe, shoe * 0.5, "rings"),
        "glove": (glove, glove * 0.8, "dots"),
        "skin": (skin, skin * 0.88, "plain"),
        "head": (skin * 1.05, skin * 0.95, "plain"),
        "face": (skin * 1.05, skin * 0.95, "plain"),
        "hair": (hair * 1.2, hair * 0.7, "rings"),
    }


def _paint_face(
    color: np.ndarray, u: np.ndarray, v: np.ndarray, front: bool, hair: np.ndarray
) -> np.ndarray:
    """Paints hair, eyes and mouth; u (up) and v (to the front) in figure heights."""
    if front:
        crown, eyes, mouth = u > 0.092, ((0.047, -0.027), (0.047, 0.027)), (-0.03, 0.0)
    else:
        crown = (u > 0.063) | ((v < -0.018) & (u > -0.027))
        eyes, mouth = ((0.055, 0.045),), (-0.04, 0.068)
    color = np.where(crown[..., None], hair * 0.9, color)
    for along, across in eyes:
        gap = np.hypot(u - along, v - across)[..., None]
        color = np.where(gap < 0.02, 245, color)
        color = np.where(gap < 0.011, 25, color)
    lips = (np.abs(u - mouth[0]) < 0.007) & (np.abs(v - mouth[1]) < 0.024)
    return np.where(lips[..., None], (150, 40, 50), color)


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
    """One piece of cloth, skin or hair, float32 [height, width, 3], not clipped.

    Colours of ground and pattern are float32 [3]; patterns are "rings", "checks",
    "dots" and "plain", `step` texels from one ring, check or dot to the next.
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
