"""A build with damaged clips ends, says what each was, and harms no good one."""

import collections
import contextlib
import functools
import itertools
import json
import os
import shutil
import signal
import socket
import threading
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from motionflow.commands import data
from motionflow.data import builder, records
from motionflow.data.data_dir import open_data_dir
from motionflow.labels.clip_status import STATUSES
from motionflow.labels.clips import find_folder_clips
from motionflow.labels.extraction import ClipLimits, extract_clips
from motionflow.labels.options import LabelOptions
from motionflow.labels.splits import SPLITS
from tests import damage
from tests.conftest import moving_square

pytestmark = pytest.mark.slow

LABELS = LabelOptions(flow_method="dis", frame_stride=3)
FLAGS = ("--dataset=folder", "--flow_method=dis", "--frame_stride=3", "--num_workers=2")


def build(video_dir, output_dir, limits=ClipLimits(120), **changes):  # noqa: B008
    fields = {"dataset": "folder", "num_clusters": 8, "labels": LABELS} | changes
    return builder.build_data_dir(
        video_dir,
        output_dir,
        builder.BuildOptions(**fields),
        extract=functools.partial(extract_clips, num_workers=2, limits=limits),
        max_failed_fraction=1.0,
    )


def read(data_dir):
    """(clip, frame_index) -> serialised example, of all splits."""
    data = open_data_dir(data_dir)
    found = {}
    shards = [shard for split in SPLITS for shard in data.shards(split)]
    for record in tf.data.TFRecordDataset(shards):
        record = record.numpy()
        feature = tf.train.Example.FromString(record).features.feature
        clip = feature["clip"].bytes_list.value[0]
        found[clip, feature["frame_index"].int64_list.value[0]] = record
    assert len(found) == sum(map(data.num_samples, SPLITS))
    return found


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """A folder with ten good clips in good/ and what a build makes of it."""
    folder = tmp_path_factory.mktemp("videos")
    damage.good_clips(folder / "good", 10)
    data_dir = tmp_path_factory.mktemp("alone")
    statuses = build(folder, data_dir)
    assert [(s.status, s.reason) for s in statuses] == [("ok", "")] * 10
    assert all(s.frames == s.announced for s in statuses)
    return folder, data_dir


@pytest.fixture
def videos(good, tmp_path):
    """A copy of the good folder, to lay bad clips into."""
    return shutil.copytree(good[0], tmp_path / "videos")


def check_status(status):
    """What holds for a clip whatever happened to it."""
    assert status.status in STATUSES
    assert status.reason or status.status == "ok"
    assert len(status.reason.splitlines()) <= 1
    if status.status in ("corrupt", "timeout"):
        assert (status.frames, status.samples) == (0, 0)
        return
    assert status.frames > 0
    left_out = status.cut_samples + status.duplicate_samples
    left_out += status.gap_samples + status.unstable_samples
    windows = len(range(0, status.frames - LABELS.flow_frames, LABELS.frame_stride))
    assert status.samples + left_out == windows
    assert (status.status == "too_short") == (windows == 0)
    if status.status == "ok":
        assert status.frames >= status.announced
    assert (status.split != "") == (status.samples > 0)


