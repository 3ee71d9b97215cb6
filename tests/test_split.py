"""The command: folds, and a line about each."""

import re

from motionflow.commands import split
from motionflow.data import records


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
        flags = records.read_manifest(tmp_path / f"e/fold-{i}")["flags"]
        assert (flags["num_clusters"], flags["seed"], flags["fold"]) == (6, 1, i)
    assert len(lines) == 3
