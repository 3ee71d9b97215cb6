"""The client over gRPC, with the stubs that TensorFlow Serving publishes.

A picture is sent as it is; large answers, such as films, are best asked for this way.
"""

from collections.abc import Callable
from typing import Any

import grpc
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_status_pb2,
    model_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from motionflow.serving.client import Arrays, Client, PassingError, ServingError

# The client's own bound for answers is 4 MiB, less than one film.
_OPTIONS = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
]
_PASSING = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED)


class GrpcClient(Client):
    """A model on a server, over gRPC; see `Client`. The address is host:port."""

    def __init__(self, address: str, *args: Any, **kwargs: Any):
        super().__init__(address, *args, **kwargs)
        self._channel = grpc.insecure_channel(address, options=_OPTIONS)
        self._prediction = prediction_service_pb2_grpc.PredictionServiceStub(
            self._channel
        )
        self._model = model_service_pb2_grpc.ModelServiceStub(self._channel)

    def _predict(self, signature: str, inputs: Arrays, timeout: float) -> Arrays:
        request = predict_pb2.PredictRequest()
        self._name(request.model_spec)
        request.model_spec.signature_name = signature
        for key, value in inputs.items():
            request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
        answer = self._call(self._prediction.Predict, request, timeout)
        return {key: tf.make_ndarray(value) for key, value in answer.outputs.items()}

    def _states(self, timeout: float) -> dict[int, str]:
        request = get_model_status_pb2.GetModelStatusRequest()
        self._name(request.model_spec)
        answer = self._call(self._model.GetModelStatus, request, timeout)
        names = get_model_status_pb2.ModelVersionStatus.State
        return {
            one.version: names.Name(one.state) for one in answer.model_version_status
        }

    def _name(self, spec: model_pb2.ModelSpec) -> None:
        spec.name = self.model_name
        if self.version is not None:
            spec.version.value = self.version

    def _call(self, method: Callable[..., Any], request: Any, timeout: float) -> Any:
        try:
            return method(request, timeout=timeout)
        except grpc.RpcError as error:
            code, details = error.code(), error.details()
            text = f"{self}: {code.name}: {details}"
            # A message that is too large stays so.
            passes = code in _PASSING and "larger than max" not in details
            raise (PassingError if passes else ServingError)(text) from error