@pytest.mark.parametrize(
    ("num", "seed"),
    [(len(damage.KINDS), 0), pytest.param(330, 1, marks=pytest.mark.corpus)],
)
def test_damaged_clips_cost_one_line_each_and_good_ones_nothing(
    call, good, videos, tmp_path, num, seed
):
    bad = damage.damaged(sorted(videos.glob("good/*")), videos / "worse", num, seed)
    codebook = good[1] / "codebook.npz"
    # What is not UTF-8 cannot be printed as it is: standard output is strict here.
    own = [f"--codebook={codebook}", "--max_failed_fraction=1"]
    paths = [f"--video_dir={videos}", f"--output_dir={tmp_path / 'd'}"]
    done = call(data, *FLAGS, *own, *paths)
    assert done.code == 0, done.err
    statuses = builder.read_clips(tmp_path / "d")
    found = {status.clip: status for status in statuses}
    assert len(found) == len(statuses)
    wrong = []
    for clip in bad:
        status = found.pop(clip.path.relative_to(videos).as_posix(), None)
        if status is not None:
            check_status(status)
        if (status.status if status else None) not in (clip.statuses or [None]):
            wrong.append((clip.kind, clip.path.name, status))
    assert not wrong
    # The other lines are those of the good clips; only their split may be another.
    before = {status.clip: vars(status) for status in builder.read_clips(good[1])}
    assert {c: vars(s) | {"split": ""} for c, s in found.items()} == {
        c: s | {"split": ""} for c, s in before.items()
    }
    examples, expected = read(tmp_path / "d"), read(good[1])
    assert expected == {key: examples[key] for key in expected}
    counts = collections.Counter(status.status for status in statuses)
    assert {"ok", "truncated", "too_short", "corrupt"} <= set(counts)  # no easy draw
    assert open_data_dir(tmp_path / "d").manifest["clips"] == counts
    for status in ("too_short", "corrupt"):  # one line each, whatever the name
        lines = [f"  {status}: " in line for line in done.out.split("\n")]
        assert sum(lines) == counts[status]


def same_bytes(data_dir, other):
    """Names of the files that differ."""
    names = {file.name for folder in (data_dir, other) for file in folder.iterdir()}
    differ = set()
    for name in names:
        files = [folder / name for folder in (data_dir, other)]
        if not all(file.is_file() for file in files) or (
            files[0].read_bytes() != files[1].read_bytes()
        ):
            differ.add(name)
    return differ


def test_clips_without_a_sample_change_no_byte(good, videos, tmp_path):
    kinds = [
        kind
        for kind, (_, statuses) in damage.KINDS.items()
        if {"corrupt", "too_short"}.issuperset(statuses)
    ]
    assert len(kinds) >= 16
    clips = sorted(videos.glob("good/*"))
    damage.damaged(clips, videos / "bad", len(kinds), seed=2, kinds=kinds)
    build(videos, tmp_path / "d")
    assert same_bytes(good[1], tmp_path / "d") == {"clips.jsonl", "manifest.json"}
    manifests = [
        json.loads(Path(folder, "manifest.json").read_text())
        for folder in (good[1], tmp_path / "d")
    ]
    for manifest in manifests:
        del manifest["clips"]
    assert manifests[0] == manifests[1]
    before = (good[1] / "clips.jsonl").read_text().splitlines()
    after = (tmp_path / "d" / "clips.jsonl").read_text().splitlines()
    assert [line for line in after if '"clip": "good/' in line] == before


@contextlib.contextmanager
def crash_who_opens(path):
    """Sends SIGSEGV to each process that opens `path`, as a bug in a decoder would."""
    crashed, stop = [], threading.Event()

    def watch():
        while not stop.wait(0.02):
            for link in Path("/proc").glob("[0-9]*/fd/*"):
                with contextlib.suppress(OSError):
                    if os.readlink(link) == str(path):
                        crashed.append(int(link.parts[2]))
                        os.kill(crashed[-1], signal.SIGSEGV)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield crashed
    finally:
        stop.set()
        thread.join()


def write_endless(path):
    """A clip that is followed by a terabyte of zeros, which take no room on the disk.

    So looks a download that reserved its place. Decoders search them for a frame.
    """
    damage.write_clip(path, moving_square((2, 0), 9, 0), "mpeg4", "yuv420p")
    os.truncate(path, 10**12)


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="reads /proc")
def test_a_hang_a_crash_and_a_memory_hog_cost_one_clip_each(good, videos, tmp_path):
    bad = videos / "bad"  # before good/ in the order of paths
    bad.mkdir()
    write_endless(bad / "crash.avi")
    write_endless(bad / "hang.avi")
    with (bad / "hang.avi").open("ab") as file:
        file.write(b"\0")  # it is no copy
    black = np.zeros((1, 10000, 10000, 3), np.uint8)
    damage.write_clip(bad / "hog.mp4", black, "libx264", "yuv420p")
    assert (bad / "hog.mp4").stat().st_size < 100_000
    with crash_who_opens((bad / "crash.avi").resolve()) as crashed:
        statuses = build(videos, tmp_path / "d", ClipLimits(6, 400))
    assert crashed
    crash, hang, hog, *others = statuses
    assert (crash.clip, crash.status) == ("bad/crash.avi", "corrupt")
    assert "crashed" in crash.reason
    assert (hang.clip, hang.status) == ("bad/hang.avi", "timeout")
    assert "6 s" in hang.reason
    assert (hog.clip, hog.status) == ("bad/hog.mp4", "corrupt")
    assert hog.reason
    for status in (crash, hang, hog):
        check_status(status)
    assert others == builder.read_clips(good[1])
    assert same_bytes(good[1], tmp_path / "d") == {"clips.jsonl", "manifest.json"}


