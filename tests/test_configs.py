"""Every flag file parses, builds, and has a parameter count that is pinned here."""

import contextlib
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from motionflow import cli
from motionflow.commands import train
from motionflow.commands.training_flags import settings_from
from motionflow.models import blocks
from motionflow.models.network import build_model
from motionflow.training.settings import Settings

pytestmark = pytest.mark.slow

CONFIG_DIR = Path(__file__).parents[1] / "configs"
CONFIGS = sorted(CONFIG_DIR.glob("*.flags"))

# Convolution and dense weights and biases, for 200x200 frames, 20x20 cells, 40 motions.
NUM_PARAMETERS = {
    "allconv": 7_159_848,
    "allconv_literal": 7_159_848,
    "best": 7_159_848,
    "alexnet": 112_299_008,
    "walker": 122_420_224,
    "vgg": 172_549_568,
    "convnext": 6_195_368,
    "efficientnet": 3_265_544,
    "guided": 3_317_559,
    "guided_small": 3_181_367,
    "dense": 13_715_752,
    "sequence": 8_551_336,
    "dense_sequence": 16_281_768,
    "demo": 3_139_848,
    "small": 454_440,
}
# Five steps, 100x100 cells.
TARGETS = {
    "dense": {"dense_size": 100},
    "sequence": {"sequence_length": 5},
    "dense_sequence": {"dense_size": 100, "sequence_length": 5},
}
SHAPES = {"dense": (1, 100), "sequence": (5, 20), "dense_sequence": (5, 100)}


def parse(config):
    return settings_from(cli.parse(train, [f"--flagfile={config}"]))


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.stem)
def test_config(config):
    settings = parse(config)
    options = {**settings.section("model"), "untilt": False}
    options |= TARGETS.get(settings.model, {})
    # In a graph the weights are declared but not filled: no 450 MB of random numbers.
    # Keras makes no model there that begins in the middle of another, as guided does.
    is_small = settings.model == "guided"
    with contextlib.nullcontext() if is_small else tf.Graph().as_default():
        model = build_model(
            settings.model,
            mean_frame=np.zeros((200, 200, 3), np.float32),
            num_clusters=40,
            grid_size=20,
            **options,
        )
    steps, side = SHAPES.get(settings.model, (1, 20))
    assert model.output_shape == (None, steps, side, side, 40)
    assert blocks.count_parameters(model) == NUM_PARAMETERS[config.stem]
    assert f"{NUM_PARAMETERS[config.stem]:,}" in config.read_text()
    assert f"--flagfile=configs/{config.name}" in config.read_text()


def test_each_pin_has_its_config():
    assert {config.stem for config in CONFIGS} == set(NUM_PARAMETERS)


def test_the_reports_recipes():
    names = ["batch_size", "epochs", "learning_rate", "l2", "dropout"]
    recipes = {
        config.stem: [getattr(parse(config), name) for name in names]
        for config in CONFIGS
    }
    assert recipes["allconv"] == [125, 81, 1e-3, 1e-5, 0.3]
    assert recipes["alexnet"] == [125, 55, 1e-4, 0.0, 0.5]
    assert recipes["allconv_literal"] == recipes["allconv"]
    assert parse(CONFIG_DIR / "allconv_literal.flags").literal_head
    assert recipes["walker"] == [100, 55, 1e-5, 5e-4, 0.5]
    assert parse(CONFIG_DIR / "walker.flags").optimizer == "sgd"
    decay = ["learning_rate_decay_epoch", "learning_rate_decay_factor"]
    allconv, alexnet = (
        parse(CONFIG_DIR / f"{name}.flags") for name in ("allconv", "alexnet")
    )
    assert [getattr(allconv, name) for name in decay] == [3, 10]
    assert alexnet.learning_rate_decay_epoch == 0


def test_the_defaults_are_the_all_convolutional_recipe():
    assert parse(CONFIG_DIR / "allconv.flags") == Settings()
