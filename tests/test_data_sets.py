"""Several data directories as one: names, flags, clips."""

import collections
import itertools

import pytest

from motionflow.errors import InputError
from motionflow.labels import data_sets, splits
from motionflow.labels.clips import Clip
from motionflow.labels.data_sets import check_options, draw_splits
from motionflow.labels.options import ResplitOptions

FLAGS = {"dataset": "folder", "split": "source", "flow_method": "dis"}


def test_names_are_those_of_the_folders(tmp_path):
    names = data_sets.set_names([tmp_path / "a" / "..", tmp_path / "x", tmp_path / "y"])
    assert names == [tmp_path.name, "x", "y"]
    assert data_sets.set_names([tmp_path]) == []
    with pytest.raises(InputError, match="2 folders called 'fold-1'"):
        data_sets.set_names([tmp_path / "x/fold-1", tmp_path / "y/fold-1"])


def test_flags_that_differ_become_lists():
    one = FLAGS | {"frame_stride": 2, "seed": 3, "num_clusters": 40}
    # The other was made before there was such a flag; its value was the default.
    other = FLAGS | {"frame_stride": 5, "seed": 3, "store_dense_flow": 0, "fold": 2}
    assert data_sets.joined_flags({"a": one, "b": other}) == FLAGS | {
        "frame_stride": [2, 5],
        "seed": 3,
        "num_clusters": [40, None],
        "store_dense_flow": 0,
        "fold": [None, 2],
        "data_sets": ["a", "b"],
    }
    assert data_sets.joined_flags({"": one}) == one


@pytest.mark.parametrize(
    ("name", "default", "value"),
    [
        ("flow_method", "dis", "deepflow"),
        ("flow_frames", 3, 1),
        ("frame_size", 200, 100),
        ("frame_encoding", "png", "jpeg"),
        ("store_dense_flow", 0, 100),
        ("past_frames", 0, 2),
    ],
)
def test_labels_of_two_kinds_are_refused(name, default, value):
    message = f"--{name} must be one for all: {default} in a, {default} in b, {value}"
    sets = {"a": FLAGS, "b": FLAGS, "c": FLAGS | {name: value}}
    with pytest.raises(InputError, match=f"{message} in c"):
        data_sets.joined_flags(sets)


@pytest.mark.parametrize(
    "name", ["frame_stride", "stabilize", "duplicates", "jpeg_quality"]
)
def test_how_frames_are_chosen_may_differ(name):
    joined = data_sets.joined_flags({"a": FLAGS, "b": FLAGS | {name: "x"}})
    assert joined[name][1] == "x"


def test_what_is_put_together_already_is_refused():
    both = data_sets.joined_flags({"a": FLAGS, "b": FLAGS})
    with pytest.raises(InputError, match=r"ab is put together .* \(a, b\)"):
        data_sets.joined_flags({"ab": both, "c": FLAGS})


def test_clips_are_found_by_the_names_of_their_sets():
    clips = [Clip(f"{path}.avi", "", "") for path in ("b/a/1", "a/b/2", "b/3")]
    found = data_sets.by_set(clips, ["a", "b", "c"])
    assert found == {"a": [clips[1]], "b": [clips[0], clips[2]], "c": []}
    assert data_sets.by_set(clips, []) == {"": clips}
    assert data_sets.named("a", "b/2.avi") == "a/b/2.avi"
    assert data_sets.named("", "b/2.avi") == "b/2.avi"


# --- splits of several data sets: each by itself, no source in two splits ----------


def clips_of(name, num_sources, clips_each=2, start=0):
    return [
        Clip(f"{name}/{s}-{c}.avi", "", f"s{s}")
        for s in range(start, start + num_sources)
        for c in range(clips_each)
    ]


