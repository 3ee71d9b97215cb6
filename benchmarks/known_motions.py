"""Frames whose motion, and whose look after it, are known: for benchmarks/warp.py.

Analytic scenes are functions of the place, so they are known between pixels too. A
scene says which pixels count: what both frames show, 4 pixels from the border.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

SIZE = 200
BORDER = 4
COLUMNS, ROWS = np.meshgrid(np.arange(SIZE), np.arange(SIZE))
POINTS = np.stack([COLUMNS, ROWS], axis=-1).astype(np.float64)
CENTER = (SIZE - 1) / 2
TEXTURES = {"smooth": 0.1, "detailed": 0.6}  # radians a pixel


class Scene(NamedTuple):
    """A frame and flow, float32 [H, W, 3] and [H, W, 2], and what they lead to.

    `expected` [H, W, 3] counts where `counts`, bool [H, W].
    """

    frame: np.ndarray
    flow: np.ndarray
    expected: np.ndarray
    counts: np.ndarray


def texture(points: np.ndarray, frequency: float) -> np.ndarray:
    """Colours float32 [..., 3] at any points [..., 2]."""
    x, y = frequency * points[..., 0], frequency * points[..., 1]
    waves = np.sin(x + 0.3 * y), np.cos(0.8 * y - 0.4 * x), np.sin(0.7 * y) * np.cos(x)
    return (127.5 + 120 * np.stack(waves, axis=-1)).astype(np.float32)


def _linear(matrix: np.ndarray, shift: tuple[float, float] = (0, 0)) -> tuple:
    """Where pixels go to, and where they came from."""
    goes = (POINTS - CENTER) @ np.transpose(matrix) + CENTER + shift
    came = (POINTS - CENTER - shift) @ np.linalg.inv(matrix).T + CENTER
    return goes, came


def _turn(degrees: float) -> np.ndarray:
    angle = np.deg2rad(degrees)
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def _waves(start: np.ndarray = POINTS, scale: float = 1.0) -> tuple:
    """Smooth and curved: known backwards, solved for forwards."""

    def came_from(points):
        x, y = points[..., 0] / scale, points[..., 1] / scale
        bend = 4 * np.sin(y / 18) + 2 * np.cos(x / 25), 3 * np.cos(x / 20)
        return points - scale * np.stack(bend, axis=-1)

    goes = start.copy()
    for _ in range(100):  # the bend's slope is below 0.4, so this converges
        goes -= came_from(goes) - start
    return goes, came_from(start)


# One to one: each place of the result shows one place of the frame.
MOTIONS: dict[str, Callable[[], tuple]] = {
    "translation (3.25, -1.75)": lambda: _linear(np.eye(2), (3.25, -1.75)),
    "zoom 1.15": lambda: _linear(1.15 * np.eye(2)),
    "zoom 1.6": lambda: _linear(1.6 * np.eye(2)),
    "zoom 2.5": lambda: _linear(2.5 * np.eye(2)),
    "shrink to 0.7": lambda: _linear(0.7 * np.eye(2)),
    "rotation 12 degrees": lambda: _linear(_turn(12)),
    "waves": _waves,
}


def one_to_one() -> Iterator[tuple[str, Scene]]:
    """Every motion of each texture."""
    inside = _inner(POINTS)
    for motion, places in MOTIONS.items():
        goes, came = places()
        flow = (goes - POINTS).astype(np.float32)
        for name, frequency in TEXTURES.items():
            frame, expected = texture(POINTS, frequency), texture(came, frequency)
            yield (
                f"{motion}, {name}",
                Scene(frame, flow, expected, inside & _inner(came)),
            )


def large_waves(height: int, width: int) -> Scene:
    """The waves, larger in larger pictures; the detailed texture."""
    grid = np.meshgrid(np.arange(width), np.arange(height))
    points = np.stack(grid, axis=-1).astype(np.float64)
    goes, came = _waves(points, min(height, width) / SIZE)
    frame, expected = (texture(p, TEXTURES["detailed"]) for p in (points, came))
    flow = (goes - points).astype(np.float32)
    size = (width, height)
    return Scene(frame, flow, expected, _inner(points, size) & _inner(came, size))


def occlusions() -> Iterator[tuple[str, Scene]]:
    """A square that moves in front of a still ground; what it uncovers is unknown."""
    for name, shift in (("whole pixels", (9, 3)), ("parts of pixels", (8.5, 3.25))):
        then = POINTS - shift
        was, comes = (np.all((p >= 70) & (p < 130), axis=-1) for p in (POINTS, then))
        flow = np.where(was[..., None], shift, 0).astype(np.float32)
        frame = np.where(was[..., None], _front(POINTS), _ground(POINTS))
        expected = np.where(comes[..., None], _front(then), _ground(POINTS))
        yield f"occlusion by {name}", Scene(frame, flow, expected, ~was | comes)


def _front(points: np.ndarray) -> np.ndarray:
    return 80 + 0.6 * texture(points, 0.35)


def _ground(points: np.ndarray) -> np.ndarray:
    return 0.5 * texture(points, 0.15)


def _inner(points: np.ndarray, size: tuple[int, int] = (SIZE, SIZE)) -> np.ndarray:
    last = np.subtract(size, 1 + BORDER)
    return np.all((points > BORDER) & (points < last), axis=-1)
