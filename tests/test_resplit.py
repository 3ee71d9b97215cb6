"""Data directories split anew: the same samples, in other splits."""

import collections
import dataclasses

import cv2
import numpy as np
import pytest
import tensorflow as tf

from motionflow.data import records
from motionflow.data.builder import build_data_dir
from motionflow.data.data_dir import open_data_dir, read_manifest
from motionflow.data.resplit import resplit_data_dir
from motionflow.errors import InputError
from motionflow.inspection.inspector import inspect_data_dir
from motionflow.labels.clip_status import ClipStatus, read_clips
from motionflow.labels.codebook import Codebook
from motionflow.labels.options import BuildOptions, LabelOptions, ResplitOptions
from motionflow.labels.splits import SPLITS
from tests.tiny_data import (
    MIXED,
    SAMPLES,
    make_sample,
    statuses_of,
    write_hand_made,
)

pytestmark = pytest.mark.slow

LABELS = LabelOptions(flow_method="dis", frame_stride=2)


def read(data_dir, split):
    """The records of a split, in the order of its shards."""
    data = open_data_dir(data_dir)
    spec = records.feature_spec(data.grid_size, data.labels.kept_shapes)
    dataset = tf.data.TFRecordDataset(data.shards(split))
    parsed = dataset.map(lambda record: tf.io.parse_single_example(record, spec))
    return list(parsed.as_numpy_iterator())


def content(data_dir):
    """Clip and frame -> all of the sample that no split may change, as bytes."""
    found = {}
    for split in SPLITS:
        for sample in read(data_dir, split):
            del sample["codes"]
            key = sample["clip"], int(sample["frame_index"])
            assert key not in found
            found[key] = {
                name: np.asarray(value).tobytes() for name, value in sample.items()
            }
    return found


