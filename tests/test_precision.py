"""Low precision learns as float32 does, within the noise of training itself."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from motionflow.compat import keras
from motionflow.data import finishing, pipeline
from motionflow.data.augmentation import Augmentation
from motionflow.training import devices, preparation
from tests import tiny_run

pytestmark = pytest.mark.slow

NUM_STEPS = 24


@pytest.fixture(scope="module")
def losses(data):
    """Precision, seed -> the loss of each of the first steps, and the trained model."""

    @functools.cache
    def train(precision, seed=0):
        options = {"width": 0.05, "learning_rate": 3e-3, "dropout": 0.0}
        settings = tiny_run.settings("", "", **options)
        devices.set_precision(precision)
        keras.utils.set_random_seed(0)
        try:
            schedule = preparation.make_schedule(settings, 3)
            model = preparation.make_model(settings, data, schedule)
        finally:
            devices.set_precision("float32")
        found = []
        for epoch in range(100):
            for batch in pipeline.training_batches(data, 4, seed, epoch):
                model.reset_metrics()
                batch = finishing.finish(data, Augmentation(), batch)
                found.append(model.train_on_batch(*batch, return_dict=True)["loss"])
            if len(found) >= NUM_STEPS:
                return np.array(found[:NUM_STEPS]), model

    return train


@pytest.mark.parametrize("precision", ["mixed_float16", "mixed_bfloat16"])
def test_the_first_losses_are_float32s_within_noise(losses, precision):
    reference, _ = losses("float32")
    assert reference[-5:].mean() < 0.8 * reference[:5].mean()  # it learns
    low, _ = losses(precision)
    # Noise: the same samples in another order.
    noise = np.abs(losses("float32", seed=1)[0] - reference).mean()
    assert np.isfinite(low).all()
    assert np.abs(low - reference).mean() < noise
    assert low[-5:].mean() == pytest.approx(reference[-5:].mean(), rel=0.1)


@pytest.mark.parametrize("precision", ["mixed_float16", "mixed_bfloat16"])
def test_convolutions_are_low_and_logits_loss_and_weights_are_not(losses, precision):
    _, model = losses(precision)
    kinds = {layer.compute_dtype for layer in model.layers if "conv" in layer.name}
    assert kinds == {precision.removeprefix("mixed_")}
    assert {weight.dtype for weight in model.trainable_weights} == {tf.float32}
    logits = model(tf.zeros((1, 64, 64, 3)))
    assert logits.dtype == tf.float32
    assert model.compiled_loss(tf.zeros((1, 1, 3, 3, 3)), logits).dtype == tf.float32
    scaled = precision == "mixed_float16"
    assert hasattr(model.optimizer, "dynamic_growth_steps") == scaled
