"""The card of the hand-made directory, number by number."""

import dataclasses
import os

import numpy as np
import pytest

from motionflow.inspection.card import format_card
from motionflow.inspection.inspector import inspect_data_dir
from motionflow.labels.codebook import Codebook
from tests.tiny_data import CENTERS, MIXED, SAMPLES, make_sample, write_hand_made


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_hand_made(tmp_path_factory.mktemp("card") / "walks", seed=7)


@pytest.fixture(scope="module")
def card(data):
    return format_card(inspect_data_dir(data))


def rows_of(card, title):
    """The cells of the section's table, head first."""
    section = card.split(f"## {title}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    assert {len(row) for row in rows} == {len(rows[0])}
    return [rows[0], *rows[2:]]


def test_where_it_came_from(card, data):
    assert card.startswith("# Data directory walks\n")
    assert "6 samples of 5 clips from 4 sources" in card
    size = sum(file.stat().st_size for file in data.iterdir()) / 1e6
    assert f"{size:.1f} MB on disk" in card
    assert "frame of 8x8 and the flow of its 2x2 cells" in card
    origin = card.split("```sh\n")[1].split("```")[0]
    words = origin.replace("\\\n", "").split()
    assert words[:2] == ["motionflow", "data"]
    assert "--dataset=folder" in words and "--seed=7" in words
    assert not any("codebook" in word for word in words)  # none was given
    fingerprint = Codebook(CENTERS).fingerprint
    assert f"motionflow 0.1, opencv 4.11; codebook {fingerprint}" in card


def test_a_fold_says_which(tmp_path):
    path = write_hand_made(tmp_path / "fold-2", num_folds=5, fold=2)
    card = format_card(inspect_data_dir(path))
    assert "Then fold 2 of 5 by `motionflow split`." in card
    assert "--fold" not in card and "--num_folds" not in card  # of no other command


def test_of_how_many_samples_the_past_is_known(card, tmp_path):
    assert "Past known" not in card
    samples = {
        split: [
            dataclasses.replace(
                s, past_flow=s.flow if s.frame_index else s.flow * np.nan
            )
            for s in items
        ]
        for split, items in SAMPLES.items()
    }
    path = write_hand_made(tmp_path / "past", samples, past_frames=2)
    rows = rows_of(format_card(inspect_data_dir(path)), "Splits")
    # One of the six samples is no first frame.
    assert [row[-1] for row in rows] == ["Past known", "1", "0", "0"]


def test_several_data_sets(tmp_path):
    samples = {
        split: [
            dataclasses.replace(s, clip=f"{'y' if s.source == 'd' else 'x'}/{s.clip}")
            for s in items
        ]
        for split, items in SAMPLES.items()
    }
    flags = {"dataset": ["folder", "hmdb51"], "frame_stride": [5, 2], "seed": 7}
    flags |= {"data_sets": ["x", "y"], "test_sets": ["y"], "train_share": 0.5}
    flags["validation"] = False
    path = write_hand_made(tmp_path / "xy", samples, statuses=[], **flags)
    card = format_card(inspect_data_dir(path))
    assert rows_of(card, "Data sets") == [
        ["Data set", "Clips", "train", "validation", "test"],
        ["x", "3", "3", "1", "0"],
        ["y", "2", "0", "0", "2"],
    ]
    origin = card.split("```sh\n")[1].split("```")[0]
    x, y, both = origin.replace("\\\n    ", "").splitlines()
    sizes = "--frame_size=8 --grid_size=2 --frame_encoding=raw --store_dense_flow=0"
    assert x == (
        f"motionflow data --dataset=folder {sizes} --frame_stride=5 --output_dir=x"
    )
    assert y == (
        f"motionflow data --dataset=hmdb51 {sizes} --frame_stride=2 --output_dir=y"
    )
    assert both == (
        "motionflow split --data_dir=x,y --split=source --seed=7 --test_sets=y"
    )
    assert "Of the training sources a share of 0.5 is kept." in card
    assert "What would validate trains, too." in card


def test_a_single_data_set_is_not_counted_apart(card):
    assert "## Data sets" not in card and "a share of" not in card
    assert "What would validate" not in card


def test_clips_by_status(card):
    _, ok, *others = rows_of(card, "Clips")
    # status, clips, frames, samples, then left out: 2 of a1, 1 of b1, 4 of e1.
    assert ok == ["ok", "5", "45", "6", "2", "1", "0", "0"]
    assert others == [
        ["filtered", "1", "0", "0", "0", "0", "0", "4"],
        ["too_short", "1", "2", "0", "0", "0", "0", "0"],
    ]


def test_splits(card):
    _, *rows = rows_of(card, "Splits")
    assert [row[:5] for row in rows] == [
        ["train", "3", "2", "2", "2"],
        ["validation", "1", "1", "1", "1"],
        ["test", "2", "2", "1", "2"],
    ]
    # 7 of 12 cells, all, 4 of 8.
    assert [row[-2] for row in rows] == ["58.3%", "100.0%", "50.0%"]
    # (3, -4) in training and test; nothing moves in validation.
    assert [row[-1] for row in rows] == ["5.00", "0.00", "5.00"]


def test_actions(card):
    assert rows_of(card, "Actions") == [
        ["Action", "Clips", "train", "validation", "test"],
        ["walk", "4", "3", "0", "2"],
        ["wave", "1", "0", "1", "0"],
    ]


def test_codes(card):
    _, still, right, up = rows_of(card, "Codes")
    # 7, 3 and 2 of 12; bars of 24, 24 sqrt(3/7) = 15.7 and 24 sqrt(2/7) = 12.8.
    assert still == ["0", "#" * 24, "58.33%", "0.00", "0.00", "0.00"]
    assert right == ["1", "#" * 16, "25.00%", "3.00", "0.00", "3.00"]
    assert up == ["2", "#" * 13, "16.67%", "0.00", "-4.00", "4.00"]
    assert "Code 0 is the still one." in card


def test_verdicts(card):
    verdicts = card.split("## Verified\n\n")[1].splitlines()
    assert len(verdicts) == 6
    assert all(line.startswith("- ok: ") for line in verdicts)


def test_damage_is_said_at_the_top_and_among_the_verdicts(tmp_path):
    data = write_hand_made(tmp_path / "walks")
    (data / "train-00000-of-00002.tfrecord").unlink()  # 2 of 6 samples
    found = inspect_data_dir(data)
    card = format_card(found)
    assert "**2 samples could not be read and are not counted.**" in card
    assert "4 samples of 4 clips" in card
    assert "- broken: every shard" in card
    assert f"    - {found.problems[0]}" in card
    assert card.count("- not checked: ") == 5


def test_names_that_markdown_or_a_terminal_would_stumble_over(tmp_path):
    odd = "a|b\n" + os.fsdecode(b"\xff")
    test = [make_sample("d1", 0, 0, MIXED, [0, 0, 1, 2], action=odd)]
    none = [dataclasses.replace(SAMPLES["validation"][0], action="")]
    samples = SAMPLES | {"test": test, "validation": none}
    card = format_card(inspect_data_dir(write_hand_made(tmp_path / "d", samples)))
    card.encode()
    table = card.split("## Actions\n\n")[1].split("\n\n")[0].splitlines()
    names = [line.removeprefix("| ").split(" | ")[0].strip() for line in table[2:]]
    assert names == ["(none)", r"a\|b\n\udcff", "walk"]


def test_videos_in_which_nothing_rests(tmp_path):
    moving = np.float32([[2, 0], [3, -0.001], [0, -4]])
    data = write_hand_made(tmp_path / "d", centers=moving)
    card = format_card(inspect_data_dir(data))
    assert "Code 0 is the still one, though it is not near zero" in card
    assert "-0.00" not in card


def test_no_card_without_the_codebook(tmp_path):
    data = write_hand_made(tmp_path / "d")
    (data / "codebook.npz").unlink()
    with pytest.raises(ValueError, match="needs the codebook"):
        format_card(inspect_data_dir(data))
