"""The Beam engine: the same samples as the local one."""

import functools
import importlib
import json
import shutil
import sys

import pytest

from motionflow.data import beam, extraction
from motionflow.data.builder import BuildOptions, build_data_dir, read_clips
from motionflow.data.clips import find_folder_clips
from motionflow.data.samples import LabelOptions
from motionflow.errors import InputError
from tests.conftest import moving_square, write_avi

FAST = LabelOptions(flow_method="dis", frame_stride=2)
OPTIONS = BuildOptions(num_clusters=8, labels=FAST)


@pytest.fixture
def videos(tiny_videos, tmp_path):
    folder = shutil.copytree(tiny_videos, tmp_path / "videos")
    (folder / "walk" / "bad_walk_f_nm_np1_fr_goo_0.avi").write_text("no video")
    short = folder / "walk" / "short_walk_f_nm_np1_fr_goo_0.avi"
    write_avi(short, moving_square((1, 0), 2, 0))
    return folder


def test_the_same_directory_as_the_local_engine(videos, tmp_path):
    build = functools.partial(build_data_dir, videos, max_failed_fraction=0.5)
    build(tmp_path / "local", OPTIONS)
    build(tmp_path / "beam", OPTIONS, extract=beam.extract_clips)
    files = sorted(path.name for path in (tmp_path / "local").iterdir())
    assert files == sorted(path.name for path in (tmp_path / "beam").iterdir())
    for name in files:
        local, other = (tmp_path / engine / name for engine in ("local", "beam"))
        assert local.read_bytes() == other.read_bytes(), name
    found = {status.status for status in read_clips(tmp_path / "beam")}
    assert found == {"ok", "corrupt", "too_short"}


def test_finished_clips_are_not_computed_again_and_failed_ones_are(videos, tmp_path):
    clips = find_folder_clips(videos)[:3]  # the first is the damaged one
    work = extraction.WorkDir(tmp_path / "out", videos, FAST)
    failures = beam.extract_clips(clips, work)
    assert [failure.status for failure in failures.values()] == ["corrupt"]
    times = {path: path.stat().st_mtime_ns for path in work.path.glob("*.npz")}
    assert len(times) == 2
    calls = []
    assert failures == beam.extract_clips(
        clips, work, progress=lambda *call: calls.append(call)
    )
    assert calls == [(0, 3), (3, 3)]
    assert {path: path.stat().st_mtime_ns for path in times} == times
    (note,) = work.path.glob("*.failed.json")
    assert json.loads(note.read_text())[0] == "corrupt"


def test_without_the_package_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    with pytest.raises(InputError, match=r"pip install '\.\[beam\]'"):
        importlib.reload(beam)
