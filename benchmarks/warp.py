"""Forward warp against SciPy's griddata, the report's way of interpolating.

    python benchmarks/warp.py [FOLDER]

FOLDER holds pairs of frames with their true flow, as in benchmarks/flow_methods.py.
Everything in one run, on the CPU:

1. Known motions, 200x200: PSNR in dB against the analytic result, on a smooth and on a
   detailed texture, and under occlusion. `warp` is `warp.forward` with the faster
   pixels in front, as roll-outs use it; `splat` scatters colours; `gather` is the
   common shortcut of looking up at -flow; griddata triangulates once for all channels.
   What neither frame shows does not count.
2. True flow: drawn clips, and the pairs of FOLDER at full size. PSNR of the warped
   frame against the next one, where a pixel of known flow arrives within a pixel.
3. Speed: milliseconds in turns, the warp's the median of several calls.
4. Films: the shorter way of roll-outs, which inverts smooth flow on a coarse grid,
   beside the full one, in turns: waves as large as the picture is, drawn clips' true
   flow enlarged without smoothing its edges. griddata up to 480x480.
"""

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import cv2
import flow_methods
import known_motions
import numpy as np
import tensorflow as tf
from common import machine, print_table, seconds
from known_motions import Scene
from scipy.interpolate import griddata
from scipy.spatial import cKDTree

from motionflow.generate import film_warp, warp
from motionflow.media import drawn
from motionflow.media.picture import read_image

NUM_TURNS, NUM_CALLS = 5, 15
METHODS = ("warp", "splat", "gather", "griddata")
FILM_SIZES = ((200, 200), (480, 480), (1080, 1920))


@tf.function
def ours(frames: tf.Tensor, flow: tf.Tensor) -> tf.Tensor:
    """The full scheme inside of a graph, as roll-outs call it, [B, H, W, 3]."""
    return warp.forward(frames, flow, "magnitude")[0]


def filmed(frames: tf.Tensor, flow: tf.Tensor) -> tf.Tensor:
    """As roll-outs move frames."""
    return film_warp.read(frames, _inverse(flow))


@tf.function
def _inverse(flow: tf.Tensor) -> tf.Tensor:
    return film_warp.smoothly(lambda field: warp.invert(field, "magnitude")[0], flow)


@tf.function
def splatted(frames: tf.Tensor, flow: tf.Tensor) -> tf.Tensor:
    """Colours scattered, normalised, filled."""
    return warp.forward(frames, flow, "magnitude", mode="splat")[0]


@tf.function
def looked_up(frames: tf.Tensor, flow: tf.Tensor) -> tf.Tensor:
    """One bilinear gather."""
    return warp.backward(frames, flow)


def scattered(scene: Scene) -> np.ndarray:
    """The report: colours at their targets, linear between three points."""
    shape = scene.frame.shape
    pixels = np.stack(np.meshgrid(np.arange(shape[1]), np.arange(shape[0])), axis=-1)
    known = np.isfinite(scene.flow).all(axis=-1)
    return griddata(
        (pixels + scene.flow)[known],
        scene.frame[known],
        (pixels[..., 0], pixels[..., 1]),
        method="linear",
    )


def results(scene: Scene) -> dict[str, np.ndarray]:
    """The warped frame by each method."""
    frames, flow = tf.constant(scene.frame[None]), tf.constant(scene.flow[None])
    return {
        "warp": ours(frames, flow)[0].numpy(),
        "splat": splatted(frames, flow)[0].numpy(),
        "gather": looked_up(frames, -flow)[0].numpy(),
        "griddata": scattered(scene),
    }


def quality(scene: Scene) -> list[float]:
    """PSNR in dB of each method, over what counts and griddata reaches."""
    found = results(scene)
    counts = scene.counts & np.isfinite(found["griddata"]).all(axis=-1)
    return [psnr(found[m][counts], scene.expected[counts]) for m in METHODS]


def psnr(found: np.ndarray, expected: np.ndarray) -> float:
    """In dB; what is equal gets 138."""
    return 10 * np.log10(255**2 / np.maximum(np.mean((found - expected) ** 2), 1e-9))


def true_flow_scenes(folder: Path | None) -> Iterator[tuple[str, Scene]]:
    """Drawn clips, and pairs of real frames (or rendered ones) from the folder."""
    for index in range(6):
        clip = drawn.make_clip(index)
        frame, after = (clip.frame(t).astype(np.float32) for t in (6, 7))
        flow = clip.true_flow(6)
        yield f"drawn: {clip.action}", Scene(frame, flow, after, reached(flow))
    for name, pair in flow_methods.PAIRS.items() if folder else ():
        if not (folder / pair.truth).is_file():
            print(f"{name} left out: there is no {pair.truth} in {folder}")
            continue
        frame, after = (
            read_image(folder / path).astype(np.float32)
            for path in (pair.first, pair.second)
        )
        flow, known = flow_methods.read_flow(folder / pair.truth)
        flow = np.where(known[..., None], flow, np.nan).astype(np.float32)
        yield name, Scene(frame, flow, after, reached(flow))


