"""Each violated promise gives its line, and sound counts give none."""

import collections

import numpy as np
import pytest

from motionflow.inspection import promises
from motionflow.inspection.promises import Census
from motionflow.labels.codebook import Codebook
from tests.tiny_data import CENTERS, SAMPLES, TRAIN_COUNTS, statuses_of


def census_of(*origins):
    census = Census(3, 0, 8)
    for clip, source in origins:
        census.add_sample((clip, "walk", source), np.zeros((8, 8, 3), np.uint8))
    return census


def censuses_of(samples):
    censuses = {split: Census(3, 0, 8) for split in samples}
    for split, items in samples.items():
        for s in items:
            frame = np.frombuffer(s.frame, np.uint8).reshape(8, 8, 3)
            censuses[split].add_sample((s.clip, s.action, s.source), frame)
    return censuses


SPLITS = {
    "train": {"num_samples": 3, "num_clips": 2},
    "validation": {"num_samples": 1, "num_clips": 1},
    "test": {"num_samples": 2, "num_clips": 2},
}


@pytest.mark.parametrize(
    "protocol, train, validation, test, expected",
    [
        ("source", [("a", "x")], [("b", "y")], [("c", "z")], []),
        ("source", [("a", "x")], [("b", "y")], [("c", "x")], ["'x' (train, test)"]),
        ("source", [("a", "x")], [("a", "x")], [], ["'a' (train, v", "'x' (train, v"]),
        # The published lists may share sources with the test split, not clips.
        ("official1", [("a", "x")], [("b", "y")], [("c", "x")], []),
        ("official2", [("a", "x")], [("b", "x")], [], ["'x' (train, validation)"]),
        ("official3", [("a", "x")], [], [("a", "x")], ["'a' (train, test)"]),
        # Frames of one clip lie in all splits.
        ("frame", [("a", "x")], [("a", "x")], [("a", "x")], []),
    ],
)
def test_splits_share_what_the_protocol_allows(
    protocol, train, validation, test, expected
):
    parts = zip(("train", "validation", "test"), (train, validation, test), strict=True)
    censuses = {split: census_of(*origins) for split, origins in parts}
    lines = list(promises.split_problems(protocol, censuses))
    assert len(lines) == len(expected)
    for line, part in zip(lines, expected, strict=True):
        assert part in line and f"--split={protocol}" in line


def test_sound_counts_break_no_promise():
    statuses, censuses = statuses_of(SAMPLES), censuses_of(SAMPLES)
    expected = collections.Counter(status.status for status in statuses)
    assert not list(promises.status_problems(statuses, expected))
    assert not list(promises.count_problems(SPLITS, censuses))
    assert not list(promises.clip_problems(statuses, censuses))


def test_clips_by_status():
    statuses = statuses_of(SAMPLES)
    (line,) = promises.status_problems(statuses[1:], {"ok": 5, "filtered": 1})
    assert "'ok': 4" in line and "'ok': 5" in line
    twice = [*statuses, statuses[0]]
    expected = collections.Counter(status.status for status in twice)
    (line,) = promises.status_problems(twice, expected)
    assert line == "clips.jsonl names a clip twice: 'walk/a1.avi'"


def test_numbers_of_the_manifest():
    splits = SPLITS | {"train": {"num_samples": 4, "num_clips": 1}}
    assert list(promises.count_problems(splits, censuses_of(SAMPLES))) == [
        "train has num_samples 3, the manifest says 4",
        "train has num_clips 2, the manifest says 1",
    ]


def change_status(clip, **changes):
    statuses = statuses_of(SAMPLES)
    (status,) = [status for status in statuses if status.clip == clip]
    for name, value in changes.items():
        setattr(status, name, value)
    return list(promises.clip_problems(statuses, censuses_of(SAMPLES)))


def test_clips_against_their_records():
    (line,) = change_status("walk/a1.avi", samples=3)
    assert "'walk/a1.avi' (3, 'walk', 'a'), the records (2, 'walk', 'a')" in line
    (line,) = change_status("walk/a1.avi", source="z")
    assert "differs from the records" in line and "'z'" in line
    (line,) = change_status("walk/a1.avi", split="test")
    assert "'walk/a1.avi' (test) in train" in line
    (line,) = change_status("walk/a1.avi", samples=0)
    assert "gives no samples to a clip that has some: 'walk/a1.avi'" in line
    (line,) = change_status("walk/e1.avi", samples=2, split="train")
    assert "'walk/e1.avi' (2, 'walk', 'e'), the records (0,)" in line


