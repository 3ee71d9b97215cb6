"""Asks a server with ovmsclient, a client that nobody here wrote.

    python ovms_client.py grpc|http ADDRESS MODEL VERSION REQUEST ANSWER

REQUEST is a pickle of (inputs {name: array}); ANSWER gets a pickle with the state, the
inputs that the metadata names, and the outputs. Its protocol buffers have the names of
TensorFlow's, so the two cannot be in one process. It must be told the version: where
none is named it asks for version 0, which is the newest for OpenVINO's server only.
"""

import pickle
import sys
from pathlib import Path

kind, address, name, version, request_file, answer_file = sys.argv[1:]
if kind == "grpc":
    from ovmsclient import make_grpc_client as make_client
else:
    from ovmsclient import make_http_client as make_client

client = make_client(address)
inputs = pickle.loads(Path(request_file).read_bytes())
model = {"model_name": name, "model_version": int(version)}
answer = {
    "status": client.get_model_status(**model),
    "metadata": client.get_model_metadata(**model),
    "outputs": client.predict(inputs=inputs, **model),
}
Path(answer_file).write_bytes(pickle.dumps(answer))
assert "tensorflow" not in sys.modules
