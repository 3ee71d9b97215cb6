"""The gate of TensorFlow Serving: its C++ loader, without Python and without XLA.

`tensorflow_model_server` itself is not run here; this is the code that it loads and
runs models with, from the TensorFlow wheel.
"""

import numpy as np
import pytest
import tensorflow as tf

from motionflow.serving import tf_serving
from tests import served, tiny_run

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    "name, sizes, batches",
    [
        ("version", (64,), (1, 3)),
        ("steps_version", (72,), (2,)),
        ("guided_version", (64, tiny_run.GUIDED_GRID), (1, 3)),
    ],
)
def test_every_signature_answers_as_in_python(name, sizes, batches, request):
    version = request.getfixturevalue(name)
    asked = [
        item for batch in batches for item in served.requests(batch, *sizes).items()
    ]
    assert {name for name, _ in asked} == set(served.signature_defs(version))
    answers = served.cpp_answers(version, asked)
    for (name, inputs), answer in zip(asked, answers, strict=True):
        served.check(answer, served.python_answers(version, name, inputs))


BAD = {
    "rank": ("serving_default", {"image": np.zeros((64, 64, 3), np.uint8)}),
    "channels": ("serving_default", {"image": np.zeros((1, 64, 64, 1), np.uint8)}),
    "no pixels": ("probabilities", {"image": np.zeros((1, 0, 64, 3), np.uint8)}),
    "size": ("frames", {"image": np.zeros((1, 72, 72, 3), np.float32)}),
    "format": ("predict_bytes", {"image_bytes": np.array([b"GIF89a"], object)}),
    "rank of bytes": ("predict_bytes", {"image_bytes": np.array([[b""]], object)}),
}


def rollout_request(shape=(1, 64, 64, 3), n=1, m=1):
    return "rollout", {
        "image": np.zeros(shape, np.uint8),
        "num_predictions": np.array(n, np.int32).reshape(-1),
        "frames_per_prediction": np.array(m, np.int32).reshape(-1),
    }


BAD |= {
    "roll-out's rank": rollout_request((64, 64, 3)),
    "zero predictions": rollout_request(n=0),
    "negative frames": rollout_request(m=-2),
    "other numbers": rollout_request((2, 64, 64, 3), n=[1, 2], m=[1, 1]),
    "too few numbers": rollout_request((2, 64, 64, 3)),
    "too many frames": rollout_request(n=40, m=40),
    "overflow": rollout_request(n=1 << 16, m=1 << 16),
    "strip": rollout_request((1, 8, 200, 3)),
    "too many bytes": rollout_request((1, 1000, 1000, 3), n=20, m=20),
}
MESSAGES = {
    "rank": "expected shape [?,?,?,3]",
    "channels": "expected shape [?,?,?,3]",
    "no pixels": "image holds no pixels; its shape:",
    "size": "expected shape [?,64,64,3]",
    "format": "image_bytes are neither a JPEG nor a PNG file",
    "rank of bytes": "expected shape [?]",
    "roll-out's rank": "expected shape [?,?,?,3]",
    "zero predictions": "num_predictions is below 1:] [0]",
    "negative frames": "frames_per_prediction is below 1:] [-2]",
    "other numbers": "num_predictions must hold one number an image, the same for all",
    "too few numbers": "num_predictions must hold one number an image",
    "too many frames": "more than 1000 frames:] [1600]",
    "overflow": "more than 1000 frames:] [4294967296]",
    "strip": "image has a side of more than 16 others:] [8] [200]",
    "too many bytes": "more than 1073741824 bytes:] [1200000000]",
}


def test_what_does_not_fit_is_an_error_that_says_so(version):
    check_refusals(version, BAD, MESSAGES)


def check_refusals(version, bad, messages):
    good = "serving_default", served.requests(1, 64)["serving_default"]
    *failed, last = served.cpp_answers(version, [*bad.values(), good])
    for name, answer in zip(bad, failed, strict=True):
        assert isinstance(answer, str), f"{name}: no error"
        assert messages[name] in answer, f"{name}: {answer}"
    assert isinstance(last, dict)  # the session goes on


def told_request(shape=(2, 64, 64, 3), num_arrows=(1, 2), num_pins=(1, 0), **said):
    """Two arrows and a pin a picture, on a line; other rows at their place."""
    arrows = np.float32([[8, 8, 12, 8], [20, 8, 20, 12]])
    said = {"arrows": [arrows, arrows], "pins": np.full((2, 1, 2), 40)} | said
    return "guided", {
        "image": np.zeros(shape, np.uint8),
        "arrows": np.float32(said["arrows"]),
        "num_arrows": np.int32(num_arrows),
        "pins": np.float32(said["pins"]),
        "num_pins": np.int32(num_pins),
    }


