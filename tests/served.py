"""What tests ask of an export: its signatures, requests to each, the C++ loader."""

import functools
import io
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image
from tensorflow.core.protobuf import saved_model_pb2

from motionflow.serving.inputs import example_known

LOADER = Path(__file__).with_name("cpp_loader.py")


def signature_defs(version):
    """The signatures by name, as saved_model.pb holds them."""
    proto = saved_model_pb2.SavedModel.FromString(
        (Path(version) / "saved_model.pb").read_bytes()
    )
    found = dict(proto.meta_graphs[0].signature_def)
    found.pop("__saved_model_init_op", None)
    return found


def pictures(batch, height, width, seed=0):
    """Smooth random pictures, uint8 [batch, height, width, 3]."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (batch, 5, 7, 3), np.uint8)
    frames = [Image.fromarray(c).resize((width, height), 3) for c in coarse]
    return np.stack([np.asarray(frame) for frame in frames])


def encoded(frame, **options):
    """The bytes of a picture's file; PNG where nothing else is asked for."""
    file = io.BytesIO()
    Image.fromarray(frame).save(file, **{"format": "PNG"} | options)
    return file.getvalue()


def said(batch):
    """An arrow for each picture of a batch, a pin for the first; padding behind."""
    arrows = np.full((batch, 2, 4), -7, np.float32)
    arrows[:, 0] = 20, 30, 26, 27
    return {
        "arrows": arrows,
        "num_arrows": np.ones(batch, np.int32),
        "pins": np.full((batch, 1, 2), 50, np.float32),
        "num_pins": np.int32(np.arange(batch) < 1),
    }


def requests(batch, frame_size, grid_size=None):
    """Inputs of each signature for a batch; pictures of several sizes.

    With a grid size, of a network that can be told.
    """
    wide = pictures(batch, frame_size + 20, 2 * frame_size + 5)
    square = pictures(batch, frame_size, frame_size, seed=1)
    files = [encoded(f, format=("PNG", "JPEG")[i % 2]) for i, f in enumerate(wide)]
    numbers = {
        "num_predictions": np.full(batch, 2, np.int32),
        "frames_per_prediction": np.full(batch, 3, np.int32),
    }
    floats = {"image": square.astype(np.float32) + 0.25}
    told = {}
    if grid_size:
        known = example_known(batch, grid_size)
        told = {
            "known": floats | {"known": known},
            "guided": {"image": wide} | said(batch),
            "guided_rollout": {"image": wide} | said(batch) | numbers,
        }
    return told | {
        "serving_default": {"image": square},
        "predict_bytes": {"image_bytes": np.array(files, object)},
        "probabilities": {"image": wide},
        "steps": {"image": wide},
        "rollout": {"image": wide} | numbers,
        "frames": floats,
    }


@functools.cache
def loaded(version):
    """An export, loaded once for all tests: a signature's first answer is dear."""
    return tf.saved_model.load(str(version))


def python_answers(version, name, inputs):
    """What Python TensorFlow makes of a request."""
    signature = loaded(version).signatures[name]
    found = signature(**{key: tf.constant(value) for key, value in inputs.items()})
    return {key: value.numpy() for key, value in found.items()}


def check(answer, expected):
    """Compares two answers of one graph.

    The order of its sums is free, and so is a level of 255 where a number is rounded.
    """
    assert set(answer) == set(expected)
    for key, value in expected.items():
        assert answer[key].shape == value.shape
        assert answer[key].dtype == value.dtype
        atol = 1 if value.dtype == np.uint8 else 1e-5
        pair = np.float32(answer[key]), np.float32(value)
        np.testing.assert_allclose(*pair, atol=atol, err_msg=key)


@functools.lru_cache(maxsize=3)
def _loader(version):
    """The C++ loader, in a process of its own that ends when its input does."""
    command = [sys.executable, LOADER, Path(tf.__file__).parent, version]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def cpp_answers(version, asked):
    """What the C++ loader makes of some requests.

    Args:
      version: the export.
      asked: pairs of a signature's name and its inputs.

    Returns:
      One answer a request: {output: array}, or an error's text.
    """
    definitions, process = signature_defs(version), _loader(version)
    answers = []
    for name, inputs in asked:
        tensors = definitions[name]
        fed = {tensors.inputs[key].name: value for key, value in inputs.items()}
        keys = {tensor.name: key for key, tensor in tensors.outputs.items()}
        pickle.dump((fed, list(keys)), process.stdin)
        process.stdin.flush()
        answer = pickle.load(process.stdout)
        if isinstance(answer, dict):
            answer = {keys[tensor]: value for tensor, value in answer.items()}
        answers.append(answer)
    return answers