def files_of(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def assert_sound(data_dir):
    found = inspect_data_dir(data_dir)
    assert not found.problems and not found.unchecked


@pytest.fixture(scope="module")
def folds(tiny_data_dir, tmp_path_factory):
    before = files_of(tiny_data_dir)
    output = tmp_path_factory.mktemp("folds")
    options = ResplitOptions(num_folds=4, num_clusters=8, seed=2)
    written = resplit_data_dir(tiny_data_dir, output, options)
    assert files_of(tiny_data_dir) == before
    assert sorted(output.iterdir()) == written
    return written


def test_the_same_split_gives_the_same_bytes(tiny_data_dir, tmp_path):
    written = resplit_data_dir(
        tiny_data_dir, tmp_path / "e", ResplitOptions(num_clusters=8)
    )
    assert written == [tmp_path / "e"]
    assert files_of(tmp_path / "e") == files_of(tiny_data_dir)


@pytest.mark.parametrize("protocol", ["source", "official1", "frame"])
def test_another_split_is_what_a_build_gives(
    protocol, tiny_videos, tiny_data_dir, tmp_path
):
    """And back again, for which a clip's samples come from all splits."""
    lists = [f"source{i}_walk_f_nm_np1_fr_goo_0.avi {i % 3}\n" for i in range(9)]
    (tmp_path / "walk_test_split1.txt").write_text("".join(lists))
    common = {"split": protocol, "seed": 5, "num_clusters": 5}
    build_data_dir(
        tiny_videos,
        tmp_path / "built",
        BuildOptions(labels=LABELS, **common),
        split_dir=tmp_path,
    )
    resplit_data_dir(
        tiny_data_dir, tmp_path / "e", ResplitOptions(**common), split_dir=tmp_path
    )
    assert files_of(tmp_path / "e") == files_of(tmp_path / "built")
    if protocol != "official1":  # which left clips out
        resplit_data_dir(
            tmp_path / "e", tmp_path / "back", ResplitOptions(num_clusters=8)
        )
        assert files_of(tmp_path / "back") == files_of(tiny_data_dir)


def test_folds_hold_the_same_samples_bit_for_bit(folds, tiny_data_dir):
    expected = content(tiny_data_dir)
    assert len(expected) == 27
    for fold in folds:
        assert content(fold) == expected


def test_each_source_is_tested_in_one_fold_and_in_one_split_of_each(folds):
    tested = collections.Counter()
    for fold in folds:
        sources = {s: {sample["source"] for sample in read(fold, s)} for s in SPLITS}
        assert len(set.union(*sources.values())) == 9
        assert sum(map(len, sources.values())) == 9
        assert len(sources["test"]) in (2, 3) and len(sources["validation"]) == 1
        tested.update(sources["test"])
        for status in read_clips(fold):
            assert status.source.encode() in sources[status.split]
    assert set(tested.values()) == {1} and len(tested) == 9


def test_codebook_and_mean_frame_are_those_of_each_fold(folds):
    fingerprints = set()
    for fold in folds:
        data = open_data_dir(fold)
        centers = data.codebook.centers
        fingerprints.add(data.codebook.fingerprint)
        for split in SPLITS:
            for sample in read(fold, split):
                flow = sample["flow"].reshape(-1, 1, 2)
                nearest = np.linalg.norm(flow - centers, axis=-1).argmin(-1)
                np.testing.assert_array_equal(sample["codes"], nearest)
        train = read(fold, "train")
        codes = np.array([sample["codes"] for sample in train])
        np.testing.assert_array_equal(
            np.bincount(codes.ravel(), minlength=8), data.codebook.counts
        )
        frames = [
            cv2.imdecode(np.frombuffer(sample["frame"], np.uint8), cv2.IMREAD_COLOR)
            for sample in train
        ]
        mean = np.mean(frames, axis=0)[..., ::-1]
        np.testing.assert_allclose(data.mean_frame, mean, atol=1e-3)
    assert len(fingerprints) == 4


def test_folds_are_sound_and_say_which_they_are(folds, tiny_data_dir):
    flags = read_manifest(tiny_data_dir)["flags"]
    for i, fold in enumerate(folds, start=1):
        assert fold.name == f"fold-{i}"
        assert_sound(fold)
        found = read_manifest(fold)["flags"]
        assert found == flags | {"seed": 2, "num_folds": 4, "fold": i}


def test_a_fold_split_anew_is_no_fold(folds, tiny_data_dir, tmp_path):
    resplit_data_dir(folds[1], tmp_path / "e", ResplitOptions(num_clusters=8))
    assert files_of(tmp_path / "e") == files_of(tiny_data_dir)


def test_frames_of_a_clip_are_spread(tiny_data_dir, tmp_path):
    options = ResplitOptions(split="frame", num_clusters=8)
    resplit_data_dir(tiny_data_dir, tmp_path / "e", options)
    data = open_data_dir(tmp_path / "e")
    assert [data.num_samples(split) for split in SPLITS] == [23, 2, 2]
    assert_sound(tmp_path / "e")
    clips = [{sample["clip"] for sample in read(tmp_path / "e", s)} for s in SPLITS]
    assert clips[0] & (clips[1] | clips[2])
    assert {status.split for status in read_clips(tmp_path / "e")} == {"frame"}
    assert content(tmp_path / "e") == content(tiny_data_dir)


def test_kept_flow_and_names_that_are_no_text(tmp_path):
    rng = np.random.default_rng(0)

    def prepare(sample):
        dense = rng.normal(size=(4, 4, 2)).astype(np.float16)
        clip = sample.clip.replace("walk/a", "walk/a\udcff")
        later = {
            "later_flow": rng.normal(size=(2, 2, 2, 2)).astype(np.float16),
            "later_dense_flow": rng.normal(size=(2, 4, 4, 2)).astype(np.float16),
        }
        return dataclasses.replace(sample, dense_flow=dense, clip=clip, **later)

    samples = {split: [prepare(s) for s in items] for split, items in SAMPLES.items()}
    statuses = statuses_of(SAMPLES)
    for status in statuses:
        status.clip = status.clip.replace("walk/a", "walk/a\udcff")
    own = {"store_dense_flow": 4, "sequence_length": 3}
    own |= {"codebook": "0123456789abcdef"}
    write_hand_made(tmp_path / "d", samples, statuses, **own)
    options = ResplitOptions(num_folds=3, num_clusters=2)
    expected = content(tmp_path / "d")
    assert (b"walk/a\xff1.avi", 5) in expected
    for fold in resplit_data_dir(tmp_path / "d", tmp_path / "e", options):
        assert content(fold) == expected
        # Clips that gave no sample stay what they were.
        assert read_clips(fold)[-2:] == statuses[-2:]
        manifest = read_manifest(fold)
        assert manifest["flags"]["codebook"] is None  # its own, not the one given
        assert manifest["versions"]["opencv"] == "4.11"  # which made the samples


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_folds": 2}, "num_folds is 2, expected 3 or more"),
        ({"num_folds": 10}, "9 source videos cannot fill num_folds=10"),
        ({"num_folds": 3, "split": "frame"}, "num_folds needs split=source"),
        ({"split": "official1"}, "official1 needs"),
        ({"split": "random"}, "none of source"),
        ({"num_clusters": 90_000}, "distinct flow vectors"),
        ({"num_clusters": 90_000, "num_folds": 3}, "distinct flow vectors"),
    ],
)
def test_what_is_refused_leaves_no_samples(changes, message, tiny_data_dir, tmp_path):
    with pytest.raises(InputError, match=message):
        resplit_data_dir(tiny_data_dir, tmp_path / "e", ResplitOptions(**changes))
    left = {file.name for file in (tmp_path / "e").glob("*")}
    assert left <= {"clips.jsonl"}


