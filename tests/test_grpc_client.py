import grpc
import numpy as np
import pytest

from motionflow.serving.client import PassingError, ServingError
from motionflow.serving.grpc_client import GrpcClient

PASSING, LASTING = PassingError, ServingError


class Failure(grpc.RpcError):
    """What a stub raises."""

    def __init__(self, code, details):
        super().__init__()
        self.code, self.details = lambda: code, lambda: details


@pytest.mark.parametrize(
    "code, details, expected",
    [
        (grpc.StatusCode.UNAVAILABLE, "failed to connect", PASSING),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "the queue is full", PASSING),
        (
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "Received message larger than max (5000000 vs. 4194304)",
            LASTING,
        ),
        (grpc.StatusCode.INVALID_ARGUMENT, "expected shape [?,?,?,3]", LASTING),
        (grpc.StatusCode.NOT_FOUND, "Servable not found", LASTING),
        (grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded", LASTING),
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
