"""What a clip is, and how a folder of videos becomes a list of them.

    video_dir --(dataset: hmdb51 | ucf101 | folder)--> [Clip, ...] in a fixed order

`source` names the video that a clip was cut from: clips of one source look alike, so
no source may lie in two splits. HMDB-51 and UCF-101 tell it in their file names; in a
plain folder every file is its own source, but copies of a file have one.
"""

import collections
import dataclasses
import itertools
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from motionflow.errors import InputError
from motionflow.files.file_names import VIDEO_SUFFIXES, is_hidden, is_video, sha256_of

NO_VIDEO = "not a video by its name"  # why a file is excluded
_LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Clip:
    """One video file and what its name says.

    Attributes:
      path: relative to the video directory, with forward slashes.
      action: the class of the motion, "" where unknown.
      source: the video that the clip was cut from.
      excluded: why the clip is not used, "" where it is.
      camera_moves: whether the name says so; such a clip is for stabilising only.
      bytes: size of the file; -1 where there is none, as behind a dangling link.
      version: size and time of the file: another one is another video.
    """

    path: str
    action: str
    source: str
    excluded: str = ""
    camera_moves: bool = False
    bytes: int = -1
    version: str = ""


def video_files(video_dir: str | Path) -> list[Path]:
    """Every video below `video_dir`, as sorted relative paths; InputError if none."""
    return [path for path in _visible_files(video_dir) if is_video(path.name)]


def _visible_files(video_dir: str | Path) -> list[Path]:
    """Every file below `video_dir` but the hidden ones; one of them is a video.

    Walks the tree instead of globbing: 536 HMDB-51 names hold characters that a glob
    would read as patterns.
    """
    root = Path(video_dir)
    if not root.is_dir():
        raise InputError(f"video_dir {root} is not a directory")
    found = sorted(
        Path(folder, name).relative_to(root)
        for folder, names in _folders(root)
        for name in names
        if not is_hidden(name)
    )
    if not any(is_video(path.name) for path in found):
        raise InputError(
            f"video_dir {root} holds no video ({', '.join(VIDEO_SUFFIXES)})"
        )
    return found


def _folders(root: Path) -> Iterator[tuple[str, list[str]]]:
    """Yields each folder below `root` once, with the names of its files.

    Hidden ones are left out. Links are followed, but not to where the walk has been: a
    link to a folder above would show every clip again and again.
    """
    seen = {os.path.realpath(root)}
    for folder, folders, names in os.walk(root, followlinks=True):
        yield folder, names
        found, folders[:] = sorted(folders), []
        for name in itertools.filterfalse(is_hidden, found):
            real = os.path.realpath(os.path.join(folder, name))
            if real not in seen:
                seen.add(real)
                folders.append(name)


def find_folder_clips(video_dir: str | Path) -> list[Clip]:
    """Lists a plain folder: action = parent folder, source = the file itself.

    A copy of a file, or a link to it, has the source of the first: else what trains
    would be tested, too.
    """
    found = find_named_clips(
        video_dir,
        lambda path: Clip("", path.parent.name, path.with_suffix("").as_posix()),
    )
    sizes = collections.Counter(clip.bytes for clip in found if not clip.excluded)
    sources: dict[str, str] = {}
    clips, copies = [], []
    for clip in found:
        if clip.bytes > 0 and sizes[clip.bytes] > 1 and not clip.excluded:
            content = _digest(Path(video_dir, clip.path)) or clip.path
            source = sources.setdefault(content, clip.source)
            if source != clip.source:
                copies.append(clip.path)
                clip = dataclasses.replace(clip, source=source)
        clips.append(clip)
    if copies:
        text = "remark: %d videos are copies, such as %r: each is of the other's source"
        _LOG.warning(text, len(copies), copies[0])
    return clips


def _digest(file: Path) -> str | None:
    try:
        return sha256_of(file)
    except OSError:  # extraction will say so, clip by clip
        return None


def find_named_clips(
    video_dir: str | Path, parse: Callable[[Path], Clip]
) -> list[Clip]:
    """All files of a folder but the hidden ones, as clips.

    What is no video by its name is excluded, as are names that `parse` refuses by a
    ValueError. It makes a clip, whose `path` may be anything, of a relative path.
    """
    clips = []
    for path in _visible_files(video_dir):
        try:
            clip = parse(path) if is_video(path.name) else _excluded(path, NO_VIDEO)
        except ValueError as error:
            clip = _excluded(path, str(error))
        clips.append(_at(path, video_dir, clip))
    return clips


def _excluded(path: Path, why: str) -> Clip:
    return Clip("", path.parent.name, path.stem, why)


def _at(path: Path, video_dir: str | Path, clip: Clip) -> Clip:
    """The clip with its place and what the file system says about its file."""
    try:
        file = Path(video_dir, path).stat()
        size, version = file.st_size, f"{file.st_size}:{file.st_mtime_ns}"
    except OSError:
        size, version = -1, ""
    return dataclasses.replace(clip, path=path.as_posix(), bytes=size, version=version)