def test_output_that_is_refused(tiny_data_dir, folds, tmp_path):
    for output in (tiny_data_dir, tiny_data_dir / "folds"):
        with pytest.raises(InputError, match="is data_dir or lies in it"):
            resplit_data_dir(tiny_data_dir, output, ResplitOptions())
    assert not (tiny_data_dir / "folds").exists()
    before = files_of(folds[0])
    for output, name in ((folds[0], "manifest.json"), (folds[0].parent, "fold-1")):
        message = rf"holds a data directory already \({name}\)"
        with pytest.raises(InputError, match=message):
            resplit_data_dir(tiny_data_dir, output, ResplitOptions())
    assert files_of(folds[0]) == before
    with pytest.raises(InputError, match="has no manifest.json"):
        resplit_data_dir(tmp_path, tmp_path / "e", ResplitOptions())


def test_remains_of_a_run_that_was_killed(tiny_data_dir, tmp_path):
    (tmp_path / ".resplit" / "fold-1").mkdir(parents=True)
    (tmp_path / ".resplit" / "000000.npz").write_text("half a file")
    (tmp_path / "train-00000-of-00099.tfrecord").write_text("of another split")
    resplit_data_dir(tiny_data_dir, tmp_path, ResplitOptions(num_clusters=8))
    assert files_of(tmp_path) == files_of(tiny_data_dir)


def test_records_and_clips_that_do_not_agree(tmp_path):
    def refuse(statuses, message):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        write_hand_made(folder, statuses=statuses)
        with pytest.raises(InputError, match=message):
            resplit_data_dir(
                folder, tmp_path / "e", ResplitOptions("frame", num_clusters=2)
            )

    statuses = statuses_of(SAMPLES)
    statuses[0].samples = 3
    refuse(statuses, "2 records of 'walk/a1.avi', its clips.jsonl says 3")
    statuses = statuses_of(SAMPLES)
    refuse(statuses[1:], "0 records of 'walk/b1.avi', its clips.jsonl says 1")
    no_d2 = [status for status in statuses if status.clip != "walk/d2.avi"]
    refuse(no_d2, "records of 'walk/d2.avi', no clip of its own")


# --- several data directories ------------------------------------------------------


def write_set(folder, sources, **flags):
    """A data directory with a clip of two samples of each source."""
    rng = np.random.default_rng(len(folder.name))

    def prepare(source, index):
        past = rng.normal(size=(2, 2, 2)).astype(np.float16)
        if not index:
            past[:] = np.nan  # what came before is not known
        sample = make_sample(f"{source}1", index, 10, MIXED, [0, 0, 1, 2])
        return dataclasses.replace(sample, past_flow=past)

    test, validation, *train = ([prepare(s, i) for i in (0, 3)] for s in sources)
    samples = {
        "train": [s for two in train for s in two],
        "validation": validation,
        "test": test,
    }
    statuses = statuses_of({"train": SAMPLES["train"]})[-2:]  # without samples
    for split, items in samples.items():
        for clip in dict.fromkeys(sample.clip for sample in items):
            own = {"clip": clip, "split": split, "source": clip[5], "action": "walk"}
            statuses.append(ClipStatus(status="ok", bytes=9, samples=2, **own))
    counts = len(samples["train"]) * np.array([2, 1, 1])
    flags = {"past_frames": 2, "seed": 0, "num_clusters": 3} | flags
    return write_hand_made(folder, samples, statuses, counts=counts, **flags)


