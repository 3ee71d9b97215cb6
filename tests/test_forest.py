"""A forest that has something to learn."""

import numpy as np
import pytest

from motionflow.baselines.forest import ForestPredictor
from motionflow.baselines.patches import PatchSampler

SIZE, GRID = 200, 20


def texture(seed, size=SIZE):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (size, size, 3)).astype(np.uint8)


def bars(vertical, seed, left=40, right=160):
    """Grey bars of random width between `left` and `right`; grey around them."""
    rng = np.random.default_rng(seed)
    frame = np.full((SIZE, SIZE, 3), 128, np.uint8)
    place = left
    while place < right:
        width = rng.integers(8, 16)
        frame[left:right, place : min(place + width, right)] = rng.choice([30, 220])
        place += width
    return frame if vertical else np.ascontiguousarray(frame.swapaxes(0, 1))


def bars_and_motion(num_frames, seed):
    """Vertical bars move 3 px right, horizontal ones 2 px down."""
    is_vertical = np.arange(num_frames) % 2 == 0
    frames = np.stack([bars(v, seed + i) for i, v in enumerate(is_vertical)])
    flow = np.zeros((num_frames, GRID, GRID, 2), np.float32)
    flow[:, 4:16, 4:16] = [0, 2]
    flow[is_vertical, 4:16, 4:16] = [3, 0]
    return frames, flow


@pytest.fixture(scope="module")
def forest():
    sampler = PatchSampler(40, GRID, max_patches=2000, seed=0)
    sampler.add(*bars_and_motion(40, seed=0))
    return ForestPredictor(*sampler.result(), GRID, seed=0)


def test_it_learns_that_vertical_bars_move_right_and_others_down(forest):
    frames, flow = bars_and_motion(6, seed=500)
    out = forest(frames)
    assert out["probabilities"] is None
    assert out["flow"].shape == flow.shape and out["flow"].dtype == np.float32
    inner = (slice(None), slice(7, 13), slice(7, 13))
    # Bars end in corners, which look alike: not every patch is clear.
    error = np.linalg.norm(out["flow"] - flow, axis=-1)[inner]
    assert np.median(error) < 0.7 and error.mean() < 1
    means = out["flow"][inner].mean(axis=(1, 2))
    assert (means[::2, 0] > 2 * np.abs(means[::2, 1])).all()
    assert (means[1::2, 1] > 2 * np.abs(means[1::2, 0])).all()


def test_cells_that_no_patch_covers_are_still(forest):
    flow = forest(bars_and_motion(4, seed=500)[0])["flow"]
    # Bars and edges end at pixel 160; a patch reaches one cell further.
    assert not flow[:, :2].any() and not flow[:, 18:].any()
    assert not flow[:, :, :2].any() and not flow[:, :, 18:].any()
    blank = forest(np.full((2, SIZE, SIZE, 3), 128, np.uint8))["flow"]
    assert not blank.any()


def test_a_forest_without_any_patch_predicts_no_motion():
    sampler = PatchSampler(2, GRID, max_patches=100, seed=0)
    blank = np.full((2, SIZE, SIZE, 3), 128, np.uint8)
    sampler.add(blank, np.ones((2, GRID, GRID, 2), np.float32))
    out = ForestPredictor(*sampler.result(), GRID, seed=0)(texture(0)[None])
    np.testing.assert_array_equal(out["flow"], np.zeros((1, GRID, GRID, 2)))


def test_the_same_seed_grows_the_same_forest():
    frames, flow = bars_and_motion(6, seed=0)
    flow += np.random.default_rng(0).normal(size=flow.shape).astype(np.float32)

    def predict(seed):
        sampler = PatchSampler(6, GRID, max_patches=300, seed=seed)
        sampler.add(frames, flow)
        return ForestPredictor(*sampler.result(), GRID, seed)(frames)["flow"]

    np.testing.assert_array_equal(predict(1), predict(1))
    assert (predict(1) != predict(2)).any()


def test_batches_do_not_change_a_prediction(forest):
    frames, _ = bars_and_motion(5, seed=900)
    each = np.concatenate([forest(frame[None])["flow"] for frame in frames])
    np.testing.assert_array_equal(forest(frames)["flow"], each)
