"""Codes against hand-worked and independent answers; the fit against full k-means."""

import tracemalloc
import zipfile

import numpy as np
import pytest
from scipy.spatial import cKDTree
from sklearn.cluster import KMeans, MiniBatchKMeans

from motionflow.errors import InputError
from motionflow.labels import codebook as codebook_module
from motionflow.labels.codebook import Codebook, fit_codebook

pytestmark = pytest.mark.slow


def still_and_moving(num=20000, seed=0):
    """Three quarters still with small noise, the rest moving: as real flow is."""
    rng = np.random.default_rng(seed)
    still = rng.normal(0, 0.05, (3 * num // 4, 2))
    moving = rng.normal(0, 6, (num // 4, 2))
    return np.concatenate([still, moving]).astype(np.float32)


def fit(vectors, num_clusters=40, seed=0, num_batches=7):
    parts = np.array_split(vectors, num_batches)
    return fit_codebook(lambda: iter(parts), num_clusters, seed)


def error(vectors, centers):
    """Mean squared distance to the nearest centre, by a search tree."""
    return np.mean(cKDTree(centers).query(vectors)[0] ** 2)


@pytest.fixture
def small_sizes(monkeypatch):
    """Small enough for 20,000 vectors to be a long stream."""
    monkeypatch.setattr(codebook_module, "_SAMPLE_SIZE", 2000)
    monkeypatch.setattr(codebook_module, "_BATCH_SIZE", 1000)
    monkeypatch.setattr(codebook_module, "_BUFFER_SIZE", 4000)


def test_encode_by_hand_and_decode():
    codebook = Codebook([[0, 0], [4, 0], [0, -4]])
    flow = np.array([[[0.4, 1], [2.1, 0]], [[-9, -9.5], [1, -2.1]]], np.float32)
    np.testing.assert_array_equal(codebook.encode(flow), [[0, 1], [2, 2]])
    assert codebook.encode(flow).dtype == np.int32
    assert codebook.encode(flow[:0]).shape == (0, 2)
    np.testing.assert_array_equal(codebook.decode([2, 0]), [[0, -4], [0, 0]])
    assert codebook.zero_index == 0


def test_encode_agrees_with_a_search_tree():
    rng = np.random.default_rng(1)
    centers = rng.normal(0, 5, (40, 2)).astype(np.float32)
    flow = rng.normal(0, 6, (70000, 2)).astype(np.float32)  # more than one chunk
    expected = cKDTree(centers).query(flow)[1]
    np.testing.assert_array_equal(Codebook(centers).encode(flow), expected)


def test_every_centre_is_its_own_code():
    codebook = fit(still_and_moving())
    np.testing.assert_array_equal(codebook.encode(codebook.centers), np.arange(40))


def test_one_centre_takes_the_still_vectors():
    vectors = still_and_moving()
    codebook = fit(vectors)
    magnitudes = np.linalg.norm(codebook.centers, axis=1)
    assert codebook.centers.shape == (40, 2)
    assert codebook.zero_index == 0
    assert np.sum(magnitudes < 0.5) == codebook.num_near_zero == 1
    assert 0.74 < codebook.counts[0] / codebook.counts.sum() < 0.80
    assert codebook.counts.sum() == len(vectors)
    assert codebook.counts.min() > 0
    assert np.all(np.diff(magnitudes) >= 0)


def test_fit_is_seeded(tmp_path):
    vectors = still_and_moving()
    for i, seed in enumerate([0, 0, 1]):
        fit(vectors, 8, seed).save(tmp_path / f"{i}.npz")
    first, second, other = ((tmp_path / f"{i}.npz").read_bytes() for i in range(3))
    assert first == second != other


def test_separate_clumps_become_the_centres():
    clumps = np.array([[0, 0], [5, 0], [0, 6], [-5, -5]], np.float32)
    vectors = np.repeat(clumps, [100, 700, 100, 200], axis=0)
    codebook = fit(vectors, 4)
    np.testing.assert_allclose(codebook.centers, clumps, atol=1e-5)
    np.testing.assert_array_equal(codebook.counts, [100, 700, 100, 200])
    assert codebook.settings["num_vectors"] == 1100
    assert codebook.settings["sample_size"] == 1100


def test_a_long_stream_is_clustered_as_well_as_by_full_kmeans(monkeypatch):
    monkeypatch.setattr(codebook_module, "_SAMPLE_SIZE", 8000)
    monkeypatch.setattr(codebook_module, "_BATCH_SIZE", 4000)
    monkeypatch.setattr(codebook_module, "_BUFFER_SIZE", 16000)
    # The worst order: the stream turns once around, and never comes back.
    vectors = still_and_moving(40000)
    vectors = vectors[np.argsort(np.arctan2(vectors[:, 1], vectors[:, 0]))]
    streamed = fit(vectors, num_batches=100)
    assert streamed.settings["sample_size"] == 8000
    found = error(vectors, streamed.centers)
    full = KMeans(40, n_init=1, random_state=0).fit(vectors)
    assert found < 1.05 * error(vectors, full.cluster_centers_)
    one_batch = fit(vectors, num_batches=1)
    assert found == pytest.approx(error(vectors, one_batch.centers), rel=0.04)


def test_the_stream_is_read_four_times(small_sizes):
    vectors, passes = still_and_moving(), []

    def batches():
        passes.append(0)
        for part in np.array_split(vectors, 10):
            passes[-1] += len(part)
            yield part

    fit_codebook(batches, 8)
    assert passes == [len(vectors)] * 4


def test_memory_does_not_grow_with_the_stream(small_sizes):
    def peak(num_batches):
        def batches():
            for seed in range(num_batches):
                yield still_and_moving(1000, seed)

        tracemalloc.start()
        fit_codebook(batches, 8)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(2)  # imports scikit-learn
    assert peak(60) < 1.1 * peak(12)


def test_each_vector_has_the_same_chance_to_be_in_the_sample(small_sizes):
    stream = np.repeat(np.arange(20000, dtype=np.float32)[:, None], 2, axis=1)
    batches = np.array_split(stream, 30)
    sample, num = codebook_module._sample(batches, np.random.default_rng(0))
    assert (sample.shape, num) == ((2000, 2), 20000)
    assert len(np.unique(sample[:, 0])) == 2000  # none twice
    # A tenth of each tenth: 200, give or take 4 standard deviations of 13.4.
    counts = np.histogram(sample[:, 0], bins=10, range=(0, 20000))[0]
    assert np.all(np.abs(counts - 200) < 54)


def test_shuffling_keeps_every_vector_and_mixes_the_batches(small_sizes):
    stream = np.repeat(np.arange(20500, dtype=np.float32)[:, None], 2, axis=1)
    batches = np.array_split(stream, 30)
    shuffled = list(codebook_module._shuffled(batches, np.random.default_rng(0)))
    assert [len(part) for part in shuffled] == [1000] * 20 + [500]
    values = np.concatenate(shuffled)[:, 0]
    np.testing.assert_array_equal(np.sort(values), stream[:, 0])
    # A minibatch of the plain stream spans 1000 of it, a shuffled one the buffer.
    assert all(np.ptp(part[:, 0]) > 3000 for part in shuffled)


def test_too_few_distinct_vectors():
    with pytest.raises(InputError, match="1 distinct flow vectors .of 1000."):
        fit(np.zeros((1000, 2), np.float32))
    with pytest.raises(InputError, match="0 distinct"):
        fit_codebook(lambda: iter([]))


@pytest.mark.parametrize(
    ("magnitudes", "counts", "expected"),
    [
        # rms 2 px, 4 centres: each has a radius of 1 px, near is 0.25 px.
        ([0, 2, 2, 2.828], [1, 1, 1, 1], 1),
        ([0.1, 0.24, 2, 3.459], [1, 1, 1, 1], 2),
        ([0.1, 0.26, 2, 3.454], None, 1),
        ([0.3, 2, 2, 2.812], None, 0),
        # Three quarters are still: rms 1 px, near is 0.125 px.
        ([0, 0.2, 2, 2.1], [75, 0, 24, 1], 1),
        ([0, 0.1, 2, 2.1], [75, 0, 24, 1], 2),
    ],
)
def test_how_many_centres_are_near_zero(magnitudes, counts, expected):
    angles = np.arange(4)
    centers = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    centers *= np.array(magnitudes)[:, None]
    assert Codebook(centers, counts).num_near_zero == expected
    # The unit of length does not matter.
    assert Codebook(centers * 0.01, counts).num_near_zero == expected


def test_centres_that_scikit_learn_would_waste_are_refused():
    vectors = still_and_moving()
    wasteful = MiniBatchKMeans(40, n_init=1, random_state=0).fit(vectors)
    codebook = Codebook(wasteful.cluster_centers_).counted([vectors])
    assert codebook.num_near_zero > 5
    with pytest.raises(InputError, match="centres are near zero, expected one: choose"):
        codebook_module._check(codebook)


def test_a_centre_without_vectors_is_refused_after_a_fit_only():
    codebook = Codebook([[0, 0], [5, 0], [90, 0]]).counted(
        [np.array([[1, 0], [4, 1]], np.float32), np.array([[-8, 0]], np.float32)]
    )
    np.testing.assert_array_equal(codebook.counts, [2, 1, 0])
    with pytest.raises(InputError, match="1 of 3 centres take no training vector"):
        codebook_module._check(codebook)


def test_a_camera_that_never_rests_has_no_centre_near_zero():
    rng = np.random.default_rng(0)
    vectors = rng.normal([5, 0], 1, (5000, 2)).astype(np.float32)
    assert fit(vectors, 8).num_near_zero == 0


def test_save_and_load(tmp_path):
    codebook = Codebook([[0, 0], [1.5, -2]], [7, 3], {"seed": 3, "method": "by hand"})
    codebook.save(tmp_path / "codebook.npz")
    loaded = Codebook.load(tmp_path / "codebook.npz")
    assert loaded.fingerprint == codebook.fingerprint
    np.testing.assert_array_equal(loaded.counts, [7, 3])
    assert loaded.settings == {"seed": 3, "method": "by hand"}
    # No time stamp: data directories are compared byte by byte.
    with zipfile.ZipFile(tmp_path / "codebook.npz") as file:
        assert {entry.date_time[0] for entry in file.infolist()} == {1980}


def test_load_files_that_others_wrote(tmp_path):
    np.savez(tmp_path / "old.npz", centers=[[0, 0], [1, 2]], counts=[5, 6])
    old = Codebook.load(tmp_path / "old.npz")
    assert (old.settings, old.counts.tolist()) == ({}, [5, 6])
    np.savez(tmp_path / "own.npz", centers=[[0, 0], [1, 2]])
    assert Codebook.load(tmp_path / "own.npz").counts.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("centers", "counts", "message"),
    [
        ([[0, 0, 0]], None, "expected \\[K, 2\\]"),
        ([[0, 0], [0, 0]], None, "twice"),
        ([[0, np.nan]], None, "not finite"),
        ([[0, 0]], [1, 2], "counts are \\(2,\\), expected \\(1,\\)"),
    ],
)
def test_bad_centres(centers, counts, message):
    with pytest.raises(InputError, match=message):
        Codebook(centers, counts)


def test_load_what_is_no_codebook(tmp_path):
    (tmp_path / "text.npz").write_bytes(b"no")
    Codebook([[0, 0], [1, 2]]).save(tmp_path / "cut.npz")
    (tmp_path / "cut.npz").write_bytes((tmp_path / "cut.npz").read_bytes()[:300])
    np.save(tmp_path / "array.npy", np.zeros((3, 2)))
    np.savez(tmp_path / "other.npz", centres=np.zeros((3, 2)))
    for name in ("text.npz", "cut.npz", "array.npy", "other.npz", "missing.npz"):
        with pytest.raises(InputError, match=f"{name} is no codebook"):
            Codebook.load(tmp_path / name)
