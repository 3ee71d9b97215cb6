"""Asks a TensorFlow Serving server about a picture.

    python tools/query_server.py --grpc=localhost:8500 --input=a.jpg --output=flow.png
    python tools/query_server.py --rest=http://localhost:8501 --input=a.jpg \
        --output=flow.png,film.mp4
    python tools/query_server.py --grpc=localhost:8500 --health --wait
    python tools/query_server.py --grpc=localhost:8500 --input=a.jpg --benchmark=200

A .png shows the flow of the picture's centre square, which is what the network sees: as
arrows, and in colours. A .mp4 or .gif plays the whole picture on. Films are large: ask
for them by gRPC.
"""

import itertools
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from absl import flags

from motionflow import cli, film, flow_drawing
from motionflow.data import picture, still, video
from motionflow.errors import InputError
from motionflow.serving.client import AVAILABLE, Client
from motionflow.tables import markdown_table

_DRAWN = 400  # pixels a side of the flow picture, at least
_MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")
_PERCENTILES = (50, 90, 95, 99)
# Name: default, what it is.
STRINGS = {
    "grpc": (None, "Address of the server's gRPC port, host:port."),
    "rest": (None, "Address of its REST port, http://host:port."),
    "model_name": ("motionflow", "Name of the model on the server."),
    "input": (None, "Picture, or video whose last frame is taken."),
    "output": ("out.png", "Files to write, .png, .mp4 or .gif, with commas between."),
}
# Name: default, smallest, what it is.
NUMBERS = {
    "version": (None, 1, "Version of the model; the server chooses if unset."),
    "deadline": (30.0, 0.1, "Seconds that a request may take, with all attempts."),
    "frame_size": (200, 1, "Pixels a side of the model's frames."),
    "max_size": (1024, 0, "Longer sides are shrunk to this; 0: no bound."),
    "num_predictions": (5, 1, "Of a film: how often the flow is predicted."),
    "frames_per_prediction": (5, 1, "Of a film: frames that divide each motion."),
    "fps": (10.0, 0.1, "Of a film: frames a second."),
    "benchmark": (0, 0, "Sends so many requests and prints how long they took."),
    "concurrency": (1, 1, "With --benchmark: requests at the same time."),
}


def define_flags(flag_values: flags.FlagValues = flags.FLAGS) -> None:
    """Adds this tool's flags."""
    own: dict[str, Any] = {"flag_values": flag_values}
    for name, (default, text) in STRINGS.items():
        flags.DEFINE_string(name, default, text, **own)
    for name, (default, smallest, text) in NUMBERS.items():
        is_float = isinstance(default, float)
        define: Callable[..., Any] = (
            flags.DEFINE_float if is_float else flags.DEFINE_integer
        )
        define(name, default, text, lower_bound=smallest, **own)
    flags.DEFINE_bool("health", False, "Says whether the model is available.", **own)
    flags.DEFINE_bool("wait", False, "Waits until it is, or the deadline.", **own)


def main(argv: Sequence[str]) -> int:
    """Asks; 1 if the model is not available."""
    del argv
    values = flags.FLAGS
    client = make_client(values)
    if values.wait:
        client.wait_until_available()
    if values.health:
        state = client.status()
        print(f"{client}: {state}")
        return int(state != AVAILABLE)
    if not values.input:
        raise InputError(f"--input is missing: {values['input'].help}")
    outputs = [Path(name) for name in values.output.split(",")]
    if not values.benchmark:
        for output in outputs:
            check_output(output)
    frame = still.bound_size(still.read_still(values.input), values.max_size)
    data = file_bytes(Path(values.input), frame)
    if values.benchmark:
        print_benchmark(values, data)
        return 0
    for output in outputs:
        if output.suffix == ".png":
            write_flow(values, client, data, frame, output)
        else:
            write_film(values, client, frame, output)
    return 0


