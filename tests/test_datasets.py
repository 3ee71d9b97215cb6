"""HMDB-51 names and split files, as they are published."""

import pytest

from motionflow.errors import InputError
from motionflow.labels.clips import NO_VIDEO
from motionflow.labels.datasets import (
    DATASETS,
    HMDB51_ACTIONS,
    parse_hmdb51,
    parse_ucf101,
    read_hmdb51_split,
    read_ucf101_split,
)


@pytest.mark.parametrize(
    ("name", "folder", "action", "source", "excluded"),
    [
        (
            "April_09_brush_hair_u_nm_np1_ba_goo_0.avi",
            "brush_hair",
            "brush_hair",
            "April_09",
            "",
        ),
        # The longest action is meant where no folder says otherwise.
        ("Goal_1_kick_ball_f_nm_np1_ba_med_3.avi", "", "kick_ball", "Goal_1", ""),
        # An action's name inside the source does not count.
        ("run_walk_run_f_nm_np12_le_goo_10.avi", "run", "run", "run_walk", ""),
        ("a(b)[1]*_wave_u_nm_np1_fr_goo_0.avi", "wave", "wave", "a(b)[1]*", ""),
        ("X_walk_f_cm_np1_fr_goo_0.avi", "walk", "walk", "X", ""),
        ("X_walk_f_nm_np1_fr_bad_0.avi", "walk", "walk", "X", "quality bad"),
    ],
)
def test_names(name, folder, action, source, excluded):
    for suffix in (".avi", ".AVI", ".mp4", ".webm"):
        clip = parse_hmdb51(name.replace(".avi", suffix), folder)
        assert (clip.action, clip.source, clip.excluded) == (action, source, excluded)
        assert clip.camera_moves == ("_cm_" in name)


@pytest.mark.parametrize(
    "name",
    ["cartwheel.avi", "X_walk_f_nm_np1_fr_goo.avi", "X_fly_f_nm_np1_fr_goo_0.avi"],
)
def test_other_names_are_refused(name):
    with pytest.raises(ValueError, match="HMDB-51's tags|none of the 51"):
        parse_hmdb51(name)


def test_find_clips_excludes_what_it_cannot_name(tmp_path):
    (tmp_path / "walk").mkdir()
    for name in ("B_walk_f_nm_np1_fr_goo_0.avi", "odd.avi", "notes.txt"):
        (tmp_path / "walk" / name).touch()
    first, note, second = DATASETS["hmdb51"](tmp_path)
    assert (first.path, first.excluded) == ("walk/B_walk_f_nm_np1_fr_goo_0.avi", "")
    assert (note.path, note.excluded) == ("walk/notes.txt", NO_VIDEO)
    assert second.path == "walk/odd.avi"
    assert "tags" in second.excluded


def test_official_split(tmp_path):
    # The published files have a space at each line's end.
    (tmp_path / "wave_test_split2.txt").write_text("a b.avi 1 \nc.avi 2 \nd.avi 0 \n")
    (tmp_path / "walk_test_split2.txt").write_text("e.avi 1 \n")
    assert read_hmdb51_split(tmp_path, 2) == {
        "a b.avi": "train",
        "c.avi": "test",
        "d.avi": "",
        "e.avi": "train",
    }
    with pytest.raises(InputError, match="no \\*_test_split1.txt"):
        read_hmdb51_split(tmp_path, 1)
    (tmp_path / "walk_test_split1.txt").write_text("e.avi 7\n")
    with pytest.raises(InputError, match="is not 'name.avi 0|1|2'"):
        read_hmdb51_split(tmp_path, 1)


def test_official_split_of_a_mac_and_of_editors(tmp_path):
    """A Mac writes ._ files beside others; Notepad a mark before the first name."""
    (tmp_path / "._walk_test_split1.txt").write_bytes(b"\0\5\x16\7Mac OS X\xb0")
    (tmp_path / "walk_test_split1.txt").write_text("a.avi 1 \n", encoding="utf-8-sig")
    (tmp_path / "wave_test_split1.txt").write_text("b.avi 2 \n", encoding="utf-16")
    found = read_hmdb51_split(tmp_path, 1)
    assert found == {"a.avi": "train", "b.avi": "test"}
    (tmp_path / "jump_test_split1.txt").write_bytes(b"c\xe9.avi 1 \n")
    with pytest.raises(InputError, match="jump_test_split1.txt is no text in UTF-8"):
        read_hmdb51_split(tmp_path, 1)


def test_51_actions():
    assert len(set(HMDB51_ACTIONS)) == 51


# --- uCF-101 names and lists, as they are published --------------------------------


def test_the_group_of_an_action_is_the_source():
    clip = parse_ucf101("v_ApplyEyeMakeup_g08_c01.avi")
    assert clip.action == "ApplyEyeMakeup"
    assert clip.source == "ApplyEyeMakeup_g08"
    assert clip.source != parse_ucf101("v_Archery_g08_c01.avi").source


def test_an_action_that_is_spelled_in_two_ways_is_one():
    one = parse_ucf101("v_HandStandPushups_g01_c01.avi")
    other = parse_ucf101("v_HandstandPushups_g01_c02.MP4")
    assert one.action == other.action == "HandStandPushups"
    assert one.source == other.source == "HandStandPushups_g01"


@pytest.mark.parametrize("name", ["Archery_g08_c01.avi", "v_Archery_c01.avi"])
def test_other_names_are_refused_ucf101(name):
    with pytest.raises(ValueError, match="is not v_"):
        parse_ucf101(name)


def test_find_clips(tmp_path):
    for name in ("v_Archery_g01_c02.avi", "other.avi"):
        (tmp_path / name).touch()
    other, archery = DATASETS["ucf101"](tmp_path)
    assert "is not v_" in other.excluded
    assert (archery.path, archery.excluded) == ("v_Archery_g01_c02.avi", "")


def test_official_split_ucf101(tmp_path):
    (tmp_path / "trainlist02.txt").write_text("Archery/v_Archery_g01_c01.avi 3\r\n")
    text = "Archery/v_Archery_g02_c01.avi\n"
    (tmp_path / "testlist02.txt").write_text(text, encoding="utf-8-sig")
    assert read_ucf101_split(tmp_path, 2) == {
        "v_Archery_g01_c01.avi": "train",
        "v_Archery_g02_c01.avi": "test",
    }
    with pytest.raises(InputError, match="no trainlist01.txt"):
        read_ucf101_split(tmp_path, 1)
