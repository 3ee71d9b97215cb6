"""Splits: nothing in two of them, sources kept together."""

import collections
import itertools

import pytest

from motionflow.errors import InputError
from motionflow.labels import splits
from motionflow.labels.clips import Clip


def make_clips(num_sources, clips_each=2):
    return [
        Clip(f"{s}/{c}.avi", "walk", f"s{s}")
        for s in range(num_sources)
        for c in range(clips_each)
    ]


def test_no_source_in_two_splits_and_a_tenth_held_out():
    clips = make_clips(50)
    split_of = splits.split_clips(clips, None, seed=0)
    of_source = collections.defaultdict(set)
    for clip in clips:
        of_source[clip.source].add(split_of[clip.path])
    assert all(len(found) == 1 for found in of_source.values())
    assert collections.Counter(split_of.values()) == {
        "train": 80,
        "validation": 10,
        "test": 10,
    }


def test_the_split_does_not_depend_on_the_order_of_clips_but_on_the_seed():
    clips = make_clips(30)
    first = splits.split_clips(clips, None, seed=0)
    assert splits.split_clips(clips[::-1], None, seed=0) == first
    assert splits.split_clips(clips, None, seed=1) != first


def test_one_large_source_is_not_held_out():
    clips = make_clips(10, 1) + [Clip(f"big{i}", "", "big") for i in range(90)]
    split_of = splits.split_clips(clips, None, seed=0)
    assert split_of["big0"] == "train"
    assert set(split_of.values()) == set(splits.SPLITS)


def test_three_sources_fill_three_splits_and_two_cannot():
    found = splits.split_clips(make_clips(3), None, seed=0)
    assert set(found.values()) == set(splits.SPLITS)
    with pytest.raises(InputError, match="2 source videos .* --split=frame"):
        splits.split_clips(make_clips(2), None, seed=0)


def test_official_split_takes_validation_from_training_sources(tmp_path):
    clips = [Clip(f"walk/{i}.avi", "walk", f"s{i}") for i in range(12)]
    digits = [1] * 9 + [2, 2, 0]
    lines = [f"{i}.avi {digit} \n" for i, digit in enumerate(digits)]
    (tmp_path / "walk_test_split1.txt").write_text("".join(lines))
    official = splits.official_split("official1", "hmdb51", tmp_path)
    split_of = splits.split_clips(clips, official, 0)
    count = collections.Counter(split_of.values())
    assert count == {"train": 8, "validation": 1, "test": 2, "": 1}
    assert split_of["walk/9.avi"] == split_of["walk/10.avi"] == "test"
    assert split_of["walk/11.avi"] == ""


def test_lists_are_of_names_without_suffix_in_any_case():
    clips = [Clip(path, "a", path) for path in ("w/b.c.MP4", "w/D.avi", "w/e.mkv")]
    official = {"b.c.avi": "train", "d.avi": "test", "e.c.avi": "train"}
    found = splits.listed_splits(clips, official)
    assert found == {"w/b.c.MP4": "train", "w/D.avi": "test", "w/e.mkv": ""}


def test_official_needs_lists():
    with pytest.raises(InputError, match="--split_dir"):
        splits.official_split("official1", "hmdb51", None)
    with pytest.raises(InputError, match="--dataset"):
        splits.official_split("official1", "folder", ".")
    with pytest.raises(InputError, match="none of source"):
        splits.official_split("random", "hmdb51", None)


def test_ucf101_lists_and_no_clip_in_two_splits(tmp_path):
    names = [f"v_Jump_g{g:02d}_c{c:02d}.avi" for g in range(8) for c in range(2)]
    clips = [Clip(f"Jump/{name}", "Jump", name[:10]) for name in names]
    listed = [f"Jump/{name}" for name in names]
    (tmp_path / "trainlist02.txt").write_text(
        "".join(f"{name} 1\n" for name in listed[:10])
    )
    (tmp_path / "testlist02.txt").write_text("\n".join(listed[10:14]))
    official = splits.official_split("official2", "ucf101", tmp_path)
    split_of = splits.split_clips(clips, official, seed=0)
    count = collections.Counter(split_of.values())
    assert count == {"train": 8, "validation": 2, "test": 4, "": 2}
    assert all(split_of[name] == "test" for name in listed[10:14])
    # Validation holds both clips of one source of the training list.
    held = [clip.source for clip in clips if split_of[clip.path] == "validation"]
    assert len(set(held)) == 1


