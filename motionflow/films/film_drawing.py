"""Moments -> frames of a film: arrows, colours, futures and truth side by side.

moments (see `generate.animation`) --draw_film--> uint8 [H, W, 3] each

one future     frame | its flow
a comparison   predicted | its flow | real
futures        a sheet of them, each with its flow, about as wide as high
"""

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from motionflow.drawing import flow_drawing
from motionflow.generate.animation import Shot

_GAP = 4  # white pixels between pictures


def draw_film(
    moments: Iterable[Sequence[Shot]],
    show_flow: bool = False,
    arrows: bool = False,
    real: Sequence[np.ndarray] | None = None,
) -> Iterator[np.ndarray]:
    """Draws moments one by one.

    The colours of a film keep one scale: full brightness is the longest flow of the
    first prediction in any future, but at least half a per cent of the short side (a
    pixel of 200), so that a still film looks still. So do the arrows.

    Args:
      moments: shots of one size.
      show_flow: puts the colour-coded flow to the right of each frame.
      arrows: draws the flow over the frames.
      real: frames to put at the right, one a moment.

    Yields:
      uint8 RGB, all of one size.
    """
    moments = iter(moments)
    first = next(moments)
    height, width = first[0].frame.shape[:2]
    longest = max(float(np.linalg.norm(s.flow, axis=-1).max()) for s in first)
    longest = max(longest, 0.005 * min(height, width))
    # One legend explains all: it hides some of the flow.
    panels = [_FlowPanel(longest, legend=not i) for i in range(len(first))]
    scale = flow_drawing.arrow_scale(longest, height, width)
    captions = _captions(len(first), real is not None)
    for i, shots in enumerate(itertools.chain([first], moments)):
        tiles = []
        for shot, panel, caption in zip(shots, panels, captions, strict=True):
            frame = shot.frame
            if arrows:
                frame = flow_drawing.draw_arrows(frame, shot.flow, scale)
            if caption:
                frame = flow_drawing.write_note(frame, caption, at_bottom=True)
            tiles.append([frame, panel.draw(shot.flow)] if show_flow else [frame])
        if real is not None:
            tiles[-1].append(flow_drawing.write_note(real[i], "real", at_bottom=True))
        yield sheet([beside(parts) for parts in tiles])


def beside(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """Puts pictures of one height side by side, with a white gap."""
    gap = np.full((pictures[0].shape[0], _GAP, 3), 255, np.uint8)
    spaced = [part for picture in pictures for part in (gap, picture)][1:]
    return spaced[0] if len(spaced) == 1 else np.concatenate(spaced, axis=1)


def sheet(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """Arranges pictures of one size row by row, about as wide as high.

    The last row is filled up with white.
    """
    height, width = pictures[0].shape[:2]
    columns = min(math.ceil(math.sqrt(len(pictures) * height / width)), len(pictures))
    empty = [np.full_like(pictures[0], 255)] * (-len(pictures) % columns)
    pictures = [*pictures, *empty]
    rows = [beside(pictures[i : i + columns]) for i in range(0, len(pictures), columns)]
    gap = np.full((_GAP, rows[0].shape[1], 3), 255, np.uint8)
    spaced = [part for row in rows for part in (gap, row)][1:]
    return spaced[0] if len(spaced) == 1 else np.concatenate(spaced, axis=0)


def _captions(num_futures: int, has_real: bool) -> list[str]:
    if num_futures > 1:
        return [f"future {i}" for i in range(1, num_futures + 1)]
    return ["predicted" if has_real else ""]


class _FlowPanel:
    """Draws a flow once, however many frames it moves."""

    def __init__(self, longest: float, legend: bool):
        self._longest, self._legend = longest, legend
        self._last: tuple[np.ndarray, np.ndarray] | None = None

    def draw(self, flow: np.ndarray) -> np.ndarray:
        if self._last is None or flow is not self._last[0]:
            height, width = flow.shape[:2]
            panel = flow_drawing.flow_panel(
                flow, height, width, self._longest, self._legend
            )
            self._last = flow, panel
        return self._last[1]
