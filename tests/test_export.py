import shutil
import subprocess
import sys

import numpy as np
import pytest

from motionflow import cli
from motionflow.commands import export
from motionflow.errors import InputError
from motionflow.models import predictor
from motionflow.serving.exporting import export_model

pytestmark = pytest.mark.slow

# A process of its own, with TensorFlow alone.
STRANGER = """
import sys
import numpy as np, tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
frames = np.load(sys.argv[2])
answer = model.signatures["frames"](image=tf.constant(frames, tf.float32))
np.savez(sys.argv[3], **{key: value.numpy() for key, value in answer.items()})
assert "motionflow" not in sys.modules
"""


def test_a_process_without_the_package_gets_the_same_answers(
    run_dir, version, tmp_path
):
    frames = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), np.uint8)
    np.save(tmp_path / "frames.npy", frames)
    files = [version, tmp_path / "frames.npy", tmp_path / "answer.npz"]
    subprocess.run([sys.executable, "-c", STRANGER, *files], check=True, cwd=tmp_path)
    answer, expected = np.load(files[-1]), predictor.load(run_dir)(frames)
    assert set(answer) == {"flow", "probabilities", "codes"}
    for key in answer:
        values = answer[key].reshape(expected[key].shape)
        np.testing.assert_allclose(values, expected[key], atol=1e-5)


def test_a_version_holds_all_that_belongs_to_it(version):
    files = {
        str(path.relative_to(version)) for path in version.rglob("*") if path.is_file()
    }
    assert files - {"fingerprint.pb"} == {
        "saved_model.pb",
        "variables/variables.index",
        "variables/variables.data-00000-of-00001",
        "assets/codebook.npz",
        "assets/labels.txt",
        "assets.extra/model_card.json",
        "assets.extra/model_card.md",
        "assets.extra/tf_serving_warmup_requests",
    }


def test_no_run_directory(tmp_path):
    with pytest.raises(InputError, match="is no run directory"):
        export_model(tmp_path, tmp_path / "exported")


def test_the_command(call, run_dir, version, tmp_path):
    shutil.copytree(version, tmp_path / "1")
    own = [f"--export_dir={tmp_path}", "--keep_versions=1", "--data_licence=CC0"]
    done = call(export, f"--run_dir={run_dir}", *own)
    assert done.code == 0, done.err
    assert f"exported {run_dir} to {tmp_path / '2'}" in done.out
    assert [path.name for path in tmp_path.iterdir()] == ["2"]
    card = (tmp_path / "2" / "assets.extra" / "model_card.md").read_text()
    assert "Licence of the data: CC0" in card


def test_flags_have_the_defaults_of_the_other_commands():
    found = cli.parse(export, [])
    assert found.run_dir == "runs/allconv" and found.export_dir == "exported"
    assert found.format == "saved_model" and found.keep_versions == 0
