"""The same extraction past one machine, on Apache Beam.

    clips --Create, Reshuffle--> workers: one clip at a time, in a process of its own
      --> one file of samples a clip (or a note why there is none), in the work folder

Elements are clips' names; frames and flow never travel through the pipeline. Videos and
work folder lie where all workers and the machine that starts them see them under the
same paths. Workers without such a file system (Dataflow's) read and write what Beam's
FileSystems can (gs://, s3://, hdfs://) with two options beside Beam's own:

    --remote_video_dir=URL   the videos, a copy of video_dir
    --remote_work_dir=URL    where workers leave samples, to be fetched from there

What follows extraction (split, codebook, shards) takes minutes where flow takes hours.
It happens where the build was started, the same as after the local engine.
"""

import argparse
import contextlib
import dataclasses
import hashlib
import json
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import av
import cv2
import numpy as np

from motionflow import __version__
from motionflow.errors import InputError
from motionflow.files import drafts
from motionflow.labels.clip_status import Failure
from motionflow.labels.clips import Clip
from motionflow.labels.extraction import (
    DEFAULT_LIMITS,
    ClipLimits,
    WorkDir,
    make_pool,
    outcome,
    submit,
)

try:
    import apache_beam
    from apache_beam.io.filesystems import FileSystems
    from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
except ImportError as error:
    raise InputError("--engine=beam needs Beam: pip install '.[beam]'") from error