def test_many_clips_are_counted_not_listed():
    censuses = {"train": census_of(*((f"{i}.avi", str(i)) for i in range(10)))}
    (line,) = promises.clip_problems([], censuses)
    assert line.endswith("'0.avi'; '1.avi'; '2.avi'; and 7 more")


def test_codebook_against_the_training_records():
    codebook = Codebook(CENTERS, TRAIN_COUNTS)
    assert not list(promises.codebook_problems(codebook, TRAIN_COUNTS, own=True))
    unused, other = promises.codebook_problems(codebook, np.array([9, 0, 3]), own=True)
    assert unused == "no training cell has the codes 1"
    assert other.startswith("codebook.npz counts other vectors")


def test_a_codebook_from_elsewhere_may_have_unused_centres():
    codebook = Codebook(CENTERS, np.array([9, 0, 3]))
    assert not list(
        promises.codebook_problems(codebook, np.array([9, 0, 3]), own=False)
    )


def test_more_than_one_still_centre():
    codebook = Codebook(np.float32([[0, 0], [3, 0], [0.01, 0]]), [8, 3, 1])
    (line,) = promises.codebook_problems(codebook, np.array([8, 3, 1]), own=True)
    assert line == "codebook.npz has 2 centres near zero, expected 1"
    # A camera that never rests leaves none, which is no fault of the codebook.
    codebook = Codebook(np.float32([[2, 0], [3, 0]]), [8, 3])
    assert not list(promises.codebook_problems(codebook, np.array([8, 3]), own=True))


def test_mean_frame(tmp_path):
    file, train = tmp_path / "mean_frame.npy", Census(3, 0, 8)
    for level in (10, 21):
        train.add_sample(("a", "", "a"), np.full((8, 8, 3), level, np.uint8))
    np.save(file, np.full((8, 8, 3), 15.5, np.float32))
    assert not list(promises.mean_frame_problems(file, train))
    for mean, message in (
        (np.full((8, 8, 3), 20.5), "up to 5.0 levels off"),
        (np.full((8, 8, 3), np.nan), "levels off"),
        (np.zeros((9, 8, 3)), "is (9, 8, 3), expected (8, 8, 3)"),
    ):
        np.save(file, mean)
        (line,) = promises.mean_frame_problems(file, train)
        assert message in line
    for damage in (b"", b"noise"):
        file.write_bytes(damage)
        (line,) = promises.mean_frame_problems(file, train)
        assert "mean_frame.npy cannot be read" in line
    file.unlink()
    (line,) = promises.mean_frame_problems(file, train)
    assert "cannot be read" in line


def test_clips_of_several_data_sets():
    statuses = statuses_of(SAMPLES)
    for status in statuses:
        status.clip = f"{'y' if status.source == 'd' else 'x'}/{status.clip}"
    flags = {"data_sets": ["x", "y"], "test_sets": ["y"]}
    assert not list(promises.set_problems(flags, statuses))
    assert not list(promises.set_problems({}, statuses))
    statuses[-1].clip = "z/walk/e2.avi"
    (line,) = promises.set_problems(flags, statuses)
    assert line == "clips.jsonl names clips of no data set: 'z/walk/e2.avi'"
    (line,) = promises.set_problems(
        {"data_sets": ["x", "y", "z"], "test_sets": ["x"]}, statuses[:2]
    )
    expected = "'x/walk/a1.avi' (train); 'x/walk/b1.avi' (train)"
    assert line == f"clips of --test_sets lie in other splits: {expected}"


# --- counts -------------------------------------------------------------------


@pytest.fixture
def census():
    census = Census(num_clusters=3, zero_index=0, frame_size=8)
    for sample in SAMPLES["train"]:
        frame = np.frombuffer(sample.frame, np.uint8).reshape(8, 8, 3)
        census.add_sample((sample.clip, sample.action, sample.source), frame)
        census.add_motion(sample.flow, sample.codes)
    return census


def test_counts_by_hand(census):
    assert (census.num_samples, census.num_clips) == (3, 2)
    assert census.clips == {"walk/a1.avi", "walk/b1.avi"}
    assert census.sources == {"a", "b"}
    assert census.samples[("walk/a1.avi", "walk", "a")] == 2
    assert census.code_counts.tolist() == [7, 3, 2]
    assert census.still_share == pytest.approx(7 / 12)
    assert (census.frame_sum == 10 + 20 + 60).all()
    assert census.longest == 5  # (3, -4)
    assert Census(3, 0, 8).still_share is None