def draw(sets, **options):
    """Clip path -> its split, for each fold."""
    numbers = {clip.path: 1 for clip in itertools.chain(*sets.values())}
    folds = draw_splits(sets, numbers, ResplitOptions(**options), None)
    return [{path: split for path, (split,) in fold.items()} for fold in folds]


def part(split_of, name):
    return {path: s for path, s in split_of.items() if path.startswith(f"{name}/")}


def sources_in(clips, split_of, split):
    return {clip.source for clip in clips if split_of[clip.path] == split}


def assert_sources_apart(sets, split_of):
    found = collections.defaultdict(set)
    for clip in itertools.chain(*sets.values()):
        found[clip.source].add(split_of[clip.path])
    assert all(len(held) == 1 for held in found.values())


LARGE = clips_of("a", 50)
SMALL = clips_of("b", 10, 1, start=100)
SHARING = clips_of("c", 20, 1, start=40)  # ten of its sources stand in LARGE, too


@pytest.mark.parametrize("options", [{}, {"num_folds": 3}, {"split": "frame"}])
def test_each_set_is_dealt_by_itself(options):
    folds = draw({"a": LARGE, "b": SMALL}, seed=1, **options)
    for clips in (LARGE, SMALL):
        alone = draw({"": clips}, seed=1, **options)
        assert [part(fold, clips[0].path[0]) for fold in folds] == alone


def test_one_set_is_split_as_ever():
    (found,) = draw({"": LARGE}, seed=4)
    assert found == splits.split_clips(LARGE, None, seed=4)
    folds = draw({"": LARGE}, seed=4, num_folds=5)
    assert folds == splits.source_folds(LARGE, 5, seed=4)


def test_folds_test_the_same_share_of_each_set():
    for fold in draw({"a": LARGE, "b": SMALL}, num_folds=5):
        count = collections.Counter((path[0], split) for path, split in fold.items())
        assert count["a", "test"] == 20 and count["b", "test"] == 2


@pytest.mark.parametrize("options", [{}, {"num_folds": 5}])
def test_a_source_of_two_sets_goes_where_the_first_has_it(options):
    sets = {"a": LARGE, "c": SHARING}
    folds = draw(sets, **options)
    assert [part(fold, "a") for fold in folds] == draw({"": LARGE}, **options)
    alone = draw({"": SHARING}, **options)
    shared = {clip.path for clip in SHARING if clip.source in {c.source for c in LARGE}}
    assert len(shared) == 10
    for fold, own in zip(folds, alone, strict=True):
        assert_sources_apart(sets, fold)
        for path in part(fold, "c").keys() - shared:
            assert fold[path] == own[path]
    if options:
        tested = [sources_in(SHARING, fold, "test") for fold in folds]
        assert sorted(itertools.chain(*tested)) == sorted(c.source for c in SHARING)


def test_a_test_set_and_its_sources_are_tested_only():
    sets = {"a": LARGE, "b": SMALL, "c": SHARING}
    (found,) = draw(sets, test_sets=("c",))
    assert set(part(found, "c").values()) == {"test"}
    assert_sources_apart(sets, found)
    (alone,) = draw({"": SMALL})
    assert part(found, "b") == alone
    # Of the 40 sources of 2 clips that are left, 4 for each; ten stand in c.
    count = collections.Counter(part(found, "a").values())
    assert count == {"train": 64, "validation": 8, "test": 8 + 20}


def test_shares_of_the_training_sources_lie_in_each_other():
    sets = {"a": LARGE, "b": SMALL, "c": SHARING}
    (full,) = draw(sets)
    before = full
    for share in (0.75, 0.5, 0.25, 0.01):
        (found,) = draw(sets, train_share=share)
        assert_sources_apart(sets, found)
        for path, split in found.items():
            assert split in (full[path], "left out")
            assert split == full[path] == "train" or split != "train"
            assert not (split == "train" and before[path] != "train")
        for clips in (LARGE, SMALL):  # those that no other set decides about
            kept, of = (len(sources_in(clips, s, "train")) for s in (found, full))
            assert kept == max(1, round(share * of))
        before = found
    (other,) = draw(sets, train_share=0.01)
    assert other == found
    assert sources_in(LARGE, draw({"a": LARGE}, train_share=0.5)[0], "train") == (
        sources_in(LARGE, draw(sets, train_share=0.5)[0], "train")
    )


