"""Takes the camera's motion out of the flow: what is left moves in the scene.

    gray frames t and t+k, uint8 [H, W] --estimate_camera--> CameraMotion (homography)
                                        --StabilizedFlow---> float32 [H, W, 2]

The report left moving cameras out, "the computational complexity of stabilizing every"
clip being too high; Walker et al. (2015) stabilise by a homography, and so does this.
Far or flat scenery, and any scenery before a camera that only turns, moves from one
frame to another by a homography H: pixel p of the first lies at H(p) in the second.

1. Corners, a few in each cell of an 8x8 grid, are tracked to the second frame and back
   (Lucas-Kanade; phase correlation says where to start, so that large pans are met).
2. Two robust fits compete: a homography through all points (MAGSAC), and a similarity
   through the points near the border. People are mostly in the middle, and four numbers
   bend less to them than eight. Both are refined by least squares to homographies.
3. The camera is what the *border of the frame* follows: cell by cell, all round. A fit
   that holds for the middle only is a person. The still camera is the third candidate,
   and wins where it explains nearly as much: a still clip keeps its flow bit for bit.
4. The second frame is warped back by H and the flow computed to that. Large pans cost
   nothing then, and flow methods that lose fast motion do not meet it. What has left
   the second frame is unknown: it is filled from the first, which reads as still.

Where the border follows nothing (cuts, blur, a person all over the frame, scenery at
many depths) there is no answer, and the frame pair has to be left out.
"""

import dataclasses

import cv2
import numpy as np

from motionflow.labels.flow import FlowFunction
from motionflow.labels.tracking import NUM_CELLS, find_corners, track

INLIER = 0.5  # px between a tracked point and where the homography puts it
SEED_INLIER = 1.0  # px, for the robust fits
BORDER = np.pad(np.zeros((NUM_CELLS - 2,) * 2, bool), 1, constant_values=True).ravel()
MIN_POINTS = 20
MIN_BORDER = 0.4  # share of the border that must follow the camera
MIN_BORDER_CELLS = 10  # of the border's 28, that hold points
STILL_SHARE = 0.75  # of the best fit's border: enough for the still camera to win
MIN_OVERLAP = 0.5  # share of the first frame that the second must still show
MAX_ZOOM = 2.0  # of areas, in or out
SQUARE = 4  # pixels a side; overlap and motion are means over them
# Data directories say which estimate made them. 1: up to 0.8, another tracker.
VERSION = "2"


class UnstableCamera(Exception):
    """The camera's motion between two frames could not be estimated well enough."""


@dataclasses.dataclass(frozen=True)
class CameraMotion:
    """How the background moves from one frame to another.

    Attributes:
      homography: float64 [3, 3], pixels (x, y, 1) of the first frame to the second.
      inliers: share of the tracked points that follow it within half a pixel.
      border: share of the frame's border that follows it, mean over the cells
        along it that hold points.
      motion: mean length of its displacement over the frame, pixels; 0 is the still
        camera, exactly the identity.
      trusted: whether the flow may be stabilised by it.
    """

    homography: np.ndarray
    inliers: float
    border: float
    motion: float
    trusted: bool


def estimate_camera(
    first: np.ndarray, second: np.ndarray, corners: np.ndarray | None = None
) -> CameraMotion:
    """The background's motion between two gray frames uint8 [H, W], people left out.

    It is not `trusted` where too few points or too little of the border follow it, or
    where it turns over, zooms more than twice or leaves the frame. `corners` are those
    of the first frame, from `find_corners`, where they are known.
    """
    still = np.eye(3)
    corners = find_corners(first) if corners is None else corners
    before, after = track(first, second, corners)
    if len(before) < MIN_POINTS:
        return CameraMotion(still, 0.0, 0.0, 0.0, False)
    cells = _cells(before, first.shape)

    def border(homography: np.ndarray) -> float:
        return _border_share(cells, _follows(homography, before, after))

    fits = [_refine(seed, before, after) for seed in _seeds(before, after, cells)]
    best = max([still, *fits], key=border)
    if border(still) >= STILL_SHARE * border(best):
        best = still
    moved = displacement(best, first.shape, SQUARE)
    return CameraMotion(
        homography=best,
        inliers=float(np.mean(_follows(best, before, after))),
        border=border(best),
        motion=float(np.mean(np.linalg.norm(moved, axis=-1))),
        trusted=border(best) >= MIN_BORDER and _is_sane(best, first.shape),
    )


