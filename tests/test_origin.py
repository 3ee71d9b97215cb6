"""What is said of where a model comes from: counts of the hand-made data directory."""

import json

import pytest

from motionflow.data.data_dir import open_data_dir
from motionflow.models.run_dir import RunDir
from motionflow.report import origin
from tests.tiny_data import write_hand_made

SUMMARY = {"split": "test", "num_samples": 2, "num_clips": 2, "num_sources": 1}
JUDGED = "It is judged on the test split: 2 frames of 2 clips from 1 source videos."
TEACHER = (
    "Its teacher was the optical flow in them (method: dis); nobody labelled anything."
)


@pytest.fixture
def data(tmp_path):
    return open_data_dir(write_hand_made(tmp_path / "clips of mine", flow_method="dis"))


def test_the_data_that_it_was_trained_on_tell_all(data):
    # a1 twice and b1: the sources are a and b.
    assert origin.learned_from(data.manifest, data) == (
        "It learned from 3 frames of 2 clips from 2 source videos (a folder of clips; "
        f"data directory \u201cclips of mine\u201d). {TEACHER}"
    )


def test_other_data_say_nothing_of_sources(data):
    splits = data.manifest["splits"] | {"train": {"num_samples": 1234}}
    other = data.manifest | {"splits": splits, "flags": {"dataset": "hmdb51"}}
    assert origin.learned_from(other, data) == (
        "It learned from 1,234 frames (HMDB-51, or clips named like its own). "
        + TEACHER.replace("dis", "not recorded")
    )
    assert origin.judged_on(SUMMARY, other, data) == (
        f"{JUDGED} These are other data than those that it learned from."
    )
    codebook = data.manifest | {"codebook_fingerprint": "another"}
    assert "other data" in origin.judged_on(SUMMARY, codebook, data)


def test_several_data_sets_are_named(data):
    flags = {"data_sets": ["x", "y", "z"], "dataset": ["folder", "ucf101", "folder"]}
    found = origin.learned_from(data.manifest | {"flags": flags}, data)
    where = "data sets x, y, z: a folder of clips and UCF-101, or clips named like"
    assert where in found
    flags["dataset"] = "folder"
    found = origin.learned_from(data.manifest | {"flags": flags}, data)
    assert "data sets x, y, z: a folder of clips; data directory" in found


def test_nothing_is_made_up(data):
    assert origin.learned_from(None, data) == "What it learned from is not recorded."
    (data.path / "clips.jsonl").unlink()
    assert "of 2 clips (a folder" in origin.learned_from(data.manifest, data)


@pytest.mark.parametrize(
    ("split", "sentence"),
    [
        ("source", "It learned from no clip of these videos."),
        ("official2", "It learned from none of these clips."),
        ("frame", "other frames of the same clips, which flatters it."),
        (None, "is not recorded."),
    ],
)
def test_what_it_has_seen(data, split, sentence):
    data.manifest["flags"]["split"] = split
    for known in (data.manifest, None):
        found = origin.judged_on(SUMMARY, known, data)
        assert found.startswith(JUDGED) and found.endswith(sentence)


def test_runs_and_exports_know_where_they_come_from(tmp_path, data):
    assert origin.find_origin(tmp_path) is None
    RunDir(tmp_path).write_origin(data.manifest)
    for path in (tmp_path, tmp_path / "checkpoints" / "best"):
        assert origin.find_origin(path)["flags"] == data.manifest["flags"]
    card = tmp_path / "export" / "assets.extra" / "model_card.json"
    card.parent.mkdir(parents=True)
    card.write_text(json.dumps({"data": {"flags": 7}}), encoding="utf-8")
    assert origin.find_origin(tmp_path / "export") == {"flags": 7}
