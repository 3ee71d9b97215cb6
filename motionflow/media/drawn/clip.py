"""Sample clips drawn by ourselves: a data set that needs no download, with known flow.

    index, seed -> DrawnClip -> frames, true flow, <output_dir>/<action>/<name>.avi

People walk, punch, jump, do push-ups, pull up and wave in front of still backgrounds.
Each pose tells what comes next (see `motions`), so the clips teach what HMDB-51
teaches, in small; and unlike there, the true motion of every pixel is known.

Frames are 200 rows by 266 columns: HMDB-51's shape at the height that the network sees,
so preparing them crops columns (`central_square`) and resamples nothing. Names follow
HMDB-51. A source is one person, one place and one action, with two or three clips.

Flow is float32 [H, W, 2], dx right and dy down, in pixels: where the pixel goes.
"""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from motionflow.errors import InputError
from motionflow.files import drafts
from motionflow.files.outputs import make_folder
from motionflow.media.drawn import motions
from motionflow.media.drawn.figure import Figure
from motionflow.media.drawn.textures import background, make_parts

HEIGHT, WIDTH, NUM_FRAMES, FPS = 200, 266, 40, 30
SOURCES_PER_ROUND, CLIPS_PER_ROUND = 12, 30
# HMDB-51's codec, at a quality that leaves the flow alone; no dates or versions in
# the file and one thread, so that the bytes are the same each time.
_CODEC = {"flags": "+qscale+bitexact", "global_quality": f"{2 * 118}", "threads": "1"}


@dataclass(frozen=True)
class Action:
    """What sets one action apart from the others, sizes in pixels."""

    name: str  # an HMDB-51 class
    motion: Callable[[np.random.Generator], motions.Motion]
    front: bool
    body: str  # HMDB-51: f full body, u upper body
    size: tuple[float, float]
    ground: float  # row of the figure's ground line
    period: tuple[float, float]
    pair: float = 0.0  # distance between two people; 0: always one


ACTIONS = (
    Action("walk", motions.walk, False, "f", (150, 168), 188, (44, 54), 70),
    Action("punch", motions.punch, False, "f", (150, 170), 190, (34, 42), 112),
    Action("jump", motions.jump, False, "f", (128, 142), 188, (50, 58), 100),
    Action("pushup", motions.pushup, False, "f", (165, 180), 172, (40, 50)),
    Action("pullup", motions.pullup, True, "f", (128, 138), 186, (42, 50)),
    Action("wave", motions.wave, True, "u", (205, 225), 290, (38, 46)),
)


@dataclass
class DrawnClip:
    """One clip: still background, moving figures (the first is farthest away)."""

    name: str  # HMDB-51 file name with .avi
    action: str
    source: str
    background: np.ndarray
    figures: list[Figure]
    num_frames: int = NUM_FRAMES

    def frame(self, t: int) -> np.ndarray:
        """Frame `t`, uint8 [200, 266, 3], RGB."""
        return self._draw(t)[0]

    def true_flow(self, t: int, gap: int = 1) -> np.ndarray:
        """Where each pixel of frame `t` lies at `t + gap`: float32 [200, 266, 2].

        A pixel moves with the front-most part that covers its centre; 0 on the
        background. What becomes hidden by then moves with its part all the same.
        """
        owner = self._draw(t)[1]
        flow = np.zeros((HEIGHT, WIDTH, 2), np.float32)
        index = 0
        for figure in self.figures:
            for now, then in zip(figure.place(t), figure.place(t + gap), strict=True):
                y, x = np.nonzero(owner == index)
                moved = figure.to_frame(then, *figure.to_part(now, x, y))
                flow[y, x] = np.stack(moved, -1) - np.stack([x, y], -1)
                index += 1
        return flow

    def _draw(self, t: int) -> tuple[np.ndarray, np.ndarray]:
        """The frame and the number of the part that owns each pixel (-1: none)."""
        canvas = np.ascontiguousarray(self.background.transpose(2, 0, 1))
        owner = np.full((HEIGHT, WIDTH), -1, np.int32)
        first = 0
        for figure in self.figures:
            figure.paint(canvas, owner, t, first)
            first += len(figure.parts)
        frame = np.clip(canvas + 0.5, 0, 255).astype(np.uint8)
        return frame.transpose(1, 2, 0), owner


def central_square(images: np.ndarray) -> np.ndarray:
    """The 200x200 pixels that the network sees: [..., 200, 266, C] cropped."""
    left = (WIDTH - HEIGHT) // 2
    return images[..., left : left + HEIGHT, :]