class StabilizedFlow:
    """A flow function that leaves the camera's motion out; make one for each clip.

    Attributes:
      estimates: one CameraMotion for each pair of frames so far, refused ones too.
    """

    def __init__(self, compute: FlowFunction):
        self._compute = compute
        self._first = self._corners = np.zeros(0)
        self.estimates: list[CameraMotion] = []

    def __call__(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """The flow of a gray frame uint8 [H, W] as a camera at rest would see it.

        Where the camera is still, it is exactly what the wrapped function gives.

        Raises:
          UnstableCamera: the estimate cannot be trusted.
        """
        if first is not self._first:  # a label's flows begin in one frame
            self._first, self._corners = first, find_corners(first)
        camera = estimate_camera(first, second, self._corners)
        self.estimates.append(camera)
        if not camera.trusted:
            raise UnstableCamera(
                f"{camera.border:.0%} of the border follows the camera's motion, "
                f"expected {MIN_BORDER:.0%}, or the motion is no camera's"
            )
        if camera.motion > 0:
            second = _warp_back(first, second, camera.homography)
        return self._compute(first, second)


def _cells(points: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The cell of each point, int [N, 2], row and column."""
    height, width = shape
    return (points[:, ::-1] * NUM_CELLS / (height, width)).astype(np.int64)


def _border_share(cells: np.ndarray, follows: np.ndarray) -> float:
    """Mean over the border's cells of the share of points that follow; 0 for few."""
    places = cells @ (NUM_CELLS, 1)
    points = np.bincount(places, minlength=NUM_CELLS**2)
    followers = np.bincount(places, follows, minlength=NUM_CELLS**2)
    occupied = BORDER & (points > 0)
    if np.count_nonzero(occupied) < MIN_BORDER_CELLS:
        return 0.0
    return float(np.mean(followers[occupied] / points[occupied]))


def _seeds(
    before: np.ndarray, after: np.ndarray, cells: np.ndarray
) -> list[np.ndarray]:
    """Robust first guesses, float64 [3, 3] each; OpenCV draws them from fixed seeds."""
    seeds = []
    homography, _ = cv2.findHomography(before, after, cv2.USAC_MAGSAC, SEED_INLIER)
    if homography is not None:
        seeds.append(homography)
    outer = BORDER[cells @ (NUM_CELLS, 1)]
    if np.count_nonzero(outer) >= MIN_POINTS // 2:
        similarity, _ = cv2.estimateAffinePartial2D(
            before[outer], after[outer], ransacReprojThreshold=SEED_INLIER
        )
        if similarity is not None:
            seeds.append(np.vstack([similarity, [0, 0, 1]]))
    return seeds


def _refine(
    homography: np.ndarray, before: np.ndarray, after: np.ndarray
) -> np.ndarray:
    """Least squares over the points that follow, in ever closer company."""
    company = np.zeros(0, bool)
    for tolerance in (2 * INLIER, 1.5 * INLIER, INLIER, INLIER):
        kept = _follows(homography, before, after, tolerance)
        if np.array_equal(kept, company):  # it would be the same again
            continue
        if np.count_nonzero(kept) < MIN_POINTS // 2:
            return homography
        refined, _ = cv2.findHomography(before[kept], after[kept], 0)
        if refined is None:
            return homography
        homography, company = refined, kept
    return homography


def _apply(homography: np.ndarray, points: np.ndarray) -> np.ndarray:
    """H(p) for points [..., 2] (x, y)."""
    projected = points @ homography[:, :2].T + homography[:, 2]
    return projected[..., :2] / projected[..., 2:]


def _follows(
    homography: np.ndarray,
    before: np.ndarray,
    after: np.ndarray,
    tolerance: float = INLIER,
) -> np.ndarray:
    """Whether each point lies where the homography puts it, bool [N]."""
    dx, dy = (_apply(homography, before) - after).T
    return np.hypot(dx, dy) < tolerance


def displacement(
    homography: np.ndarray, shape: tuple[int, ...], step: int = 1
) -> np.ndarray:
    """Where a homography takes each pixel, float64 [H, W, 2]: the camera's own flow.

    With a `step`, the same at the centres of squares of so many pixels a side.
    """
    x, y, rows, columns = _moved(homography, shape, step)
    return np.stack([x - columns, y - rows[:, np.newaxis]], axis=-1)


def _moved(
    homography: np.ndarray, shape: tuple[int, ...], step: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Where places go, x and y, float64 [h, w] each; their rows [h], columns [w]."""
    rows, columns = (np.arange((step - 1) / 2, side, step) for side in shape)
    x, y, depth = (np.add.outer(b * rows + c, a * columns) for a, b, c in homography)
    x /= depth
    y /= depth
    return x, y, rows, columns


def _shown(homography: np.ndarray, shape: tuple[int, ...], step: int = 1) -> np.ndarray:
    """Which pixels of the first frame lie inside the second, bool [H, W]."""
    x, y, *_ = _moved(homography, shape, step)
    return (x >= 0) & (x <= shape[1] - 1) & (y >= 0) & (y <= shape[0] - 1)


def _is_sane(homography: np.ndarray, shape: tuple[int, ...]) -> bool:
    """Whether a camera can do this between two frames that show the same scene."""
    height, width = shape
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64)
    depths = corners @ homography[2, :2] + homography[2, 2]
    if depths.min() <= 0:
        return False
    moved = _apply(homography, corners).astype(np.float32)
    # Signed: a mirrored frame has a negative area.
    zoom = cv2.contourArea(moved, oriented=True) / (height * width)
    overlap = np.mean(_shown(homography, shape, SQUARE))
    return bool(1 / MAX_ZOOM < zoom < MAX_ZOOM and overlap >= MIN_OVERLAP)


def _warp_back(
    first: np.ndarray, second: np.ndarray, homography: np.ndarray
) -> np.ndarray:
    """The second frame as the first camera would have seen it, uint8 [H, W].

    What it does not show is taken from the first frame, whose flow there is then zero.
    """
    warped = cv2.warpPerspective(
        second,
        homography,
        second.shape[::-1],
        flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    # Not BORDER_TRANSPARENT: how far that reaches depends on OpenCV's version.
    return np.where(_shown(homography, first.shape), warped, first)
