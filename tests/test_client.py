"""What our clients do when things go wrong; test_serving_wire has what goes right."""

import socket
import threading
import time

import numpy as np
import pytest

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
