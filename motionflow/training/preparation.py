"""What a training needs before its first step.

settings, data -> config.json, learning rate schedule, compiled model

The rate is a function of the optimizer's own step, so it needs no callback, and a
resumed training finds it again.
"""

import dataclasses
import math
from typing import Any

import tensorflow as tf

from motionflow.compat import keras
from motionflow.data import pipeline
from motionflow.data.augmentation import Augmentation
from motionflow.data.data_dir import DataDir
from motionflow.errors import InputError
from motionflow.labels.codebook import Codebook
from motionflow.models import choose_head, keras_metrics, losses, network_options
from motionflow.models.dilated_head import start_at_prior
from motionflow.models.network import build_model, takes_known, target_options
from motionflow.training.optimizers import Schedule, make_optimizer
from motionflow.training.settings import Settings


def augmentation(settings: Settings) -> Augmentation:
    """What is done to training images."""
    return Augmentation(**_named(settings, Augmentation))


def loss_options(settings: Settings) -> losses.LossOptions:
    """What is changed about cross-entropy."""
    return losses.LossOptions(**_named(settings, losses.LossOptions))


def _named(settings: Settings, options: type) -> dict[str, Any]:
    """The settings that are called as the fields of some options."""
    names = [field.name for field in dataclasses.fields(options)]
    return {name: getattr(settings, name) for name in names}


def make_config(settings: Settings, data: DataDir) -> dict[str, dict]:
    """What config.json holds: the model, the training and the data it belongs to."""
    model, training = settings.section("model"), settings.section("training")
    name, targets = settings.model, target_options(settings.model, data)
    is_pretrained = settings.pretrained is not None
    trains_trunk = not settings.freeze_trunk or settings.train_trunk_from >= 0
    # What older runs do not know and others do not use.
    if "sequence_length" not in targets:
        del training["teacher_forcing"]
    if settings.train_trunk_from < 0:
        del model["train_trunk_from"]
    if "blind" not in network_options(name):
        del model["blind"]
    if not takes_known(name):
        del training["flow_weight"]
    if not settings.keep_trunk_maps:
        del training["num_views"]
    if settings.optimizer != "adamw":
        del training["weight_decay"]
    return {
        "model": {
            "name": name,
            "num_clusters": data.codebook.num_clusters,
            "grid_size": data.grid_size,
            **targets,
            **model,
            "head": choose_head(name, settings.head),
            "fixed_norm": is_pretrained and trains_trunk,
            "untilt": model["untilt"] and loss_options(settings).is_tilted,
        },
        # Which file it was may change: a resumed run has its weights already.
        "training": training | {"is_pretrained": is_pretrained},
        "data": {
            "frame_size": data.frame_size,
            "codebook_fingerprint": data.codebook.fingerprint,
            "num_training_samples": data.num_samples("train"),
            "num_validation_samples": data.num_samples("validation"),
        },
    }


def make_schedule(settings: Settings, steps: int) -> Schedule:
    """The learning rate of each step; `steps` are an epoch's."""
    return Schedule(
        settings.learning_rate_schedule,
        settings.learning_rate,
        total=settings.epochs * steps,
        decay=settings.learning_rate_decay_epoch * steps,
        factor=settings.learning_rate_decay_factor,
        warmup=round(settings.warmup_epochs * steps),
    )


def make_model(settings: Settings, data: DataDir, schedule: Schedule) -> keras.Model:
    """Builds and compiles the network; call it under the strategy."""
    config = make_config(settings, data)["model"]
    model = build_model(**config, mean_frame=data.mean_frame)
    tilt = losses.tilt(data.codebook.counts, loss_options(settings))
    if config["untilt"]:
        model.get_layer("logits").tilt.assign(tilt)
    if config["head"] == "dilated":
        start_at_prior(model, data.codebook.counts, tilt)
    steps = settings.epochs * pipeline.steps_per_epoch(data, settings.batch_size)
    model.set_up(
        data.codebook.centers,
        teacher_steps=settings.teacher_forcing * steps,
        flow_weight=settings.flow_weight,
    )
    optimizer = make_optimizer(
        settings.optimizer, schedule, settings.weight_decay, settings.clip_norm
    )
    compile_model(model, optimizer, data.codebook, loss_options(settings))
    return model


def compile_model(
    model: keras.Model,
    optimizer: keras.optimizers.Optimizer,
    codebook: Codebook,
    options: losses.LossOptions,
) -> None:
    """Gives a model its optimizer, its loss and the metrics of each epoch."""
    loss = losses.make_loss(options, codebook.counts, codebook.centers)
    model.compile(
        optimizer,
        loss=lambda targets, logits: loss(pipeline.unpack_targets(targets)[0], logits),
        metrics=keras_metrics.training_metrics(codebook),
    )
    # Keras makes the metrics at the first step; a checkpoint wants them before.
    logits = tf.zeros([1, *model.output_shape[1:]])
    model.compiled_loss.build(logits)
    model.compiled_metrics.build(logits, tf.zeros([*logits.shape[:-1], 3]))


def check_replicas(batch_size: int, num_replicas: int) -> None:
    """Refuses a global batch that the replicas cannot share, as an InputError."""
    if batch_size % num_replicas:
        fitting = math.ceil(batch_size / num_replicas) * num_replicas
        raise InputError(
            f"{num_replicas} replicas cannot share batches of {batch_size} evenly; "
            f"pass --batch_size={fitting}"
        )
