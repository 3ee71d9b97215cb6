"""A network in one file."""

import hashlib

import numpy as np
import pytest

from motionflow.compat import keras
from motionflow.errors import InputError
from motionflow.labels.codebook import Codebook
from motionflow.models import predictor, weights
from motionflow.models.network import build_model
from motionflow.models.run_dir import RunDir
from motionflow.serving.exporting import export_model
from tests import tiny_run


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A run, and the version that was packed of it; nobody changes them."""
    path = tmp_path_factory.mktemp("packed")
    run = tiny_run.write_run(path / "run")
    return run, export_model(run, path / "exported", "packed")


def test_it_answers_like_the_run(files):
    run, version = files
    frames = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), np.uint8)
    expected = predictor.load(run)(frames)
    for path in (version, version / "model.npz", version.parent):
        found = predictor.load(path)(frames)
        for key, bound in (("flow", 5e-3), ("probabilities", 1e-3)):
            np.testing.assert_allclose(found[key], expected[key], atol=bound)
    sizes = [
        sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        for folder in (run / "checkpoints", version)
    ]
    assert sizes[1] < 0.6 * sizes[0]
    assert (version / "assets.extra" / "model_card.md").is_file()


def test_small_weights_keep_their_precision(tmp_path):
    """So does the codebook that a network of known motion reckons with."""
    keras.utils.set_random_seed(0)
    config = {"name": "guided", "num_clusters": 5, "grid_size": 4, "width": 0.1}
    model = build_model(**config, mean_frame=np.zeros((64, 64, 3), np.float32))
    centers = np.float32([[0, 0], [4.1, 0], [-4.2, 0.3], [0, 4], [0, -4]])
    model.get_layer("guidance").centers.assign(centers)
    path = tmp_path / "model.npz"
    weights.pack(path, model, config, Codebook(centers, np.arange(5)))
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        back, codebook = weights.unpack(path)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert back.compute_dtype == "float32"
    np.testing.assert_array_equal(codebook.centers, centers)
    np.testing.assert_array_equal(codebook.counts, np.arange(5))
    for weight, found in zip(model.weights, back.weights, strict=True):
        if not weight.dtype.is_floating:
            continue
        if weight.shape.num_elements() < 4096:
            np.testing.assert_array_equal(found, weight)
        else:
            np.testing.assert_allclose(found, weight, rtol=1e-3, atol=1e-7)


def test_another_file_is_refused(files, tmp_path):
    _, version = files
    content = (version / "model.npz").read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    weights.unpack(version / "model.npz", digest)
    path = tmp_path / "model.npz"
    path.write_bytes(content[:-1] + b"x")
    with pytest.raises(InputError, match="not the file that belongs there: SHA-256"):
        weights.unpack(path, digest)
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match="is no model of `motionflow export --format"):
        weights.unpack(path)
    RunDir(files[0]).codebook.save(path)
    with pytest.raises(InputError, match="is no model of `motionflow export --format"):
        predictor.load(path)
