"""What stabilising does: to still clips, under known cameras, and to the time.

    python benchmarks/stabilize.py CLIPS_FOLDER [--list=FILE --num_clips=30]

The clips' own cameras must stand still. From each, one window of four frames in its
middle becomes a label as the builder makes them. Printed:

still    how far the label changes when the clip is stabilised; it should not
cameras  the same frames as a moving camera would have shown them: the frames are warped
         by known homographies and cropped inside, so nothing is invented at the border
         (clips without 20 pixels to spare on each side are left out, and windows whose
         own camera moved). The first frame stays as it is, so the label should be that
         of the still window again: end-point error over the 20x20 cells
cost     CPU milliseconds of one pair of 200x200 frames
"""

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

from motionflow.labels.clips import video_files
from motionflow.labels.flow import average_flow, make_flow_function, to_grid
from motionflow.labels.stabilize import StabilizedFlow, UnstableCamera, estimate_camera
from motionflow.media.video import fit_frame, iter_frames

SIZE = 200
NUM_FRAMES = 4
SPARE = 20
NUM_TIMED = 10
FOCAL = 250  # pixels: a 44 degree lens, which is common
MOVING = 1.0  # px: a cell that moves


def camera(pan=(0.0, 0.0), zoom=1.0, roll=0.0) -> np.ndarray:
    """The homography of one step: pan in pixels, roll in degrees, about the centre."""
    angle, (dx, dy) = np.deg2rad(roll), pan
    step = np.array(
        [
            [zoom * np.cos(angle), -zoom * np.sin(angle), dx],
            [zoom * np.sin(angle), zoom * np.cos(angle), dy],
            [-dx / FOCAL**2, -dy / FOCAL**2, 1],  # a camera that turns tilts the plane
        ]
    )
    center = np.array([[1, 0, SIZE / 2 - 0.5], [0, 1, SIZE / 2 - 0.5], [0, 0, 1]])
    return center @ step @ np.linalg.inv(center)


CAMERAS = {
    "shake 0.9 px": camera(pan=(0.8, -0.4), roll=0.2),
    "pan 4 px": camera(pan=(4, 0.5)),
    "pan 8 px": camera(pan=(-8, 1), roll=0.2),
    "zoom 3 %": camera(zoom=1.03),
    "roll 1.5 deg": camera(roll=1.5),
}


def shoot(wide: np.ndarray, homography: np.ndarray) -> np.ndarray:
    """The centre of a wide gray frame as the moved camera sees it, uint8 [S, S]."""
    top, left = (wide.shape[0] - SIZE) // 2, (wide.shape[1] - SIZE) // 2
    offset = np.array([[1, 0, left], [0, 1, top], [0, 0, 1]])
    return cv2.warpPerspective(
        wide,
        offset @ np.linalg.inv(homography),
        (SIZE, SIZE),
        flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT,
    )


