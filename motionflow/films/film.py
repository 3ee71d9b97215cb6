"""A picture that plays on: frames one by one, a file, what is to be said about it.

    predictor, frame, Animation --Film--> frames uint8 [H, W, 3] --save--> a file

A film is played anew each time that it is asked for its frames, so it holds none.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from motionflow.drawing import flow_drawing, pictures
from motionflow.drawing.flow_color import longest
from motionflow.generate.animation import Animation, Shot
from motionflow.media import picture, video_writer
from motionflow.models import decoding
from motionflow.models.predictor import Predictor

LEAST_MOTION = 0.5  # pixels; what moves less is not seen to move
_TRACKED = 64  # points along the longer side that are followed through a film

Progress = Callable[[int, int], None]  # called with (frames done, frames in all)


def no_progress(done: int, total: int) -> None:
    """Says nothing."""


class Film:
    """A picture that plays on; iterate for its frames, `save` for a file.

    Args:
      predictor: predicts squares.
      frame: uint8 [H, W, 3] RGB, where it starts.
      animation: how it is played on.
      show_flow: puts the flow, in colours, beside each frame.
      show_arrows: draws the flow over the frames.
      fps: frames a second.

    Attributes:
      largest_motion: how far anything gets from where it began, pixels of the picture;
        None before the film was played.
      first: the first shot of the (first) future: its flow and the distributions that
        it was decoded from; None before the film was played.
    """

    def __init__(
        self,
        predictor: Predictor,
        frame: np.ndarray,
        animation: Animation,
        show_flow: bool = False,
        show_arrows: bool = False,
        fps: float = 10.0,
    ):
        self._predictor, self._frame, self._animation = predictor, frame, animation
        self._show_flow, self._show_arrows = show_flow, show_arrows
        self._fps = fps
        self.largest_motion: float | None = None
        self.first: Shot | None = None

    def __len__(self) -> int:
        """Frames, the picture itself among them."""
        return self._animation.num_moments

    def __repr__(self) -> str:
        """How long it is."""
        return f"Film({len(self)} frames, {self._fps:g} a second)"

    def __iter__(self) -> Iterator[np.ndarray]:
        """Plays the film: uint8 [H, W, 3] RGB, the first shows the picture."""
        moments = self._watched(self._animation.play(self._predictor, self._frame))
        return draw_film(moments, self._show_flow, self._show_arrows)

    def save(
        self, path: str | Path, progress: Progress = no_progress, mark: str = ""
    ) -> None:
        """Writes an MP4, a GIF, or a folder of PNGs (no suffix), whole or not at all.

        What is there is replaced. `mark` says who made it, see `files.outputs`.

        Raises:
          InputError: see `check_output`; one side of the picture is more than 16 times
            the other; or the model cannot be played in this mode.
        """
        check_output(path)
        write_film(path, self, len(self), self._fps, progress, mark)

    def remarks(self) -> list[str]:
        """What somebody who waits for motion should be told; after the film was played.

        That nothing moves, or that the film shows a mean of possible motions although
        rest is the most probable one everywhere; mostly nothing.
        """
        largest, first = self.largest_motion, self.first
        assert largest is not None and first is not None, "it was played"
        if largest < LEAST_MOTION:
            return [
                f"nothing here is expected to move (largest motion {largest:.1f} px): "
                f"an arrow says what moves, a temperature of 0.38 moves more where the "
                f"model is unsure, drawn futures show what is possible"
            ]
        played = self._animation
        chosen = played.num_futures or played.temperature == 0 or played.control.is_told
        if not chosen and self._probable_motion(first) < LEAST_MOTION:
            return [
                f"rest is the most probable motion everywhere; what the film shows is "
                f"the mean of all possible ones (up to {largest:.1f} px): drawn "
                f"futures show single ones"
            ]
        return []

    def _repr_html_(self) -> str:
        """Plays in a notebook."""
        uri = pictures.video_uri(self, self._fps)
        return f'<video src="{uri}" controls autoplay loop muted></video>'

    def _watched(self, moments: Iterator[list[Shot]]) -> Iterator[list[Shot]]:
        """Follows points through the film."""
        paths: list[_Path] = []
        largest, share = 0.0, 1 / self._animation.frames_per_prediction
        for number, shots in enumerate(moments):
            if not number:
                paths, self.first = [_Path(shot.flow) for shot in shots], shots[0]
            else:
                moved = zip(paths, shots, strict=True)
                largest = max(largest, *(p.move(shot.flow, share) for p, shot in moved))
            self.largest_motion = largest
            yield shots

    def _probable_motion(self, shot: Shot) -> float:
        flow = decoding.decode(shot.probabilities, self._predictor.centers, 0)
        scale = min(self._frame.shape[:2]) / self._predictor.frame_size
        return scale * longest(flow)


class _Path:
    """Points of a picture, moved along the flow that they are in."""

    def __init__(self, flow: np.ndarray):
        height, width = flow.shape[:2]
        step = max(1, max(height, width) // _TRACKED)
        rows = np.arange(step // 2, height, step)
        columns = np.arange(step // 2, width, step)
        self._start = np.stack(np.meshgrid(columns, rows), -1).astype(np.float32)
        self._now = self._start.copy()

    def move(self, flow: np.ndarray, share: float) -> float:
        """Moves on by a share of the flow; returns how far the farthest has come."""
        x, y = cv2.split(self._now)
        found = cv2.remap(flow, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        self._now += share * found
        return longest(self._now - self._start)


def draw_film(
    moments: Iterable[Sequence[Shot]],
    show_flow: bool = False,
    arrows: bool = False,
    real: Sequence[np.ndarray] | None = None,
) -> Iterator[np.ndarray]:
    """Draws moments: frame | flow, predicted | flow | real, or a sheet of futures.

    Colours and arrows of a film keep one scale: full brightness is the longest flow of
    the first prediction in any future, see `flow_drawing.full_scale`.

    Args:
      moments: shots of one size.
      show_flow: puts the colour-coded flow to the right of each frame.
      arrows: draws the flow over the frames.
      real: frames to put at the right, one a moment.
    """
    moments = iter(moments)
    first = next(moments)
    height, width = first[0].frame.shape[:2]
    full = max(longest(shot.flow) for shot in first)
    full = flow_drawing.full_scale(full, height, width)
    scale = flow_drawing.arrow_scale(full, height, width)
    captions = ["predicted" if real is not None else ""]
    if len(first) > 1:
        captions = [f"future {i}" for i in range(1, len(first) + 1)]
    drawn: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def panel(future: int, flow: np.ndarray) -> np.ndarray:
        """Drawn once, however many frames a flow moves."""
        if future not in drawn or drawn[future][0] is not flow:
            has_legend = not future  # one explains all: it hides some of the flow
            colors = flow_drawing.flow_panel(flow, height, width, full, has_legend)
            drawn[future] = flow, colors
        return drawn[future][1]

    for i, shots in enumerate(itertools.chain([first], moments)):
        tiles = []
        for future, (shot, caption) in enumerate(zip(shots, captions, strict=True)):
            frame = shot.frame
            if arrows:
                frame = flow_drawing.draw_arrows(frame, shot.flow, scale)
            if caption:
                frame = flow_drawing.write_note(frame, caption, at_bottom=True)
            tiles.append([frame, panel(future, shot.flow)] if show_flow else [frame])
        if real is not None:
            tiles[-1].append(flow_drawing.write_note(real[i], "real", at_bottom=True))
        yield flow_drawing.sheet([flow_drawing.beside(parts) for parts in tiles])


def write_film(
    path: str | Path,
    frames: Iterable[np.ndarray],
    total: int,
    fps: float,
    progress: Progress,
    mark: str = "",
    sound_of: str | Path | None = None,
) -> None:
    """Writes frames as the path's suffix says; see `Film.save`, `write_video`."""

    def counted() -> Iterator[np.ndarray]:
        for number, frame in enumerate(frames, start=1):
            yield frame
            progress(number, total)

    if Path(path).suffix:
        video_writer.write_video(path, counted(), fps, mark, sound_of)
    else:
        picture.write_frames(path, counted(), mark)


def check_output(path: str | Path) -> None:
    """Refuses what no film can be written to, before the work."""
    if Path(path).suffix:
        video_writer.check_output(path)
    else:
        picture.check_frames_folder(path)
