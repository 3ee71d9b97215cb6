"""One process at a time writes a folder."""

import fcntl
import os
import threading

import numpy as np
import pytest

from motionflow import own_model
from motionflow.data.builder import build_data_dir
from motionflow.data.resplit import resplit_data_dir
from motionflow.errors import InputError
from motionflow.files import lock
from motionflow.labels.options import BuildOptions, ResplitOptions
from motionflow.serving import exporting
from motionflow.training.trainer import train
from tests import tiny_run
from tests.conftest import write_avi
from tests.tiny_data import write_hand_made

HOLDER = "process 7 of elsewhere, since 1999"


def hold(folder):
    """Holds a folder as another process does: by a file that it opened itself."""
    folder.mkdir(parents=True, exist_ok=True)
    file = (folder / lock.LOCK).open("w+")
    file.write(HOLDER)
    file.flush()
    fcntl.flock(file, fcntl.LOCK_EX)
    return file


def build(folder):
    videos = folder.with_name("videos")
    for i in range(5):
        write_avi(videos / f"{i}.avi", np.full((4, 32, 32, 3), 40 * i, np.uint8))
    options = BuildOptions(dataset="folder")
    build_data_dir(videos, folder, options, extract=lambda *_: 1 / 0)


def build_own(folder):
    (folder / "data").mkdir()
    own_model.build_data(folder.parent / "videos", folder, BuildOptions())


def split(folder):
    data = write_hand_made(folder.with_name("data"))
    options = ResplitOptions(split="frame", num_clusters=2)
    resplit_data_dir(data, folder, options)


def learn(folder):
    train(tiny_run.settings(tiny_run.write_data(folder.with_name("data")), folder))


def export(folder):
    exporting.publish(folder, "saved_model", lambda _: 1 / 0)


@pytest.mark.parametrize("write", [build, build_own, split, learn, export])
def test_the_second_is_refused_before_it_works(write, tmp_path):
    folder = tmp_path / "out"
    with hold(folder):
        with pytest.raises(InputError, match=f"out is being written by {HOLDER}"):
            write(folder)
        found = {path.name for path in folder.iterdir()}
        assert found - {"data"} == {lock.LOCK}
        assert (folder / lock.LOCK).read_text() == HOLDER


def test_what_a_killed_process_leaves_holds_nothing(tmp_path):
    hold(tmp_path).close()
    with lock.alone(tmp_path):
        text = (tmp_path / lock.LOCK).read_text()
        assert text.startswith(f"process {os.getpid()} of ")
        with lock.alone(tmp_path):  # by the same thread
            pass
        assert (tmp_path / lock.LOCK).exists()
    assert not list(tmp_path.iterdir())


def test_a_file_that_its_holder_removes_is_not_held(tmp_path, monkeypatch):
    file, take = tmp_path / lock.LOCK, lock._lock
    removed = []

    def remove_first(*arguments):
        if not removed:
            removed.append(file.unlink())
        return take(*arguments)

    monkeypatch.setattr(lock, "_lock", remove_first)
    with lock.alone(tmp_path):
        other = file.open()
        with pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_who_waits_comes_when_the_folder_is_free(tmp_path):
    entered = threading.Event()

    def enter():
        with lock.alone(tmp_path, waits=True):
            entered.set()

    with hold(tmp_path) as file:
        thread = threading.Thread(target=enter, daemon=True)
        thread.start()
        assert not entered.wait(0.1)
        fcntl.flock(file, fcntl.LOCK_UN)
        assert entered.wait(10)
        thread.join()


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_child_holds_nothing(tmp_path):
    with lock.alone(tmp_path):
        (file,) = lock._held.values()
        assert not os.get_inheritable(file)  # by a program that is started
        if not (child := os.fork()):
            try:
                os.fstat(file)
            except OSError:
                os._exit(0)
            os._exit(1)
        assert os.waitpid(child, 0)[1] == 0
