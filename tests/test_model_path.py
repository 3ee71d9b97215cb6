"""What a path means."""

import pytest

from motionflow.errors import InputError
from motionflow.models.model_path import find_model


def test_what_a_path_means(tmp_path):
    run, exported = tmp_path / "run", tmp_path / "exported"
    best = run / "checkpoints" / "best"
    best.mkdir(parents=True)
    (run / "config.json").touch()
    for number in ("2", "10"):
        (exported / number).mkdir(parents=True)
        (exported / number / "saved_model.pb").touch()
    (exported / "notes").mkdir()
    for path, expected in (
        (run, run),
        (best, best),
        (exported / "2", exported / "2"),
        (exported, exported / "10"),
    ):
        assert find_model(str(path)) == expected
    (exported / "11").mkdir()
    (exported / "11" / "model.tflite").touch()
    with pytest.raises(InputError, match="11 is the newest version and holds no saved"):
        find_model(exported)


def test_what_means_nothing(tmp_path):
    with pytest.raises(InputError, match="holds no model: expected a run directory"):
        find_model(tmp_path)
    with pytest.raises(InputError, match="none does not exist: expected"):
        find_model(tmp_path / "none")
    with pytest.raises(InputError, match="best does not exist: expected"):
        find_model(tmp_path / "checkpoints" / "best")