@pytest.mark.parametrize("protocol", ["source", "frame"])
def test_other_protocols_read_no_list(protocol):
    assert splits.official_split(protocol, "hmdb51", "no/such/folder") is None


def test_frames_are_spread():
    found = splits.split_frames(100, seed=0)
    assert collections.Counter(found) == {"train": 80, "validation": 10, "test": 10}
    assert found != splits.split_frames(100, seed=1)
    with pytest.raises(InputError, match="2 samples"):
        splits.split_frames(2, seed=0)


def sources_in(clips, split_of, split):
    return {clip.source for clip in clips if split_of[clip.path] == split}


def test_each_source_is_tested_in_one_fold():
    clips = make_clips(50)
    folds = splits.source_folds(clips, 5, seed=0)
    tested = [sources_in(clips, fold, "test") for fold in folds]
    assert sorted(itertools.chain(*tested)) == sorted({clip.source for clip in clips})
    for fold in folds:
        # Of 100 clips a fifth; of the other 80 a tenth.
        count = collections.Counter(fold.values())
        assert count == {"train": 72, "validation": 8, "test": 20}
        of_source = collections.defaultdict(set)
        for clip in clips:
            of_source[clip.source].add(fold[clip.path])
        assert all(len(found) == 1 for found in of_source.values())
    validated = [sources_in(clips, fold, "validation") for fold in folds]
    assert len(set.union(*validated)) > 10  # by chance 16 of 50; 4 to 8 if all agreed


def test_folds_of_unequal_sources_are_balanced():
    sizes = {"a": 2, "b": 5, "c": 1, "d": 4, "e": 3, "f": 3}
    clips = [Clip(f"{s}{i}", "", s) for s, size in sizes.items() for i in range(size)]
    folds = splits.source_folds(clips, 3, seed=0)
    # Dealt by size: b; d; e, then f to e (3 < 4 < 5), a to d (4 < 5 < 6), c to b.
    tested = [sources_in(clips, fold, "test") for fold in folds]
    assert tested == [{"b", "c"}, {"d", "a"}, {"e", "f"}]
    for fold in folds:
        assert list(fold.values()).count("test") == 6


def test_folds_depend_on_names_and_seed_only():
    clips = make_clips(30)
    first = splits.source_folds(clips, 3, seed=0)
    assert splits.source_folds(clips[::-1], 3, seed=0) == first
    other = splits.source_folds(clips, 3, seed=1)
    tests = [sources_in(clips, fold, "test") for fold in (first[0], other[0])]
    assert tests[0] != tests[1]


def test_as_many_folds_as_sources_and_not_one_more():
    clips = make_clips(4)
    for fold in splits.source_folds(clips, 4, seed=0):
        count = collections.Counter(fold.values())
        assert count == {"train": 4, "validation": 2, "test": 2}
    with pytest.raises(InputError, match="4 source videos cannot fill num_folds=5"):
        splits.source_folds(clips, 5, seed=0)
    with pytest.raises(InputError, match="num_folds is 2, expected 3 or more"):
        splits.source_folds(clips, 2, seed=0)


def test_each_sample_gets_a_split():
    clips = make_clips(10, 1)
    num_samples = {clip.path: 1 + i for i, clip in enumerate(clips)}  # 55
    by_source = splits.split_samples(clips, num_samples, "source", None, seed=0)
    assert by_source == {
        path: [split] * num_samples[path]
        for path, split in splits.split_clips(clips, None, seed=0).items()
    }
    by_frame = splits.split_samples(clips, num_samples, "frame", None, seed=0)
    assert {path: len(found) for path, found in by_frame.items()} == num_samples
    assert list(itertools.chain(*by_frame.values())) == splits.split_frames(55, 0)
