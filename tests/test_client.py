"""What our clients do when things go wrong; test_serving_wire has what goes right."""

import socket
import threading
import time

import grpc
import numpy as np
import pytest
import requests

from motionflow.serving.client import PassingError, ServingError
from motionflow.serving.grpc_client import GrpcClient
from motionflow.serving.rest_client import RestClient
from tests import serving_server

pytestmark = pytest.mark.slow

IMAGE = {"image": np.zeros((1, 64, 64, 3), np.uint8)}
KINDS = {"grpc": (GrpcClient, 1), "rest": (RestClient, 2)}


@pytest.fixture(scope="module")
def served_model(version):
    with serving_server.serve(version) as served:
        yield served


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def model(served_model):
    """The server's model, healthy again after each test."""
    model = served_model[0]
    yield model
    model.failures, model.delay, model.state = 0, 0, "AVAILABLE"


def make(kind, served_model, **options):
    make_client, place = KINDS[kind]
    return make_client(served_model[place], **options)


def closed_address(kind):
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    return f"http://127.0.0.1:{port}" if kind == "rest" else f"127.0.0.1:{port}"


def test_failures_that_pass_are_tried_again(kind, served_model, model):
    model.failures, before = 3, model.num_requests
    answer = make(kind, served_model, deadline=60).predict("serving_default", IMAGE)
    assert answer["flow"].shape == (1, 3, 3, 2)
    assert model.num_requests - before == 4


def test_they_are_tried_until_the_deadline(kind, served_model, model):
    model.failures, start = 10**6, time.monotonic()
    with pytest.raises(ServingError, match="the server is starting"):
        make(kind, served_model, deadline=1.5).predict("serving_default", IMAGE)
    assert 0.5 < time.monotonic() - start < 4


def test_what_is_wrong_with_a_request_is_said_at_once(kind, served_model, model):
    before = model.num_requests
    with pytest.raises(
        ServingError, match=r"(?s)model motionflow at .*shape"
    ) as caught:
        client = make(kind, served_model, deadline=60)
        client.predict("serving_default", {"image": IMAGE["image"][0]})
    assert not isinstance(caught.value, PassingError)
    assert model.num_requests - before == 1


def test_a_slow_server_meets_the_deadline(kind, served_model, model):
    client = make(kind, served_model, deadline=60)
    client.predict("serving_default", IMAGE)  # what is asked once is known
    client.deadline, model.delay, start = 0.5, 3, time.monotonic()
    with pytest.raises(ServingError):
        client.predict("serving_default", IMAGE)
    assert time.monotonic() - start < 2.5


def test_nobody_listens(kind):
    client = KINDS[kind][0](closed_address(kind), deadline=1)
    with pytest.raises(ServingError, match="model motionflow at .*127.0.0.1"):
        client.predict("serving_default", IMAGE)
    with pytest.raises(ServingError, match="127.0.0.1"):
        client.status()


def test_a_version_is_asked_for(kind, served_model):
    assert make(kind, served_model, version=1).status() == "AVAILABLE"
    with pytest.raises(
        ServingError, match=r"motionflow version 7 at .*(404|NOT_FOUND)"
    ):
        make(kind, served_model, version=7).predict("serving_default", IMAGE)


def test_waiting_ends_when_the_model_is_there(kind, served_model, model):
    model.state = "LOADING"
    client = make(kind, served_model, deadline=60)
    assert client.status() == "LOADING"
    threading.Timer(0.5, setattr, (model, "state", "AVAILABLE")).start()
    start = time.monotonic()
    client.wait_until_available()
    assert 0.3 < time.monotonic() - start < 30


def test_waiting_ends_at_the_deadline(kind, served_model, model):
    model.state = "LOADING"
    client = make(kind, served_model, deadline=0.7)
    with pytest.raises(ServingError, match="is LOADING, expected AVAILABLE"):
        client.wait_until_available()


def test_an_unknown_signature_is_named(kind, served_model):
    with pytest.raises(ServingError, match="nothing"):
        make(kind, served_model).predict("nothing", IMAGE)


def test_an_address_that_is_none():
    with pytest.raises(ServingError, match="Invalid URL|No connection adapters"):
        RestClient("nowhere:1", deadline=5).status()


# --- over gRPC -------------------------------------------------------------------


class Failure(grpc.RpcError):
    """What a stub raises."""

    def __init__(self, code, details):
        super().__init__()
        self.code, self.details = lambda: code, lambda: details


@pytest.mark.parametrize(
    "code, details, expected",
    [
        (grpc.StatusCode.UNAVAILABLE, "failed to connect", PassingError),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "the queue is full", PassingError),
        (
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "Received message larger than max (5000000 vs. 4194304)",
            ServingError,
        ),
        (grpc.StatusCode.INVALID_ARGUMENT, "expected shape [?,?,?,3]", ServingError),
        (grpc.StatusCode.NOT_FOUND, "Servable not found", ServingError),
        (grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded", ServingError),
    ],
)
def test_which_failures_pass(code, details, expected):
    client = GrpcClient("127.0.0.1:9", "animals", version=3)

    def method(request, timeout):
        raise Failure(code, details)

    with pytest.raises(ServingError) as caught:
        client._call(method, None, 1.0)
    assert type(caught.value) is expected
    text = str(caught.value)
    assert text.startswith("model animals version 3 at 127.0.0.1:9: ")
    assert code.name in text and details in text


