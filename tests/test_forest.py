"""A forest that has something to learn, on patches cut by hand."""

import cv2
import numpy as np
import pytest

from motionflow.baselines import forest
from motionflow.baselines.forest import ForestPredictor, PatchSampler, edge_cells

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
def grown():
    sampler = PatchSampler(40, GRID, max_patches=2000, seed=0)
    sampler.add(*bars_and_motion(40, seed=0))
    return ForestPredictor(*sampler.result(), GRID, seed=0)


def test_it_learns_that_vertical_bars_move_right_and_others_down(grown):
    frames, flow = bars_and_motion(6, seed=500)
    out = grown(frames)
    assert out["probabilities"] is None
    assert out["flow"].shape == flow.shape and out["flow"].dtype == np.float32
    inner = (slice(None), slice(7, 13), slice(7, 13))
    # Bars end in corners, which look alike: not every patch is clear.
    error = np.linalg.norm(out["flow"] - flow, axis=-1)[inner]
    assert np.median(error) < 0.7 and error.mean() < 1
    means = out["flow"][inner].mean(axis=(1, 2))
    assert (means[::2, 0] > 2 * np.abs(means[::2, 1])).all()
    assert (means[1::2, 1] > 2 * np.abs(means[1::2, 0])).all()


def test_cells_that_no_patch_covers_are_still(grown):
    flow = grown(bars_and_motion(4, seed=500)[0])["flow"]
    # Bars and edges end at pixel 160; a patch reaches one cell further.
    assert not flow[:, :2].any() and not flow[:, 18:].any()
    assert not flow[:, :, :2].any() and not flow[:, :, 18:].any()
    blank = grown(np.full((2, SIZE, SIZE, 3), 128, np.uint8))["flow"]
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


def test_batches_do_not_change_a_prediction(grown):
    frames, _ = bars_and_motion(5, seed=900)
    each = np.concatenate([grown(frame[None])["flow"] for frame in frames])
    np.testing.assert_array_equal(grown(frames)["flow"], each)


# --- edges and patches ---------------------------------------------------------


def test_canny_marks_the_cells_of_an_edge_only():
    frames = np.zeros([2, 40, 40, 3], np.uint8)
    frames[1, :20, 25:] = 255  # a corner at row 20, column 25
    cells = edge_cells(frames, grid_size=4).reshape(2, 4, 4)
    assert not cells[0].any()  # no edge at all
    # The vertical side runs down column 25 (cell column 2) from the top, the
    # horizontal one along row 20 to the right; Canny may put either a pixel off.
    assert cells[1, :2, 2].all()
    assert cells[1, 1:3, 3].any()
    assert not cells[1, :, :2].any() and not cells[1, 3].any()
    # A step of 20 grey levels has |dI/dx| = 4 x 20 < 100 and is none.
    faint = np.full([1, 40, 40, 3], 100, np.uint8)
    faint[:, :, 25:] = 120
    assert not edge_cells(faint, grid_size=4).any()


def test_canny_cells_are_blocks_of_the_edge_image():
    frame = np.random.default_rng(4).integers(0, 255, [10, 10, 3]).astype(np.uint8)
    frame = cv2.resize(frame, (60, 60), interpolation=cv2.INTER_CUBIC)
    edges = cv2.Canny(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), 100, 200)
    expected = edges.reshape(6, 10, 6, 10).max(axis=(1, 3)) > 0
    assert 0 < expected.sum() < 36
    np.testing.assert_array_equal(edge_cells(frame[None], 6)[0], expected.ravel())


@pytest.mark.parametrize("cell", [(0, 0), (7, 11), (19, 19), (0, 12)])
def test_a_descriptor_is_hog_of_the_patch_around_the_cells_centre(cell):
    frame = texture(1)
    row, column = cell
    found = forest.describe(frame, np.array([0, row * GRID + column]), GRID)[1]
    # Cell (7, 11) covers rows 70-79: its patch is rows 59-90, and a pixel around it.
    rows = np.clip(np.arange(34) + 10 * row + 5 - 17, 0, SIZE - 1)
    columns = np.clip(np.arange(34) + 10 * column + 5 - 17, 0, SIZE - 1)
    patch = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)[np.ix_(rows, columns)]
    hog = cv2.HOGDescriptor((32, 32), (16, 16), (8, 8), (8, 8), 9)
    expected = hog.compute(np.ascontiguousarray(patch), locations=[(1, 1)])
    np.testing.assert_allclose(found, np.ravel(expected), atol=1e-6)
    assert found.shape == (324,)