def make_client(values: flags.FlagValues) -> Client:
    """The client that the flags ask for."""
    if bool(values.grpc) == bool(values.rest):
        raise InputError("name one server: --grpc=host:port or --rest=http://host:port")
    try:
        from motionflow.serving.grpc_client import GrpcClient
        from motionflow.serving.rest_client import RestClient
    except ModuleNotFoundError as error:
        raise InputError(
            f"{error.name} is missing: pip install 'motionflow[serving]'"
        ) from error
    kind, address = (
        (GrpcClient, values.grpc) if values.grpc else (RestClient, values.rest)
    )
    return kind(address, values.model_name, values.version, values.deadline)


def check_output(output: Path) -> None:
    """Refuses an output that could not be written, before anybody is asked."""
    if output.suffix != ".png":
        video.check_output(output)
    elif not output.parent.is_dir():
        raise InputError(f"there is no folder {output.parent} for {output}")


def file_bytes(path: Path, frame: np.ndarray) -> bytes:
    """The file as it is if the server can read it and it was not shrunk; else a PNG."""
    data = path.read_bytes()
    # A photograph is turned by the server, as it was here.
    if data.startswith(_MAGIC) and picture.read_image(path).shape == frame.shape:
        return data
    _, encoded = cv2.imencode(".png", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    return encoded.tobytes()


def write_flow(
    values: flags.FlagValues,
    client: Client,
    data: bytes,
    frame: np.ndarray,
    output: Path,
) -> None:
    """Asks for flow, draws it and says what it is."""
    answer = client.predict("predict_bytes", {"image_bytes": np.array([data], object)})
    side = max(_DRAWN, values.frame_size)
    square = video.fit_frame(frame, side)
    flow = answer["flow"][0] * (side / values.frame_size)
    fastest = float(np.linalg.norm(flow, axis=-1).max())
    scale = flow_drawing.arrow_scale(fastest, side, side)
    drawn = film.beside(
        [
            flow_drawing.draw_arrows(square, flow, scale),
            flow_drawing.flow_panel(flow, side, side, fastest),
        ]
    )
    if not cv2.imwrite(str(output), cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR)):
        raise InputError(f"{output} cannot be written")
    print(
        f"wrote {output}: fastest {answer['speed'].max():.2f} pixels of "
        f"{values.frame_size}, mean confidence {answer['confidence'].mean():.2f}"
    )


def write_film(
    values: flags.FlagValues, client: Client, frame: np.ndarray, output: Path
) -> None:
    """Asks for the frames that follow and writes them behind the picture."""
    numbers = {
        name: np.array([values[name].value], np.int32)
        for name in ("num_predictions", "frames_per_prediction")
    }
    answer = client.predict("rollout", {"image": frame[np.newaxis], **numbers})
    frames = answer["frames"][0]
    video.write_video(output, itertools.chain([frame], frames), values.fps)
    print(f"wrote {output}: {1 + len(frames)} frames, the first is the input")


def print_benchmark(values: flags.FlagValues, data: bytes) -> None:
    """Sends the picture again and again; prints latencies as the client sees them."""
    inputs = {"image_bytes": np.array([data], object)}

    def work(count: int) -> Iterator[tuple[float, float]]:
        client = make_client(values)
        client.predict("predict_bytes", inputs)  # connects, and warms the server up
        for _ in range(count):
            start = time.perf_counter()
            client.predict("predict_bytes", inputs)
            yield start, time.perf_counter()

    threads, total = values.concurrency, values.benchmark
    counts = [total // threads + (i < total % threads) for i in range(threads)]
    with ThreadPoolExecutor(threads) as pool:
        spans = [
            span for one in pool.map(lambda n: list(work(n)), counts) for span in one
        ]
    starts, ends = np.transpose(spans)
    times, rate = ends - starts, total / (ends.max() - starts.min())
    cells = [f"{1000 * np.percentile(times, p):.1f}" for p in _PERCENTILES]
    cells += [f"{1000 * np.mean(times):.1f}", f"{rate:.1f}"]
    head = [f"p{p}, ms" for p in _PERCENTILES] + ["mean, ms", "requests a second"]
    print(
        f"{total} requests of {len(data):,} bytes, {threads} at a time, "
        f"{os.cpu_count()} cores here",
        file=sys.stderr,
    )
    print("\n".join(markdown_table(head, [cells], num_names=0)))


if __name__ == "__main__":
    cli.run(main, define_flags)