def test_the_request_names_model_version_and_signature(monkeypatch):
    client, seen = GrpcClient("127.0.0.1:9", "animals", version=3), []

    def call(method, request, timeout):
        seen.append(request)
        return type("Answer", (), {"outputs": {}})

    monkeypatch.setattr(client, "_call", call)
    assert client.predict("rollout", {"image": np.zeros((1, 2, 2, 3), np.uint8)}) == {}
    (request,) = seen
    assert request.model_spec.name == "animals"
    assert request.model_spec.version.value == 3
    assert request.model_spec.signature_name == "rollout"
    assert [d.size for d in request.inputs["image"].tensor_shape.dim] == [1, 2, 2, 3]


# --- over REST -------------------------------------------------------------------

SIGNATURES = {
    "two": {"outputs": {"a": {"dtype": "DT_UINT8"}, "b": {"dtype": "DT_INT32"}}},
    "one": {"outputs": {"flow": {"dtype": "DT_FLOAT"}}},
}
METADATA = {"metadata": {"signature_def": {"signature_def": SIGNATURES}}}


class Answer:
    """What a server says."""

    def __init__(self, found, code=200):
        self.found, self.status_code, self.ok = found, code, code == 200
        self.text = str(found)

    def json(self):
        if isinstance(self.found, str):
            raise requests.JSONDecodeError("no JSON", self.found, 0)
        return self.found


class Session:
    """Keeps what it is asked, and answers in turn."""

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), []

    def request(self, method, url, timeout, **options):
        self.asked.append((method, url, options.get("json")))
        return self.answers.pop(0)


def client_of(*answers, **options):
    client = RestClient("http://host:8501/", **{"deadline": 0.5} | options)
    client._session = Session(*answers)
    return client


def test_numbers_are_whole_and_files_are_base64():
    client = client_of(Answer(METADATA), Answer({"outputs": {"a": [1], "b": [2]}}))
    inputs = {"image": np.uint8([[95]]), "data": np.array([b"\xff\x00a"], object)}
    client.predict("two", inputs)
    method, url, body = client._session.asked[-1]
    assert (method, url) == ("POST", "http://host:8501/v1/models/motionflow:predict")
    assert body["signature_name"] == "two"
    assert body["inputs"] == {"image": [[95]], "data": [{"b64": "/wBh"}]}
    assert isinstance(body["inputs"]["image"][0][0], int)


def test_answers_get_their_types_and_names_back():
    two = Answer({"outputs": {"a": [[1, 255]], "b": [-3]}})
    client = client_of(
        Answer(METADATA), two, Answer({"outputs": [[0.5, 1]]}), version=4
    )
    found = client.predict("two", {})
    assert found["a"].dtype == np.uint8 and found["b"].dtype == np.int32
    np.testing.assert_array_equal(found["a"], [[1, 255]])
    client._outputs["one"] = {"flow": np.float32}
    (flow,) = client.predict("one", {}).values()
    assert flow.dtype == np.float32 and flow.tolist() == [[0.5, 1.0]]
    urls = [url.removeprefix("http://host:8501") for _, url, _ in client._session.asked]
    base = "/v1/models/motionflow/versions/4"
    assert urls == [f"{base}/metadata", f"{base}:predict", f"{base}:predict"]


def test_over_rest_an_unknown_signature_is_named_with_those_there_are():
    with pytest.raises(ServingError, match=r"signatures \['one', 'two'\], not three"):
        client_of(Answer(METADATA)).predict("three", {})


@pytest.mark.parametrize(
    "answer, kind, words",
    [
        (Answer({"error": "no such model"}, 404), ServingError, "404: no such model"),
        (Answer({"error": "busy"}, 503), PassingError, "503: busy"),
        (Answer("<html>Bad gateway", 502), PassingError, "502: <html>Bad gateway"),
        (Answer("hello"), ServingError, "does not answer in JSON"),
    ],
)
def test_what_a_server_says_instead(answer, kind, words):
    with pytest.raises(ServingError, match=words) as caught:
        client_of(*[answer] * 50).status()
    assert type(caught.value) is kind


@pytest.mark.parametrize("version, expected", [(None, "AVAILABLE"), (3, "LOADING")])
def test_the_state_is_that_of_the_version_that_would_answer(version, expected):
    states = [("2", "AVAILABLE"), ("3", "LOADING"), ("1", "END")]
    rows = [{"version": v, "state": state} for v, state in states]
    client = client_of(Answer({"model_version_status": rows}), version=version)
    assert client.status() == expected


def test_a_model_without_versions_is_not_served():
    with pytest.raises(ServingError, match="is not served"):
        client_of(Answer({"model_version_status": []})).status()
