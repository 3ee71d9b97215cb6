"""Requests over the wire: our clients, the official stubs, ovmsclient, plain JSON.

They talk to a server of the tests' own (`serving_server`), not to
`tensorflow_model_server`, which is not run here. Where TFS_GRPC (host:port) or TFS_REST
(http://host:port) are set, the same tests talk to that real server; TFS_EXPORT_DIR
names the version folder that it serves, TFS_MODEL the model if it is not "motionflow".
"""

import base64
import os
import pickle
import subprocess
import sys
from pathlib import Path

import grpc
import numpy as np
import pytest
import requests
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from motionflow.serving.client import ServingError
from motionflow.serving.grpc_client import GrpcClient
from motionflow.serving.rest_client import RestClient
from tests import served, serving_server

pytestmark = pytest.mark.slow

NAME = os.environ.get("TFS_MODEL", "motionflow")
SIGNATURES = ("serving_default", "predict_bytes", "probabilities", "rollout", "frames")
TOLD = ("known", "guided", "guided_rollout")  # of a network that can be told
OWN = {"grpc": GrpcClient, "rest": RestClient}


@pytest.fixture(scope="module")
def server(request):
    """The version's folder, and the addresses by kind; None for what is not served."""
    if "TFS_GRPC" in os.environ or "TFS_REST" in os.environ:
        addresses = {"grpc": os.environ.get("TFS_GRPC")}
        addresses["rest"] = os.environ.get("TFS_REST")
        yield Path(os.environ["TFS_EXPORT_DIR"]), addresses
        return
    version = request.getfixturevalue("guided_version")
    with serving_server.serve(version) as (_, grpc_address, rest_address):
        yield version, {"grpc": grpc_address, "rest": rest_address}


@pytest.fixture(params=OWN)
def kind(request, server):
    """Each kind that is served."""
    if server[1][request.param] is None:
        pytest.skip(f"no {request.param} server was named")
    return request.param


@pytest.fixture
def client(kind, server):
    return OWN[kind](server[1][kind], NAME, deadline=60.0)


@pytest.fixture
def frames_signature(server):
    return served.signature_defs(server[0])["frames"]


@pytest.fixture
def size(frames_signature):
    return frames_signature.inputs["image"].tensor_shape.dim[1].size


@pytest.fixture
def ask(server, size, frames_signature):
    """Makes a request of a signature; skips where the server has none."""
    grid_size = frames_signature.outputs["flow"].tensor_shape.dim[1].size

    def make(signature, batch=2):
        if signature not in served.signature_defs(server[0]):
            pytest.skip("the network that is served cannot be told")
        return served.requests(batch, size, grid_size)[signature]

    return make


@pytest.mark.parametrize("signature", SIGNATURES + TOLD)
@pytest.mark.parametrize("batch", [1, 3])
def test_our_clients_get_what_python_gets(client, server, ask, signature, batch):
    inputs = ask(signature, batch)
    answer = client.predict(signature, inputs)
    served.check(answer, served.python_answers(server[0], signature, inputs))


def test_the_model_is_available(client):
    assert client.status() == "AVAILABLE"
    client.wait_until_available()


def test_another_model_is_not_found(client, kind, server):
    other = OWN[kind](server[1][kind], "nobody", deadline=5.0)
    with pytest.raises(ServingError, match="model nobody at .*(404|NOT_FOUND)"):
        other.status()


@pytest.mark.parametrize(
    "signature, inputs, words",
    [
        ("serving_default", {"image": np.zeros((1, 9, 9, 1), np.uint8)}, "shape"),
        ("serving_default", {"picture": np.zeros((1, 9, 9, 3), np.uint8)}, "picture"),
        ("predict_bytes", {"image_bytes": np.array([b"GIF89a"], object)}, "neither"),
        ("nothing", {"image": np.zeros((1, 9, 9, 3), np.uint8)}, "nothing"),
    ],
)
def test_what_does_not_fit_is_refused_at_once(client, signature, inputs, words):
    with pytest.raises(ServingError, match=words):
        client.predict(signature, inputs)