class RemoteOptions(PipelineOptions):
    """Where workers read and write, if not where the launching machine does."""

    @classmethod
    def _add_argparse_args(cls, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--remote_video_dir", help="A copy of video_dir.")
        parser.add_argument("--remote_work_dir", help="For the workers' samples.")


def extract_clips(
    clips: Sequence[Clip],
    work: WorkDir,
    limits: ClipLimits = DEFAULT_LIMITS,
    pipeline_args: Sequence[str] = (),
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Failure]:
    """Makes the samples of all clips, on the runner that the pipeline's options name.

    Those are Beam's, as on a command line, and the two above.

    Returns:
      clip path -> what is wrong with it, for the clips that gave nothing.

    Raises:
      InputError: options that Beam refuses, or workers that write where the launching
        machine does not see it.
    """
    options = _pipeline_options(pipeline_args)
    extract, remote = _Extract(work, limits), options.view_as(RemoteOptions)
    if remote.remote_video_dir:
        folder = _remote_folder(remote.remote_work_dir, work)
        extract = _ExtractRemote(work, limits, remote.remote_video_dir, folder)
        _fetch(folder, work, ".npz")  # of a build that was stopped
    for clip in clips:
        _note(work, clip).unlink(missing_ok=True)  # try again
    todo = [clip for clip in clips if not work.file(clip).exists()]
    with _watched(clips, work, progress):
        if todo:
            _run(todo, extract, options, work.path)
        if remote.remote_video_dir:
            _fetch(folder, work, "")
    return _failures(clips, work)


class _Extract(apache_beam.DoFn):
    """Extracts clips one by one; leaves a note in the work folder where one fails."""

    def __init__(self, work: WorkDir, limits: ClipLimits):
        self._work, self._limits, self._versions = work, limits, _versions()

    def setup(self) -> None:
        if _versions() != self._versions:  # the labels would differ
            raise RuntimeError(
                f"this worker has {_versions()}, but the build was started with "
                f"{self._versions}"
            )
        self._pool = make_pool(1, self._limits)

    def process(self, clip: Clip) -> None:
        self._extract(clip, self._work)

    def _extract(self, clip: Clip, work: WorkDir) -> None:
        failure = outcome(submit(self._pool, clip, work, self._limits), self._limits)
        if failure:
            drafts.write(_note(work, clip), json.dumps(failure))

    def teardown(self) -> None:
        self._pool.stop()
        self._pool.join()


class _ExtractRemote(_Extract):
    """Fetches a clip from a remote file system and leaves its samples there."""

    def __init__(self, work: WorkDir, limits: ClipLimits, video_dir: str, folder: str):
        super().__init__(work, limits)
        self._video_dir, self._folder = video_dir, folder

    def process(self, clip: Clip) -> None:
        done = FileSystems.join(self._folder, self._work.file(clip).name)
        if FileSystems.exists(done):  # Beam repeats what a lost worker had finished
            return
        with tempfile.TemporaryDirectory() as scratch:
            work = WorkDir(Path(scratch), Path(scratch), self._work.labels)
            video = work.video_dir / clip.path
            video.parent.mkdir(parents=True, exist_ok=True)
            _download(FileSystems.join(self._video_dir, clip.path), video)
            self._extract(clip, work)
            for file in (work.file(clip), _note(work, clip)):
                if file.exists():
                    target = FileSystems.join(self._folder, file.name)
                    with file.open("rb") as read, FileSystems.create(target) as write:
                        shutil.copyfileobj(read, write)


def _pipeline_options(pipeline_args: Sequence[str]) -> PipelineOptions:
    options = PipelineOptions(list(pipeline_args))
    standard, remote = options.view_as(StandardOptions), options.view_as(RemoteOptions)
    if standard.runner in (None, "DirectRunner"):
        # What DirectRunner ends with; but first it would download a Go program, Prism.
        standard.runner = "FnApiRunner"
    if bool(remote.remote_video_dir) != bool(remote.remote_work_dir):
        raise InputError("remote_video_dir and remote_work_dir belong together")
    return options


def _run(
    clips: list[Clip], extract: _Extract, options: PipelineOptions, folder: Path
) -> None:
    try:
        pipeline = apache_beam.Pipeline(options=options)
    except (ImportError, ValueError) as error:
        raise InputError(f"Beam refuses its options: {error}") from error
    with drafts.naming(folder), pipeline:
        _ = (
            pipeline
            | "clips" >> apache_beam.Create(clips)
            | "spread" >> apache_beam.Reshuffle()
            | "extract" >> apache_beam.ParDo(extract)
        )


def _failures(clips: Sequence[Clip], work: WorkDir) -> dict[str, Failure]:
    failures, missing = {}, []
    for clip in clips:
        if work.file(clip).exists():
            continue
        try:
            note = _note(work, clip).read_text(encoding="utf-8")
            failures[clip.path] = Failure(*json.loads(note))
        except FileNotFoundError:
            missing.append(clip.path)
    if missing:
        raise InputError(
            f"the pipeline left nothing in {work.path} for {len(missing)} of "
            f"{len(clips)} clips, the first: {missing[0]}: all workers need the videos "
            "and output_dir under the same paths as this machine"
        )
    return failures


def _note(work: WorkDir, clip: Clip) -> Path:
    return work.file(clip).with_suffix(".failed.json")


def _versions() -> dict[str, str]:
    return {
        "motionflow": __version__,
        "opencv": cv2.__version__,
        "pyav": av.__version__,
        "numpy": np.__version__,
    }


@contextlib.contextmanager
def _watched(
    clips: Sequence[Clip], work: WorkDir, progress: Callable[[int, int], None]
) -> Iterator[None]:
    """Reports how many clips have left a file, for as long as the pipeline runs."""
    files = {work.file(clip).name for clip in clips}
    files |= {_note(work, clip).name for clip in clips}
    ended = threading.Event()

    def report() -> None:
        progress(len(files.intersection(os.listdir(work.path))), len(clips))

    def watch() -> None:
        while not ended.wait(2):
            report()

    thread = threading.Thread(target=watch, daemon=True)
    report()
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
    report()


def _remote_folder(remote_work_dir: str, work: WorkDir) -> str:
    """Another folder for each set of options, so that samples never mix."""
    key = json.dumps(dataclasses.asdict(work.labels) | _versions(), sort_keys=True)
    digest = hashlib.sha256(key.encode()).hexdigest()[:12]
    try:
        folder = FileSystems.join(remote_work_dir, f"samples-{digest}")
        if not FileSystems.exists(folder):
            FileSystems.mkdirs(folder)
    except (OSError, ValueError) as error:
        raise InputError(f"remote_work_dir {remote_work_dir}: {error}") from error
    return folder


def _fetch(folder: str, work: WorkDir, suffix: str) -> None:
    """Brings the workers' files with this suffix into the work folder."""
    (found,) = FileSystems.match([FileSystems.join(folder, "*")])
    for entry in found.metadata_list:
        file = work.path / FileSystems.split(entry.path)[1]
        if entry.path.endswith(suffix) and not file.exists():
            with drafts.draft(file) as draft:
                _download(entry.path, draft)


def _download(url: str, file: Path) -> None:
    with FileSystems.open(url) as read, file.open("wb") as write:
        shutil.copyfileobj(read, write)
