"""Folders of videos."""

import pytest

from motionflow.data.clips import Clip, find_folder_clips, video_files
from motionflow.errors import InputError


def test_a_plain_folder(tmp_path):
    (tmp_path / "beach").mkdir()
    for name in ("beach/b.MP4", "a[1].avi", "notes.txt", "c.jpg", ".draft.avi"):
        (tmp_path / name).touch()
    assert find_folder_clips(tmp_path) == [
        Clip("a[1].avi", "", "a[1]"),
        Clip("beach/b.MP4", "beach", "beach/b"),
    ]


def test_missing_and_empty_folders(tmp_path):
    with pytest.raises(InputError, match="is not a directory"):
        list(video_files(tmp_path / "none"))
    with pytest.raises(InputError, match="holds no video"):
        list(video_files(tmp_path))
