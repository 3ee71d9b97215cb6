"""A body part: a tapered capsule of textured cloth, skin or hair.

    random generator, size in pixels -> {(name, side): Part} in drawing order

A part's coordinates are u along its bone, from 0 to its length, and v across it, in
pixels; what is painted on it moves with it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from motionflow.media.drawn import scenery
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
    hair = scenery.pick_color(rng, (0.3, 0.9), (0.15, 0.6))
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
        color = scenery.cloth(rng, rows, columns, (ground, figure), pattern, step)
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
        scenery.pick_color(rng, (0.45, 0.9), (0.6, 1.0)) for _ in range(5)
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
