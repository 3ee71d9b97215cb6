"""Training, evaluating and exporting from Python; a network of one's own."""

import json

import numpy as np
import pytest

import motionflow
from motionflow.compat import keras
from motionflow.errors import InputError
from motionflow.models import find_builder, network_names
from tests import tiny_run

pytestmark = pytest.mark.slow


def build_mine(frames, grid_size, num_clusters, **options):
    """Three lines: a mean over each cell, and a linear classifier."""
    size = frames.shape[1] // grid_size
    cells = keras.layers.AveragePooling2D(size, name="features")(frames)
    return keras.layers.Conv2D(num_clusters, 1, name="scores")(cells)


@pytest.fixture
def mine():
    before = dict(motionflow.models._BUILDERS)
    motionflow.register_network("mine", build_mine)
    yield
    motionflow.models._BUILDERS.clear()
    motionflow.models._BUILDERS.update(before)


def test_a_network_of_ones_own_from_data_to_export(mine, tmp_path, capfd):
    data = tiny_run.write_data(tmp_path / "data", frame_size=60)
    rows = []
    result = motionflow.train_model(
        data_dir=str(data),
        run_dir=str(tmp_path / "run"),
        model="mine",
        batch_size=4,
        epochs=2,
        progress=rows.append,
    )
    assert [row["epoch"] for row in rows] == [1, 2] and result["epochs"] == 2
    assert 1 / 5 <= rows[-1]["val_most_predicted"] <= 1
    motion = motionflow.load(tmp_path / "run").flow(np.zeros((60, 100, 3), np.uint8))
    assert motion.flow.shape == (3, 5, 2)
    summary = motionflow.evaluate_model(
        tmp_path / "run", data, baselines="constant", seed=3
    )
    folder = tmp_path / "run" / "evaluation" / "validation"
    assert json.loads((folder / "metrics.json").read_text()) == summary
    version = motionflow.export_model(tmp_path / "run", tmp_path / "exported")
    assert version == tmp_path / "exported" / "1"
    with pytest.raises(InputError, match="read only: name an output_dir"):
        motionflow.evaluate_model(version, data)
    # A library tells its caller, not the terminal.
    assert capfd.readouterr().out == ""


def test_names_of_networks(mine):
    assert network_names()[-1] == "mine"
    first = find_builder("mine")
    motionflow.register_network("mine", print)  # a cell of a notebook that runs again
    assert network_names().count("mine") == 1 and find_builder("mine") is not first
    with pytest.raises(InputError, match="allconv is a network of motionflow"):
        motionflow.register_network("allconv", build_mine)
    with pytest.raises(InputError, match="no model 'other'; .* mine, .*import_module"):
        find_builder("other")


def test_a_setting_that_is_none():
    with pytest.raises(TypeError, match="epoch"):
        motionflow.train_model(epoch=3)