@pytest.fixture(scope="module")
def two_sets(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sets")
    common = {"stabilize": "homography"}
    return [
        write_set(folder / "a", "abcdmngh", frame_stride=5, **common),
        write_set(folder / "b", "ghijkl", frame_stride=2, dataset="hmdb51", **common),
    ]


@pytest.fixture(scope="module")
def joined(two_sets, tmp_path_factory):
    output = tmp_path_factory.mktemp("joined") / "ab"
    resplit_data_dir(two_sets, output, ResplitOptions(num_clusters=2, seed=3))
    return output


def renamed(found, name):
    """Content of a data set, with the name of the set before each clip."""
    return {
        (clip, index): values | {"clip": np.asarray(clip).tobytes()}
        for (old, index), values in found.items()
        for clip in [name.encode() + b"/" + old]
    }


def test_samples_of_several_directories_bit_for_bit(joined, two_sets):
    expected = {}
    for path in two_sets:
        expected |= renamed(content(path), path.name)
    assert len(expected) == 28 and b"\x00\x7e" * 8 in {  # NaN of float16
        values["past_flow"] for values in expected.values()
    }
    assert content(joined) == expected


def test_a_joined_directory_is_sound_and_says_what_it_is(joined, two_sets):
    assert_sound(joined)
    data = open_data_dir(joined)
    assert data.data_sets == ("a", "b") and data.labels.past_frames
    assert open_data_dir(two_sets[0]).data_sets == ()
    flags = data.manifest["flags"]
    assert flags["data_sets"] == ["a", "b"]
    assert flags["frame_stride"] == [5, 2] and flags["dataset"] == ["folder", "hmdb51"]
    assert (flags["past_frames"], flags["seed"], flags["split"]) == (2, 3, "source")
    assert not {"test_sets", "train_share", "num_folds", "fold"} & flags.keys()
    # What is not said there is older than it was ever said.
    versions = data.manifest["versions"]
    assert (versions["opencv"], versions["stabilizer"]) == ("4.11", "1")
    names = [status.clip for status in read_clips(joined)]
    own = [f"{p.name}/{status.clip}" for p in two_sets for status in read_clips(p)]
    assert names == own and "b/walk/e2.avi" in names


def test_what_was_joined_can_be_split_anew(joined, two_sets, tmp_path):
    options = ResplitOptions(num_folds=3, num_clusters=2, seed=3)
    one = resplit_data_dir(joined, tmp_path / "one", options)
    other = resplit_data_dir(two_sets, tmp_path / "other", options)
    assert list(map(files_of, one)) == list(map(files_of, other))
    for fold in one:
        assert_sound(fold)
        tested = collections.Counter(
            status.clip[0] for status in read_clips(fold) if status.split == "test"
        )
        # Of eight and of the four that are in b only; g and h go with a.
        assert tested["a"] in (2, 3) and tested["b"] >= 1
    with pytest.raises(InputError, match=r"ab is put together itself.*\(a, b\)"):
        resplit_data_dir([joined, two_sets[0]], tmp_path / "no", options)


def test_an_existing_codebook_and_sets_for_testing(two_sets, tmp_path):
    codebook = Codebook.load(two_sets[0] / "codebook.npz")
    options = ResplitOptions(codebook=codebook, test_sets=("b",))
    resplit_data_dir(two_sets, tmp_path / "e", options)
    assert_sound(tmp_path / "e")
    data = open_data_dir(tmp_path / "e")
    assert data.codebook.fingerprint == codebook.fingerprint
    flags = data.manifest["flags"]
    assert flags["codebook"] == codebook.fingerprint and flags["num_clusters"] == 3
    assert flags["test_sets"] == ["b"]
    splits = {status.clip: status.split for status in read_clips(tmp_path / "e")}
    tested = {clip for clip, split in splits.items() if split == "test"}
    assert {f"b/walk/{c}1.avi" for c in "ghijkl"} < tested
    assert {"a/walk/g1.avi", "a/walk/h1.avi"} < tested  # the same videos


def test_a_share_of_the_training_sources(tiny_data_dir, tmp_path):
    options = ResplitOptions(num_clusters=8, train_share=0.5)
    resplit_data_dir(tiny_data_dir, tmp_path / "e", options)
    assert_sound(tmp_path / "e")
    flags = read_manifest(tmp_path / "e")["flags"]
    assert flags["train_share"] == 0.5
    for before, now in zip(
        read_clips(tiny_data_dir), read_clips(tmp_path / "e"), strict=True
    ):
        if now.split:
            assert now == before
        else:
            assert before.split == "train"
            assert now.status == "filtered" and now.samples == 0
            assert now.reason == "left out by train_share"
    left = collections.Counter(status.split for status in read_clips(tmp_path / "e"))
    assert left == {"train": 4, "": 3, "validation": 1, "test": 1}
    for split in ("validation", "test"):
        of = [{(s["clip"], s["frame_index"], s["frame"]) for s in read(d, split)}
              for d in (tiny_data_dir, tmp_path / "e")]  # fmt: skip
        assert of[0] == of[1]


def test_directories_that_do_not_fit(two_sets, tmp_path):
    def refuse(message, *others, **options):
        with pytest.raises(InputError, match=message):
            resplit_data_dir(
                [*two_sets, *others], tmp_path / "e", ResplitOptions(**options)
            )
        assert not (tmp_path / "e").exists()

    past = write_set(tmp_path / "c", "mno", past_frames=1)
    refuse("--past_frames must be one for all: 2 in a, 2 in b, 1 in c", past)
    refuse("2 folders called 'a'", write_set(tmp_path / "x" / "a", "mno"))
    refuse("official1 is of one data set, found a, b", split="official1")
    refuse("test_sets c: the data sets are a, b", test_sets=("c",))
    with pytest.raises(InputError, match="is data_dir or lies in it"):
        resplit_data_dir(two_sets, two_sets[1] / "e", ResplitOptions())
