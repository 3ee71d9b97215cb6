"""Each flow method against ground truth, and what a 200x200 pair costs.

    python benchmarks/flow_methods.py FOLDER

FOLDER holds pairs of frames with their true flow, from Middlebury, MPI-Sintel, KITTI
and FlyingChairs, as `PAIRS` below names them. Printed for each method and pair: the
end-point error (the mean distance to the true flow, in pixels, over the pixels whose
flow is known) at full size, and after both frames were fitted to 200x200 as the tool
fits them. There the true flow is resized, cropped and scaled alike, so that its error
counts these pixels, fewer than before, or more for a crop that is enlarged. The last
line is the error of no motion at all.

The milliseconds of a 200x200 pair are the median of several turns over all pairs, the
methods in turn, on one thread. A pair whose files are not all there is named.

The second FlyingChairsOcc crop of mmflow's tests (0000000-flow_01.flo) is left out:
its flow does not belong to its frames. Undoing the flow leaves them 9.8 gray levels
apart, against 10.2 before; for the crop used here it is 2.2 against 4.5.
"""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from common import machine, print_table, seconds

from motionflow.labels.flow import FLOW_METHODS, make_flow_function
from motionflow.media.picture import read_image
from motionflow.media.video import fit_frame

SIZE = 200
UNKNOWN = 1e9  # Middlebury marks a pixel of unknown flow by a larger value
# OpenCV's PCAFlow writes past its memory where a frame has fewer rows, columns.
PCAFLOW_MINIMUM = 56, 72


class Pair(NamedTuple):
    """Files of one pair, relative to FOLDER."""

    first: str
    second: str
    truth: str


PAIRS = {
    "RubberWhale": Pair(
        "middlebury_RubberWhale/frame10.png",
        "middlebury_RubberWhale/frame11.png",
        "middlebury_RubberWhale/flow10.flo",
    ),
    "Sintel 29": Pair(
        "sintel_0029/frame_0029.png",
        "sintel_0029/frame_0030.png",
        "sintel_0029/gt_frame_0029.flo",
    ),
    "KITTI": Pair("kitti/frame1.png", "kitti/frame2.png", "kitti/flow_gt.png"),
    "Chairs 1": Pair(
        "flyingchairs/0000001-img0.ppm",
        "flyingchairs/0000001-img1.ppm",
        "flyingchairs/0000001-gt.flo",
    ),
    "Chairs 3": Pair(
        "flyingchairs/0000003-img0.ppm",
        "flyingchairs/0000003-img1.ppm",
        "flyingchairs/0000003-gt.flo",
    ),
    "Chairs crop": Pair(
        "mmflow_tests/00001_img1.ppm",
        "mmflow_tests/00001_img2.ppm",
        "mmflow_tests/00001_flow.flo",
    ),
}


class Scene(NamedTuple):
    """Two gray frames uint8 [H, W], their flow [H, W, 2], and where it is known."""

    first: np.ndarray
    second: np.ndarray
    flow: np.ndarray
    known: np.ndarray


def read_flow(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Flow [H, W, 2] and where it is known, bool [H, W], from .flo or KITTI's PNG."""
    if path.suffix == ".flo":
        flow = cv2.readOpticalFlow(str(path))
        return flow, np.all(np.abs(flow) < UNKNOWN, axis=-1)
    # KITTI: red is dx, green is dy, each 64 (d + 512); blue is 1 where they are known.
    # OpenCV reads the channels in the order blue, green, red.
    known, dy, dx = np.moveaxis(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), -1, 0)
    return np.stack([dx, dy], -1) / np.float32(64) - np.float32(512), known > 0


