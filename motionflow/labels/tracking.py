"""Points that can be followed from one frame to another.

    gray frame uint8 [H, W] --find_corners--> corners, float32 [N, 2] (x, y)
    two frames, corners     --track---------> those that were found, and where

Lucas-Kanade in pyramids, there and back; phase correlation says where to start.
"""

import itertools
from typing import Any

import cv2
import numpy as np

NUM_CELLS = 8  # a side; corners are spread over them
CORNERS_PER_CELL = 6
TRACKING: dict[str, Any] = {
    # Rows of 16 suit the processor: nearer than 15 pixels a side, in half the time.
    "winSize": (16, 16),
    "maxLevel": 3,
    "criteria": (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 10, 0.03),  # px
    "flags": cv2.OPTFLOW_USE_INITIAL_FLOW,
}
MAX_RETURN_ERROR = 0.5  # px between a corner and itself, tracked there and back


def find_corners(gray: np.ndarray) -> np.ndarray:
    """The sharpest corners of each cell, float32 [N, 2]; flat cells have none."""
    rows, columns = (
        np.linspace(0, side, NUM_CELLS + 1, dtype=int) for side in gray.shape
    )
    found: list[np.ndarray] = [np.zeros((0, 2), np.float32)]
    for top, bottom in itertools.pairwise(rows):
        for left, right in itertools.pairwise(columns):
            cell = gray[top:bottom, left:right]
            corners = cv2.goodFeaturesToTrack(cell, CORNERS_PER_CELL, 0.05, 4)
            if corners is not None:
                found.append(corners.reshape(-1, 2) + np.array([left, top], np.float32))
    return np.concatenate(found)


def track(
    first: np.ndarray, second: np.ndarray, points: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Points that can be tracked there and back, and where they lie in `second`."""
    if not len(points):
        return points, points
    shift = _coarse_shift(first, second)
    there, found, _ = cv2.calcOpticalFlowPyrLK(
        first, second, points, points + shift, **TRACKING
    )
    back, found_back, _ = cv2.calcOpticalFlowPyrLK(
        second, first, there, there - shift, **TRACKING
    )
    kept = (found.ravel() > 0) & (found_back.ravel() > 0)
    kept &= np.linalg.norm(back - points, axis=1) < MAX_RETURN_ERROR
    kept &= inside(there, second.shape)
    return points[kept], there[kept]


def _coarse_shift(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Where tracking starts to search, float32 (dx, dy): large pans are out of reach.

    The peak of the phase correlation, in whole pixels, if it brings the frames closer.
    """
    window = cv2.createHanningWindow(first.shape[::-1], cv2.CV_32F)
    peak, _ = cv2.phaseCorrelate(
        first.astype(np.float32), second.astype(np.float32), window
    )
    dx, dy = np.rint(np.nan_to_num(peak)).astype(int)  # NaN: one of them is flat
    shifted = np.roll(second, (-dy, -dx), axis=(0, 1))
    closer = cv2.norm(first, shifted, cv2.NORM_L1) < cv2.norm(
        first, second, cv2.NORM_L1
    )
    return np.array([dx, dy] if closer else [0, 0], np.float32)


def inside(points: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Which points [..., 2] lie in a frame, bool."""
    height, width = shape
    return np.all((points >= 0) & (points <= (width - 1, height - 1)), axis=-1)
