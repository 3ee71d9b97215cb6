"""A small server of the tests' own, which answers as TensorFlow Serving documents it.

gRPC on the official servicers, REST as in "RESTful API" of its documentation. It is as
strict as the real one about names and types, and runs a SavedModel in Python. What it
cannot show: anything about `tensorflow_model_server` itself.
"""

import base64
import contextlib
import json
import re
import threading
import time
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
import numpy as np
import tensorflow as tf
from google.protobuf import json_format
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from tests import served

PATH = re.compile(
    r"/v1/models/(?P<model>[^/:]+)(/versions/(?P<version>\d+))?"
    r"(?P<verb>:predict|/metadata)?"
)
GRPC_CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    404: grpc.StatusCode.NOT_FOUND,
    503: grpc.StatusCode.UNAVAILABLE,
}


class Refusal(Exception):
    """An HTTP code and what is wrong."""


class Model:
    """One version of one model; `failures` requests are answered with 503 first."""

    def __init__(self, path, name="motionflow"):
        self.name, self.version = name, int(path.name)
        self.exported = served.loaded(path)
        self.definitions = served.signature_defs(path)
        self.failures, self.delay, self.state, self.num_requests = 0, 0, "AVAILABLE", 0

    def check(self, name, version):
        if name != self.name or version not in (None, self.version):
            raise Refusal(404, f"Servable not found for request: {name}/{version}")

    def definition(self, signature):
        if signature not in self.definitions:
            raise Refusal(400, f'Serving signature name: "{signature}" not found')
        return self.definitions[signature]

    def predict(self, signature, inputs):
        self.num_requests += 1
        time.sleep(self.delay)
        if self.failures:
            self.failures -= 1
            raise Refusal(503, "the server is starting")
        definition = self.definition(signature)
        if set(inputs) != set(definition.inputs):
            raise Refusal(
                400,
                f"input size does not match signature: {sorted(inputs)} != "
                f"{sorted(definition.inputs)}",
            )
        for key, value in inputs.items():
            expected = tf.as_dtype(definition.inputs[key].dtype)
            if value.dtype != expected:
                raise Refusal(400, f"{key} is {value.dtype}, expected {expected}")
        try:
            return self.exported.signatures[signature](**inputs)
        except (tf.errors.InvalidArgumentError, ValueError, TypeError) as error:
            raise Refusal(400, str(error)) from error


class Grpc(
    prediction_service_pb2_grpc.PredictionServiceServicer,
    model_service_pb2_grpc.ModelServiceServicer,
):
    """Both services of the real server."""

    def __init__(self, model):
        self.model = model

    def _guarded(self, context, spec, call):
        version = spec.version.value if spec.HasField("version") else None
        try:
            self.model.check(spec.name, version)
            return call()
        except Refusal as refusal:
            code, message = refusal.args
            context.abort(GRPC_CODES[code], message)

    def Predict(self, request, context):
        def call():
            name = request.model_spec.signature_name or "serving_default"
            inputs = {
                k: tf.constant(tf.make_ndarray(v)) for k, v in request.inputs.items()
            }
            outputs = self.model.predict(name, inputs)
            answer = predict_pb2.PredictResponse()
            wanted = set(request.output_filter) or set(outputs)
            if unknown := wanted - set(outputs):
                raise Refusal(400, f"output tensor alias not found: {unknown}")
            for key in wanted:
                answer.outputs[key].CopyFrom(tf.make_tensor_proto(outputs[key].numpy()))
            answer.model_spec.name = self.model.name
            answer.model_spec.version.value = self.model.version
            return answer

        return self._guarded(context, request.model_spec, call)

    def GetModelMetadata(self, request, context):
        def call():
            answer = get_model_metadata_pb2.GetModelMetadataResponse()
            found = get_model_metadata_pb2.SignatureDefMap()
            for key, definition in self.model.definitions.items():
                found.signature_def[key].CopyFrom(definition)
            answer.model_spec.name = self.model.name
            answer.model_spec.version.value = self.model.version
            answer.metadata["signature_def"].Pack(found)
            return answer

        return self._guarded(context, request.model_spec, call)

    def GetModelStatus(self, request, context):
        def call():
            answer = get_model_status_pb2.GetModelStatusResponse()
            states = get_model_status_pb2.ModelVersionStatus.State
            answer.model_version_status.add(
                version=self.model.version, state=states.Value(self.model.state)
            )
            return answer

        return self._guarded(context, request.model_spec, call)


