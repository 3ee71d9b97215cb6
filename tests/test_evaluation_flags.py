"""What the flags say, and what they refuse."""

from pathlib import Path

import pytest
from absl import flags

from motionflow.commands import evaluation_flags
from motionflow.errors import InputError
from motionflow.scoring.assessment import Options


def parsed(*words):
    values = flags.FlagValues()
    evaluation_flags.define_flags(values)
    values(["evaluate", *words])
    return values


def quiet(done, total):
    pass


def test_defaults():
    assert evaluation_flags.arguments(parsed(), quiet) == {
        "model_dir": Path("runs/allconv"),
        "data_dir": "data/tfrecords",
        "split": "validation",
        "output_dir": Path("runs/allconv/evaluation/validation"),
        "options": Options(rivals=[], progress=quiet),
    }


def test_all_of_them():
    words = ["--model=x/1", "--data_dir=d", "--split=test", "--output_dir=e"]
    words += [
        "--known=none,past+arrows1",
        "--rivals=a,b",
        "--baselines=constant",
        "--interval_unit=source",
    ]
    found = evaluation_flags.arguments(
        parsed(*words, "--batch_size=2", "--seed=3"), quiet
    )
    options = Options(
        ["a", "b"], "constant", "source", 2, 3, quiet, ("none", "past+arrows1")
    )
    assert found == {
        "model_dir": Path("x/1"),
        "data_dir": "d",
        "split": "test",
        "output_dir": "e",
        "options": options,
    }


def test_the_data_of_a_model_that_was_made_from_videos(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "manifest.json").touch()
    best = tmp_path / "checkpoints" / "best"
    for model in (tmp_path, best):
        found = evaluation_flags.arguments(parsed(f"--run_dir={model}"))
        assert found["data_dir"] == str(tmp_path / "data")
    own = [f"--run_dir={tmp_path}", "--data_dir=other"]
    assert evaluation_flags.arguments(parsed(*own))["data_dir"] == "other"


@pytest.mark.parametrize(
    "wrong", ["--split=train", "--batch_size=0", "--baselines=some", "--seed=-1"]
)
def test_refused(wrong):
    with pytest.raises(flags.IllegalFlagValueError):
        parsed(wrong)


def test_an_export_is_not_written_to(tmp_path):
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "saved_model.pb").touch()
    for path in (tmp_path / "1", tmp_path):
        with pytest.raises(InputError, match="read only: name an output_dir"):
            evaluation_flags.arguments(parsed(f"--model={path}"))