def test_no_file_makes_the_build_ask_a_server(videos, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/a.avi"
        texts = {
            "m3u8": damage.playlist(url),
            "tagged": "ID3\x04" + "\0" * 6 + damage.playlist(url),
            "ffconcat": damage.script(url),
            "unsafe": damage.script(url).replace("file", "option safe 0\nfile"),
            "asx": f'<asx version="3.0"><entry><ref href="{url}"/></entry></asx>',
        }
        for name, text in texts.items():
            (videos / f"{name}.avi").write_text(text)
        statuses = {s.clip: s.status for s in build(videos, tmp_path / "d")}
        assert [statuses[f"{name}.avi"] for name in texts] == ["corrupt"] * len(texts)
        server.setblocking(False)
        with pytest.raises(BlockingIOError):  # nobody waits to be accepted
            server.accept()


def test_names_that_ffmpeg_would_read_as_protocols(good, tmp_path, monkeypatch):
    (tmp_path / "v").mkdir()
    names = ("concat:a.avi", "http:a.avi", "subfile,,start,0,end,9,,:a.avi", "-i.avi")
    for name, clip in zip(names, sorted(good[0].glob("good/*.avi")), strict=False):
        shutil.copyfile(clip, tmp_path / "v" / name)
    monkeypatch.chdir(tmp_path / "v")
    statuses = build(".", tmp_path / "d")
    assert {s.clip: s.status for s in statuses} == dict.fromkeys(names, "ok")


def test_links_in_a_circle_list_a_clip_once(tmp_path):
    (tmp_path / "v" / "walk").mkdir(parents=True)
    (tmp_path / "v" / "walk" / "a.avi").touch()
    (tmp_path / "v" / "walk" / "up").symlink_to("..")
    assert [c.path for c in find_folder_clips(tmp_path / "v")] == ["walk/a.avi"]


def test_a_stopped_build_leaves_nothing_to_one_of_fewer_clips(
    videos, tmp_path, monkeypatch
):
    """Nor does a killed one, or one of 0.7, whose shards lay beside the others."""
    calls = itertools.count(1)
    sha256 = records.sha256_of

    def stop(file):  # all shards of train are whole then, none of the others
        if next(calls) == 11:
            raise KeyboardInterrupt
        return sha256(file)

    with monkeypatch.context() as patch:
        patch.setattr(records, "sha256_of", stop)
        with pytest.raises(KeyboardInterrupt):
            build(videos, tmp_path / "d")
    assert not list(tmp_path.glob("d/*.tfrecord"))
    (tmp_path / "d/train-00009-of-00010.tfrecord").touch()
    (tmp_path / "d/.draft-killed").mkdir()
    for clip in sorted(videos.glob("good/*"))[3:]:
        clip.unlink()
    build(videos, tmp_path / "d")
    data = open_data_dir(tmp_path / "d")
    names = [os.fsdecode(name) for split in SPLITS for name in data.shards(split)]
    shards = [Path(name).name for name in names]
    parts = ["clips.jsonl", "codebook.npz", "manifest.json", "mean_frame.npy"]
    found = sorted(file.name for file in (tmp_path / "d").iterdir())
    assert found == sorted(parts + shards)
