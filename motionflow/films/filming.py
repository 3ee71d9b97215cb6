"""What is filmed, and where each film goes.

files, folders, patterns --plan--> (picture, film) pairs
"""

import glob
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from motionflow.errors import InputError
from motionflow.files.outputs import check_folder
from motionflow.films import FORMATS
from motionflow.films.film import check_output
from motionflow.media import frame_sequence, video_writer


class Plan(NamedTuple):
    """Which pictures become which films.

    Attributes:
      films: (picture or video, film) pairs.
      num_others: files of the folders that are no pictures.
      is_batch: whether one that fails leaves the others to go on.
    """

    films: Sequence[tuple[Path, Path]]
    num_others: int
    is_batch: bool


def plan(
    inputs: Sequence[str], output: str | None, format_name: str | None = None
) -> Plan:
    """Finds the pictures and names their films.

    A film lies beside its picture: photo.jpg becomes photo.mp4.

    Args:
      inputs: pictures, videos, folders of pictures, patterns such as photos/*.jpg.
      output: of one picture the film (.mp4, .gif, or a folder of PNGs without suffix),
        of several a folder for all films; None: beside the pictures.
      format_name: one of `films.FORMATS`, for films that `output` does not name.

    Raises:
      InputError: nothing there, or an output that cannot be written.
    """
    sources, num_others = _find(inputs)
    suffix = FORMATS[format_name or "mp4"]
    if len(inputs) == 1 and sources == [Path(inputs[0])]:
        (source,) = sources
        target = Path(output) if output else _beside(source, source.stem, suffix)
        if target.exists() and target.resolve() == source.resolve():
            raise InputError("--output is --input")
        if output and format_name:
            raise InputError(
                "--format is for a folder as --input; here the suffix of --output "
                "decides"
            )
        check_output(target)
        return Plan([(source, target)], num_others, False)
    folder = Path(output) if output else None
    if folder and folder.resolve() in {Path(name).resolve() for name in inputs}:
        raise InputError("--output is --input")
    if folder and (folder.suffix in video_writer.VIDEO_OUTPUTS or folder.is_file()):
        raise InputError(f"--input is a folder, so --output must be one, not {folder}")
    films = _name(sources, folder, suffix)
    for place in {target.parent for _, target in films}:
        check_folder(place)
    return Plan(films, num_others, True)


def _find(inputs: Sequence[str]) -> tuple[list[Path], int]:
    sources: list[Path] = []
    num_others = 0
    for name in inputs:
        path = Path(name)
        if path.is_dir():
            pictures, others = frame_sequence.find_pictures(path)
            sources += pictures
            num_others += len(others)
        elif path.exists() or not glob.has_magic(name):
            sources.append(path)
        elif found := sorted(filter(Path.is_file, map(Path, glob.glob(name)))):
            sources += found
        else:
            raise InputError(f"no file is called like {name}")
    return list(dict.fromkeys(sources)), num_others


def _name(
    sources: Sequence[Path], folder: Path | None, suffix: str
) -> list[tuple[Path, Path]]:
    def place(source: Path) -> tuple[Path, str]:
        return folder or source.parent, source.stem

    places = Counter(map(place, sources))
    films = []
    for source in sources:
        # a.jpg and a.png must not become one film.
        alone = places[place(source)] == 1
        name = source.stem if alone else source.name.replace(".", "-")
        target = folder / f"{name}{suffix}" if folder else _beside(source, name, suffix)
        films.append((source, target))
    target, count = Counter(target for _, target in films).most_common(1)[0]
    if count > 1:
        raise InputError(f"{count} films would be called {target}: leave --output out")
    return films


def _beside(source: Path, name: str, suffix: str) -> Path:
    target = source.with_name(f"{name}{suffix}")
    # A video's film is not the video.
    same = target.suffix.lower() == source.suffix.lower()
    return source.with_name(f"{name}-film{suffix}") if same else target
