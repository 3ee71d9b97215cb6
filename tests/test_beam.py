"""The Beam engine: the same samples as the local one."""

import functools
import importlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from motionflow.data.builder import build_data_dir, read_clips
from motionflow.errors import InputError
from motionflow.labels import beam, extraction
from motionflow.labels.clips import find_folder_clips
from motionflow.labels.options import BuildOptions, LabelOptions
from tests.conftest import moving_square, write_avi

pytestmark = pytest.mark.slow

FAST = LabelOptions(flow_method="dis", frame_stride=2)
OPTIONS = BuildOptions(num_clusters=8, labels=FAST)


@pytest.fixture
def videos(tiny_videos, tmp_path):
    folder = shutil.copytree(tiny_videos, tmp_path / "videos")
    (folder / "walk" / "bad_walk_f_nm_np1_fr_goo_0.avi").write_text("no video")
    short = folder / "walk" / "short_walk_f_nm_np1_fr_goo_0.avi"
    write_avi(short, moving_square((1, 0), 2, 0))
    return folder


@pytest.fixture
def three(videos, tmp_path):
    """A damaged clip and two good ones, and a work folder."""
    clips = find_folder_clips(videos)[:3]
    return clips, extraction.WorkDir(tmp_path / "out", videos, FAST)


def test_the_same_directory_as_the_local_engine(videos, tmp_path):
    build = functools.partial(build_data_dir, videos, max_failed_fraction=0.5)
    build(tmp_path / "local", OPTIONS)
    two = ["--direct_running_mode=multi_processing", "--direct_num_workers=2"]
    extract = functools.partial(beam.extract_clips, pipeline_args=two)
    build(tmp_path / "beam", OPTIONS, extract=extract)
    files = sorted(path.name for path in (tmp_path / "local").iterdir())
    assert files == sorted(path.name for path in (tmp_path / "beam").iterdir())
    for name in files:
        local, other = (tmp_path / engine / name for engine in ("local", "beam"))
        assert local.read_bytes() == other.read_bytes(), name
    found = {status.status for status in read_clips(tmp_path / "beam")}
    assert found == {"ok", "corrupt", "too_short"}


def test_finished_clips_are_not_computed_again_and_failed_ones_are(three):
    clips, work = three
    failures = beam.extract_clips(clips, work)
    assert [failure.status for failure in failures.values()] == ["corrupt"]
    times = {path: path.stat().st_mtime_ns for path in work.path.glob("*.npz")}
    assert len(times) == 2
    (note,) = work.path.glob("*.failed.json")
    note.write_text(json.dumps(["timeout", "not done"]))
    calls = []
    again = beam.extract_clips(clips, work, progress=lambda *call: calls.append(call))
    assert again == failures
    assert calls[0] == (2, 3) and calls[-1] == (3, 3)
    assert {path: path.stat().st_mtime_ns for path in times} == times


@pytest.fixture
def cluster():
    """Beam's own job server and worker pool; yields the options that reach them."""
    python = Path(sys.executable)
    environment = os.environ | {"PATH": f"{python.parent}:{os.environ['PATH']}"}
    servers, ports = [], []
    for module, flag in [
        ("portability.local_job_service_main", "--port"),
        ("worker.worker_pool_main", "--service_port"),
    ]:
        with socket.socket() as free:
            free.bind(("localhost", 0))
            ports.append(free.getsockname()[1])
        command = [python, "-m", f"apache_beam.runners.{module}", flag, str(ports[-1])]
        servers.append(
            subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
        )
    try:
        for port in ports:
            wait_for(port)
        yield [
            "--runner=PortableRunner",
            f"--job_endpoint=localhost:{ports[0]}",
            "--environment_type=EXTERNAL",
            f"--environment_config=localhost:{ports[1]}",
        ]
    finally:
        for server in servers:
            server.terminate()
        for server in servers:
            server.wait()


def wait_for(port):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with socket.socket() as client:
            if client.connect_ex(("localhost", port)) == 0:
                return
        time.sleep(0.2)
    raise AssertionError(f"nothing listens on port {port}")


def test_a_job_server_its_workers_and_a_remote_file_system(three, cluster, tmp_path):
    clips, work = three
    far = tmp_path / "far"
    shutil.copytree(work.video_dir, far / "videos")
    # The workers find nothing under the paths of the launching machine.
    work.video_dir.rename(tmp_path / "elsewhere")
    remote = [
        f"--remote_video_dir={far / 'videos'}",
        f"--remote_work_dir={far / 'work'}",
    ]
    failures = beam.extract_clips(clips, work, pipeline_args=cluster + remote)
    assert [failure.status for failure in failures.values()] == ["corrupt"]
    made = {file.name: file.read_bytes() for file in work.path.glob("*.npz")}
    assert len(made) == 2
    # A build that was stopped after its pipeline finds the samples, without videos.
    shutil.rmtree(far / "videos")
    work.remove()
    work = extraction.WorkDir(tmp_path / "out", work.video_dir, FAST)
    assert beam.extract_clips(clips[1:], work, pipeline_args=remote) == {}
    assert {file.name: file.read_bytes() for file in work.path.glob("*.npz")} == made


def test_samples_with_other_labels_never_mix_in_a_remote_folder(tmp_path):
    folders = {
        beam._remote_folder(
            str(tmp_path / "far"),
            extraction.WorkDir(
                tmp_path / str(size), tmp_path, LabelOptions(grid_size=size)
            ),
        )
        for size in (10, 20)
    }
    assert len(folders) == len(list((tmp_path / "far").iterdir())) == 2


def test_workers_that_write_elsewhere_are_noticed(three, monkeypatch):
    monkeypatch.setattr(beam, "_run", lambda *arguments: None)
    with pytest.raises(InputError, match="nothing in .* for 3 of 3 clips.* same paths"):
        beam.extract_clips(*three)


def test_a_worker_with_other_versions_is_refused(three, monkeypatch):
    extract = beam._Extract(three[1], extraction.DEFAULT_LIMITS)
    monkeypatch.setattr(beam.cv2, "__version__", "1.0")
    with pytest.raises(RuntimeError, match="this worker has .*'opencv': '1.0'"):
        extract.setup()


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--runner=Flinc", "Beam refuses its options: .*FlinkRunner"),
        ("--remote_video_dir=/x", "belong together"),
    ],
)
def test_options_that_cannot_work(three, argument, message):
    with pytest.raises(InputError, match=message):
        beam.extract_clips(*three, pipeline_args=[argument])


def test_a_remote_file_system_that_beam_cannot_reach(three):
    arguments = ["--remote_video_dir=xyz://a", "--remote_work_dir=xyz://b"]
    with pytest.raises(InputError, match="remote_work_dir xyz://b: "):
        beam.extract_clips(*three, pipeline_args=arguments)


def test_no_program_is_downloaded():
    for arguments in ([], ["--runner=DirectRunner"]):
        options = beam._pipeline_options(arguments).view_as(beam.StandardOptions)
        assert options.runner == "FnApiRunner"
    options = beam._pipeline_options(["--runner=FlinkRunner"])
    assert options.view_as(beam.StandardOptions).runner == "FlinkRunner"


def test_without_the_package_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    with pytest.raises(InputError, match=r"pip install '\.\[beam\]'"):
        importlib.reload(beam)
