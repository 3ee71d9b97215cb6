"""Which samples of a split are compared, and what really followed them in the videos.

    data directory, split -> Choice -> batches of these samples only
                                    -> start frames and what followed, fitted

Neighbouring samples of a clip look alike, and rolling each out takes long: a few of
each clip, spread evenly over it, tell as much.

The frames of a video are decoded, fitted and searched for shot cuts and duplicates as
for the labels. A sample counts at the frames before the first break (or the video's
end), for only these show the same motion at one pace.
"""

import dataclasses
import os
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import numpy as np

from motionflow.data import pipeline
from motionflow.data.data_dir import DataDir
from motionflow.errors import InputError
from motionflow.media.continuity import marked_steps
from motionflow.media.video import fit_frame, open_video

_PARTS = 5  # a side of a frame's colours
_OTHER_COLORS = 12  # levels of 255: more is another frame


@dataclasses.dataclass(frozen=True)
class Choice:
    """Samples of a split, in its order.

    Attributes:
      indices: int [N], places in the split, ascending.
      rows: int [N], each sample's clip as a row of `clips`.
      frame_indices: int [N], the start frame's number in the clip.
      clips: str [C], paths in the video directory, sorted.
      sources: str [C].
      size: samples of the whole split.
    """

    indices: np.ndarray
    rows: np.ndarray
    frame_indices: np.ndarray
    clips: np.ndarray
    sources: np.ndarray
    size: int