def test_without_validation_its_sources_train():
    sets = {"a": LARGE, "b": SMALL, "c": SHARING}
    folds, found = (draw(sets, num_folds=3, validation=v) for v in (True, False))
    for before, now in zip(folds, found, strict=True):
        assert set(now.values()) == {"train", "test"}
        assert {p: s for p, s in now.items() if s == "test"} == {
            p: s for p, s in before.items() if s == "test"
        }


def test_a_share_is_no_choice_of_large_sources():
    """Those too large to be held out come first in the splits' own order."""
    clips = clips_of("a", 100, 1) + clips_of("a", 8, 60, start=100)
    (full,) = draw({"a": clips})
    # A third of the 108 sources is the most that a split gets.
    assert len(sources_in(clips[100:], full, "train")) == 8
    assert len(sources_in(clips[:100], full, "train")) == 100 - 2 * 36
    (found,) = draw({"a": clips}, train_share=1 / 6)
    assert len(sources_in(clips, found, "train")) == 6
    assert len(sources_in(clips[:100], found, "train")) >= 3


def test_official_lists_may_part_sources_and_are_shared_too():
    clips = [Clip(f"{i}.avi", "", f"s{i % 10}") for i in range(20)]
    official = {f"{i}.avi": "train" if i < 10 else "test" for i in range(19)}
    numbers = {clip.path: 2 for clip in clips}
    options = ResplitOptions(split="official1", train_share=0.5)
    (found,) = draw_splits({"": clips}, numbers, options, official)
    count = collections.Counter(tuple(drawn) for drawn in found.values())
    # One of the ten training sources validates, 4 of the other nine are kept.
    expected = {"train": 4, "validation": 1, "test": 9, "": 1, "left out": 5}
    assert count == {(split, split): n for split, n in expected.items()}


def test_the_set_that_has_too_few_sources_is_named():
    with pytest.raises(InputError, match="data set b: 2 source videos cannot fill 3"):
        draw({"a": LARGE, "b": SMALL[:2]})
    with pytest.raises(InputError, match="^2 source videos"):
        draw({"": SMALL[:2]})


@pytest.mark.parametrize(
    ("options", "names", "message"),
    [
        ({"num_folds": 3, "split": "frame"}, "", "num_folds needs split=source"),
        ({"split": "official2"}, "ab", "official2 is of one data set, found a, b"),
        ({"train_share": 0.0}, "", "train_share is 0.0, expected more than 0"),
        ({"train_share": 1.5}, "", "train_share is 1.5"),
        ({"train_share": 0.5, "split": "frame"}, "", "train_share keeps whole clips"),
        ({"validation": False, "split": "frame"}, "", "keep clips whole"),
        ({"test_sets": ("b",), "num_folds": 3}, "ab", "test_sets needs split=source"),
        ({"test_sets": ("b",), "split": "frame"}, "ab", "test_sets needs split=source"),
        ({"test_sets": ("b", "x")}, "ab", "test_sets x: the data sets are a, b"),
        ({"test_sets": ("x",)}, "", "test_sets x: the data sets are a single one"),
        ({"test_sets": ("a", "b")}, "ab", "test_sets names all data sets"),
    ],
)
def test_options_that_do_not_fit(options, names, message):
    with pytest.raises(InputError, match=message):
        check_options(ResplitOptions(**options), list(names))


def test_options_that_fit():
    check_options(ResplitOptions(test_sets=("b",), train_share=0.5), ["a", "b"])
    check_options(ResplitOptions(split="official1", train_share=0.5), [])