def test_films_of_more_than_4_mib_arrive(client, kind, size):
    if kind == "rest":
        pytest.skip("as JSON it takes a minute")
    frame = served.pictures(1, 400, 400)
    numbers = {
        "num_predictions": np.int32([1]),
        "frames_per_prediction": np.int32([10]),
    }
    film = client.predict("rollout", {"image": frame, **numbers})["frames"]
    assert film.shape == (1, 10, 400, 400, 3) and film.nbytes > 1 << 22


# --- without our code ------------------------------------------------------------


@pytest.fixture
def stub(server):
    if server[1]["grpc"] is None:
        pytest.skip("no gRPC server was named")
    channel = grpc.insecure_channel(server[1]["grpc"])
    return prediction_service_pb2_grpc.PredictionServiceStub(channel)


@pytest.mark.parametrize("signature", SIGNATURES + TOLD)
def test_the_official_stubs_get_what_python_gets(stub, server, ask, signature):
    inputs = ask(signature)
    request = predict_pb2.PredictRequest()
    request.model_spec.name = NAME
    request.model_spec.signature_name = signature
    for key, value in inputs.items():
        request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
    outputs = stub.Predict(request, timeout=60).outputs
    answer = {key: tf.make_ndarray(value) for key, value in outputs.items()}
    served.check(answer, served.python_answers(server[0], signature, inputs))


def test_the_official_stubs_find_the_signatures(stub):
    request = get_model_metadata_pb2.GetModelMetadataRequest()
    request.model_spec.name = NAME
    request.metadata_field.append("signature_def")
    answer = stub.GetModelMetadata(request, timeout=60)
    found = get_model_metadata_pb2.SignatureDefMap()
    answer.metadata["signature_def"].Unpack(found)
    assert set(SIGNATURES) <= set(found.signature_def)


@pytest.fixture
def url(server):
    if server[1]["rest"] is None:
        pytest.skip("no REST server was named")
    return f"{server[1]['rest']}/v1/models/{NAME}"


def test_the_call_of_the_readme_gets_what_python_gets(url, server, size):
    """Rows of base64, as curl sends them."""
    files = served.requests(2, size)["predict_bytes"]["image_bytes"]
    rows = [{"image_bytes": {"b64": base64.b64encode(f).decode()}} for f in files]
    body = {"signature_name": "predict_bytes", "instances": rows}
    answer = requests.post(f"{url}:predict", json=body, timeout=60)
    assert answer.status_code == 200, answer.text[:500]
    inputs = {"image_bytes": files}
    expected = served.python_answers(server[0], "predict_bytes", inputs)
    for i, row in enumerate(answer.json()["predictions"]):
        assert set(row) == set(expected)
        for key, value in row.items():
            np.testing.assert_allclose(value, expected[key][i], atol=1e-5)


def test_numbers_that_are_no_integers_are_refused(url, size):
    body = {"inputs": {"image": np.full((1, size, size, 3), 95.5).tolist()}}
    answer = requests.post(f"{url}:predict", json=body, timeout=60)
    assert answer.status_code == 400 and "error" in answer.json()


def test_readiness_is_a_state_and_not_a_code(url):
    (one,) = requests.get(url, timeout=60).json()["model_version_status"]
    assert one["state"] == "AVAILABLE"


def test_ovmsclient_gets_what_python_gets(kind, server, size, tmp_path):
    version, addresses = server
    inputs = served.requests(2, size)["serving_default"]
    files = tmp_path / "request", tmp_path / "answer"
    files[0].write_bytes(pickle.dumps(inputs))
    address = addresses[kind].removeprefix("http://")
    script = Path(__file__).with_name("ovms_client.py")
    protocol = {"rest": "http"}.get(kind, kind)
    command = [sys.executable, script, protocol, address, NAME, version.name, *files]
    process = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert process.returncode == 0, process.stderr[-2000:]
    answer = pickle.loads(files[1].read_bytes())
    (state,) = answer["status"].values()
    assert state["state"] == "AVAILABLE"
    metadata = answer["metadata"]
    if (
        kind == "rest"
    ):  # it knows the spelling of OpenVINO's server and passes others on
        signatures = metadata["metadata"]["signature_def"]["signature_def"]
        metadata = signatures["serving_default"]
    assert set(metadata["inputs"]) == {"image"}
    expected = served.python_answers(version, "serving_default", inputs)
    assert set(answer["outputs"]) == set(expected)
    for key, value in expected.items():
        np.testing.assert_allclose(answer["outputs"][key], value, atol=1e-5)
