"""Codes against hand-worked and independent answers."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from motionflow.data.codebook import Codebook, fit_codebook
from motionflow.errors import InputError


def still_and_moving(num=20000, seed=0):
    """Three quarters still with small noise, the rest moving: as real flow is."""
    rng = np.random.default_rng(seed)
    still = rng.normal(0, 0.05, (3 * num // 4, 2))
    moving = rng.normal(0, 6, (num // 4, 2))
    return np.concatenate([still, moving]).astype(np.float32)


def test_encode_by_hand_and_decode():
    codebook = Codebook([[0, 0], [4, 0], [0, -4]])
    flow = np.array([[[0.4, 1], [2.1, 0]], [[-9, -9.5], [1, -2.1]]], np.float32)
    np.testing.assert_array_equal(codebook.encode(flow), [[0, 1], [2, 2]])
    assert codebook.encode(flow).dtype == np.int32
    np.testing.assert_array_equal(codebook.decode([2, 0]), [[0, -4], [0, 0]])
    assert codebook.zero_index == 0


def test_encode_agrees_with_a_search_tree():
    rng = np.random.default_rng(1)
    centers = rng.normal(0, 5, (40, 2)).astype(np.float32)
    flow = rng.normal(0, 6, (70000, 2)).astype(np.float32)  # more than one chunk
    expected = cKDTree(centers).query(flow)[1]
    np.testing.assert_array_equal(Codebook(centers).encode(flow), expected)


def test_every_centre_is_its_own_code():
    codebook = fit_codebook(still_and_moving())
    np.testing.assert_array_equal(codebook.encode(codebook.centers), np.arange(40))


def test_one_centre_takes_the_still_vectors():
    vectors = still_and_moving()
    codebook = fit_codebook(vectors)
    magnitudes = np.linalg.norm(codebook.centers, axis=1)
    assert codebook.centers.shape == (40, 2)
    assert codebook.zero_index == 0
    assert np.sum(magnitudes < 0.5) == 1
    assert 0.74 < codebook.counts[0] / codebook.counts.sum() < 0.80
    assert codebook.counts.sum() == len(vectors)
    assert codebook.counts.min() > 0
    assert np.all(np.diff(magnitudes) >= 0)


def test_fit_is_seeded():
    vectors = still_and_moving()
    first = fit_codebook(vectors, 8, seed=0)
    assert fit_codebook(vectors, 8, seed=0).fingerprint == first.fingerprint
    assert fit_codebook(vectors, 8, seed=1).fingerprint != first.fingerprint


def test_separate_clumps_become_the_centres():
    clumps = np.array([[0, 0], [5, 0], [0, 5], [-5, -5]], np.float32)
    vectors = np.repeat(clumps, [700, 100, 100, 100], axis=0)
    codebook = fit_codebook(vectors, 4)
    np.testing.assert_allclose(
        sorted(codebook.centers.tolist()), sorted(clumps.tolist()), atol=1e-5
    )


def test_too_few_distinct_vectors():
    with pytest.raises(InputError, match="1 distinct flow vectors"):
        fit_codebook(np.zeros((1000, 2), np.float32), 40)


def test_save_and_load(tmp_path):
    codebook = Codebook([[0, 0], [1.5, -2]], [7, 3])
    codebook.save(tmp_path / "codebook.npz")
    loaded = Codebook.load(tmp_path / "codebook.npz")
    assert loaded.fingerprint == codebook.fingerprint
    np.testing.assert_array_equal(loaded.counts, [7, 3])


@pytest.mark.parametrize(
    ("centers", "message"),
    [
        ([[0, 0, 0]], "expected \\[K, 2\\]"),
        ([[0, 0], [0, 0]], "twice"),
        ([[0, np.nan]], "not finite"),
    ],
)
def test_bad_centres(centers, message):
    with pytest.raises(InputError, match=message):
        Codebook(centers)


def test_load_what_is_no_codebook(tmp_path):
    (tmp_path / "codebook.npz").write_bytes(b"no")
    with pytest.raises(InputError, match="is no codebook"):
        Codebook.load(tmp_path / "codebook.npz")
    with pytest.raises(InputError, match="is no codebook"):
        Codebook.load(tmp_path / "missing.npz")
