"""Flow as something to look at: arrows over a frame, colours with their legend.

    frame, flow --draw_motion--> the frame, enlarged, under colours and arrows
    frame, flow --draw_arrows--> the frame under one arrow a cell that moves
    flow        --flow_panel---> colours (see `flow_color`), a wheel that explains them
    pictures    --sheet, beside-> one picture

All take flow in pixels of the picture that is drawn, whatever the size of its grid.
Pictures are uint8 RGB [H, W, 3], and none that is given is changed.
"""

import math
from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from motionflow.drawing.flow_color import (
    as_blocks,
    color_wheel,
    flow_to_color,
    longest,
    overlay_flow,
)

NUM_CELLS = 20  # arrows along the short side, fewer where these would be too small
_SMALLEST_CELL = 14  # pixels
# The longest and the shortest arrow, in cells: longer ones would hide each other,
# shorter ones show no direction.
_LONGEST, _SHORTEST = 1.6, 0.2
_SCALES = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)
_SHIFT = 4  # bits behind the point in OpenCV's coordinates
_SMALLEST_TEXT = 9  # pixels
_DARK = (0, 0, 0, 160)
_DRAWN_SIDE = 800  # pixels: arrows and cells stay sharp on a small picture
_GAP = 4  # white pixels between pictures


def draw_motion(frame: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """Draws the flow over its picture, enlarged, as colours and arrows.

    A coarse grid is read linearly; full colour is the longest vector, see `full_scale`.
    """
    before = frame.shape[1]
    frame = enlarge(frame)
    height, width = frame.shape[:2]
    flow = cv2.resize(flow, (width, height)) * (width / before)
    full = full_scale(longest(flow), height, width)
    colored = overlay_flow(frame, flow, full, opacity=0.65)
    return draw_arrows(colored, flow, arrow_scale(full, height, width))


def full_scale(length: float, height: int, width: int) -> float:
    """The length that gets full brightness: half a per cent of the short side at least.

    That is a pixel of 200: a picture in which next to nothing moves looks still.
    """
    return max(length, 0.005 * min(height, width))


def enlarge(frame: np.ndarray) -> np.ndarray:
    """Brings a picture's longer side to 800 pixels, on which cells look sharp."""
    scale = _DRAWN_SIDE / max(frame.shape[:2])
    shape = [max(1, round(side * scale)) for side in frame.shape[1::-1]]
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return cv2.resize(frame, shape, interpolation=method)


def arrow_scale(max_magnitude: float, height: int, width: int) -> float:
    """How many times longer than the motion arrows are drawn: 1, 2, 5, 10, 20, ...

    The most that leaves the longest within about a cell and a half, or 1.
    """
    reach = _LONGEST * _cell(height, width)
    fitting = [scale for scale in _SCALES if scale * max_magnitude <= reach]
    return max(fitting, default=_SCALES[0])


def draw_arrows(frame: np.ndarray, flow: np.ndarray, scale: float = 1.0) -> np.ndarray:
    """Draws an arrow from the centre of each cell that moves to where it goes.

    White with a black rim, so that it shows on any ground. The scale is written into
    the upper left corner if it is not 1 and there is room.

    Args:
      frame: what is drawn on.
      flow: [h, w, 2]; flow that is finer than the arrows (20 along the short side, 14
        pixels apart at least) is averaged.
      scale: length of an arrow divided by that of the motion. Cells whose arrow would
        be shorter than a fifth of a cell are left empty.
    """
    height, width = frame.shape[:2]
    cells = scale * _to_cells(flow, height, width)
    rows, columns = cells.shape[:2]
    drawn = frame.copy()
    shortest = _SHORTEST * _cell(height, width)
    for row, column in np.argwhere(np.linalg.norm(cells, axis=-1) >= shortest):
        # Pixel 0 has its centre at 0.
        x = (column + 0.5) * width / columns - 0.5
        y = (row + 0.5) * height / rows - 0.5
        start = np.array([x, y])
        _arrow(drawn, start, start + cells[row, column])
    if scale != 1:
        drawn = write_note(drawn, f"arrows: {scale:g} x the motion")
    return drawn


def flow_panel(
    flow: np.ndarray, height: int, width: int, max_magnitude: float, legend: bool = True
) -> np.ndarray:
    """Draws the flow in colours, blocks of a coarse grid, on a panel of this size.

    Full brightness is `max_magnitude` pixels per prediction. The legend in the lower
    left corner says in words what its wheel shows, if the panel is large enough.
    """
    panel = flow_to_color(as_blocks(flow, height, width), max_magnitude)
    if legend:
        _lay_over(panel, _legend(height, width, max_magnitude), height)
    return panel


def write_note(picture: np.ndarray, text: str, at_bottom: bool = False) -> np.ndarray:
    """Writes a line into the upper or lower left corner, if there is room."""
    height, width = picture.shape[:2]
    noted, box = picture.copy(), _text_box([text], _text_size(height, width))
    if box.width <= 0.9 * width and box.height <= 0.4 * height:
        _lay_over(noted, box, height if at_bottom else box.height)
    return noted


def beside(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """Puts pictures of one height side by side, with a white gap."""
    return _spaced(pictures, axis=1)


def sheet(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """Arranges pictures of one size row by row, about as wide as high.

    The last row is filled up with white.
    """
    height, width = pictures[0].shape[:2]
    columns = min(math.ceil(math.sqrt(len(pictures) * height / width)), len(pictures))
    empty = [np.full_like(pictures[0], 255)] * (-len(pictures) % columns)
    pictures = [*pictures, *empty]
    rows = [beside(pictures[i : i + columns]) for i in range(0, len(pictures), columns)]
    return _spaced(rows, axis=0)


def _spaced(pictures: Sequence[np.ndarray], axis: int) -> np.ndarray:
    shape = list(pictures[0].shape)
    shape[axis] = _GAP
    gap = np.full(shape, 255, np.uint8)
    spaced = [part for picture in pictures for part in (gap, picture)][1:]
    return spaced[0] if len(spaced) == 1 else np.concatenate(spaced, axis)


def _cell(height: int, width: int) -> float:
    """Distance of the arrows, pixels."""
    return max(min(height, width) / NUM_CELLS, _SMALLEST_CELL)


def _to_cells(flow: np.ndarray, height: int, width: int) -> np.ndarray:
    flow, cell = np.asarray(flow, np.float32), _cell(height, width)
    rows, columns = (max(round(side / cell), 1) for side in (height, width))
    if flow.shape[0] <= rows and flow.shape[1] <= columns:
        return flow
    return cv2.resize(flow, (columns, rows), interpolation=cv2.INTER_AREA)


def _arrow(picture: np.ndarray, start: np.ndarray, end: np.ndarray) -> None:
    thickness = max(1, round(min(picture.shape[:2]) / 400))
    tail, tip = (
        tuple(round(float(n) * 2**_SHIFT) for n in point) for point in (start, end)
    )
    for color, width in ((0, 0, 0), 2 * thickness + 1), ((255, 255, 255), thickness):
        cv2.arrowedLine(
            picture, tail, tip, color, width, cv2.LINE_AA, _SHIFT, tipLength=0.35
        )


def _text_size(height: int, width: int) -> int:
    return max(_SMALLEST_TEXT, min(height, width) // 36)


def _text_box(lines: list[str], size: int) -> Image.Image:
    """White text on a dark box that lets some of the picture through, RGBA."""
    font, step = ImageFont.load_default(size), round(1.25 * size)
    margin = size // 2
    widest = max(font.getlength(line) for line in lines)
    shape = round(widest) + 2 * margin, step * len(lines) + 2 * margin
    box = Image.new("RGBA", shape, _DARK)
    draw = ImageDraw.Draw(box)
    for i, line in enumerate(lines):
        draw.text((margin, margin + i * step), line, "white", font)
    return box


def _legend(height: int, width: int, max_magnitude: float) -> Image.Image:
    """The wheel, and beside it what it means where there is room; RGBA."""
    size, full = _text_size(height, width), f"{max_magnitude:.3g} px"
    wide = (
        "hue: direction of motion\nright red, down yellow-green,\n"
        f"left cyan, up violet\nfull brightness: {full}\nper prediction"
    )
    narrow = (
        "right red, left cyan,\ndown yellow-green,\nup violet; full\n"
        f"brightness: {full}\nper prediction"
    )
    for text in wide, narrow:
        words, margin = _text_box(text.splitlines(), size), size // 2
        if words.height + words.width <= 0.8 * width and words.height <= 0.4 * height:
            box = Image.new("RGBA", (words.height + words.width, words.height), _DARK)
            box.paste(words, (words.height, 0))
            box.alpha_composite(_wheel(words.height - 2 * margin), (margin, margin))
            return box
    short = min(height, width)
    return _wheel(min(max(short // 4, 9), short))


def _wheel(diameter: int) -> Image.Image:
    """The colour wheel with a grey rim, nothing outside of it; RGBA."""
    large = 4 * diameter  # drawn large and averaged: a smooth rim
    axis = np.linspace(-1, 1, large)
    radius = np.hypot(axis, axis[:, np.newaxis])
    colors = color_wheel(large)
    colors[radius > 1 - 2 / diameter] = 128
    alpha = np.where(radius <= 1, 255, 0).astype(np.uint8)
    wheel = Image.fromarray(np.dstack([colors, alpha]))
    return wheel.resize((diameter, diameter), Image.Resampling.BOX)


def _lay_over(picture: np.ndarray, box: Image.Image, bottom: int) -> None:
    """Lays an RGBA box over the left edge of a picture; its last row is bottom - 1."""
    part = picture[bottom - box.height : bottom, : box.width]
    below = Image.fromarray(part).convert("RGBA")
    below.alpha_composite(box)
    part[:] = np.asarray(below.convert("RGB"))
