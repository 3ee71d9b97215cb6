"""Forward warp against SciPy's griddata, the report's way of interpolating.

    python benchmarks/warp.py

Both move the same 200x200 frame by the same flow, in turns, on the CPU. Printed for
each motion: milliseconds (median of 3 turns), how many times faster the warp is, and
the PSNR in dB against the exact result, on a smooth and on a detailed texture that are
known at every point. What lies within 4 pixels of the border of either frame does not
count. griddata triangulates once for all three channels.
"""

import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from scipy.interpolate import griddata

from motionflow.generate import warp

SIZE = 200
NUM_TURNS = 3
COLUMNS, ROWS = np.meshgrid(np.arange(SIZE), np.arange(SIZE))
POINTS = np.stack([COLUMNS, ROWS], axis=-1).astype(np.float64)
CENTER = (SIZE - 1) / 2
TURN = np.deg2rad(12)
MOTIONS = {
    "translation": (np.eye(2), (3.25, -1.75)),
    "zoom 1.15": (1.15 * np.eye(2), (0, 0)),
    "zoom 1.6": (1.6 * np.eye(2), (0, 0)),
    "rotation 12": (
        [[np.cos(TURN), -np.sin(TURN)], [np.sin(TURN), np.cos(TURN)]],
        (0, 0),
    ),
}
TEXTURES = {"smooth": 0.1, "detailed": 0.6}  # radians a pixel


def texture(points: np.ndarray, frequency: float) -> np.ndarray:
    """Colours float32 [..., 3] at any points [..., 2]."""
    x, y = frequency * points[..., 0], frequency * points[..., 1]
    waves = np.sin(x + 0.3 * y), np.cos(0.8 * y - 0.4 * x), np.sin(0.7 * y) * np.cos(x)
    return (127.5 + 120 * np.stack(waves, axis=-1)).astype(np.float32)


def psnr(found: np.ndarray, expected: np.ndarray, origin: np.ndarray) -> float:
    """PSNR in dB over the pixels that both frames show."""
    shown = np.all((origin > 4) & (origin < SIZE - 5), axis=-1)
    shown &= np.all((POINTS > 4) & (POINTS < SIZE - 5), axis=-1)
    return 10 * np.log10(255**2 / np.mean((found - expected)[shown] ** 2))


def timed(function, *arguments) -> tuple[np.ndarray, float]:
    """Result and milliseconds of one call."""
    start = time.perf_counter()
    result = np.asarray(function(*arguments))
    return result, 1000 * (time.perf_counter() - start)


@tf.function
def ours(frame: tf.Tensor, flow: tf.Tensor) -> tf.Tensor:
    """The package's warp of one frame."""
    return warp.forward(frame[tf.newaxis], flow[tf.newaxis])[0][0]


def report(frame: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """Scattered colours to the regular grid, linear between three points."""
    targets = (POINTS + flow).reshape(-1, 2)
    return griddata(targets, frame.reshape(-1, 3), (COLUMNS, ROWS), method="linear")


def main() -> None:
    """Prints one line a motion and texture."""
    print(f"TensorFlow {tf.__version__}, {SIZE}x{SIZE}x3, batch 1")
    print(f"{'':22s}{'ms: warp griddata':>20s}{'faster':>9s}{'dB: warp griddata':>20s}")
    for motion, (matrix, shift) in MOTIONS.items():
        centered = POINTS - CENTER
        flow = (centered @ np.transpose(matrix) + shift - centered).astype(np.float32)
        origin = (centered - shift) @ np.linalg.inv(matrix).T + CENTER
        for name, frequency in TEXTURES.items():
            frame, exact = texture(POINTS, frequency), texture(origin, frequency)
            ours(frame, flow)
            milliseconds = []
            for _ in range(NUM_TURNS):
                warped, our_time = timed(ours, frame, flow)
                scattered, peer_time = timed(report, frame, flow)
                milliseconds.append((our_time, peer_time))
            fast, slow = np.median(milliseconds, axis=0)
            ours_db, peer_db = (
                psnr(warped, exact, origin),
                psnr(scattered, exact, origin),
            )
            print(
                f"{motion:12s}{name:10s}{fast:10.1f}{slow:10.1f}{slow / fast:8.0f}x"
                f"{ours_db:10.1f}{peer_db:10.1f}"
            )


if __name__ == "__main__":
    main()
