"""Several data directories as one: names, flags, clips."""

import pytest

from motionflow.errors import InputError
from motionflow.labels import data_sets
from motionflow.labels.clips import Clip

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


@pytest.mark.parametrize("name", ["frame_stride", "stabilize", "duplicates"])
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
