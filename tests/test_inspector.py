"""A sound directory breaks no promise; each kind of damage gives its own lines."""

import hashlib
import json
import shutil

import numpy as np
import pytest

from motionflow.data import records
from motionflow.errors import InputError
from motionflow.inspection.inspector import inspect_data_dir
from motionflow.inspection.promises import PROMISES
from motionflow.labels.codebook import Codebook
from tests.tiny_data import CENTERS, MIXED, SAMPLES, make_sample, write_hand_made

pytestmark = pytest.mark.slow

OK = dict.fromkeys(PROMISES, "ok")


@pytest.fixture
def data(tmp_path):
    return write_hand_made(tmp_path / "data")


def verdicts(found):
    return {promise: found.verdict(promise) for promise in PROMISES}


def replace_shard(data, split, samples):
    """Puts other records into a split, with a manifest that tells their sums."""
    for file in data.glob(f"{split}-*"):
        file.unlink()
    encoded = [s if isinstance(s, bytes) else s.encode() for s in samples]
    shards = records.write_shards(data, split, encoded, 1)
    edit_manifest(data, lambda m: m["splits"][split].update(shards=shards))
    return shards[0]["name"]


def edit_manifest(data, change):
    manifest = json.loads((data / "manifest.json").read_text())
    change(manifest)
    (data / "manifest.json").write_text(json.dumps(manifest))


def edit_lines(data, change):
    file = data / "clips.jsonl"
    lines = file.read_text().splitlines()
    change(lines)
    file.write_text("\n".join(lines) + "\n")


def test_a_sound_directory(data):
    progress = []
    found = inspect_data_dir(data, lambda done, total: progress.append((done, total)))
    assert found.problems == [] and verdicts(found) == OK
    assert progress == [(i, 6) for i in range(1, 7)]
    counts = {split: census.num_samples for split, census in found.censuses.items()}
    assert counts == {"train": 3, "validation": 1, "test": 2}
    assert found.censuses["train"].code_counts.tolist() == [7, 3, 2]
    assert found.places["train"]["walk/a1.avi", 5] == (
        "train-00001-of-00002.tfrecord",
        0,
    )


def test_what_the_builder_writes_is_sound(tiny_data_dir):
    found = inspect_data_dir(tiny_data_dir)
    assert found.problems == [] and verdicts(found) == OK
    assert found.censuses["train"].code_counts.sum() == 400 * 21


def test_flipped_bytes(data):
    file = data / "train-00000-of-00002.tfrecord"
    content = bytearray(file.read_bytes())
    content[40:44] = b"\xff\xff\xff\xff"
    file.write_bytes(content)
    found = inspect_data_dir(data)
    (line,) = found.problems
    assert file.name in line and "sha256" in line
    assert found.num_unread == 2
    assert found.verdict("shards") == "broken"
    # The other records are read, but what takes all of them is left open.
    assert found.censuses["train"].num_samples == 1
    for promise in PROMISES.keys() - {"shards"}:
        assert found.verdict(promise) == "not checked"


def test_a_missing_and_a_cut_shard_are_both_reported(data):
    missing, cut = sorted(data.glob("t*-00000-of-00002.tfrecord"))
    missing.unlink()
    cut.write_bytes(cut.read_bytes()[:-1])
    one, other = inspect_data_dir(data).problems
    assert {missing.name in one, cut.name in one} == {True, False}
    assert "bytes, expected" in one and "bytes, expected" in other


def test_a_shard_that_no_split_names(data):
    shutil.copy(
        data / "test-00000-of-00002.tfrecord", data / "test-00000-of-00009.tfrecord"
    )
    (data / "._test-00000-of-00002.tfrecord").touch()  # a Mac's
    (line,) = inspect_data_dir(data).problems
    assert line == "test-00000-of-00009.tfrecord is in no split of the manifest"


def test_a_deleted_line_of_clips(data):
    edit_lines(data, lambda lines: lines.pop(0))
    by_status, by_clip = inspect_data_dir(data).problems
    assert "'ok': 4" in by_status and "'ok': 5" in by_status
    assert "gives no samples to a clip that has some: 'walk/a1.avi'" in by_clip


def test_clips_that_cannot_be_read(data):
    def change(lines):
        lines[-1], lines[-2] = "{", '{"clip": "a"}'

    edit_lines(data, change)
    lines = inspect_data_dir(data).problems
    assert lines[0] == "clips.jsonl names no clip in line 6; line 7"
    (data / "clips.jsonl").write_bytes(b"\xff\xfe\x00")
    assert inspect_data_dir(data).problems[0].endswith("no clip in line 1")
    (data / "clips.jsonl").unlink()
    assert "clips.jsonl cannot be read" in inspect_data_dir(data).problems[0]


def test_another_codebook(data):
    Codebook(CENTERS + 1).save(data / "codebook.npz")
    found = inspect_data_dir(data)
    (line,) = found.problems
    assert "the records were written with" in line
    assert found.codebook is None and found.verdict("codebook") == "broken"
    assert found.verdict("counts") == "ok"
    assert found.verdict("records") == "not checked"  # their codes are not


