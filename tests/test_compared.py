"""Scores by hand and by SciPy; the frames that are compared."""

import csv
from types import SimpleNamespace

import numpy as np
import pytest

from motionflow.errors import InputError
from motionflow.films import compared
from tests.conftest import ssim_map, texture


def ssim(a, b):
    """The mean inside of the border."""
    return ssim_map(a, b)[5:-5, 5:-5].mean()


def test_scores():
    start, real = texture(0, 30, 40), texture(1, 30, 40)
    near = np.clip(real.astype(int) + np.where(real < 128, 5, -5), 0, 255)
    near = near.astype(np.uint8)
    (row,) = compared.compare([start, near], [start, real], start=7)
    assert row.frame == 8
    # Each value is off by 5: 10 log10(255^2 / 25) = 34.15.
    assert row.predicted_psnr == pytest.approx(34.151, abs=0.001)
    mse = np.mean((start.astype(float) - real) ** 2)
    assert row.repeated_psnr == pytest.approx(10 * np.log10(255**2 / mse), abs=1e-3)
    assert row.predicted_ssim == pytest.approx(ssim(near, real), abs=1e-4)
    assert row.repeated_ssim == pytest.approx(ssim(start, real), abs=1e-4)


def test_equal_frames_and_means():
    frame, other = texture(0, 20, 20), texture(1, 20, 20)
    rows = compared.compare([frame, other, frame], [frame, other, other])
    assert rows[0].predicted_psnr == np.inf and rows[0].predicted_ssim == 1
    assert rows[0][3:] == rows[1][3:] == rows[1][1:3]
    table = compared.ComparedFilm([], rows, 0, 0, 10).table()
    means = [cell.strip() for cell in table.splitlines()[-1].split("|")[1:4]]
    assert means == ["mean", "inf", f"{(1 + rows[1].predicted_ssim) / 2:.4f}"]


def test_frames_too_small_for_ssim():
    frames = [texture(0, 10, 40)] * 2
    with pytest.raises(InputError, match="frames are 40x10; SSIM needs 11"):
        compared.compare(frames, frames)


def test_which_frames_are_compared():
    def frames(count, *arguments, gaps=()):
        opened = SimpleNamespace(
            num_frames=count,
            timing=SimpleNamespace(gaps=gaps),
            read=lambda: iter(range(count)),
        )
        return compared.real_frames(opened, *arguments)

    # The last start that 4 frames follow.
    assert frames(10, 4) == (5, [5, 6, 7, 8, 9], [])
    assert frames(10, 4, None, 2) == (5, [5, 6, 7, 8, 9], [3, 4])
    assert frames(10, 4, 2) == (2, [2, 3, 4, 5, 6], [])
    assert frames(10, 4, 2, 3) == (2, [2, 3, 4, 5, 6], [0, 1])
    # The video ends earlier.
    assert frames(10, 4, 7, 2)[:2] == (7, [7, 8, 9])
    assert frames(10, 40) == (0, list(range(10)), [])
    for start in (9, 10, 99):
        with pytest.raises(InputError, match=f"no frame after frame {start}"):
            frames(10, 4, start)
    with pytest.raises(InputError, match="no frame after frame 0"):
        frames(1, 4)
    # Time is missing before frames 6 and 8.
    assert frames(10, 4, None, 2, gaps={6, 8}) == (1, [1, 2, 3, 4, 5], [0])
    assert frames(10, 1, None, 2, gaps={6, 8}) == (8, [8, 9], [])
    assert frames(10, 4, 3, 9, gaps={2, 6}) == (3, [3, 4, 5], [2])
    with pytest.raises(InputError, match="no frame after frame 7"):
        frames(10, 4, 7, gaps={6, 8})


def test_csv(tmp_path):
    rows = [compared.FrameScores(3, float("inf"), 1.0, 20.25, 0.5)]
    compared.write_csv(tmp_path / "a.csv", rows)
    with (tmp_path / "a.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert {name: float(value) for name, value in row.items()} == rows[0]._asdict()
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]
