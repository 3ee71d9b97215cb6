"""Asks a TensorFlow Serving server about a picture.

    motionflow query photo.jpg --grpc=localhost:8500 --output=flow.png,film.mp4
    motionflow query photo.jpg --rest=http://localhost:8501
    motionflow query photo.jpg --grpc=localhost:8500 --arrow=120,80:180,76 --pin=40,200
    motionflow query --grpc=localhost:8500 --health --wait
    motionflow query photo.jpg --grpc=localhost:8500 --benchmark=200

A .png shows the flow of the picture's centre square, which is what the network sees: as
arrows, and in colours. A .mp4 or .gif plays the whole picture on. Films are large: ask
for them by gRPC. Where arrows or pins say how the picture moves, a .png shows the flow
of the whole picture.
"""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from absl import flags

from motionflow import cli
from motionflow.commands.control_flags import define_told, read_told
from motionflow.errors import InputError
from motionflow.files.outputs import check_file, check_replaceable
from motionflow.flag_groups import FlagGroups

if TYPE_CHECKING:
    from motionflow.serving.client import Client

WORDS = "input"
MARK = "motionflow query"


def define_flags(values: flags.FlagValues) -> None:
    """Adds this command's flags."""
    define = FlagGroups(values, "Server")
    define.text("grpc", None, "Address of the server's gRPC port, host:port.")
    define.text("rest", None, "Address of its REST port, http://host:port.")
    define.text("model_name", "motionflow", "Name of the model on the server.")
    text = "Version of the model; the server chooses if unset."
    define.number("version", None, text, at_least=1)
    text = "Seconds that a request may take, with all attempts."
    define.number("deadline", 30.0, text, at_least=0.1)
    define.switch("health", False, "Says whether the model is available.")
    define.switch("wait", False, "Waits until it is, or the deadline.")
    define.group("Input and output")
    define.text("input", None, "Picture, or video whose last frame is taken.")
    text = "Files to write, .png, .mp4 or .gif, with commas between."
    define.text("output", "out.png", text)
    define.switch("overwrite", False, "Replace files that this command did not make.")
    text = "Pixels a side of the model's frames."
    define.number("frame_size", 200, text, at_least=1)
    text = "Longer sides are shrunk to this; 0: no bound."
    define.number("max_size", 1024, text, at_least=0)
    define.group("Film")
    define.number("num_predictions", 5, "How often the flow is predicted.", 1)
    define.number("frames_per_prediction", 5, "Frames that divide each motion.", 1)
    define.number("fps", 10.0, "Frames a second.", at_least=0.1)
    define_told(define)
    define.group("Benchmark")
    text = "Sends so many requests and prints how long they took."
    define.number("benchmark", 0, text, at_least=0)
    define.number("concurrency", 1, "Requests at the same time.", at_least=1)


def main(values: flags.FlagValues) -> int:
    """Asks; 1 if the model is not available."""
    client = make_client(values)
    if values.wait:
        client.wait_until_available()
    if values.health:
        from motionflow.serving.client import AVAILABLE

        state = client.status()
        print(f"{client}: {state}")
        return int(state != AVAILABLE)
    cli.require(values, "input")
    _ask(values, client, [Path(name) for name in values.output.split(",")])
    return 0


def make_client(values: flags.FlagValues) -> "Client":
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
    kind = GrpcClient if values.grpc else RestClient
    address = values.grpc or values.rest
    return kind(address, values.model_name, values.version, values.deadline)


def _ask(values: flags.FlagValues, client: "Client", outputs: list[Path]) -> None:
    from motionflow.generate.control import Control
    from motionflow.serving.query import SUFFIXES, Query, measure

    if not values.benchmark:
        for output in outputs:
            check_file(output, SUFFIXES)
            check_replaceable(output, MARK, values.overwrite)
    names = ("frame_size", "num_predictions", "frames_per_prediction", "fps")
    query = Query.about(
        Path(values.input),
        values.max_size,
        Control(**read_told(values)),
        mark=MARK,
        **{name: values[name].value for name in names},
    )
    if not values.benchmark:
        for output in outputs:
            print(f"wrote {output}: {query.write(client, output)}")
        return
    total, threads = values.benchmark, values.concurrency
    table = measure(lambda: make_client(values), query.data, total, threads)
    print(
        f"{total} requests of {len(query.data):,} bytes, {threads} at a time, "
        f"{os.cpu_count()} cores here",
        file=sys.stderr,
    )
    print(table)