def film_scenes() -> Iterator[tuple[str, Scene]]:
    """Smooth motion of several sizes, and motion with edges."""
    for height, width in FILM_SIZES:
        scene = known_motions.large_waves(height, width)
        yield f"waves, {width}x{height}", scene
    side = FILM_SIZES[1][0]
    for name, scene in true_flow_scenes(None):
        scale = side / len(scene.frame)
        frame, after = (
            cv2.resize(image, (side, side), interpolation=cv2.INTER_LINEAR)
            for image in (scene.frame, scene.expected)
        )
        flow = cv2.resize(scene.flow, (side, side), interpolation=cv2.INTER_NEAREST)
        yield name, Scene(frame, scale * flow, after, reached(scale * flow))


def reached(flow: np.ndarray) -> np.ndarray:
    """Pixels that a pixel of known flow comes within one pixel of, bool [H, W]."""
    height, width = flow.shape[:2]
    pixels = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1)
    targets = (pixels + flow)[np.isfinite(flow).all(axis=-1)]
    distance, _ = cKDTree(targets).query(pixels.reshape(-1, 2), distance_upper_bound=2)
    return (distance < 1).reshape(height, width)


def milliseconds(function: Callable, *arguments: tf.Tensor) -> float:
    """Median of several calls."""
    calls = [
        seconds(lambda: np.asarray(function(*arguments))) for _ in range(NUM_CALLS)
    ]
    return 1000 * float(np.median(calls))


def print_quality(title: str, scenes: Iterator[tuple[str, Scene]]) -> None:
    """One row a scene."""
    rows = []
    for name, scene in scenes:
        values = quality(scene)
        cells = [*values, values[0] - values[-1]]
        rows.append([name, *(f"{value:.1f}" for value in cells)])
    print_table([title, *METHODS, "warp - griddata"], rows)


def print_against_griddata() -> None:
    """Batch 1, 200x200: medians over turns, and of their ratios."""
    rows = []
    scenes = [s for s in known_motions.one_to_one() if s[0].endswith("smooth")]
    for name, scene in [*scenes, *known_motions.occlusions()]:
        frames, flow = tf.constant(scene.frame[None]), tf.constant(scene.flow[None])
        ours(frames, flow)
        turns = [
            (milliseconds(ours, frames, flow), 1000 * seconds(scattered, scene))
            for _ in range(NUM_TURNS)
        ]
        fast, slow = np.transpose(turns)
        times = f"{np.median(fast):.1f}", f"{np.median(slow):.0f}"
        ratio = f"{np.median(slow / fast):.0f}"
        rows.append([name.removesuffix(", smooth"), *times, ratio])
    print_table(["200x200, ms", "warp", "griddata", "times faster"], rows)


def print_against_gather() -> None:
    """The scheme beside one bare look-up, of rough motion."""
    rows, random = [], np.random.default_rng(0)
    for shape in ((1, 200, 200), (8, 200, 200), (1, 1080, 1920)):
        frames = tf.constant(random.uniform(0, 255, (*shape, 3)), tf.float32)
        flow = tf.image.resize(random.normal(0, 6, (*shape[:1], 20, 20, 2)), shape[1:])
        turns = turns_of((ours, splatted, looked_up), frames, flow)
        values = [*np.median(turns, axis=0) / shape[0]]
        values.append(np.median(turns[:, 0] / turns[:, 2]))
        rows.append(["x".join(map(str, shape)), *(f"{value:.1f}" for value in values)])
    head = ["frames, ms a frame", "warp", "splat", "one gather", "warp / gather"]
    print_table(head, rows)


def turns_of(ways: Sequence[Callable], *arguments: tf.Tensor) -> np.ndarray:
    """Milliseconds [turns, ways], after a call of each that traces."""
    for way in ways:
        way(*arguments)
    return np.array(
        [[milliseconds(way, *arguments) for way in ways] for _ in range(NUM_TURNS)]
    )


def print_films() -> None:
    """The full inverse beside the coarse one and one call of griddata."""
    rows = []
    for name, scene in film_scenes():
        frames, flow = tf.constant(scene.frame[None]), tf.constant(scene.flow[None])
        full, film = (way(frames, flow)[0].numpy() for way in (ours, filmed))
        turns = turns_of((ours, filmed), frames, flow)
        # It would take minutes for a large picture.
        is_small = len(scene.frame) <= FILM_SIZES[1][0]
        start = time.perf_counter()
        report = scattered(scene) if is_small else np.full_like(full, np.nan)
        took = 1000 * (time.perf_counter() - start) if is_small else np.nan
        counts = scene.counts & (np.isfinite(report).all(axis=-1) | (not is_small))
        values = [*np.median(turns, axis=0), took, np.median(turns[:, 0] / turns[:, 1])]
        values += [
            psnr(w[counts], scene.expected[counts]) for w in (full, film, report)
        ]
        rows.append([name, *(f"{value:.1f}" for value in (*values, psnr(film, full)))])
    head = ["films", "full, ms", "film, ms", "griddata, ms", "full / film", "full, dB"]
    head += ["film, dB", "griddata, dB", "film against full, dB"]
    print_table(head, rows)


def main() -> None:
    """Prints the tables."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    print(machine(TensorFlow=tf.__version__))
    print_quality("known motion, PSNR in dB", known_motions.one_to_one())
    print_quality("occlusion, PSNR in dB", known_motions.occlusions())
    print_quality("true flow, PSNR in dB", true_flow_scenes(folder))
    print_against_griddata()
    print_against_gather()
    print_films()


if __name__ == "__main__":
    main()
