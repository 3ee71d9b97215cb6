"""A predicted film beside what really happened, with scores of each frame.

model, video --compare_film--> ComparedFilm --save--> film, and a .csv beside it
"""

import dataclasses
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from motionflow.drawing.tables import markdown_table
from motionflow.files import drafts
from motionflow.films.film import check_output, write_film
from motionflow.films.film_drawing import draw_film
from motionflow.films.model import Model
from motionflow.generate import comparison
from motionflow.generate.animation import Animation
from motionflow.media.still import NUM_BEFORE, Moment
from motionflow.media.video import open_video


@dataclasses.dataclass(frozen=True)
class ComparedFilm:
    """What `compare_film` found.

    Attributes:
      frames: uint8 [H, W', 3]: predicted, its flow if asked for, real.
      rows: the scores of each predicted frame.
      start: number of the frame in the video that was predicted from.
      num_missing: frames of the prediction that the video has no more.
      fps: frames a second.
    """

    frames: Sequence[np.ndarray]
    rows: Sequence[comparison.FrameScores]
    start: int
    num_missing: int
    fps: float

    def save(
        self,
        path: str | Path,
        progress: Callable[[int, int], None] = lambda done, total: None,
        mark: str = "",
    ) -> Path:
        """Writes the film, as `Film.save`, and its scores; returns where these are."""
        check_output(path)
        scores = Path(path).with_suffix(".csv")
        with drafts.draft(scores) as draft:  # they appear together
            comparison.write_csv(draft, self.rows)
            write_film(path, self.frames, len(self.frames), self.fps, progress, mark)
        return scores

    def table(self) -> str:
        """A line a frame, and the means, as Markdown."""
        head = ["frame", "PSNR, dB", "SSIM", "repeated: PSNR, dB", "SSIM"]
        lines = [(str(row.frame), row[1:]) for row in self.rows]
        lines.append(("mean", comparison.mean_scores(self.rows)))
        forms = ("{:.2f}", "{:.4f}") * 2
        cells = [
            [name, *(form.format(x) for form, x in zip(forms, scores, strict=True))]
            for name, scores in lines
        ]
        return "\n".join(markdown_table(head, cells))


def compare_film(
    model: Model,
    path: str | Path,
    animation: Animation,
    *,
    start_frame: int | None = None,
    max_size: int = 0,
    crop: bool = False,
    show_flow: bool = False,
    show_arrows: bool = False,
    fps: float = 10.0,
) -> ComparedFilm:
    """Predicts from inside of a video, and takes what really followed.

    Args:
      model: what predicts.
      path: the video.
      animation: how it is played on; its frames per prediction decide the pace.
      start_frame: the frame to predict from, the first is 0. None: the last that is
        followed by as many frames as are predicted.
      max_size: see `Model.animate`.
      crop: see `Model.animate`.
      show_flow: puts the flow beside each frame.
      show_arrows: draws the flow over the frames.
      fps: frames a second.

    Raises:
      InputError: no video, or nothing follows the start frame.
    """
    opened = open_video(path)
    start, real, before = comparison.real_frames(
        opened, animation.num_moments - 1, start_frame, NUM_BEFORE
    )
    moment = Moment(real[0], before, opened.timing.rate)
    real = [model.fit(frame, max_size, crop) for frame in real]
    told = model.told(animation.control, moment, real[0])
    animation = dataclasses.replace(animation, control=told)
    moments = animation.play(model.predictor, real[0])
    played = list(itertools.islice(moments, len(real)))
    rows = comparison.compare([shot.frame for (shot,) in played], real, start)
    frames = list(draw_film(played, show_flow, show_arrows, real))
    return ComparedFilm(frames, rows, start, animation.num_moments - len(real), fps)
