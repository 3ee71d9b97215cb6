"""The command: folds, and a line about each."""

import re

from motionflow.commands import split
from motionflow.data.data_dir import open_data_dir, read_manifest


def test_the_command(call, tiny_data_dir, tmp_path):
    own = [f"--data_dir={tiny_data_dir}", f"--output_dir={tmp_path / 'e'}"]
    done = call(split, *own, "--num_folds=3", "--num_clusters=6", "--seed=1")
    assert done.code == 0, done.err
    assert "3/3" in done.err  # the progress bar
    head, *lines = done.out.splitlines()
    assert head.split() == ["samples", "of", "train", "clips", "validation", "clips",
                            "test", "clips"]  # fmt: skip
    for i, line in enumerate(lines, start=1):
        # Three of nine clips are tested; each has three samples.
        pattern = rf"{re.escape(str(tmp_path))}/e/fold-{i} +15 +5 +3 +1 +9 +3"
        assert re.fullmatch(pattern, line)
        flags = read_manifest(tmp_path / f"e/fold-{i}")["flags"]
        assert (flags["num_clusters"], flags["seed"], flags["fold"]) == (6, 1, i)
    assert len(lines) == 3


def test_several_directories(call, tiny_data_dir, tmp_path):
    for name in ("x", "y"):
        (tmp_path / name).symlink_to(tiny_data_dir)
    x, y = (str(tmp_path / name) for name in ("x", "y"))
    for i, words in enumerate(([f"{x},{y}"], [x, y], [f"--data_dir={x},{y}"])):
        own = ["--test_sets=y", "--train_share=0.5", f"--output_dir={tmp_path}/{i}"]
        done = call(split, *words, *own, f"--codebook={tiny_data_dir}/codebook.npz")
        # All sources stand in both, so that nothing is left to train on.
        assert "data set x: 0 source videos cannot fill 3 splits" in done.err
    done = call(split, *words, f"--output_dir={tmp_path}/e", "--num_clusters=8")
    assert done.code == 0, done.err
    assert done.out.splitlines()[1].split()[1:] == ["42", "14", "6", "2", "6", "2"]
    assert open_data_dir(tmp_path / "e").data_sets == ("x", "y")
    assert "--data_dir is missing" in call(split, "--data_dir=", *own).err