def from_json(value, dtype):
    """A JSON value as a tensor, as strict as the server is."""
    if dtype == tf.string:

        def decode(v):
            if isinstance(v, list):
                return [decode(one) for one in v]
            return base64.b64decode(v["b64"]) if isinstance(v, dict) else v

        return tf.constant(decode(value), tf.string)
    array = np.array(value)
    if array.dtype == object or (array.dtype.kind == "f" and dtype.is_integer):
        raise Refusal(400, "JSON Value: is not of expected type: " + dtype.name)
    return tf.constant(array.astype(dtype.as_numpy_dtype))


def answer_rest(model, match, body):
    """The JSON that answers one request."""
    version = match["version"] and int(match["version"])
    model.check(match["model"], version)
    if match["verb"] == "/metadata":
        definitions = {
            key: json_format.MessageToDict(value, preserving_proto_field_name=True)
            for key, value in model.definitions.items()
        }
        spec = {"name": model.name, "version": str(model.version)}
        metadata = {"signature_def": {"signature_def": definitions}}
        return {"model_spec": spec, "metadata": metadata}
    if match["verb"] is None:
        status = {"error_code": "OK", "error_message": ""}
        one = {"version": str(model.version), "state": model.state, "status": status}
        return {"model_version_status": [one]}
    return predict_rest(model, body)


def predict_rest(model, body):
    """Row format ("instances") and column format ("inputs")."""
    name = body.get("signature_name", "serving_default")
    inputs = model.definition(name).inputs
    is_row = "instances" in body
    if is_row == ("inputs" in body):
        raise Refusal(400, "expected one of 'instances' and 'inputs'")
    values = body["instances" if is_row else "inputs"]
    if is_row:
        named = isinstance(values[0], dict) and set(values[0]) != {"b64"}
        keys = values[0] if named else inputs
        values = {k: [row[k] if named else row for row in values] for k in keys}
    elif not isinstance(values, dict) or set(values) == {"b64"}:
        values = {next(iter(inputs)): values}
    if set(values) != set(inputs):
        raise Refusal(400, f"unknown or missing input among {sorted(values)}")
    tensors = {k: from_json(v, tf.as_dtype(inputs[k].dtype)) for k, v in values.items()}
    outputs = {k: v.numpy().tolist() for k, v in model.predict(name, tensors).items()}
    if len(outputs) == 1:
        (single,) = outputs.values()
        return {"predictions" if is_row else "outputs": single}
    if not is_row:
        return {"outputs": outputs}
    rows = zip(*outputs.values(), strict=True)
    return {"predictions": [dict(zip(outputs, row, strict=True)) for row in rows]}


def rest_handler(model):
    """The class that answers requests for a model."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self._answer(None)

        def do_POST(self):
            self._answer(self.rfile.read(int(self.headers["Content-Length"])))

        def _answer(self, body):
            code, match = 200, PATH.fullmatch(self.path)
            try:
                if not match or (body is None) == (match["verb"] == ":predict"):
                    raise Refusal(404, f"Malformed request: {self.path}")
                found = answer_rest(model, match, body and json.loads(body))
            except Refusal as refusal:
                code, found = refusal.args[0], {"error": refusal.args[1]}
            data = json.dumps(found).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            with contextlib.suppress(BrokenPipeError):  # the client gave up
                self.wfile.write(data)

        def log_message(self, *args):
            del args

    return Handler


@contextlib.contextmanager
def serve(path):
    """Serves a version on free ports; yields (model, gRPC address, REST address)."""
    model = Model(path)
    # Like the real server: no bound on what it receives.
    options = [("grpc.max_receive_message_length", -1)]
    server = grpc.server(futures.ThreadPoolExecutor(4), options=options)
    servicer = Grpc(model)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        servicer, server
    )
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    rest = ThreadingHTTPServer(("127.0.0.1", 0), rest_handler(model))
    threading.Thread(target=rest.serve_forever, daemon=True).start()
    try:
        yield model, f"127.0.0.1:{port}", f"http://127.0.0.1:{rest.server_port}"
    finally:
        server.stop(None)
        rest.shutdown()
        rest.server_close()
