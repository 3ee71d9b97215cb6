"""The benchmarks that need data, on tiny input: what they print is right."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from tests import tiny_run
from tests.conftest import moving_square, texture, write_avi

pytestmark = pytest.mark.benchmark

ROOT = Path(__file__).parent.parent
SHIFT = np.array([6, -4], np.float32)


def run(script, *arguments):
    return subprocess.run(
        [sys.executable, ROOT / "benchmarks" / script, *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def cells(output, row):
    """The cells of a table's row, without its name."""
    (line,) = re.findall(rf"^\| {re.escape(row)} +\|(.*)\|$", output, re.MULTILINE)
    return [cell.strip() for cell in line.split("|")]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """Two pairs that move by SHIFT, unknown in a quarter of the frame."""
    folder = tmp_path_factory.mktemp("pairs")
    scene = texture(0, 340, 430)
    # What lies at a place of the first frame lies at place + SHIFT in the second.
    frames = scene[20:320, 20:410], scene[24:324, 14:404]
    flow = np.tile(SHIFT, (300, 390, 1))
    names = {
        "kitti": ("frame1.png", "frame2.png"),
        "flyingchairs": ("0000001-img0.ppm", "0000001-img1.ppm"),
    }
    for part, files in names.items():
        (folder / part).mkdir()
        for file, frame in zip(files, frames, strict=True):
            cv2.imwrite(str(folder / part / file), frame)
    # KITTI's PNG: red 64 dx + 2^15, green 64 dy + 2^15, blue "known". OpenCV: BGR.
    encoded = np.full((300, 390, 3), (1, 2**15 - 4 * 64, 2**15 + 6 * 64), np.uint16)
    encoded[:150, :200] = 0
    cv2.imwrite(str(folder / "kitti" / "flow_gt.png"), encoded)
    flow[:150, :200] = 1.7e9
    cv2.writeOpticalFlow(str(folder / "flyingchairs" / "0000001-gt.flo"), flow)
    return folder


def test_flow_methods(pairs):
    done = run("flow_methods.py", pairs, "--methods=dis", "--num_turns=1")
    assert done.returncode == 1, done.stderr
    assert "RubberWhale left out: there is no" in done.stdout
    assert "Chairs 1 left out" not in done.stdout
    # The shift is sqrt(36 + 16) = 7.211 pixels, and two thirds of that at 200 pixels.
    kitti, chairs, _ = cells(done.stdout, "zero flow")
    assert kitti == chairs == "7.211 / 4.807"
    kitti, chairs, milliseconds = cells(done.stdout, "dis")
    assert kitti == chairs
    assert max(map(float, kitti.split(" / "))) < 0.5
    assert 0 < float(milliseconds) < 10_000


def test_extraction(tmp_path):
    for i in range(2):
        write_avi(tmp_path / f"{i}.avi", moving_square((2, 1), 4, seed=i))
    counts = [f"--num_{part}_clips=1" for part in ("overhead", "workers")]
    counts += ["--num_memory_clips=2", "--num_samples=9", "--num_clusters=2"]
    done = run("extraction.py", tmp_path, *counts)
    assert done.returncode == 0, done.stderr
    assert "Overhead, deepflow: 1 clips, 1 samples" in done.stdout
    whole, flow = (
        float(cells(done.stdout, name)[0]) for name in ("the whole", "bare flow calls")
    )
    assert min(whole, flow) > 0
    (one,), (two,) = (cells(done.stdout, n) for n in ("one worker", "two workers"))
    assert float(one.split()[0]) > 0 < float(two.split()[0])
    assert "2 clips, 0 failures" in done.stdout
    assert 20 < float(cells(done.stdout, "2")[0]) < 1000
    assert "worker processes used: 1." in done.stdout
    assert cells(done.stdout, "samples, clips") == ["9, 9"]
    # For its counts, for its flow, for the rest.
    assert cells(done.stdout, "each file of samples opened") == ["3.00 times"]


def test_evaluation():
    done = run(
        "evaluation.py",
        "--num_frames=40",
        "--models=0.05",
        "--num_rounds=1",
        "--batch_size=16",
        "--all_baselines",
    )
    assert done.returncode == 0, done.stderr
    count, *numbers = cells(done.stdout, "0.05")
    forward, whole, ratio, reading, *parts = map(float, numbers)
    assert count == "40" and min(forward, reading) > 0
    assert ratio == pytest.approx(whole / forward, rel=0.02)
    assert whole == pytest.approx(forward + sum(parts), abs=0.03)
    for row in ("all are fitted", "20 nearest frames, features", "random forest"):
        assert float(cells(done.stdout, row)[0]) >= 0


def test_input():
    sizes = ["--num_samples=40", "--batch_size=8", "--step_batch=2", "--num_rounds=2"]
    kinds = ["--encodings=raw,png,jpeg 40", "--networks=allconv"]
    done = run("input.py", *kinds, *sizes)
    assert done.returncode == 0, done.stderr
    for encoding in ("raw", "png", "jpeg 40"):
        kilobytes, limit, *pipelines = cells(done.stdout, encoding)
        # 200 x 200 pixels of three bytes; labels are a few thousand.
        assert (int(kilobytes) > 120) == (encoding == "raw")
        assert len(pipelines) == 4
        for cell in pipelines:
            rate, share = re.fullmatch(r"([\d,]+) \((\d\.\d\d)\)", cell).groups()
            rate, whole = (float(text.replace(",", "")) for text in (rate, limit))
            assert float(share) == pytest.approx(rate / whole, abs=0.03)
    changes, plain, _, share, _ = cells(done.stdout, "allconv")
    changes, plain = float(changes), float(plain)
    assert 0 < changes < plain
    assert float(share[:-1]) == pytest.approx(100 * changes / plain, abs=0.2)


