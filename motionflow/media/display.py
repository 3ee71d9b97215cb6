"""A decoded frame as players show it: its turn, its pixels' shape, its colours.

av.VideoFrame --Display--> uint8 [H, W, 3] RGB

By the filters that the program ffmpeg uses: `transpose`, `hflip`, `vflip` or `rotate`
by the display matrix, `scale` by the shape of the pixels, and to RGB by the colour
matrix and range that the frame is tagged with.
"""

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np

# Of a pixel's width: encoders round it, and to stretch a frame by a column would only
# blur it.
_ROUNDED = 0.01
_SQUARE = "scale=w='max(1,iw*sar)':h=ih"


class Display:
    """Shows the frames of one video, all in the size of the first.

    Args:
      pixel_aspect: width of a pixel over its height, by the container or the codec.
    """

    def __init__(self, pixel_aspect: Fraction | None):
        self._pixel_aspect = pixel_aspect or Fraction(1)
        self._key: tuple | None = None
        self._graph: Any = None
        self._size = ""

    def __call__(self, frame: Any) -> np.ndarray:
        """Shows an `av.VideoFrame`: uint8 [H, W, 3]."""
        matrix = _display_matrix(frame)
        kind = (frame.format.name, frame.width, frame.height)
        key = (*kind, frame.colorspace, frame.color_range, matrix)
        if key != self._key:
            self._key, self._graph = key, self._make_graph(frame, matrix)
        self._graph.push(frame)
        shown = self._graph.pull()
        self._size = self._size or f"scale={shown.width}:{shown.height}"
        return shown.to_ndarray()

    def _make_graph(self, frame: Any, matrix: tuple[int, ...]) -> Any:
        import av

        graph = av.filter.Graph()
        graph.threads = 1  # the processes share the cores
        aspect = self._pixel_aspect
        source = graph.add(
            "buffer",
            video_size=f"{frame.width}x{frame.height}",
            pix_fmt=frame.format.name,
            time_base=str(frame.time_base or Fraction(1, 1000)),
            pixel_aspect=f"{aspect.numerator}/{aspect.denominator}",
            colorspace=str(frame.colorspace),
            range=str(frame.color_range),
        )
        chain = [*turns(matrix)]
        chain += [_SQUARE] if abs(aspect - 1) > _ROUNDED else []
        chain += [self._size] if self._size else []
        nodes = [source]
        for text in (*chain, "format=rgb24", "buffersink"):
            name, _, arguments = text.partition("=")
            nodes.append(graph.add(name, arguments or None))
        graph.link_nodes(*nodes).configure()
        return graph


def _display_matrix(frame: Any) -> tuple[int, ...]:
    """Nine fixed-point numbers; () where the frame is shown as it is stored."""
    from av.sidedata.sidedata import Type

    found = frame.side_data.get(Type.DISPLAYMATRIX)
    return tuple(np.frombuffer(found, np.int32).tolist()) if found else ()


def turns(matrix: tuple[int, ...]) -> Iterator[str]:
    """The filters that ffmpeg turns a frame with (fftools, `insert_filter`s).

    Args:
      matrix: [a, b, u, c, d, v, x, y, w] of a display matrix, 1 is 1 << 16; or ().
    """
    if not matrix:
        return
    a, b, _, c, d = matrix[:5]
    widths = math.hypot(a, c), math.hypot(b, d)
    if not all(widths):
        return
    angle = round(math.degrees(math.atan2(b / widths[1], a / widths[0]))) % 360
    if angle == 90:
        yield "transpose=" + ("cclock_flip" if c > 0 else "clock")
    elif angle == 270:
        yield "transpose=" + ("clock_flip" if c < 0 else "cclock")
    elif angle == 180:
        if a < 0:
            yield "hflip"
        if d < 0:
            yield "vflip"
    elif angle:
        yield f"rotate={angle}*PI/180"
    elif d < 0:
        yield "vflip"