@pytest.mark.parametrize("damage", ["missing", "empty", "noise", "cut"])
def test_a_damaged_codebook(data, damage):
    file = data / "codebook.npz"
    contents = {"empty": b"", "noise": b"noise", "cut": file.read_bytes()[:-30]}
    file.unlink()
    if damage != "missing":
        file.write_bytes(contents[damage])
    found = inspect_data_dir(data)
    (line,) = found.problems
    assert "codebook.npz" in line and "\n" not in line


def test_a_codebook_that_is_not_what_was_promised(tmp_path):
    two_still = np.float32([[0, 0], [3, 0], [0, -4], [-0.01, 0]])
    data = write_hand_made(
        tmp_path / "data", centers=two_still, counts=np.array([7, 3, 2, 0])
    )
    near, unused = inspect_data_dir(data).problems
    assert "2 centres near zero" in near
    assert "no training cell has the codes 3" in unused
    # The same centres from another data directory need not all be used here.
    other = write_hand_made(
        tmp_path / "other",
        centers=two_still,
        counts=np.array([7, 3, 2, 0]),
        codebook="0123456789abcdef",
    )
    (near,) = inspect_data_dir(other).problems
    assert "near zero" in near


def test_mean_frame_of_other_frames(data):
    np.save(data / "mean_frame.npy", np.full((8, 8, 3), 40, np.float32))
    (line,) = inspect_data_dir(data).problems  # the mean of 10, 20 and 60 is 30
    assert "up to 10.0 levels off" in line


def test_a_source_in_two_splits(tmp_path):
    leak = make_sample("a2", 0, 0, MIXED, [0, 0, 1, 2])  # source a, as in training
    samples = SAMPLES | {"test": [leak]}
    (line,) = inspect_data_dir(write_hand_made(tmp_path / "d", samples)).problems
    assert "a source lies in two splits: 'a' (train, test)" in line
    other = write_hand_made(tmp_path / "e", samples, split="official1")
    assert inspect_data_dir(other).problems == []


def test_every_bad_record_is_counted(data):
    nan = np.full((4, 2), np.nan)
    shard = replace_shard(
        data,
        "test",
        [
            b"noise",
            make_sample("d1", 0, 0, MIXED, [0, 0, 1, 2]),
            make_sample("d1", 0, 0, MIXED, [0, 0, 1, 2]),
            make_sample("d2", 0, 0, MIXED, [0, 0, 2, 1]),
            make_sample("d2", 5, 0, MIXED, [0, 0, 1, 7]),
            make_sample("d2", 10, 0, nan, [0, 0, 0, 0]),
            make_sample("d2", 15, 0, MIXED, [0, 0, 2, 1]),
        ],
    )
    found = inspect_data_dir(data)
    assert found.findings["shards"] == []
    assert found.findings["records"] == [
        f"records that do not parse: 1 ({shard} record 0)",
        f"records that occur twice: 1 ({shard} record 2)",
        "records that hold codes that are not those of their flow: 2 "
        f"({shard} record 3; {shard} record 6)",
        f"records that hold codes outside 0 to 2: 1 ({shard} record 4)",
        f"records that hold flow that is not finite: 1 ({shard} record 5)",
    ]
    # Only the good record is measured and may be drawn.
    assert found.censuses["test"].code_counts.sum() == 4
    assert list(found.places["test"]) == [("walk/d1.avi", 0)]
    assert found.verdict("counts") == "not checked"


def test_numbers_of_records(data):
    def change(manifest):
        manifest["splits"]["test"]["shards"][0]["num_samples"] = 2
        manifest["splits"]["train"]["num_samples"] = 4

    edit_manifest(data, change)
    found = inspect_data_dir(data)
    (line,) = found.findings["shards"]
    assert line.endswith("has 1 records, expected 2")
    edit_manifest(
        data, lambda m: m["splits"]["test"]["shards"][0].update(num_samples=1)
    )
    assert inspect_data_dir(data).problems == [
        "train has num_samples 3, the manifest says 4"
    ]


def test_a_shard_that_was_damaged_before_its_sum_was_taken(data):
    file = data / "train-00000-of-00002.tfrecord"
    content = bytearray(file.read_bytes())
    content[-1] ^= 255  # the last record's checksum
    file.write_bytes(content)

    def change(manifest):
        shard = manifest["splits"]["train"]["shards"][0]
        shard["sha256"] = hashlib.sha256(content).hexdigest()

    edit_manifest(data, change)
    (line,) = inspect_data_dir(data).problems
    assert line == f"{file.name} is damaged after record 1 of 2"


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda m: m.pop("splits"), "lacks 'splits'"),
        (lambda m: m["splits"].pop("test"), "lacks 'test'"),
        (lambda m: m["splits"]["test"].pop("num_clips"), "lacks 'num_clips'"),
        (lambda m: m["splits"]["test"]["shards"][0].pop("bytes"), "lacks 'bytes'"),
        (lambda m: m["flags"].pop("grid_size"), "lacks 'grid_size'"),
        (lambda m: m.pop("clips"), "lacks 'clips'"),
        (lambda m: m.update(format_version=1), "format 1"),
    ],
)
def test_a_manifest_that_does_not_say_what_to_check(data, change, message):
    edit_manifest(data, change)
    with pytest.raises(InputError, match=message):
        inspect_data_dir(data)


def test_no_manifest(tmp_path):
    with pytest.raises(InputError, match=r"no manifest\.json"):
        inspect_data_dir(tmp_path)
