"""Folders of videos."""

import dataclasses
import os

import pytest

from motionflow.errors import InputError
from motionflow.labels.clips import NO_VIDEO, Clip, find_folder_clips, video_files


def test_a_plain_folder(tmp_path):
    (tmp_path / "beach").mkdir()
    (tmp_path / ".Trash").mkdir()
    for name in ("beach/b.MP4", "a[1].avi", "notes.txt", "c.wmv", "._c.wmv"):
        (tmp_path / name).touch()
    (tmp_path / ".Trash" / "d.avi").touch()
    found = find_folder_clips(tmp_path)
    assert [dataclasses.replace(clip, bytes=-1, version="") for clip in found] == [
        Clip("a[1].avi", "", "a[1]"),
        Clip("beach/b.MP4", "beach", "beach/b"),
        Clip("c.wmv", "", "c"),
        Clip("notes.txt", "", "notes", NO_VIDEO),
    ]
    assert list(map(str, video_files(tmp_path))) == ["a[1].avi", "beach/b.MP4", "c.wmv"]


def test_another_file_is_another_version(tmp_path):
    file = tmp_path / "a.avi"
    file.write_bytes(b"123")
    (clip,) = find_folder_clips(tmp_path)
    assert clip.bytes == 3
    os.utime(file, (1, 1))
    (touched,) = find_folder_clips(tmp_path)
    assert touched.version != clip.version
    file.unlink()
    file.symlink_to("nowhere")
    (dangling,) = find_folder_clips(tmp_path)
    assert (dangling.bytes, dangling.version) == (-1, "")


def test_links_are_followed_once(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "b.avi").touch()
    videos = tmp_path / "videos"
    (videos / "a").mkdir(parents=True)
    (videos / "a" / "a.avi").touch()
    (videos / "a" / "up").symlink_to(videos)
    (videos / "b").symlink_to(tmp_path / "elsewhere")
    (videos / "c").symlink_to(tmp_path / "elsewhere")
    assert [str(path) for path in video_files(videos)] == ["a/a.avi", "b/b.avi"]


def test_missing_and_empty_folders(tmp_path):
    with pytest.raises(InputError, match="is not a directory"):
        video_files(tmp_path / "none")
    with pytest.raises(InputError, match="holds no video"):
        video_files(tmp_path)


def test_copies_and_links_are_of_one_source(tmp_path, caplog):
    for name, content in (("a.avi", b"123"), ("b.avi", b"124"), ("c.mp4", b"123")):
        (tmp_path / name).write_bytes(content)
    (tmp_path / "d.avi").symlink_to("b.avi")
    sources = {clip.path: clip.source for clip in find_folder_clips(tmp_path)}
    assert sources == {"a.avi": "a", "b.avi": "b", "c.mp4": "a", "d.avi": "b"}
    assert "2 videos are copies, such as 'c.mp4'" in caplog.text


def test_what_cannot_be_read_is_no_copy(tmp_path, monkeypatch, caplog):
    """A user without the right to read; who tests may be root, who has every right."""
    for name in ("a.avi", "b.avi"):
        (tmp_path / name).write_bytes(b"123")

    def refuse(file):
        raise PermissionError(13, "Permission denied", str(file))

    monkeypatch.setattr("motionflow.labels.clips.sha256_of", refuse)
    sources = [clip.source for clip in find_folder_clips(tmp_path)]
    assert (sources, caplog.text) == (["a", "b"], "")
