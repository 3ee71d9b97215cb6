"""Every command that README gives, run in its order on tiny input."""

import importlib
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import moving_square, texture, write_avi

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
COMMANDS = [line for kind, text in BLOCKS if kind == "sh" for line in text.splitlines()]
PYTHON_COMMANDS = [line for line in COMMANDS if line.startswith("python ")]
# What makes each command's input tiny; README's own flags come first.
TINY = {
    "tools/make_sample_clips.py": ["--num_clips=7"],
    "tools/make_tfrecords.py": [
        "--flow_method=dis",
        "--frame_stride=10",
        "--num_clusters=6",
    ],
    "tools/inspect_dataset.py": ["--num_samples=2"],
    "motionflow.train": ["--width=0.03", "--batch_size=4", "--epochs=1"],
    "motionflow.evaluate": ["--baselines=constant"],
    "tools/make_report.py": ["--baselines=constant"],
    "tools/resplit.py": ["--num_clusters=6"],
    "motionflow.export": [],
    "tools/predict_video.py": ["--num_predictions=2"],
    "tools/compare_models.py": ["--num_futures=2", "--max_samples_per_clip=1"],
}


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Path:
    """A folder that looks like a clone, with some videos and a picture."""
    folder = tmp_path_factory.mktemp("clone")
    for name in ("motionflow", "tools", "configs"):
        (folder / name).symlink_to(ROOT / name)
    for i in range(3):
        frames = moving_square((2 - i, i), 24, seed=i)
        write_avi(folder / "data/ucf101/Jump" / f"v_Jump_g0{i}_c01.avi", frames)
        write_avi(folder / "videos" / f"{i}.avi", frames)
    write_avi(folder / "clip.avi", moving_square((2, 0), 12, seed=0))
    Image.fromarray(texture(0, 240, 320)).save(folder / "picture.jpg")
    return folder


def test_python_commands(call, clone, monkeypatch):
    monkeypatch.chdir(clone)
    assert len(PYTHON_COMMANDS) == 23
    for command in PYTHON_COMMANDS:
        words = shlex.split(command)[1:]
        name, *own = words[1:] if words[0] == "-m" else words
        module = name.removesuffix(".py").replace("/", ".")
        done = call(importlib.import_module(module), *own, *TINY[name])
        assert done.code == 0, (command, done.err)
    assert (clone / "data/tfrecords/manifest.json").exists()
    metrics = clone / "runs/allconv/evaluation/validation/metrics.json"
    assert json.loads(metrics.read_text())["num_samples"] > 0
    for name in ("out.mp4", "steps.mp4", "flow.gif", "compared.mp4", "compared.csv"):
        assert (clone / name).stat().st_size > 200
    compared = clone / "runs/compared"
    scores = json.loads((compared / "comparison.json").read_text())["scores"]
    assert "dense_sequence, sequence" in scores["step_epe_nz"]["rows"]
    assert (compared / "strip_frames.png").stat().st_size > 10_000
    assert (clone / "exported/1/saved_model.pb").exists()
    assert (clone / "exported-tflite/1/model-dynamic.tflite").exists()
    assert (clone / "exported-onnx/1/model.onnx").exists()


def test_python_snippet(clone, monkeypatch):
    monkeypatch.chdir(clone)
    (snippet,) = [text for kind, text in BLOCKS if kind == "python"]
    names = {}
    exec(snippet, names)
    assert names["flow"].shape == (20, 20, 2)


def test_make_commands():
    others = [line for line in COMMANDS if not line.startswith("python ")]
    assert others == ["make demo", "make test"]
    indented = re.findall(r"^    (make .*)$", README, re.MULTILINE)
    assert indented
    for command in others + indented:
        words = shlex.split(command)
        done = subprocess.run(
            [words[0], "--dry-run", *words[1:], f"PYTHON={sys.executable}"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        named = set(re.findall(r"(?:tools|configs)/\w+\.\w+", done.stdout))
        assert all((ROOT / name).exists() for name in named)


def test_files_that_readme_names_exist():
    for name in re.findall(r"`([\w/]+\.(?:md|flags|py))`", README):
        assert (ROOT / name).exists(), name
    for name in re.findall(r"!\[[^]]*\]\(([^)]+)\)", README):
        assert (ROOT / name).stat().st_size < 1_000_000
