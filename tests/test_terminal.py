"""Nobody but us writes to the terminal, whatever a command does."""

import gc
import os
import re
import subprocess
import sys

import pytest
from PIL import Image

from motionflow.terminal import nothing_collected, stderr_held_back
from tests import tiny_run
from tests.conftest import texture

pytestmark = pytest.mark.slow

# In one process, as a shell would start each.
SCRIPT = """
import sys
from motionflow import cli
for line in sys.argv[1:]:
    verb, *words = line.split()
    assert cli.call(cli.load_command(verb), words) == 0, line
"""
COMMANDS = (
    "flow a.png --model=run",
    "animate a.png --model=run --num_predictions=1",
    "train data --run_dir=own --width=0.05 --batch_size=4 --epochs=1",
    "evaluate run --data_dir=data --baselines=constant",
    "export run",
    "export run --format=tflite --export_dir=lite",
    "export run --format=onnx --export_dir=onnx",
    "flow a.png --model=exported",
)


def run(folder, commands, **environment):
    env = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *commands],
        capture_output=True,
        text=True,
        cwd=folder,
        env=env | environment,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    bar = re.compile(r"^(\S| )+: .*\[\d\d:\d\d.*\]$")
    lines = re.split(r"[\r\n]+", done.stderr)
    return done.stdout, [li for li in lines if li.strip() and not bar.match(li)]


@pytest.fixture(scope="module")
def folder(run_dir, tmp_path_factory):
    folder = tmp_path_factory.mktemp("quiet")
    (folder / "run").symlink_to(run_dir)
    Image.fromarray(texture(0, 60, 80)).save(folder / "a.png")
    tiny_run.write_data(folder / "data")
    return folder


def test_what_commands_write_is_ours(folder):
    out, err = run(folder, COMMANDS)
    assert err == []
    assert not re.search(r"tensorflow:|oneDNN|cuda|absl|Warning|keras", out)
    assert len(re.findall("^wrote a", out, re.MULTILINE)) == 3


@pytest.mark.parametrize(
    "words, environment", [(" --verbosity=1", {}), ("", {"TF_CPP_MIN_LOG_LEVEL": "0"})]
)
def test_others_can_be_heard(folder, words, environment):
    _, err = run(folder, [f"flow a.png --model=run{words}"], **environment)
    assert any("oneDNN" in line for line in err)


def test_an_error_brings_out_what_was_held_back(capfd):
    with stderr_held_back():
        os.write(2, b"noise")
    assert capfd.readouterr().err == ""
    with pytest.raises(ValueError, match="broken"), stderr_held_back():
        os.write(2, b"why it broke")
        raise ValueError("broken")
    assert capfd.readouterr().err == "why it broke"
    os.write(2, b"as before")
    assert capfd.readouterr().err == "as before"


@pytest.mark.parametrize("is_enabled", [True, False])
def test_the_collector_works_afterwards_if_it_did_before(is_enabled):
    try:
        if not is_enabled:
            gc.disable()
        with pytest.raises(ValueError, match="broken"), nothing_collected():
            assert not gc.isenabled()
            raise ValueError("broken")
        assert gc.isenabled() == is_enabled
    finally:
        gc.enable()
        gc.unfreeze()