def as_film(request, n=1):
    """The same request for a film."""
    inputs = request[1]
    more = np.full(len(inputs["image"]), n, np.int32)
    numbers = {"num_predictions": more, "frames_per_prediction": more}
    return "guided_rollout", inputs | numbers


BAD_TOLD = {
    "more than M": (told_request(num_arrows=(1, 3)), "num_arrows is not from 0 to"),
    "more than P": (told_request(num_pins=(2, 0)), "num_pins is not from 0 to"),
    "below 0": (told_request(num_arrows=(-1, 0)), "num_arrows is not from 0 to"),
    "one count": (told_request(num_pins=(1,)), "pins and num_pins must hold one row"),
    "one row": (
        told_request(arrows=np.ones((1, 2, 4))),
        "arrows and num_arrows must hold one row an image",
    ),
    "rank": (told_request(arrows=np.ones((2, 4))), "expected shape [?,?,4]"),
    "numbers of a pin": (told_request(pins=np.ones((2, 1, 3))), "shape [?,?,2]"),
    "outside": (
        told_request(pins=[[[40, 64]], [[0, 0]]]),
        "begins outside of the image",
    ),
    "far outside": (
        told_request(arrows=[[[-3, 8, 9, 9]], [[9, 9, 9, 9]]], num_arrows=(1, 1)),
        "begins outside of the image",
    ),
    "no number": (
        told_request(arrows=np.full((2, 1, 4), np.nan), num_arrows=(0, 1)),
        "or is no number",
    ),
    "one place": (told_request(pins=np.full((2, 1, 2), 8)), "stand at one place"),
    "no number at the end": (
        told_request(arrows=np.full((2, 1, 4), [8, 8, np.inf, 8]), num_arrows=(0, 1)),
        "or is no number",
    ),
    "too many": (told_request(pins=np.zeros((2, 1001, 2))), "more than 1000 rows"),
    "strip": (told_request((2, 8, 200, 3)), "a side of more than 16 others"),
}
BAD_FILM = {
    "film: " + key: (as_film(request), words)
    for key, (request, words) in BAD_TOLD.items()
} | {
    "too many frames": (as_film(told_request(), 40), "more than 1000 frames:] [1600]"),
    "no predictions": (as_film(told_request(), 0), "num_predictions is below 1"),
}


def test_what_does_not_fit_in_what_is_told_is_an_error(guided_version):
    bad = BAD_TOLD | BAD_FILM
    requests, messages = (
        {name: pair[i] for name, pair in bad.items()} for i in range(2)
    )
    check_refusals(guided_version, requests, messages)
    # Places that are padding may be anything, and an arrow may end outside.
    arrows = np.float32([[[8, 8, 90, -5], [np.nan] * 4]] * 2)
    good = told_request(arrows=arrows, num_arrows=(1, 0))
    (answer,) = served.cpp_answers(guided_version, [good])
    assert np.isfinite(answer["flow"]).all()


def save(folder, function):
    """A model of one signature, as somebody else might write it."""
    module = tf.Module()
    spec = tf.TensorSpec([None, 4], tf.float32, name="image")
    module.f = tf.function(function, input_signature=[spec])
    tf.saved_model.save(module, str(folder), signatures=module.f)
    return folder


def python_inside(x):
    return {
        "flow": tf.ensure_shape(
            tf.py_function(lambda y: 2 * y, [x], x.dtype), [None, 4]
        )
    }


def xla_inside(x):
    @tf.function(jit_compile=True)
    def double(y):
        return 2 * y

    return {"flow": double(x)}


@pytest.mark.parametrize(
    "function, words",
    [(python_inside, "EagerPyFunc"), (xla_inside, "XLA")],
    ids=["py_function", "jit_compile"],
)
def test_what_the_server_refuses_is_refused(function, words, tmp_path):
    version = save(tmp_path / "model", function)
    image = np.ones((2, 4), np.float32)
    # Python would take it.
    answer = served.python_answers(version, "serving_default", {"image": image})
    np.testing.assert_array_equal(answer["flow"], 2 * image)
    (answer,) = served.cpp_answers(version, [("serving_default", {"image": image})])
    assert words in answer
    assert any(words in sentence for sentence in tf_serving.violations(version))
