"""Many clips to their samples, in several processes.

Each finished clip leaves one file in a work folder; a clip whose file is there is not
computed again. The file's name holds a digest of the video's path, size and time, so
that a video that was exchanged is read again.

Videos come from anywhere, and decoders are C code: each clip is decoded in a worker
process with a time and a memory limit. A video that hangs, eats memory or crashes the
decoder costs one clip.
"""

import concurrent.futures
import contextlib
import dataclasses
import hashlib
import importlib.metadata
import json
import multiprocessing
import multiprocessing.connection
import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import pebble

from motionflow.errors import InputError, NotWritten
from motionflow.files import drafts
from motionflow.labels.clip_status import Failure
from motionflow.labels.clips import Clip
from motionflow.labels.options import LabelOptions
from motionflow.labels.samples import extract_samples

if sys.platform != "win32":  # which has no memory limits for processes
    import resource


class ClipLimits(NamedTuple):
    """What one clip may cost of time and of its process' memory; 0 sets no limit."""

    seconds: float = 1800
    megabytes: int = 2048


DEFAULT_LIMITS = ClipLimits()
_MAX_ROUNDS_IN_VAIN = 3


def flag_differences(found: Mapping, wanted: Mapping) -> list[str]:
    """Names each wanted flag that an earlier build had otherwise."""
    return [
        f"{name}={found.get(name)}, not {wanted[name]}"
        for name in wanted
        if found.get(name) != wanted[name]
    ]


class WorkDir:
    """Folder for the samples of finished clips: `.samples` in the output directory."""

    def __init__(self, output_dir: Path, video_dir: Path, labels: LabelOptions):
        """Creates the folder or finds the one that a stopped build left.

        Raises:
          InputError: that build had other label options.
        """
        self.video_dir = video_dir.absolute()  # FFmpeg reads "concat:a" as no file
        self.labels = labels
        self.path = output_dir / ".samples"
        self.path.mkdir(parents=True, exist_ok=True)
        versions = {"opencv": cv2.__version__, "av": importlib.metadata.version("av")}
        versions |= labels.versions
        options = dataclasses.asdict(labels) | versions
        if differences := flag_differences(self._options(options), options):
            raise InputError(
                f"{output_dir} holds a build that was stopped, with "
                f"{'; '.join(differences)}: remove it or choose another output_dir"
            )

    def _options(self, options: dict) -> dict:
        """The options that the folder was made with: these, if it is new."""
        file = self.path / "options.json"
        if not file.exists():
            drafts.write(file, json.dumps(options))
        return json.loads(file.read_text(encoding="utf-8"))

    def file(self, clip: Clip) -> Path:
        """Where the samples of a clip are kept; another video has another file."""
        key = os.fsencode(f"{clip.path}:{clip.version}")
        return self.path / f"{hashlib.sha256(key).hexdigest()[:32]}.npz"

    def remove(self) -> None:
        """Removes the folder: the samples are in shards."""
        shutil.rmtree(self.path)


def extract_clips(
    clips: Sequence[Clip],
    work: WorkDir,
    num_workers: int = 1,
    limits: ClipLimits = DEFAULT_LIMITS,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Failure]:
    """Makes the samples of all clips in a work folder, in processes of this machine.

    Returns:
      clip path -> what is wrong with it, for the clips that gave nothing.

    Raises:
      InputError: no worker can work.
    """
    if num_workers < 1:
        raise InputError(f"num_workers is {num_workers}, expected 1 or more")
    outcomes: dict[str, Failure | None] = {}
    # The longest first, so that no worker ends with a long one alone.
    order, rounds_in_vain = sorted(clips, key=lambda clip: -clip.bytes), 0
    while todo := [clip for clip in order if clip.path not in outcomes]:
        num_before = len(outcomes)
        with _ending(make_pool(num_workers, limits), work) as pool:
            jobs = {submit(pool, clip, work, limits): clip for clip in todo}
            for job in concurrent.futures.as_completed(jobs):
                # A pool breaks where a worker dies within a millisecond of its start.
                with contextlib.suppress(concurrent.futures.BrokenExecutor):
                    outcomes[jobs[job].path] = outcome(job, limits)
                    progress(len(outcomes), len(clips))
        rounds_in_vain = rounds_in_vain + 1 if len(outcomes) == num_before else 0
        if rounds_in_vain == _MAX_ROUNDS_IN_VAIN:
            raise InputError(
                "no worker process can work; is clip_memory_mb="
                f"{limits.megabytes} too little?"
            )
    return {path: failure for path, failure in outcomes.items() if failure}


@contextlib.contextmanager
def _ending(pool: pebble.ProcessPool, work: WorkDir) -> Iterator[pebble.ProcessPool]:
    """Ends a pool when its work is done, at once where it is interrupted."""
    try:
        yield pool
        pool.close()
    except BaseException:
        pool.stop()
        raise
    finally:
        pool.join()
        drafts.remove_stale(work.path)


def make_pool(num_workers: int, limits: ClipLimits) -> pebble.ProcessPool:
    """Makes processes that `submit` can give clips to."""
    return pebble.ProcessPool(
        num_workers,
        # OpenCV is not fork-safe, so workers start afresh.
        context=multiprocessing.get_context("spawn"),
        initializer=_start_worker,
        initargs=[limits.megabytes],
    )


def submit(
    pool: pebble.ProcessPool, clip: Clip, work: WorkDir, limits: ClipLimits
) -> concurrent.futures.Future:
    """Asks for the samples of a clip; does nothing where they are there already."""
    arguments = [work.video_dir / clip.path, work.file(clip), work.labels]
    return pool.schedule(_extract_to_file, arguments, timeout=limits.seconds or None)


def outcome(job: concurrent.futures.Future, limits: ClipLimits) -> Failure | None:
    """Waits for a clip and says what went wrong, if anything did."""
    try:
        job.result()
    except concurrent.futures.TimeoutError:
        return Failure("timeout", f"not done after {limits.seconds:g} s")
    except MemoryError:
        return Failure("corrupt", f"needs more than {limits.megabytes} MB of memory")
    except pebble.ProcessExpired as error:
        return Failure("corrupt", f"the decoder crashed (exit code {error.exitcode})")
    except NotWritten:
        raise  # nor is a full disk
    except InputError as error:
        return Failure("corrupt", " ".join(str(error).split()))
    except concurrent.futures.BrokenExecutor:
        raise  # no worker can start: no clip's fault
    except Exception as error:  # whatever one clip does, the others go on
        text = f"{type(error).__name__}: {error}"
        return Failure("corrupt", " ".join(text.split()))
    return None


def _start_worker(megabytes: int) -> None:
    """Limits this worker's memory and ends it with the program that started it."""
    parent = multiprocessing.parent_process()

    def wait() -> None:
        assert parent is not None, "a worker has one"
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
    if sys.platform != "win32" and megabytes:
        resource.setrlimit(resource.RLIMIT_DATA, (megabytes * 2**20,) * 2)


def _extract_to_file(video: Path, file: Path, labels: LabelOptions) -> None:
    if file.exists():
        return
    try:
        samples = extract_samples(video, labels)
    except cv2.error as error:
        if error.code == cv2.Error.StsNoMem:
            raise MemoryError from error
        raise
    samples.save(file)
