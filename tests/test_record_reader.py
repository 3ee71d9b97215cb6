"""Every way in which a record can be bad has its own words."""

import dataclasses
import os

import numpy as np
import pytest
import tensorflow as tf

from motionflow.inspection.record_reader import BadRecordError, RecordReader
from motionflow.labels.codebook import Codebook
from motionflow.labels.options import LabelOptions
from motionflow.labels.samples import encode_frame
from tests.conftest import texture
from tests.tiny_data import CENTERS, SAMPLES

FLAGS = {"frame_size": 8, "grid_size": 2, "frame_encoding": "raw"}
SAMPLE = SAMPLES["train"][0]


def make_reader(store_dense_flow=0, codebook=True, **changes):
    flags = FLAGS | {"store_dense_flow": store_dense_flow} | changes
    return RecordReader(LabelOptions(**flags), Codebook(CENTERS) if codebook else None)


def changed(**changes):
    return tf.constant(dataclasses.replace(SAMPLE, **changes).encode())


def test_a_good_record():
    dense = np.random.default_rng(0).normal(0, 1, (4, 4, 2)).astype(np.float16)
    name = os.fsdecode(b"walk/\xff.avi")  # a file name that is no text
    reader = make_reader(store_dense_flow=4)
    sample = reader.read(changed(dense_flow=dense, clip=name))
    assert sample.origin == (name, "walk", "a")
    assert sample.frame_index == 0
    assert sample.frame.shape == (8, 8, 3) and (sample.frame == 10).all()
    np.testing.assert_array_equal(sample.flow, SAMPLE.flow)
    np.testing.assert_array_equal(sample.codes, SAMPLE.codes)
    np.testing.assert_array_equal(sample.kept["dense_flow"], dense.astype(np.float32))
    assert reader.fault(sample) == ""


@pytest.mark.parametrize(
    "record, flags, message",
    [
        (tf.constant(b"noise"), {}, "do not parse"),
        (changed(codes=np.array([0, 0, 1])), {}, "do not parse"),
        (changed(), {"store_dense_flow": 4}, "do not parse"),
        (changed(frame=b"short"), {}, "hold no raw frame of 8x8"),
        (changed(), {"frame_encoding": "png"}, "hold no png frame of 8x8"),
        (
            changed(frame=encode_frame(texture(0, 9, 9), "png")),
            {"frame_encoding": "png"},
            "hold no png frame of 8x8",
        ),
        (
            changed(dense_flow=np.zeros((2, 2, 2), np.float16)),
            {"store_dense_flow": 4},
            "hold no dense_flow of 4x4x2",
        ),
    ],
)
def test_records_that_hold_no_sample(record, flags, message):
    with pytest.raises(BadRecordError, match=f"^{message}$"):
        make_reader(**flags).read(record)


@pytest.mark.parametrize(
    "changes, fault",
    [
        (
            {"flow": np.full((2, 2, 2), np.nan, np.float32)},
            "hold flow that is not finite",
        ),
        ({"codes": np.array([0, 0, 1, 3])}, "hold codes outside 0 to 2"),
        ({"codes": np.array([-1, 0, 1, 2])}, "hold codes outside 0 to 2"),
        (
            {"codes": np.array([0, 0, 2, 1])},
            "hold codes that are not those of their flow",
        ),
    ],
)
def test_values_that_are_wrong(changes, fault):
    reader = make_reader()
    assert reader.fault(reader.read(changed(**changes))) == fault


def test_dense_flow_that_is_not_finite():
    reader = make_reader(store_dense_flow=4)
    dense = np.full((4, 4, 2), np.inf, np.float16)
    fault = reader.fault(reader.read(changed(dense_flow=dense)))
    assert fault == "hold dense_flow that is not finite"


def test_a_past_is_known_as_a_whole_or_not_at_all():
    reader = make_reader(past_frames=2)
    past = np.full((2, 2, 2), np.nan, np.float16)
    assert reader.fault(reader.read(changed(past_flow=past))) == ""
    past[0] = 1
    fault = reader.fault(reader.read(changed(past_flow=past)))
    assert fault == "hold past_flow that is not finite"


def test_codes_mean_nothing_without_a_codebook():
    reader = make_reader(codebook=False)
    assert reader.fault(reader.read(changed(codes=np.array([9, 9, 9, 9])))) == ""
