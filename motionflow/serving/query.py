"""What one asks a server about a picture: its flow, a film, how long it takes.

Query --write--> .png, .mp4, .gif      client, file --measure--> latencies, a table
"""

import dataclasses
import itertools
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from motionflow.drawing import flow_drawing
from motionflow.drawing.tables import markdown_table
from motionflow.generate.control import Control
from motionflow.media import picture, still, video, video_writer
from motionflow.serving.client import Arrays, Client
from motionflow.serving.inputs import NUMBERS, hints_of

_DRAWN = 400  # pixels a side of the flow picture, at least
_MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")
_PERCENTILES = (50, 90, 95, 99)
SUFFIXES = (".png", *video_writer.VIDEO_OUTPUTS)


@dataclasses.dataclass(frozen=True)
class Query:
    """A picture, and what is to be known about it.

    Attributes:
      data: the picture's file, see `file_bytes`.
      frame: the same picture, uint8 [H, W, 3].
      control: what is said of its motion.
      frame_size: pixels a side of the model's frames.
      num_predictions: of a film.
      frames_per_prediction: of a film.
      fps: of a film.
      mark: of what is written, see `files.outputs`.
    """

    data: bytes
    frame: np.ndarray
    control: Control
    frame_size: int = 200
    num_predictions: int = 5
    frames_per_prediction: int = 5
    fps: float = 10.0
    mark: str = ""

    @classmethod
    def about(
        cls, path: Path, max_size: int, control: Control, **options: Any
    ) -> "Query":
        """A query about a picture, or the last frame of a video.

        Args:
          path: of its file.
          max_size: pixels of the longer side that it is shrunk to; 0: no bound.
          control: of the picture as it is.
          **options: the further attributes.

        Raises:
          InputError: it cannot be read, or what is said does not fit it.
        """
        whole = still.read_still(path)
        frame = still.bound_size(whole, max_size)
        control = control.fitted(whole.shape[:2], frame.shape[:2])
        return cls(file_bytes(path, frame), frame, control, **options)

    def write(self, client: Client, output: Path) -> str:
        """Asks, and draws the answer.

        Args:
          client: whom to ask.
          output: a .png is the flow of the centre square, which is what the network
            sees, or where something is said the flow of the whole picture; a .mp4 or
            .gif is the film.

        Returns:
          In words, how much moves, or how long the film is.
        """
        if output.suffix != ".png":
            return self._write_film(client, output)
        if self.control.is_told:
            return self._write_guided_flow(client, output)
        return self._write_flow(client, output)

    def _write_flow(self, client: Client, output: Path) -> str:
        answer = client.predict("predict_bytes", _files(self.data))
        side = max(_DRAWN, self.frame_size)
        square = video.fit_frame(self.frame, side)
        flow = answer["flow"][0] * (side / self.frame_size)
        fastest = float(np.linalg.norm(flow, axis=-1).max())
        scale = flow_drawing.arrow_scale(fastest, side, side)
        drawn = flow_drawing.beside(
            [
                flow_drawing.draw_arrows(square, flow, scale),
                flow_drawing.flow_panel(flow, side, side, fastest),
            ]
        )
        picture.write_png(output, drawn, self.mark)
        return (
            f"fastest {answer['speed'].max():.2f} pixels of {self.frame_size}, mean "
            f"confidence {answer['confidence'].mean():.2f}"
        )

    def _write_guided_flow(self, client: Client, output: Path) -> str:
        answer = client.predict("guided", self._whole())
        drawn = flow_drawing.draw_motion(self.frame, answer["flow"][0])
        picture.write_png(output, drawn, self.mark)
        return f"fastest {answer['speed'].max():.2f} pixels of the picture"

    def _write_film(self, client: Client, output: Path) -> str:
        values = self.num_predictions, self.frames_per_prediction
        numbers = {
            spec.name: np.array([value], np.int32)
            for spec, value in zip(NUMBERS, values, strict=True)
        }
        signature = "guided_rollout" if self.control.is_told else "rollout"
        frames = client.predict(signature, self._whole() | numbers)["frames"][0]
        film = itertools.chain([self.frame], frames)
        video_writer.write_video(output, film, self.fps, self.mark)
        return f"{1 + len(frames)} frames, the first is the input"

    def _whole(self) -> Arrays:
        """The picture, and what is said of it if anything is."""
        hints = hints_of(self.control)._asdict() if self.control.is_told else {}
        return {"image": self.frame[np.newaxis], **hints}


def file_bytes(path: Path, frame: np.ndarray) -> bytes:
    """The file as it is if the server can read it and it was not shrunk; else a PNG."""
    data = path.read_bytes()
    # A photograph is turned by the server, as it was here.
    if data.startswith(_MAGIC) and picture.read_image(path).shape == frame.shape:
        return data
    _, encoded = cv2.imencode(".png", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    return encoded.tobytes()


def _files(data: bytes) -> Arrays:
    return {"image_bytes": np.array([data], object)}


def measure(
    make_client: Callable[[], Client], data: bytes, num_requests: int, num_threads: int
) -> str:
    """Sends a picture's file again and again: latencies as clients see them, a table.

    Each of the threads has a client of its own; all of them together send
    `num_requests`.
    """

    def work(count: int) -> list[tuple[float, float]]:
        client, spans = make_client(), []
        client.predict("predict_bytes", _files(data))  # connects, warms the server up
        for _ in range(count):
            start = time.perf_counter()
            client.predict("predict_bytes", _files(data))
            spans.append((start, time.perf_counter()))
        return spans

    share, rest = divmod(num_requests, num_threads)
    counts = [share + (i < rest) for i in range(num_threads)]
    with ThreadPoolExecutor(num_threads) as pool:
        spans = [span for one in pool.map(work, counts) for span in one]
    starts, ends = np.transpose(spans)
    times, rate = ends - starts, num_requests / (ends.max() - starts.min())
    cells = [f"{1000 * np.percentile(times, p):.1f}" for p in _PERCENTILES]
    cells += [f"{1000 * np.mean(times):.1f}", f"{rate:.1f}"]
    head = [f"p{p}, ms" for p in _PERCENTILES] + ["mean, ms", "requests a second"]
    return "\n".join(markdown_table(head, [cells], num_names=0))
