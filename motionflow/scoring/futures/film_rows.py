"""Models on the videos that the data were made from -> rows of the film scores.

    clip by clip: start frames -> each model's film, beside what followed -> Totals

video_psnr, video_ssim   1, 5 and 25 frames after the start
step_psnr                1, 2, ..., T steps after it, where the data has several steps

A sample without a moving cell has no pixels to score and is left out; one whose video
ends or breaks off counts for the frames before.
"""

import collections
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from motionflow.errors import InputError
from motionflow.models.predictor import Predictor
from motionflow.scoring.futures import films
from motionflow.scoring.futures.sample_choice import Choice, Seen, look
from motionflow.scoring.futures.totals import Totals

FRAMES_AHEAD = (1, 5, 25)
REPEATED = "start frame repeated"
_OTHER_LOOK = 12  # levels of 255: more is another frame


class Videos(NamedTuple):
    """Where films come from.

    Attributes:
      folder: of the videos.
      frame_size: S.
      step_frames: frames that one label takes.
      num_steps: T, labels of a sample.
      skip_duplicates: see `films.followings`.
    """

    folder: Path
    frame_size: int
    step_frames: int
    num_steps: int = 1
    skip_duplicates: bool = False

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
    ) -> dict[int, films.Following]:
        """What follows samples of one clip, by their numbers in the choice."""
        starts = {int(choice.frame_indices[number]): number for number in numbers}
        clip = choice.clips[choice.rows[numbers[0]]]
        found = films.followings(
            self.folder / clip, starts, offsets, self.frame_size, self.skip_duplicates
        )
        return {number: found[start] for start, number in starts.items()}


def add_films(
    models: Mapping[str, Predictor],
    videos: Videos,
    choice: Choice,
    seen: Seen,
    totals: Totals,
    batch_size: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[dict[str, int], np.ndarray]:
    """Rolls samples out and compares them with their videos.

    Args:
      models: by the names of their rows.
      videos: where they are and how they were labelled.
      choice: the samples.
      seen: what the records say of them.
      totals: what to add to.
      batch_size: samples at a time.
      progress: called with (samples done, samples in all).

    Returns:
      counts of samples: compared; still (left out); ended by a cut, a duplicate, or
      with the video, before the last frame; complete. And how many frames follow each
      sample without a break, int [N]; 0 of those left out.

    Raises:
      InputError: the videos are not those of the data.
    """
    offsets, moving = sorted({*FRAMES_AHEAD, *videos.step_offsets}), seen.moving
    reached = np.zeros(len(moving), int)
    counts = collections.Counter(still=int((~moving.any(axis=(1, 2))).sum()))
    pairs = _read_all(videos, choice, seen, offsets)
    done, total = 0, len(moving) - counts["still"]
    while batch := list(itertools.islice(pairs, batch_size)):
        numbers = np.array([number for number, _ in batch])
        found = [film for _, film in batch]
        reached[numbers] = [film.num_frames for film in found]
        counts.update(_ending(film, offsets[-1]) for film in found)
        mask = films.pixel_mask(moving[numbers], videos.frame_size)
        rows = _films_of(models, found, videos.step_frames, offsets)
        for row, film in rows.items():
            scores = _scores(film, found, mask, offsets)
            _add(totals, row, choice.rows[numbers], scores, offsets, videos)
        done += len(batch)
        progress(done, total)
    kinds = ("still", "cut", "duplicate", "short", "complete")
    return {"compared": total} | {kind: counts[kind] for kind in kinds}, reached


def _read_all(
    videos: Videos, choice: Choice, seen: Seen, offsets: Sequence[int]
) -> Iterator[tuple[int, films.Following]]:
    """Samples with motion, clip by clip."""
    usable = seen.moving.any(axis=(1, 2))
    for row, clip in enumerate(choice.clips):
        numbers = np.flatnonzero((choice.rows == row) & usable)
        if not len(numbers):
            continue
        for number, film in videos.read(choice, numbers, offsets).items():
            off = np.abs(look(film.start[np.newaxis])[0] - seen.looks[number]).max()
            if off > _OTHER_LOOK:
                raise InputError(
                    f"frame {choice.frame_indices[number]} of {clip} is not the one in "
                    f"the records: was the data made from {videos.folder}?"
                )
            yield number, film


def _ending(film: films.Following, last: int) -> str:
    return "complete" if film.num_frames == last else film.ended_by or "short"


def _films_of(
    models: Mapping[str, Predictor],
    found: Sequence[films.Following],
    step_frames: int,
    offsets: Sequence[int],
) -> dict[str, dict[int, np.ndarray]]:
    """Films of all rows: row -> offset -> uint8 [B, S, S, 3]."""
    starts = np.stack([film.start for film in found])
    longest = max(film.num_frames for film in found)
    wanted = [offset for offset in offsets if offset <= longest]
    rows = {}
    for name, model in models.items():
        for mode in films.ways(model):
            arguments = model, starts, mode, step_frames, wanted
            # A row without frames keeps its place among the rows.
            rows[f"{name}, {mode}"] = films.rolled_out(*arguments) if wanted else {}
    return rows | {REPEATED: dict.fromkeys(wanted, starts)}


def _scores(
    film: Mapping[int, np.ndarray],
    found: Sequence[films.Following],
    mask: np.ndarray,
    offsets: Sequence[int],
) -> dict[str, np.ndarray]:
    """PSNR and SSIM, [B, offsets]; NaN where there is no frame to compare with."""
    psnr, ssim = (np.full((len(found), len(offsets)), np.nan) for _ in range(2))
    for place, offset in enumerate(offsets):
        there = [i for i, following in enumerate(found) if offset in following.frames]
        if there:
            real = np.stack([found[i].frames[offset] for i in there])
            compared = film[offset][there], real, mask[there]
            psnr[there, place] = films.masked_psnr(*compared)
            if offset in FRAMES_AHEAD:
                ssim[there, place] = films.masked_ssim(*compared)
    return {"psnr": psnr, "ssim": ssim}


def _add(
    totals: Totals,
    row: str,
    clips: np.ndarray,
    scores: Mapping[str, np.ndarray],
    offsets: Sequence[int],
    videos: Videos,
) -> None:
    places = [offsets.index(offset) for offset in FRAMES_AHEAD]
    columns = {f"video_{kind}": values[:, places] for kind, values in scores.items()}
    if ends := [offsets.index(offset) for offset in videos.step_offsets]:
        columns["step_psnr"] = scores["psnr"][:, ends]
    for score, values in columns.items():
        totals.add(score, row, clips, values, ~np.isnan(values))
