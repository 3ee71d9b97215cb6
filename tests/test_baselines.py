"""All baselines from records: read once, complete, and each the right one."""

import math

import numpy as np
import pytest
import tensorflow as tf

from motionflow import baselines
from motionflow.baselines.neighbors import tiny_images
from motionflow.data.data_dir import open_data_dir
from motionflow.errors import InputError
from tests.tiny_data import write_hand_made

CONSTANTS = [
    "zero flow",
    "random directions",
    "mean flow",
    "mean flow per cell",
    "class prior",
    "class prior per cell",
]


def mean_colour(frames):
    return np.float32(frames).mean(axis=(1, 2))


def read_examples(data):
    """Frames, codes and flow of the training records, by protocol buffer."""
    frames, codes, flows = [], [], []
    for record in tf.data.TFRecordDataset(data.shards("train")):
        feature = tf.train.Example.FromString(record.numpy()).features.feature
        frames.append(tf.io.decode_png(feature["frame"].bytes_list.value[0]).numpy())
        codes.append(feature["codes"].int64_list.value)
        flows.append(feature["flow"].float_list.value)
    size = data.grid_size
    flow = np.array(flows, np.float32).reshape(-1, size, size, 2)
    return np.stack(frames), np.array(codes), flow


@pytest.fixture(scope="module")
def fitted(tiny_data_dir):
    data = open_data_dir(tiny_data_dir)
    return data, baselines.make_baselines(data, mean_colour, batch_size=8)


def test_the_rows_and_their_order(fitted, tiny_data_dir):
    assert list(fitted[1]) == [
        *CONSTANTS,
        "nearest frame, pixels",
        "20 nearest frames, pixels",
        "nearest frame, features",
        "20 nearest frames, features",
        "random forest",
    ]
    without = baselines.make_baselines(open_data_dir(tiny_data_dir))
    assert list(without) == [row for row in fitted[1] if "features" not in row]


def test_the_contract(fitted):
    data, rows = fitted
    frames = read_examples(data)[0][:3]
    with_probabilities = set()
    for name, predict in rows.items():
        out = predict(frames)
        assert set(out) == {"flow", "probabilities"}
        assert out["flow"].shape == (3, 20, 20, 2) and out["flow"].dtype == np.float32
        assert np.isfinite(out["flow"]).all()
        if out["probabilities"] is not None:
            with_probabilities.add(name)
            assert out["probabilities"].shape == (3, 400, 8)
            np.testing.assert_allclose(out["probabilities"].sum(-1), 1, rtol=1e-5)
            assert math.isfinite(np.log(out["probabilities"]).sum())
            flow = out["probabilities"] @ data.codebook.centers
            np.testing.assert_allclose(out["flow"].reshape(3, 400, 2), flow, atol=1e-4)
    assert with_probabilities == {
        "class prior",
        "class prior per cell",
        "20 nearest frames, pixels",
        "20 nearest frames, features",
    }


def test_each_row_is_fitted_to_the_training_records(fitted):
    data, rows = fitted
    frames, codes, flow = read_examples(data)
    np.testing.assert_allclose(
        rows["mean flow per cell"](frames[:1])["flow"][0], flow.mean(0), atol=1e-5
    )
    share = (np.count_nonzero(codes == 2, axis=0) + 1) / (len(codes) + 8)
    prior = rows["class prior per cell"](frames[:1])["probabilities"]
    np.testing.assert_allclose(prior[0, :, 2], share)
    for space in ("pixels", "features"):
        copied = rows[f"nearest frame, {space}"](frames)["flow"]
        np.testing.assert_array_equal(copied, flow)
    # 20 of 21 frames vote, and the prior.
    votes = rows["20 nearest frames, pixels"](frames[:1])["probabilities"] * 21
    votes = votes[0] - prior[0]
    np.testing.assert_allclose(votes, np.rint(votes), atol=1e-4)
    np.testing.assert_allclose(votes.sum(-1), 20, rtol=1e-5)