def make_clip(index: int, seed: int = 0) -> DrawnClip:
    """Makes clip `index` of the endless data set `seed`; equal arguments, equal clips.

    Every 30 clips show 12 sources, two of each action: the first 12 clips one each,
    the next 18 repeat them at another time, speed and place (walkers turn around).
    """
    turn, place = divmod(index, CLIPS_PER_ROUND)
    repeat, slot = divmod(place, SOURCES_PER_ROUND)
    source = turn * SOURCES_PER_ROUND + slot
    action = ACTIONS[source % len(ACTIONS)]
    persistent = np.random.default_rng([seed, source])  # who and where
    passing = np.random.default_rng([seed, source, repeat])  # when, how fast
    num_people = 2 if action.pair and (source // len(ACTIONS)) % 2 else 1
    horizon = int(persistent.uniform(120, 150))
    scenery = background(persistent, HEIGHT, WIDTH, horizon)
    facing = 1 if (turn + repeat) % 2 == 0 else -1
    figures = []
    for person in range(num_people):
        # Two people stand apart and face each other; the first is farther back.
        shift = -0.5 * action.pair * facing * (num_people - 1)
        spot = complex(WIDTH / 2 + shift, action.ground - 6 * (num_people - 1 - person))
        figure = _make_figure(action, spot, facing, persistent, passing)
        figures.append(figure)
        facing = -facing
    if action.name == "pullup":
        _draw_bar(scenery, figures[0])
    view = "fr" if action.front else {1: "ri", -1: "le"}[figures[-1].facing]
    label = f"drawn{seed}x{source:03d}"
    tail = f"{action.body}_nm_np{num_people}_{view}_goo_{repeat}.avi"
    return DrawnClip(
        f"{label}_{action.name}_{tail}", action.name, label, scenery, figures
    )


def _make_figure(
    action: Action,
    spot: complex,
    facing: int,
    persistent: np.random.Generator,
    passing: np.random.Generator,
) -> Figure:
    """Draws one person who is near `spot` in the middle of the clip."""
    size = persistent.uniform(*action.size)
    parts = make_parts(persistent, action.front, size)
    motion = action.motion(persistent)
    period, phase = passing.uniform(*action.period), passing.random()
    middle = motion(phase + NUM_FRAMES / 2 / period).pelvis.real
    jitter = complex(passing.uniform(-10, 10), passing.uniform(-4, 4))
    origin = spot + jitter - facing * size * middle
    return Figure(motion, action.front, facing, size, origin, period, phase, parts)


def _draw_bar(background: np.ndarray, figure: Figure) -> None:
    """A bar on two posts where the hands of a pull-up are."""
    row = round(figure.origin.imag + figure.size * motions.BAR)
    left, right = (round(figure.origin.real + side * 80) for side in (-1, 1))
    for column in (left, right):
        background[row:, column - 3 : column + 4] = (70, 62, 60)
    background[row - 2 : row + 3, left - 8 : right + 9] = (190, 190, 200)


def write_clips(
    output_dir: str,
    num_clips: int = 120,
    seed: int = 0,
    num_workers: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[str]:
    """Writes clips 0 .. num_clips - 1 as `<output_dir>/<action>/<name>.avi`.

    The files depend on `seed` and on the machine's ffmpeg only, not on `num_workers`,
    processes of which one is this. Other files of the folder stay as they are.

    Returns:
      The paths of the written files, in the order of the clips.

    Raises:
      InputError: a number is too small, or `output_dir` cannot be written to.
    """
    for name, value, least in (
        ("num_clips", num_clips, 1), ("seed", seed, 0), ("num_workers", num_workers, 1)
    ):  # fmt: skip
        if value < least:
            raise InputError(f"{name} is {value}; expected at least {least}.")
    make_folder(output_dir)
    jobs = [(output_dir, index, seed) for index in range(num_clips)]
    num_workers = min(num_workers, num_clips)

    def counted(written: Iterable[str]) -> Iterator[str]:
        for number, path in enumerate(written, start=1):
            progress(number, num_clips)
            yield path

    if num_workers == 1:
        return list(counted(map(_write_clip, jobs)))
    # Spawned, because OpenCV does not survive a fork. What goes wrong, or Ctrl-C, ends
    # the map: clips that are being drawn are finished, the others are not begun.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(num_workers, context, _start_worker) as pool:
        return list(counted(pool.map(_write_clip, jobs)))


def _start_worker() -> None:
    cv2.setNumThreads(1)
    # Ctrl-C is the starting process' to answer.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _write_clip(job: tuple[str, int, int]) -> str:
    """Draws and writes one clip."""
    output_dir, index, seed = job
    clip = make_clip(index, seed)
    folder = os.path.join(output_dir, clip.action)
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, clip.name)
    with drafts.draft(path) as draft:
        _encode(draft, clip)
    return path


def _encode(path: Path, clip: DrawnClip) -> None:
    arguments: dict[str, Any] = {"format": "avi", "options": {"fflags": "+bitexact"}}
    with path.open("wb") as file, av.open(file, "w", **arguments) as container:
        stream: Any = container.add_stream("mpeg4", rate=FPS, options=_CODEC)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.codec_tag = "XVID"
        for t in range(clip.num_frames):
            frame = av.VideoFrame.from_ndarray(clip.frame(t))
            frame = frame.reformat(format="yuv420p", interpolation="BICUBIC")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
