"""What one asks a server for: a picture of the flow, a film, how long it takes.

picture, client --write_flow--> .png      --write_film--> .mp4, .gif
                --measure-----> a table of latencies
"""

import itertools
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np

from motionflow.drawing import flow_drawing
from motionflow.drawing.tables import markdown_table
from motionflow.files.outputs import check_file
from motionflow.media import picture, video, video_writer
from motionflow.serving.client import Arrays, Client

_DRAWN = 400  # pixels a side of the flow picture, at least
_MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")
_PERCENTILES = (50, 90, 95, 99)


def check_output(output: Path) -> None:
    """Refuses an output that could not be written, before anybody is asked."""
    (check_file if output.suffix == ".png" else video_writer.check_output)(output)


def file_bytes(path: Path, frame: np.ndarray) -> bytes:
    """The file as it is if the server can read it and it was not shrunk; else a PNG."""
    data = path.read_bytes()
    # A photograph is turned by the server, as it was here.
    if data.startswith(_MAGIC) and picture.read_image(path).shape == frame.shape:
        return data
    _, encoded = cv2.imencode(".png", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    return encoded.tobytes()


def write_flow(
    client: Client,
    data: bytes,
    frame: np.ndarray,
    output: Path,
    frame_size: int,
    mark: str = "",
) -> str:
    """Asks for flow and draws it on the centre square, which is what the network sees.

    Args:
      client: whom to ask.
      data: the picture's file, see `file_bytes`.
      frame: the same picture, uint8 [H, W, 3].
      output: .png.
      frame_size: pixels a side of the model's frames.
      mark: see `files.outputs`.

    Returns:
      In words, how much moves.
    """
    answer = client.predict("predict_bytes", {"image_bytes": np.array([data], object)})
    side = max(_DRAWN, frame_size)
    square = video.fit_frame(frame, side)
    flow = answer["flow"][0] * (side / frame_size)
    fastest = float(np.linalg.norm(flow, axis=-1).max())
    scale = flow_drawing.arrow_scale(fastest, side, side)
    drawn = flow_drawing.beside(
        [
            flow_drawing.draw_arrows(square, flow, scale),
            flow_drawing.flow_panel(flow, side, side, fastest),
        ]
    )
    picture.write_png(output, drawn, mark)
    return (
        f"fastest {answer['speed'].max():.2f} pixels of {frame_size}, mean confidence "
        f"{answer['confidence'].mean():.2f}"
    )


def write_told_flow(
    client: Client, frame: np.ndarray, said: Arrays, output: Path, mark: str = ""
) -> str:
    """Asks for flow that does as it is told and draws it on the whole picture.

    Args:
      client: whom to ask.
      frame: uint8 [H, W, 3].
      said: see `told.inputs`; arrows are the motion of one step.
      output: .png.
      mark: see `files.outputs`.

    Returns:
      In words, how much moves.
    """
    answer = client.predict("guided", {"image": frame[np.newaxis], **said})
    picture.write_png(output, flow_drawing.draw_motion(frame, answer["flow"][0]), mark)
    return f"fastest {answer['speed'].max():.2f} pixels of the picture"


def write_film(
    client: Client,
    frame: np.ndarray,
    said: Arrays,
    output: Path,
    fps: float,
    mark: str = "",
    **numbers: int,
) -> int:
    """Asks for the frames that follow and writes them behind the picture.

    Args:
      client: whom to ask.
      frame: uint8 [H, W, 3].
      said: how it moves, see `told.inputs`; empty: nothing.
      output: .mp4 or .gif.
      fps: frames a second.
      mark: see `files.outputs`.
      **numbers: num_predictions, frames_per_prediction.

    Returns:
      How many frames the film has.
    """
    arrays = {name: np.array([value], np.int32) for name, value in numbers.items()}
    signature = "guided_rollout" if said else "rollout"
    answer = client.predict(signature, {"image": frame[np.newaxis], **said, **arrays})
    frames = answer["frames"][0]
    video_writer.write_video(output, itertools.chain([frame], frames), fps, mark)
    return 1 + len(frames)


def measure(
    make_client: Callable[[], Client], data: bytes, num_requests: int, num_threads: int
) -> str:
    """Sends a picture again and again.

    Args:
      make_client: makes a client for each thread.
      data: the picture's file.
      num_requests: how often, all threads together.
      num_threads: requests at the same time.

    Returns:
      Latencies as the clients see them, a table.
    """
    inputs = {"image_bytes": np.array([data], object)}

    def work(count: int) -> list[tuple[float, float]]:
        client, spans = make_client(), []
        client.predict("predict_bytes", inputs)  # connects, and warms the server up
        for _ in range(count):
            start = time.perf_counter()
            client.predict("predict_bytes", inputs)
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