def fit_flow(flow: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """True flow as it is between two frames that `fit_frame` made smaller.

    A small pixel's flow is the mean over the known part of what it covers; it is known
    where that is at least half.
    """
    height, width = known.shape
    scale = SIZE / min(height, width)
    grown = np.array([round(width * scale) / width, round(height * scale) / height])
    weight = known[..., np.newaxis].astype(np.float32)
    sums = fit_frame(np.dstack([np.where(known[..., None], flow, 0), weight]), SIZE)
    share = sums[..., 2:]
    fitted = grown * sums[..., :2] / np.maximum(share, 1e-6)
    return fitted.astype(np.float32), share[..., 0] >= 0.5


def load(folder: Path, pair: Pair) -> tuple[Scene, Scene]:
    """The pair at full size and at 200x200."""
    frames = [read_image(folder / name) for name in (pair.first, pair.second)]
    fitted = [fit_frame(frame, SIZE) for frame in frames]
    flow, known = read_flow(folder / pair.truth)
    gray = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames + fitted]
    return Scene(*gray[:2], flow, known), Scene(*gray[2:], *fit_flow(flow, known))


def end_point_error(found: np.ndarray, scene: Scene) -> float:
    """Mean distance in pixels over the known ones."""
    return float(np.linalg.norm(found - scene.flow, axis=-1)[scene.known].mean())


def can_compute(method: str, scene: Scene) -> bool:
    """Whether the method takes frames of this size."""
    large = all(np.greater_equal(scene.first.shape, PCAFLOW_MINIMUM))
    return method != "pcaflow" or large


def measure_errors(
    methods: list[str], scenes: Mapping[str, tuple[Scene, Scene]]
) -> dict[tuple[str, str], str]:
    """(method, pair) -> "full / 200x200"."""
    cells = {}
    for name, sizes in scenes.items():
        for method in methods:
            errors = []
            for scene in sizes:
                if not can_compute(method, scene):
                    errors.append("too small")
                    continue
                found = make_flow_function(method)(scene.first, scene.second)
                errors.append(f"{end_point_error(found, scene):.3f}")
            cells[method, name] = " / ".join(errors)
        zero = [end_point_error(np.zeros_like(scene.flow), scene) for scene in sizes]
        cells["zero flow", name] = " / ".join(f"{error:.3f}" for error in zero)
    return cells


def measure_time(methods: list[str], scenes: list[Scene], num_turns: int) -> dict:
    """Method -> median milliseconds of a pair; each turn runs every method."""
    milliseconds = {method: [] for method in methods}
    functions = {method: make_flow_function(method) for method in methods}
    for _ in range(num_turns):
        for scene in scenes:
            for method, compute in functions.items():
                elapsed = seconds(compute, scene.first, scene.second)
                milliseconds[method].append(1000 * elapsed)
    return {method: np.median(values) for method, values in milliseconds.items()}


def main() -> int:
    """Prints the tables; returns 1 where files are missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="pairs of frames with true flow")
    parser.add_argument("--methods", default=",".join(FLOW_METHODS))
    parser.add_argument("--num_turns", type=int, default=3, help="of the timing")
    args = parser.parse_args()
    methods = args.methods.split(",")
    cv2.setNumThreads(1)
    print(f"{machine(OpenCV=cv2.__version__)}, 1 thread")
    scenes, missing = {}, []
    for name, pair in PAIRS.items():
        lost = [file for file in pair if not (args.folder / file).is_file()]
        missing += [f"{name} left out: there is no {args.folder / f}" for f in lost]
        if not lost:
            scenes[name] = load(args.folder, pair)
    if scenes:
        cells = measure_errors(methods, scenes)
        small = [fitted for _, fitted in scenes.values()]
        times = measure_time(methods, small, args.num_turns)
        rows = [
            [method, *(cells[method, name] for name in scenes), f"{times[method]:.1f}"]
            for method in methods
        ]
        rows.append(["zero flow", *(cells["zero flow", name] for name in scenes), ""])
        title = f"End-point error in pixels: full size / {SIZE}x{SIZE}"
        print_table(["", *scenes, f"ms a {SIZE}x{SIZE} pair"], rows, title)
    print("\n" + "\n".join(missing) if missing else "")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