def test_restoration(tiny_videos, tiny_data_dir, tmp_path):
    done = run(
        "restoration.py",
        f"--model={tiny_run.write_run(tmp_path / 'run')}",
        f"--data_dir={tiny_data_dir}",
        f"--video_dir={tiny_videos}",
        "--split=train",
        "--num_clips=2",
        "--num_gaps=1",
        "--num_plan_frames=4",
    )
    assert done.returncode == 0, done.stderr
    assert "train: 2 clips, 16 frames; 0 duplicated frames dropped" in done.stdout
    single, *others = done.stdout.split("\nGaps of ")[1:]
    assert single.startswith("1: 2 clips, 2 with moving cells") and len(others) == 8
    # One gap a clip, in its middle: once the frame before again and once a mixture.
    expected = {"repeat": [], "blend": []}
    lines = (tiny_data_dir / "clips.jsonl").read_text().splitlines()
    names = [row["clip"] for row in map(json.loads, lines) if row["split"] == "train"]
    for name in names[:2]:
        capture = cv2.VideoCapture(str(tiny_videos / name))
        frames = [capture.read()[1].astype(float) for _ in range(6)]
        first, truth, last = frames[3:]
        for method, found in (
            ("repeat", first),
            ("blend", np.rint((first + last) / 2)),
        ):
            error = np.mean((found - truth) ** 2)
            expected[method].append(10 * np.log10(255**2 / error))
    for method, values in expected.items():
        psnr, ssim, moving, _ = (float(c.split()[0]) for c in cells(single, method))
        assert psnr == pytest.approx(np.mean(values), abs=0.006)
        assert 0 < ssim < 1 and moving < psnr
    better = cells(others[0], "flow")
    assert float(better[2].split()[0]) > 3 and better[2].endswith("better")
    dropped = done.stdout.split("Frames dropped / bytes saved, %: 2 clips, 8 frames")[1]
    shares = [
        float(cell.split()[0]) for m in ("flow", "repeat") for cell in cells(dropped, m)
    ]
    assert shares[:3] == sorted(shares[:3], reverse=True) and shares[0] > shares[3] == 0


@pytest.fixture
def benchmark_warp(monkeypatch):
    """The module, from its folder."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    spec = importlib.util.spec_from_file_location(
        "benchmark_warp", ROOT / "benchmarks" / "warp.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_video_reading():
    done = run("video_reading.py", "--size=64x48")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "48 files, largest difference 0 of 255"


def test_films(tmp_path):
    # A square that goes on as it came: three frames before, ten behind the start.
    frames = moving_square((3, 0), 16, seed=3)
    write_avi(tmp_path / "a.avi", frames)
    line = {"clip": "a.avi", "split": "test", "source": "a"}
    (tmp_path / "clips.jsonl").write_text(json.dumps(line))
    done = run(
        "films.py",
        f"--data_dir={tmp_path}",
        f"--video_dir={tmp_path}",
        "--num_starts=1",
        "--factor=1",
    )
    assert done.returncode == 0, done.stderr
    assert "1 clips of test: 1 clips of 1 sources" in done.stdout
    psnr, _ = done.stdout.split("PSNR, dB, differences")
    repeated, on, truth = (
        [float(cell) for cell in cells(psnr, row)[:3]]
        for row in ("repeat", "the past goes on", "true flow")
    )
    for i in range(3):
        assert on[i] > repeated[i] + 2 and truth[i] > repeated[i] + 2
    # One arrow brings the network nearer, too.
    assert float(cells(psnr, "1 arrow")[0]) > repeated[0] + 1


def test_warp_measures_against_the_analytic_answer(benchmark_warp):
    scenes = dict(benchmark_warp.known_motions.one_to_one())
    for name in ("rotation 12 degrees, smooth", "waves, smooth"):
        scene = scenes[name]
        # Backwards, by SciPy: the result at a pixel's target is the pixel.
        rows, columns = np.mgrid[40:160, 40:160]
        flow = scene.flow[40:160, 40:160]
        places = [rows + flow[..., 1], columns + flow[..., 0]]
        seen = map_coordinates(scene.expected[..., 0], places, order=3)
        np.testing.assert_allclose(seen, scene.frame[40:160, 40:160, 0], atol=0.5)
        warp, splat, gather, griddata = benchmark_warp.quality(scene)
        assert min(warp, griddata) > 65 > max(splat, gather)


def test_warp_counts_only_what_is_reached(benchmark_warp):
    flow = np.zeros((6, 8, 2), np.float32)
    flow[:, 4:] = [3, 0]
    flow[0, 0] = np.nan
    reached = benchmark_warp.reached(flow)
    expected = np.ones((6, 8), bool)
    expected[:, 4:7] = False  # the hole; what goes to columns 8 to 10 has left
    expected[0, 0] = False
    np.testing.assert_array_equal(reached, expected)


def test_startup():
    done = run("startup.py", "--runs=1")
    assert done.returncode == 0, done.stderr
    rows = [line for line in done.stdout.splitlines() if line.startswith("| ")]
    assert len(rows) == 2 + 4 + 17 + 2  # titles, what is bare, helps, films
    (row,) = [line for line in rows if line.startswith("| motionflow train --help ")]
    median, slowest = map(float, row.split("|")[2:4])
    assert 0 < median <= slowest
