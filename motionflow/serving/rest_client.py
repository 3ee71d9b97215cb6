"""The client over REST, TensorFlow Serving's JSON API.

Everything is text: a frame of 200x200 takes 0.5 MB as numbers, so pictures go to
`predict_bytes`, as base64 of their files.
"""

import base64
from typing import Any

import numpy as np
import requests

from motionflow.serving.client import Arrays, Client, PassingError, ServingError

_PASSING = (429, 502, 503, 504)
_DTYPES = {"DT_FLOAT": np.float32, "DT_INT32": np.int32, "DT_UINT8": np.uint8}


class RestClient(Client):
    """A model on a server, over REST; see `Client`. The address is http://host:port."""

    def __init__(self, address: str, *args: Any, **kwargs: Any):
        super().__init__(address.rstrip("/"), *args, **kwargs)
        self._session = requests.Session()
        self._outputs: dict[str, dict[str, type]] = {}

    def _predict(self, signature: str, inputs: Arrays, timeout: float) -> Arrays:
        dtypes = self._dtypes(signature, timeout)
        body = {
            "signature_name": signature,
            "inputs": {key: _to_json(value) for key, value in inputs.items()},
        }
        found = self._call("POST", ":predict", timeout, json=body)["outputs"]
        if len(dtypes) == 1:  # its name is left out
            found = {next(iter(dtypes)): found}
        return {key: np.array(value, dtypes[key]) for key, value in found.items()}

    def _dtypes(self, signature: str, timeout: float) -> dict[str, type]:
        """Types of the outputs, which JSON does not tell."""
        if signature not in self._outputs:
            metadata = self._call("GET", "/metadata", timeout)["metadata"]
            signatures = metadata["signature_def"]["signature_def"]
            if signature not in signatures:
                raise ServingError(
                    f"{self} has the signatures {sorted(signatures)}, not {signature}"
                )
            self._outputs[signature] = {
                key: _DTYPES[tensor["dtype"]]
                for key, tensor in signatures[signature]["outputs"].items()
            }
        return self._outputs[signature]

    def _states(self, timeout: float) -> dict[int, str]:
        answer = self._call("GET", "", timeout)
        return {
            int(one["version"]): one["state"] for one in answer["model_version_status"]
        }

    def _call(self, method: str, verb: str, timeout: float, **options: Any) -> dict:
        version = "" if self.version is None else f"/versions/{self.version}"
        url = f"{self.address}/v1/models/{self.model_name}{version}{verb}"
        try:
            answer = self._session.request(method, url, timeout=timeout, **options)
        except (requests.ConnectionError, requests.Timeout) as error:
            raise PassingError(f"{self} is not reached: {error}") from error
        except requests.RequestException as error:
            raise ServingError(f"{self}: {error}") from error
        if answer.ok:
            try:
                return answer.json()
            except requests.JSONDecodeError as error:
                raise ServingError(f"{url} does not answer in JSON") from error
        kind = PassingError if answer.status_code in _PASSING else ServingError
        raise kind(f"{self}: {answer.status_code}: {_message(answer)}")


def _message(answer: requests.Response) -> str:
    try:
        return answer.json()["error"]
    except (requests.JSONDecodeError, KeyError, TypeError):
        return answer.text[:200]


def _to_json(value: np.ndarray) -> Any:
    value = np.asarray(value)
    if value.dtype == object:
        encoded = [{"b64": base64.b64encode(v).decode()} for v in value.ravel()]
        return np.array(encoded, object).reshape(value.shape).tolist()
    return value.tolist()
