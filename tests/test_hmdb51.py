"""HMDB-51 names and split files, as they are published."""

import pytest

from motionflow.errors import InputError
from motionflow.labels import hmdb51
from motionflow.labels.clips import NO_VIDEO


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
        clip = hmdb51.parse_name(name.replace(".avi", suffix), folder)
        assert (clip.action, clip.source, clip.excluded) == (action, source, excluded)
        assert clip.camera_moves == ("_cm_" in name)


@pytest.mark.parametrize(
    "name",
    ["cartwheel.avi", "X_walk_f_nm_np1_fr_goo.avi", "X_fly_f_nm_np1_fr_goo_0.avi"],
)
def test_other_names_are_refused(name):
    with pytest.raises(ValueError, match="HMDB-51's tags|none of the 51"):
        hmdb51.parse_name(name)


def test_find_clips_excludes_what_it_cannot_name(tmp_path):
    (tmp_path / "walk").mkdir()
    for name in ("B_walk_f_nm_np1_fr_goo_0.avi", "odd.avi", "notes.txt"):
        (tmp_path / "walk" / name).touch()
    first, note, second = hmdb51.find_clips(tmp_path)
    assert (first.path, first.excluded) == ("walk/B_walk_f_nm_np1_fr_goo_0.avi", "")
    assert (note.path, note.excluded) == ("walk/notes.txt", NO_VIDEO)
    assert second.path == "walk/odd.avi"
    assert "tags" in second.excluded


def test_official_split(tmp_path):
    # The published files have a space at each line's end.
    (tmp_path / "wave_test_split2.txt").write_text("a b.avi 1 \nc.avi 2 \nd.avi 0 \n")
    (tmp_path / "walk_test_split2.txt").write_text("e.avi 1 \n")
    assert hmdb51.read_official_split(tmp_path, 2) == {
        "a b.avi": "train",
        "c.avi": "test",
        "d.avi": "",
        "e.avi": "train",
    }
    with pytest.raises(InputError, match="no \\*_test_split1.txt"):
        hmdb51.read_official_split(tmp_path, 1)
    (tmp_path / "walk_test_split1.txt").write_text("e.avi 7\n")
    with pytest.raises(InputError, match="is not 'name.avi 0|1|2'"):
        hmdb51.read_official_split(tmp_path, 1)


def test_official_split_of_a_mac_and_of_editors(tmp_path):
    """A Mac writes ._ files beside others; Notepad a mark before the first name."""
    (tmp_path / "._walk_test_split1.txt").write_bytes(b"\0\5\x16\7Mac OS X\xb0")
    (tmp_path / "walk_test_split1.txt").write_text("a.avi 1 \n", encoding="utf-8-sig")
    (tmp_path / "wave_test_split1.txt").write_text("b.avi 2 \n", encoding="utf-16")
    found = hmdb51.read_official_split(tmp_path, 1)
    assert found == {"a.avi": "train", "b.avi": "test"}
    (tmp_path / "jump_test_split1.txt").write_bytes(b"c\xe9.avi 1 \n")
    with pytest.raises(InputError, match="jump_test_split1.txt is no text in UTF-8"):
        hmdb51.read_official_split(tmp_path, 1)


def test_51_actions():
    assert len(set(hmdb51.ACTIONS)) == 51