def choose_samples(data: DataDir, split: str, max_per_clip: int = 0) -> Choice:
    """Chooses samples, without decoding a frame.

    At most so many of each clip, the first of as many equal parts of it: what follows a
    clip's first frame is longest. 0 takes all.

    Raises:
      InputError: the split holds no sample.
    """
    *columns, places = pipeline.read_columns(
        data, split, "clip", "source", "frame_index"
    )
    clips, sources = ([os.fsdecode(name) for name in names] for names in columns)
    names, first, rows = np.unique(clips, return_index=True, return_inverse=True)
    chosen = []
    for row in range(len(names)):
        here = np.flatnonzero(rows == row)
        here = here[np.argsort(places[here], kind="stable")]
        count = min(max_per_clip or len(here), len(here))
        chosen.append(here[np.arange(count) * len(here) // count])
    indices = np.sort(np.concatenate(chosen))
    return Choice(
        indices=indices,
        rows=rows[indices],
        frame_indices=places[indices],
        clips=names,
        sources=np.array(sources)[first],
        size=len(rows),
    )


def read_batches(
    data: DataDir, split: str, choice: Choice, batch_size: int
) -> Iterator[dict[str, np.ndarray]]:
    """The chosen samples as batches of `pipeline.evaluation_batches`, in its order.

    `data` may be a view of the directory that the choice was made from.
    """
    is_chosen = np.zeros(choice.size, bool)
    is_chosen[choice.indices] = True
    batches = pipeline.chosen_samples(data, split, is_chosen).batch(batch_size)
    yield from batches.prefetch(1).as_numpy_iterator()


@dataclasses.dataclass
class RealFrames:
    """A start frame and what followed it.

    Attributes:
      start: uint8 [S, S, 3].
      frames: number of frames after the start -> uint8 [S, S, 3]; those asked for.
      num_frames: how many follow without a break, at most as many as were asked for.
      ended_by: "cut", "duplicate", "" (the video's end, or as many as asked for).
    """

    start: np.ndarray
    frames: dict[int, np.ndarray] = dataclasses.field(default_factory=dict)
    num_frames: int = 0
    ended_by: str = ""

    def ending(self, last: int) -> str:
        """Why there are no more: "complete" (the last is there), "short", ..."""
        return "complete" if self.num_frames == last else self.ended_by or "short"


@dataclasses.dataclass(frozen=True)
class Videos:
    """Where films come from: a folder, S, and how its videos were labelled.

    A label takes `step_frames` frames, a sample has `num_steps` labels (T); for
    `skip_duplicates` see `real_frames`.
    """

    folder: Path
    frame_size: int
    step_frames: int
    num_steps: int = 1
    skip_duplicates: bool = False

    @classmethod
    def of_data(cls, folder: str | Path, data: DataDir) -> "Videos":
        """The videos that a data directory was made from.

        Raises:
          InputError: no such folder, or data sets that were made in different ways.
        """
        if not Path(folder).is_dir():
            raise InputError(f"video_dir {folder} is not a directory")
        duplicates = data.manifest["flags"].get("duplicates")
        if isinstance(duplicates, list):
            raise InputError(
                f"the data sets of {data.path} were made with --duplicates="
                f"{', '.join(duplicates)}: expected one of them for all"
            )
        steps = data.labels.step_frames, data.labels.sequence_length
        return cls(Path(folder), data.frame_size, *steps, duplicates == "remove")

    @property
    def step_offsets(self) -> list[int]:
        """Frames at the ends of the steps; none of a single step."""
        steps = range(1, self.num_steps + 1) if self.num_steps > 1 else ()
        return [step * self.step_frames for step in steps]

    def read(
        self,
        choice: Choice,
        numbers: Sequence[int] | np.ndarray,
        offsets: Sequence[int],
    ) -> dict[int, RealFrames]:
        """What follows samples of one clip, by their numbers in the choice."""
        starts = {int(choice.frame_indices[number]): number for number in numbers}
        clip = choice.clips[choice.rows[numbers[0]]]
        found = real_frames(
            self.folder / clip, starts, offsets, self.frame_size, self.skip_duplicates
        )
        return {number: found[start] for start, number in starts.items()}

    def read_all(
        self,
        choice: Choice,
        usable: np.ndarray,
        colors: np.ndarray,
        offsets: Sequence[int],
    ) -> Iterator[tuple[int, RealFrames]]:
        """Numbers of usable samples, bool [N], and what follows them, clip by clip.

        Raises:
          InputError: the `mean_colors` [N, 5, 5, 3] of a start frame in the records are
            not those of the video's.
        """
        for row, clip in enumerate(choice.clips):
            numbers = np.flatnonzero((choice.rows == row) & usable)
            if not len(numbers):
                continue
            for number, film in self.read(choice, numbers, offsets).items():
                found = mean_colors(film.start[np.newaxis])[0]
                if np.abs(found - colors[number]).max() > _OTHER_COLORS:
                    raise InputError(
                        f"frame {choice.frame_indices[number]} of {clip} is not the "
                        f"one in the records: was the data made from {self.folder}?"
                    )
                yield number, film


def mean_colors(frames: np.ndarray) -> np.ndarray:
    """Of 5x5 parts, to tell frames apart: [B, S, S, 3] -> [B, 5, 5, 3]."""
    side = frames.shape[1]
    edges = np.arange(_PARTS) * side // _PARTS
    sums = np.add.reduceat(np.add.reduceat(np.float64(frames), edges, 1), edges, 2)
    sides = np.diff(edges, append=side)
    return sums / np.outer(sides, sides)[..., np.newaxis]


def real_frames(
    path: str | Path,
    starts: Collection[int],
    offsets: Collection[int],
    frame_size: int,
    skip_duplicates: bool = False,
) -> dict[int, RealFrames]:
    """Reads what follows some frames of a video, holding only what is asked for.

    Args:
      path: the video file.
      starts: numbers of the start frames; the keys of the result.
      offsets: which frames after each start to keep, from 1 on.
      frame_size: S.
      skip_duplicates: goes on to the next frame that differs, as labels made with
        `duplicates` "remove" do.

    Raises:
      InputError: no such video, or it has no such frame.
    """
    starts, last = set(starts), max(offsets)
    found: dict[int, RealFrames] = {}
    running: list[RealFrames] = []
    video = open_video(path)
    fitted = (fit_frame(frame, frame_size) for frame in video.read())
    for step in marked_steps(fitted, skip_duplicates, video.timing.gaps):
        for film in running:
            if step.mark:
                film.ended_by = step.mark
                continue
            film.num_frames += 1
            if film.num_frames in offsets:
                film.frames[film.num_frames] = step.frame
        running = [f for f in running if not f.ended_by and f.num_frames < last]
        if step.index in starts:
            found[step.index] = RealFrames(step.frame)
            running.append(found[step.index])
        if not running and len(found) == len(starts):
            break
    if missing := starts - set(found):
        raise InputError(
            f"{path} has no frame {min(missing)} to start from: are these the videos "
            "that the data were made from?"
        )
    return found
