"""UCF-101 names and lists, as they are published."""

import pytest

from motionflow.errors import InputError
from motionflow.labels import ucf101


def test_the_group_of_an_action_is_the_source():
    clip = ucf101.parse_name("v_ApplyEyeMakeup_g08_c01.avi")
    assert clip.action == "ApplyEyeMakeup"
    assert clip.source == "ApplyEyeMakeup_g08"
    assert clip.source != ucf101.parse_name("v_Archery_g08_c01.avi").source


def test_an_action_that_is_spelled_in_two_ways_is_one():
    one = ucf101.parse_name("v_HandStandPushups_g01_c01.avi")
    other = ucf101.parse_name("v_HandstandPushups_g01_c02.MP4")
    assert one.action == other.action == "HandStandPushups"
    assert one.source == other.source == "HandStandPushups_g01"


@pytest.mark.parametrize("name", ["Archery_g08_c01.avi", "v_Archery_c01.avi"])
def test_other_names_are_refused(name):
    with pytest.raises(ValueError, match="is not v_"):
        ucf101.parse_name(name)


def test_find_clips(tmp_path):
    for name in ("v_Archery_g01_c02.avi", "other.avi"):
        (tmp_path / name).touch()
    other, archery = ucf101.find_clips(tmp_path)
    assert "is not v_" in other.excluded
    assert (archery.path, archery.excluded) == ("v_Archery_g01_c02.avi", "")


def test_official_split(tmp_path):
    (tmp_path / "trainlist02.txt").write_text("Archery/v_Archery_g01_c01.avi 3\r\n")
    text = "Archery/v_Archery_g02_c01.avi\n"
    (tmp_path / "testlist02.txt").write_text(text, encoding="utf-8-sig")
    assert ucf101.read_official_split(tmp_path, 2) == {
        "v_Archery_g01_c01.avi": "train",
        "v_Archery_g02_c01.avi": "test",
    }
    with pytest.raises(InputError, match="no trainlist01.txt"):
        ucf101.read_official_split(tmp_path, 1)
