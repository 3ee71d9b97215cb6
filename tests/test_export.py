import shutil
import subprocess
import sys

import numpy as np
import pytest

from motionflow import cli
from motionflow.commands import export
from motionflow.errors import InputError, NotWritten
from motionflow.models import predictor
from motionflow.serving import exporting
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


# --- a folder of versions ---------------------------------------------------------


def write(folder):
    (folder / "saved_model.pb").write_text("new")


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_versions_count_up_and_nothing_else_stays_behind(tmp_path):
    (tmp_path / "9").mkdir()
    (tmp_path / "notes").mkdir()
    assert exporting.publish(tmp_path, "saved_model", write) == tmp_path / "10"
    assert exporting.publish(tmp_path, "saved_model", write) == tmp_path / "11"
    assert names(tmp_path) == ["10", "11", "9", "notes"]
    assert [path.name for path in exporting.versions(tmp_path)] == ["9", "10", "11"]


def test_the_server_may_read_what_appears(tmp_path):
    version = exporting.publish(tmp_path / "a" / "b", "saved_model", write)
    assert oct(version.stat().st_mode)[-3:] == "755"


def test_a_version_appears_only_when_it_is_complete(tmp_path):
    def look(folder):
        assert folder.parent.parent == tmp_path and folder.parent.name[0] == "."
        write(folder)
        assert not any(name.isdigit() for name in names(tmp_path))

    exporting.publish(tmp_path, "saved_model", look)
    assert names(tmp_path) == ["1"]


def test_a_failure_leaves_nothing(tmp_path):
    def fail(folder):
        write(folder)
        raise RuntimeError("disk full")

    with pytest.raises(RuntimeError, match="disk full"):
        exporting.publish(tmp_path, "saved_model", fail)
    assert names(tmp_path) == []


def test_nothing_is_written_over(tmp_path, monkeypatch):
    """Another export took the number between the look and the rename."""
    monkeypatch.setattr(exporting, "versions", lambda folder: [])
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "saved_model.pb").write_text("theirs")
    with pytest.raises(NotWritten, match="1 could not be written: Directory not empty"):
        exporting.publish(tmp_path, "saved_model", write)
    assert (tmp_path / "1" / "saved_model.pb").read_text() == "theirs"
    assert names(tmp_path) == ["1"]


def test_the_newest_are_kept(tmp_path):
    for number in (1, 3, 10, 20):
        (tmp_path / str(number)).mkdir()
    exporting.publish(tmp_path, "saved_model", write, keep_versions=3)
    assert names(tmp_path) == ["10", "20", "21"]
    exporting.publish(tmp_path, "saved_model", write, keep_versions=1)
    assert names(tmp_path) == ["22"]
    exporting.publish(tmp_path, "saved_model", write, keep_versions=5)
    assert names(tmp_path) == ["22", "23"]


def test_a_failed_export_deletes_no_older_version(tmp_path):
    exporting.publish(tmp_path, "saved_model", write)
    with pytest.raises(ZeroDivisionError):
        exporting.publish(tmp_path, "saved_model", lambda f: 1 / 0, keep_versions=1)
    assert names(tmp_path) == ["1"]


def test_a_format_has_a_folder_of_its_own(tmp_path):
    exporting.publish(tmp_path, "saved_model", write)
    with pytest.raises(InputError, match="1 has the format saved_model; give tflite a"):
        exporting.publish(tmp_path, "tflite", write)


def test_a_version_is_no_folder_of_versions(tmp_path):
    version = exporting.publish(tmp_path, "saved_model", write)
    with pytest.raises(InputError, match="it is a version itself"):
        exporting.publish(version, "saved_model", write)


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file: Not a directory"):
        exporting.publish(tmp_path / "file", "saved_model", write)