def test_hog_tells_directions_apart():
    frames = np.stack([bars(True, seed=4), bars(False, seed=4)])
    cells = np.array([10 * GRID + 10])
    upright, lying = (forest.describe(frame, cells, GRID)[0] for frame in frames)
    # 9 directions of 20 degrees: gradients across upright bars fall in the first ones.
    directions = upright.reshape(-1, 9).sum(0), lying.reshape(-1, 9).sum(0)
    assert np.argmax(directions[0]) in (0, 8)
    assert np.argmax(directions[1]) == 4


def test_motion_patches_by_hand():
    flow = np.zeros((3, 3, 2), np.float32)
    flow[..., 0] = [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    flow[..., 1] = -flow[..., 0]
    middle, corner = forest.motion_patches(flow, np.array([4, 2]), size=3)
    np.testing.assert_array_equal(middle, flow)
    np.testing.assert_array_equal(corner[..., 0], [[1, 2, 2], [1, 2, 2], [4, 5, 5]])
    np.testing.assert_array_equal(corner[..., 1], -corner[..., 0])


def test_overlapping_patches_are_averaged_by_hand():
    ones = np.ones((3, 3, 2))
    # Around cells (0, 0) and (1, 1) of a 4x4 grid; they share the four cells between.
    flow = forest.average_patches(np.stack([2 * ones, 4 * ones]), np.array([0, 5]), 4)
    expected = [[3, 3, 4, 0], [3, 3, 4, 0], [4, 4, 4, 0], [0, 0, 0, 0]]
    np.testing.assert_array_equal(flow[..., 0], expected)
    np.testing.assert_array_equal(flow[..., 1], expected)


def test_averaging_undoes_cutting():
    flow = np.random.default_rng(0).normal(size=(6, 6, 2)).astype(np.float32)
    cells = np.arange(36)
    cut = forest.motion_patches(flow, cells, 3)
    np.testing.assert_allclose(forest.average_patches(cut, cells, 6), flow, atol=1e-6)


def test_the_motion_patch_is_what_32_pixels_cover():
    # 3.2 cells, 5.1, 3.2, 1.5 (nearer to 1 than to 3), 0.6.
    sizes = [(200, 20), (200, 32), (100, 10), (64, 3), (400, 8)]
    assert [forest.motion_size(*size) for size in sizes] == [3, 5, 3, 1, 1]


def test_every_frame_gives_its_share():
    frames = np.stack([texture(i) for i in range(7)])
    flow = np.zeros((7, GRID, GRID, 2), np.float32)
    flow += np.arange(7).reshape(7, 1, 1, 1)  # frame i moves by (i, i)

    def drawn(max_patches, batches):
        sampler = PatchSampler(7, GRID, max_patches, seed=0)
        for batch in np.split(np.arange(7), batches):
            sampler.add(frames[batch], flow[batch])
        descriptors, motions = sampler.result()
        assert descriptors.shape == (len(motions), 324)
        return np.bincount(motions[:, 1, 1, 0].astype(int), minlength=7)

    # 400 edge cells each. 24 = 3 + 3 + 4 + 3 + 4 + 3 + 4; 3 patches: three frames.
    np.testing.assert_array_equal(drawn(24, []), [3, 3, 4, 3, 4, 3, 4])
    np.testing.assert_array_equal(drawn(24, [2, 3]), drawn(24, []))
    np.testing.assert_array_equal(drawn(3, []), [0, 0, 1, 0, 1, 0, 1])
    assert drawn(10_000, []).sum() == 7 * 400


def test_patches_are_drawn_all_over_the_frame():
    flow = np.zeros((1, GRID, GRID, 2), np.float32)
    flow[0, ..., 0], flow[0, ..., 1] = np.meshgrid(np.arange(GRID), np.arange(GRID))
    sampler = PatchSampler(1, GRID, max_patches=100, seed=0)
    sampler.add(texture(0)[None], flow)
    columns, rows = sampler.result()[1][:, 1, 1].T
    assert len(set(zip(columns, rows, strict=True))) == 100
    assert abs(columns.mean() - 9.5) < 2 and abs(rows.mean() - 9.5) < 2