def test_the_forest_has_seen_the_motion_of_these_patches(fitted):
    data, rows = fitted
    frames, _, flow = read_examples(data)
    predicted = rows["random forest"](frames)["flow"]
    error = np.square(predicted - flow).mean()
    assert error < np.square(rows["mean flow"](frames)["flow"] - flow).mean()
    assert np.corrcoef(predicted.ravel(), flow.ravel())[0, 1] > 0.3


def test_the_constants_alone(fitted, monkeypatch):
    data, rows = fitted
    monkeypatch.setattr(baselines, "read_training_set", None)  # decodes frames
    constants = baselines.constant_baselines(data, batch_size=8)
    assert list(constants) == CONSTANTS
    frames = np.zeros((2, 200, 200, 3), np.uint8)
    for name, predict in constants.items():
        np.testing.assert_array_equal(
            predict(frames)["flow"], rows[name](frames)["flow"]
        )


def test_frames_of_one_colour_have_baselines_too(tmp_path):
    # No edge anywhere: the forest has nothing to learn from.
    data = open_data_dir(write_hand_made(tmp_path / "data"))
    for predict in baselines.make_baselines(data).values():
        flow = predict(np.full((1, 8, 8, 3), 20, np.uint8))["flow"]
        assert flow.shape == (1, 2, 2, 2)
    nearest = baselines.make_baselines(data)["nearest frame, pixels"]
    flow = nearest(np.full((1, 8, 8, 3), 55, np.uint8))["flow"].reshape(4, 2)
    np.testing.assert_array_equal(flow, [[0, 0], [0, 0], [0, 0], [3.5, 0]])


@pytest.mark.parametrize("function", ["make_baselines", "constant_baselines"])
@pytest.mark.parametrize("announced", [2, 4])
def test_another_number_of_samples_than_announced(tmp_path, announced, function):
    data = open_data_dir(write_hand_made(tmp_path / "data"))
    data.manifest["splits"]["train"]["num_samples"] = announced
    with pytest.raises(InputError, match=f"3 training samples.*says {announced}"):
        getattr(baselines, function)(data, batch_size=1)


@pytest.mark.parametrize("function", ["make_baselines", "constant_baselines"])
def test_without_training_samples(tmp_path, function):
    data = open_data_dir(write_hand_made(tmp_path / "data"))
    data.manifest["splits"]["train"]["num_samples"] = 0
    with pytest.raises(InputError, match="no sample in its train split"):
        getattr(baselines, function)(data)


def test_chance_levels_are_what_guessing_scores():
    rng = np.random.default_rng(0)
    angles = rng.uniform(0, 2 * np.pi, size=[2, 100_000])
    cosines = np.cos(angles[0] - angles[1])
    assert cosines.mean() == pytest.approx(baselines.CHANCE_DIR, abs=0.01)
    assert np.abs(cosines).mean() == pytest.approx(baselines.CHANCE_ORI, abs=0.005)
    # A lopsided guess that does not see the frame, on a lopsided truth.
    codes = rng.choice(3, p=[0.1, 0.8, 0.1], size=200_000)
    guess = rng.choice(3, p=[0.5, 0.3, 0.2], size=200_000)
    recall = np.mean([np.mean(guess[codes == c] == c) for c in range(3)])
    assert recall == pytest.approx(baselines.chance_recall(3), abs=0.01)


@pytest.mark.parametrize("batch_size", [1, 8, 64])
def test_the_training_set_does_not_depend_on_batches(tiny_data_dir, batch_size):
    data = open_data_dir(tiny_data_dir)
    known = baselines.read_training_set(data, mean_colour, 0, batch_size)
    frames, codes, flow = read_examples(data)
    assert len(frames) == data.num_samples("train") > 8
    np.testing.assert_array_equal(known.codes, codes)
    np.testing.assert_array_equal(known.flow, flow)
    np.testing.assert_array_equal(known.vectors["pixels"], tiny_images(frames))
    np.testing.assert_array_equal(known.vectors["features"], mean_colour(frames))
    other = baselines.read_training_set(data, None, 0, 21)
    np.testing.assert_array_equal(known.descriptors, other.descriptors)
    np.testing.assert_array_equal(known.motions, other.motions)
    targets = baselines.read_targets(data, batch_size)
    for found, expected in zip(targets, (flow, codes), strict=True):
        np.testing.assert_array_equal(found, expected)
