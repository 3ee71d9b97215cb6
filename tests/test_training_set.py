"""The training split, read in batches, against the records read one by one."""

import numpy as np
import pytest

from motionflow.baselines import training_set
from motionflow.baselines.neighbors import tiny_images
from motionflow.data.records import open_data_dir
from tests.test_baselines import mean_colour, read_examples


@pytest.mark.parametrize("batch_size", [1, 8, 64])
def test_the_training_set_does_not_depend_on_batches(tiny_data_dir, batch_size):
    data = open_data_dir(tiny_data_dir)
    known = training_set.read_training_set(data, mean_colour, 0, batch_size)
    frames, codes, flow = read_examples(data)
    assert len(frames) == data.num_samples("train") > 8
    np.testing.assert_array_equal(known.codes, codes)
    np.testing.assert_array_equal(known.flow, flow)
    np.testing.assert_array_equal(known.vectors["pixels"], tiny_images(frames))
    np.testing.assert_array_equal(known.vectors["features"], mean_colour(frames))
    other = training_set.read_training_set(data, None, 0, 21)
    np.testing.assert_array_equal(known.descriptors, other.descriptors)
    np.testing.assert_array_equal(known.motions, other.motions)
    targets = training_set.read_targets(data, batch_size)
    for found, expected in zip(targets, (flow, codes), strict=True):
        np.testing.assert_array_equal(found, expected)
