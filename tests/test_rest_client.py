import numpy as np
import pytest
import requests

from motionflow.serving.client import PassingError, ServingError
from motionflow.serving.rest_client import RestClient

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


def test_an_unknown_signature_is_named_with_those_there_are():
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
