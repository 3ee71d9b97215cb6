"""Tiny inputs that several tests share: clips whose motion is known, and their records.

A clip shows a textured square that moves by a whole number of pixels a frame before a
still textured background.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import gc
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pytest
from scipy import ndimage

from motionflow import cli

# TensorFlow makes many objects that live on: they need not be searched so often.
gc.set_threshold(50_000, 20, 20)

SIZE = 200
MOVES = [(2, 0), (-2, 0), (0, 2), (0, -2), (2, 2), (-2, -2), (3, 0), (-3, 0), (0, 3)]


def texture(seed: int, height: int, width: int) -> np.ndarray:
    """Smooth random colours, uint8 [height, width, 3]."""
    noise = np.random.default_rng(seed).uniform(0, 255, (height, width, 3))
    noise = cv2.GaussianBlur(noise, (0, 0), 2)
    noise = (noise - noise.mean()) * 3.5 + 128
    return np.clip(noise, 0, 255).astype(np.uint8)


def ssim_map(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """SSIM by its definition (Wang et al. 2004), [H, W]; borders mirrored."""
    a, b = a.astype(float), b.astype(float)

    def mean(x: np.ndarray) -> np.ndarray:
        return ndimage.gaussian_filter(x, 1.5, truncate=5 / 1.5, axes=(0, 1))

    mean_a, mean_b = mean(a), mean(b)
    var_a, var_b = mean(a * a) - mean_a**2, mean(b * b) - mean_b**2
    cov = mean(a * b) - mean_a * mean_b
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    values = (2 * mean_a * mean_b + c1) * (2 * cov + c2)
    values /= (mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2)
    return values.mean(axis=-1)


def moving_square(move: tuple[int, int], num_frames: int, seed: int) -> np.ndarray:
    """uint8 [num_frames, 200, 200, 3]: a square of 80 pixels from (60, 60) on."""
    frames = np.repeat(texture(seed, SIZE, SIZE)[None], num_frames, axis=0)
    square = texture(seed + 1000, 80, 80)
    for t, frame in enumerate(frames):
        left, top = 60 + t * move[0], 60 + t * move[1]
        frame[top : top + 80, left : left + 80] = square
    return frames


def write_avi(path: Path, frames: np.ndarray) -> None:
    """Writes RGB frames as motion JPEG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    size = frames.shape[2], frames.shape[1]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 30, size)
    assert writer.isOpened()
    for frame in frames:
        writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    writer.release()


def seed():
    """What weights start from does not depend on the tests that ran before."""
    if compat := sys.modules.get("motionflow.compat"):
        compat.keras.utils.set_random_seed(0)


@pytest.fixture(scope="module", autouse=True)
def _seeded_module():
    gc.collect()
    gc.freeze()  # what lives now is not searched again
    seed()


@pytest.fixture(autouse=True)
def _seeded():
    seed()


@pytest.fixture(scope="session")
def tiny_videos(tmp_path_factory) -> Path:
    """Nine clips of nine sources, with HMDB-51 names."""
    folder = tmp_path_factory.mktemp("videos")
    for i, move in enumerate(MOVES):
        name = f"source{i}_walk_f_nm_np1_fr_goo_0.avi"
        write_avi(folder / "walk" / name, moving_square(move, 8, seed=i))
    return folder


@pytest.fixture(scope="session")
def tiny_data_dir(tiny_videos, tmp_path_factory) -> Path:
    """A complete data directory: 21 training, 3 validation and 3 test samples."""
    from motionflow.data.builder import build_data_dir
    from motionflow.labels.options import BuildOptions, LabelOptions

    folder = tmp_path_factory.mktemp("records")
    labels = LabelOptions(flow_method="dis", frame_stride=2)
    build_data_dir(tiny_videos, folder, BuildOptions(num_clusters=8, labels=labels))
    return folder


@pytest.fixture
def short_trunk(monkeypatch):
    """EfficientNet with a block of each kind: as good where its weights are random."""
    from motionflow.models import efficientnet

    stages = [stage._replace(num_blocks=1) for stage in efficientnet.STAGES]
    monkeypatch.setattr(efficientnet, "STAGES", stages)


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """What `tiny_run.write_data` writes, opened; read it only."""
    from motionflow.data.data_dir import open_data_dir
    from tests import tiny_run

    return open_data_dir(tiny_run.write_data(tmp_path_factory.mktemp("noise") / "d"))


def run_of(network: str):
    """A fixture: the run of a small network with random weights; read it only."""

    @pytest.fixture(scope="session")
    def run(tmp_path_factory) -> Path:
        from tests import tiny_run

        return tiny_run.write_run(tmp_path_factory.mktemp("session") / "run", network)

    return run


def version_of(run: str):
    """A fixture: version 1 of the export of a run; read it only."""

    @pytest.fixture(scope="session")
    def version(request, tmp_path_factory) -> Path:
        from motionflow.serving.exporting import export_model

        folder = tmp_path_factory.mktemp("session") / "exported"
        return export_model(request.getfixturevalue(run), folder)

    return version


run_dir, version = run_of("allconv"), version_of("run_dir")
steps_run_dir, steps_version = run_of("dense_sequence"), version_of("steps_run_dir")
guided_run_dir, guided_version = run_of("guided"), version_of("guided_run_dir")


class Done(NamedTuple):
    """What a command leaves: its exit code, standard output and errors."""

    code: int
    out: str
    err: str


@pytest.fixture
def call(monkeypatch, capsys) -> Callable[..., Done]:
    """Runs a command, a module of `motionflow.commands`, in this process."""

    def call_command(command, *arguments, defaults=None):
        words = list(map(str, arguments))
        monkeypatch.setattr(sys, "argv", [command.__file__, *words])
        capsys.readouterr()
        code = cli.call(command, words, defaults)
        return Done(code, *capsys.readouterr())

    return call_command