def find_clips(folder: Path, list_file: str | None, num_clips: int) -> list[Path]:
    """Clips spread evenly over the folder, or over the lines of a file."""
    if list_file:
        lines = Path(list_file).read_text().splitlines()
        clips = [folder / line for line in lines if line]
    else:
        clips = [folder / path for path in video_files(folder)]
    return clips[:: max(1, len(clips) // num_clips)][:num_clips]


def read_windows(clips: list[Path]) -> Iterator[list[np.ndarray]]:
    """Four RGB frames from the middle of each clip that has as many."""
    for clip in clips:
        frames = list(iter_frames(clip))
        start = (len(frames) - NUM_FRAMES) // 2
        if start >= 0:
            yield frames[start : start + NUM_FRAMES]


def gray(frame: np.ndarray) -> np.ndarray:
    """RGB to gray."""
    return cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)


def stabilized_label(frames: list[np.ndarray], compute: Callable) -> np.ndarray | None:
    """The window's grid flow; None where the camera is refused."""
    try:
        return to_grid(average_flow(frames, StabilizedFlow(compute)), 20)
    except UnstableCamera:
        return None


def print_still(windows: list[list[np.ndarray]], compute: Callable) -> None:
    """Change of the labels of the clips as they are."""
    changes, num_refused = [], 0
    for frames in windows:
        grays = [gray(fit_frame(frame, SIZE)) for frame in frames]
        found = stabilized_label(grays, compute)
        if found is None:
            num_refused += 1
            continue
        plain = to_grid(average_flow(grays, compute), 20)
        changes.append(np.linalg.norm(found - plain, axis=-1))
    changes = np.array(changes)
    same = np.mean(changes.max(axis=(1, 2)) == 0)
    print(f"still    {len(windows)} windows, {num_refused} refused")
    print(
        f"  unchanged to the bit {same:.1%} of windows, cells changed by more than "
        f"0.05 px {np.mean(changes > 0.05):.2%}\n"
        f"  change: mean {changes.mean():.4f} px, median window "
        f"{np.median(changes.mean(axis=(1, 2))):.4f} px, max {changes.max():.2f} px"
    )


def print_cameras(windows: list[list[np.ndarray]], compute: Callable) -> None:
    """End-point errors under each known camera, with and without stabilising."""
    wide = [[gray(frame) for frame in frames] for frames in windows]
    wide = [w for w in wide if min(w[0].shape) >= SIZE + 2 * SPARE]
    still = [[shoot(frame, np.eye(3)) for frame in frames] for frames in wide]
    pairs = [
        (w, average_flow(s, compute))
        for w, s in zip(wide, still, strict=True)
        if all(estimate_camera(s[0], later).motion == 0 for later in s[1:])
    ]
    print(f"cameras  {len(pairs)} windows; EPE in px over all / still / moving cells")
    print(f"  {'':14s}{'none':>22s}{'homography':>22s}{'refused':>9s}")
    for name, step in CAMERAS.items():
        rows, num_refused = {"none": [], "homography": []}, 0
        for frames, flow in pairs:
            truth = to_grid(flow, 20)
            powers = [np.linalg.matrix_power(step, k) for k in range(NUM_FRAMES)]
            moved = [shoot(f, p) for f, p in zip(frames, powers, strict=True)]
            found = stabilized_label(moved, compute)
            if found is None:
                num_refused += 1
                continue
            plain = to_grid(average_flow(moved, compute), 20)
            moves = np.linalg.norm(truth, axis=-1) > MOVING
            for column, label in (("none", plain), ("homography", found)):
                error = np.linalg.norm(label - truth, axis=-1)
                rows[column].append((error, moves))
        cells = [describe(column) for column in rows.values()]
        print(f"  {name:14s}{cells[0]:>22s}{cells[1]:>22s}{num_refused:9d}")


def describe(rows: list[tuple[np.ndarray, np.ndarray]]) -> str:
    """Mean errors over all, still and moving cells."""
    if not rows:
        return "-"
    errors, moves = (np.array(column) for column in zip(*rows, strict=True))
    parts = errors, errors[~moves], errors[moves]
    return " ".join(f"{part.mean():6.3f}" if part.size else "-" for part in parts)


def print_cost(windows: list[list[np.ndarray]]) -> None:
    """Median CPU milliseconds a pair; a label's pairs have their first frame."""
    step = CAMERAS["shake 0.9 px"]
    frames = [gray(fit_frame(window[0], SIZE)) for window in windows[:NUM_TIMED]]
    functions = {
        "estimate": lambda first, second: estimate_camera(first, second),
        "estimate, warp": StabilizedFlow(lambda first, second: first),
        "dis": make_flow_function("dis"),
        "deepflow": make_flow_function("deepflow"),
    }
    print(
        f"cost     median of {len(frames)} labels of {NUM_FRAMES - 1} pairs, one thread"
    )
    for name, function in functions.items():
        times = []
        for first in frames:
            powers = [np.linalg.matrix_power(step, k) for k in range(1, NUM_FRAMES)]
            later = [shoot(first, power) for power in powers]
            start = time.process_time()
            try:
                for second in later:
                    function(first, second)
            except UnstableCamera:
                continue
            elapsed = time.process_time() - start
            times.append(1000 * elapsed / (NUM_FRAMES - 1))
        print(f"  {name:18s}{np.median(times):8.1f} ms a pair")


def main() -> None:
    """Prints the three parts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="clips of still cameras")
    parser.add_argument("--list", help="file of clips in the folder, one a line")
    parser.add_argument("--num_clips", type=int, default=30)
    parser.add_argument("--flow_method", default="dis")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    clips = find_clips(arguments.folder, arguments.list, arguments.num_clips)
    windows = list(read_windows(clips))
    if not windows:
        parser.error(f"no clips of {NUM_FRAMES} frames or more in {arguments.folder}")
    print(f"{len(clips)} clips, {arguments.flow_method}, OpenCV {cv2.__version__}")
    compute = make_flow_function(arguments.flow_method)
    print_still(windows, compute)
    print_cameras(windows, compute)
    print_cost(windows)


if __name__ == "__main__":
    main()
