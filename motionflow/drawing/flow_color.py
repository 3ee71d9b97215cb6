"""Flow -> colours.

Colour convention (the report's Figure 1): the hue is the angle of the flow, clockwise
on the screen because dy points down, starting at red::

                up: violet (270)
    left: cyan (180)   +   right: red (0)        hue in degrees = atan2(dy, dx)
              down: yellow-green (90)            opposite ways: complementary colours

`flow_to_color` is as bright as the vector is long (still = black); `overlay_flow` lays
the bright hue over the frame, as opaque as the vector is long, so still cells show the
frame itself. `color_wheel` is the legend to both; `flow_panels` puts predictions beside
the truth.
"""

from typing import NamedTuple

import cv2
import numpy as np


def flow_to_color(flow: np.ndarray, max_magnitude: float | None = None) -> np.ndarray:
    """Colours each vector of [..., 2] by direction and length: uint8 RGB [..., 3].

    Full brightness is `max_magnitude` pixels, or the longest vector of `flow`.
    """
    return _colors(flow, _strength(flow, max_magnitude))


def overlay_flow(
    frame: np.ndarray,
    flow: np.ndarray,
    max_magnitude: float | None = None,
    opacity: float = 0.8,
) -> np.ndarray:
    """Superimposes the colours of the flow on the frame (the report's Figure 1).

    Args:
      frame: uint8 RGB [H, W, 3].
      flow: [h, w, 2] in pixels of the frame; a coarse grid is drawn as blocks.
      max_magnitude: as in `flow_to_color`.
      opacity: share of the colour where the flow is longest, 0 to 1.

    Returns:
      uint8 [H, W, 3]; still pixels are those of the frame.
    """
    flow = as_blocks(flow, *frame.shape[:2])
    alpha = opacity * _strength(flow, max_magnitude)[..., None]
    color = _colors(flow, np.ones(flow.shape[:-1]))
    return np.rint(frame * (1 - alpha) + color * alpha).astype(np.uint8)


class FlowPanel(NamedTuple):
    """Flow over its frame, uint8 [H, W, 3], and the length of its longest vector."""

    picture: np.ndarray
    longest: float


def flow_panels(
    frame: np.ndarray, true: np.ndarray, *predicted: np.ndarray
) -> list[FlowPanel]:
    """Draws true flow [h, w, 2], then predictions of it, over their frame.

    All are on the scale of the truth, so that a timid prediction looks pale.
    """
    full = longest(true)
    return [
        FlowPanel(overlay_flow(frame, flow, full), longest(flow))
        for flow in (true, *predicted)
    ]


def longest(flow: np.ndarray) -> float:
    """Length of the longest vector of [..., 2]."""
    return float(np.linalg.norm(flow, axis=-1).max())


def as_blocks(flow: np.ndarray, height: int, width: int) -> np.ndarray:
    """A coarse grid [h, w, 2] at the size of a picture, float32 [height, width, 2]."""
    flow = np.asarray(flow, np.float32)
    return cv2.resize(flow, (width, height), interpolation=cv2.INTER_NEAREST)


def color_wheel(size: int = 101) -> np.ndarray:
    """The legend: each point shows the colour of the flow that points there.

    uint8 RGB [size, size, 3]; full brightness on the rim, white outside.
    """
    axis = np.linspace(-1, 1, size)
    flow = np.stack(np.meshgrid(axis, axis), axis=-1)
    color = flow_to_color(flow, max_magnitude=1.0)
    color[np.linalg.norm(flow, axis=-1) > 1] = 255
    return color


def _strength(flow: np.ndarray, max_magnitude: float | None) -> np.ndarray:
    """Length of the flow as a fraction of `max_magnitude`, clipped to 1."""
    magnitude = np.linalg.norm(np.asarray(flow, np.float64), axis=-1)
    if max_magnitude is None:
        max_magnitude = magnitude.max(initial=0)
    if max_magnitude <= 0:
        return np.zeros_like(magnitude)
    return np.clip(magnitude / max_magnitude, 0, 1)


def _colors(flow: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Saturated colours of the directions of a flow, uint8."""
    flow = np.asarray(flow, np.float64)
    hue = np.arctan2(flow[..., 1], flow[..., 0]) / (2 * np.pi) % 1
    sixths = (6 * hue[..., np.newaxis] + np.array([0, 4, 2])) % 6
    color = value[..., np.newaxis] * np.clip(abs(sixths - 3) - 1, 0, 1)
    return np.rint(255 * color).astype(np.uint8)
