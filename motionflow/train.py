"""Data directory -> trained network in a run directory.

    python -m motionflow.train --flagfile=configs/allconv.flags
    python -m motionflow.train --flagfile=configs/allconv.flags --data_dir=D --run_dir=R

    D/ -> batches -> model.fit under a strategy -> R/ (see models/run_dir.py)

The defaults are the report's all-convolutional recipe (section 4): Adam, 0.9 and 0.999,
batches of 125. The same command resumes after the last finished epoch, exactly: order,
mirroring and dropout of epoch e do not depend on where the run was interrupted.

`loss` and `val_loss` are what training minimises: cross-entropy summed over the cells,
averaged over images, plus the L2 penalty. `cross_entropy` is the same without penalty.
Training metrics are averages while the weights change, validation metrics belong to the
end of the epoch (as in figures 7 and 8).
"""

import dataclasses
import math
import sys
from collections.abc import Sequence
from typing import Any

import tensorflow as tf
from absl import flags

from motionflow import cli, runtime
from motionflow.compat import keras
from motionflow.data import pipeline, records
from motionflow.errors import InputError
from motionflow.models import (
    BUILDERS,
    blocks,
    build_model,
    keras_metrics,
    spatial_softmax,
)
from motionflow.models.recorder import Recorder, summarize
from motionflow.models.run_dir import RunDir


def _setting(default: Any, text: str, **limits) -> Any:
    return dataclasses.field(default=default, metadata={"help": text, **limits})


@dataclasses.dataclass(frozen=True)
class Settings:
    """One training, field by field the flags of this command."""

    model: str = _setting("allconv", "Network.", enum_values=list(BUILDERS))
    width: float = _setting(1.0, "Factor on filters and units.", lower_bound=0.0)
    literal_head: bool = _setting(False, "allconv: batch norm and ReLU on the scores.")
    data_dir: str = _setting("data/tfrecords", "From tools/make_tfrecords.py.")
    run_dir: str | None = _setting(None, "Where results go; default runs/<model>.")
    batch_size: int = _setting(125, "Images a step, all replicas.", lower_bound=1)
    epochs: int = _setting(81, "Epochs altogether.", lower_bound=1)
    learning_rate: float = _setting(1e-3, "Adam's step size.", lower_bound=0.0)
    learning_rate_decay_epoch: int = _setting(
        3, "Divide the learning rate after so many epochs; 0: never.", lower_bound=0
    )
    learning_rate_decay_factor: float = _setting(
        10.0, "What the learning rate is divided by.", lower_bound=1.0
    )
    l2: float = _setting(1e-5, "L2 on kernels: gradient l2 * w.", lower_bound=0.0)
    dropout: float = _setting(0.3, "Share dropped.", lower_bound=0.0, upper_bound=0.9)
    mirror: bool = _setting(True, "Mirror half of the training images.")
    seed: int = _setting(0, "Of weights, order, mirroring, dropout.", lower_bound=0)
    strategy: str = _setting(
        "one_device", "Devices.", enum_values=list(runtime.STRATEGIES)
    )
    precision: str = _setting(
        "float32", "Keras precision policy.", enum_values=list(runtime.PRECISIONS)
    )
    num_checkpoints: int = _setting(2, "Last checkpoints to keep.", lower_bound=1)


# Settings by how they enter config.json; those in neither may differ in a resumed run.
MODEL_SETTINGS = ("width", "l2", "dropout", "literal_head")
TRAINING_SETTINGS = (
    "batch_size",
    "epochs",
    "learning_rate",
    "learning_rate_decay_epoch",
    "learning_rate_decay_factor",
    "mirror",
    "seed",
    "precision",
)


def define_flags(flag_values: flags.FlagValues = flags.FLAGS) -> None:
    """Defines this command's flags on a registry."""
    define = {
        bool: flags.DEFINE_bool,
        int: flags.DEFINE_integer,
        float: flags.DEFINE_float,
    }
    for field in dataclasses.fields(Settings):
        options = dict(field.metadata)
        is_enum = "enum_values" in options
        function = define.get(field.type, flags.DEFINE_string)
        function = flags.DEFINE_enum if is_enum else function
        function(field.name, field.default, flag_values=flag_values, **options)


def settings_from(flag_values: flags.FlagValues) -> Settings:
    """Reads parsed flags."""
    names = [field.name for field in dataclasses.fields(Settings)]
    return Settings(**{name: flag_values[name].value for name in names})


def train(settings: Settings) -> dict[str, Any]:
    """Trains, or resumes, one network.

    Args:
      settings: everything that the flags can say.

    Returns:
      The contents of result.json.

    Raises:
      InputError: unusable data directory, a run directory of another run, fewer samples
        than a batch, a batch that the replicas cannot share, or a diverged loss.
    """
    strategy = runtime.make_strategy(settings.strategy)
    runtime.set_precision(settings.precision)
    runtime.set_seeds(settings.seed)
    data = records.open_data_dir(settings.data_dir)
    steps = pipeline.steps_per_epoch(data, settings.batch_size)
    _check_replicas(settings.batch_size, strategy.num_replicas_in_sync)
    run_dir = RunDir(settings.run_dir or f"runs/{settings.model}")
    config = make_config(settings, data)
    with strategy.scope():
        model = build_model(**config["model"], mean_frame=data.mean_frame)
        compile_model(model, settings.learning_rate)
    if runtime.is_chief(strategy):
        run_dir.prepare(config, data.codebook, data.mean_frame)
        run_dir.write_flags(_flag_lines(settings))
    num_done = run_dir.num_epochs
    if num_done >= settings.epochs:
        print(f"{run_dir.path} is finished: {num_done} epochs; pass more --epochs")
        rows = run_dir.read_history()
    else:
        print(_summary(settings, model, data, steps, strategy, num_done))
        rows = _fit(settings, model, data, run_dir, strategy)
    result = summarize(rows)
    if runtime.is_chief(strategy):
        run_dir.write_result(result)
    return result


def make_config(settings: Settings, data: records.DataDir) -> dict[str, dict]:
    """What config.json holds: the model, the training and the data it belongs to."""
    values = dataclasses.asdict(settings)
    return {
        "model": {
            "name": settings.model,
            "num_clusters": data.codebook.num_clusters,
            "grid_size": data.grid_size,
            **{key: values[key] for key in MODEL_SETTINGS},
        },
        "training": {key: values[key] for key in TRAINING_SETTINGS},
        "data": {
            "frame_size": data.frame_size,
            "codebook_fingerprint": data.codebook.fingerprint,
            "num_training_samples": data.num_samples("train"),
            "num_validation_samples": data.num_samples("validation"),
        },
    }


def compile_model(model: keras.Model, learning_rate: float) -> None:
    """Gives a model Adam, the spatial softmax loss and the metrics of each epoch."""
    model.compile(
        # Torch7's epsilon; the report names the two decay rates.
        keras.optimizers.Adam(learning_rate, beta_1=0.9, beta_2=0.999, epsilon=1e-8),
        loss=spatial_softmax.loss,
        metrics=[
            keras.metrics.MeanMetricWrapper(
                spatial_softmax.loss, name="cross_entropy", dtype="float32"
            ),
            *keras_metrics.training_metrics(model.output_shape[-1]),
        ],
    )


def _fit(
    settings: Settings,
    model: keras.Model,
    data: records.DataDir,
    run_dir: RunDir,
    strategy: tf.distribute.Strategy,
) -> list[dict[str, float]]:
    with strategy.scope():
        recorder = Recorder(
            model,
            run_dir,
            settings.batch_size,
            settings.num_checkpoints,
            runtime.is_chief(strategy),
        )
    num_done = recorder.restore()
    training = pipeline.training_batches(
        data, settings.batch_size, settings.seed, settings.mirror, first_epoch=num_done
    )
    validation = None
    if data.num_samples("validation"):
        validation = _sharded(
            pipeline.evaluation_batches(data, "validation", settings.batch_size).map(
                lambda batch: (batch["frames"], batch["codes"])
            )
        )
    model.fit(
        _sharded(training),
        validation_data=validation,
        steps_per_epoch=pipeline.steps_per_epoch(data, settings.batch_size),
        epochs=settings.epochs,
        initial_epoch=num_done,
        callbacks=[
            keras.callbacks.LearningRateScheduler(
                lambda epoch: learning_rate_at(epoch, settings)
            ),
            keras.callbacks.TensorBoard(recorder.log_dir, write_graph=False),
            recorder,
        ],
        verbose=1 if sys.stdout.isatty() else 2,
    )
    return recorder.rows


def learning_rate_at(epoch: int, settings: Settings) -> float:
    """The learning rate of an epoch, counted from 0."""
    decay_epoch = settings.learning_rate_decay_epoch
    if decay_epoch and epoch >= decay_epoch:
        return settings.learning_rate / settings.learning_rate_decay_factor
    return settings.learning_rate


def _sharded(dataset: tf.data.Dataset) -> tf.data.Dataset:
    # Workers split each batch: they see the same global batches as one device would,
    # and there need not be a file for each of them.
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = (
        tf.data.experimental.AutoShardPolicy.DATA
    )
    return dataset.with_options(options)


def _check_replicas(batch_size: int, num_replicas: int) -> None:
    if batch_size % num_replicas:
        fitting = math.ceil(batch_size / num_replicas) * num_replicas
        raise InputError(
            f"{num_replicas} replicas cannot share batches of {batch_size} evenly; "
            f"pass --batch_size={fitting}"
        )


def _flag_lines(settings: Settings) -> str:
    values = dataclasses.asdict(settings).items()
    return "".join(f"--{name}={v}\n" for name, v in values if v is not None)


def _summary(
    settings: Settings,
    model: keras.Model,
    data: records.DataDir,
    steps: int,
    strategy: tf.distribute.Strategy,
    num_done: int,
) -> str:
    num_train, num_validation = map(data.num_samples, ("train", "validation"))
    grid, clusters = data.grid_size, data.codebook.num_clusters
    validation = f"{num_validation:,} validation samples"
    if not num_validation:
        validation = "NO validation samples: training without validation"
    return "\n".join(
        [
            f"model     {settings.model}, width {settings.width:g}, "
            f"{blocks.count_parameters(model):,} parameters",
            f"data      {data.path}: {num_train:,} training and {validation}, "
            f"{grid}x{grid} cells, {clusters} motions",
            f"training  epochs {num_done + 1} to {settings.epochs}, "
            f"{steps:,} steps of {settings.batch_size} images",
            f"device    {settings.strategy} of {strategy.num_replicas_in_sync}, "
            f"{settings.precision}, TensorFlow {tf.__version__}",
        ]
    )


def main(argv: Sequence[str]) -> None:
    """Runs the command."""
    del argv
    settings = settings_from(flags.FLAGS)
    result = train(settings)
    print(f"results     {settings.run_dir or f'runs/{settings.model}'}/result.json")
    for split in ("training", "validation"):
        if result[split]:
            metrics = [f"{name} {value:.4g}" for name, value in result[split].items()]
            print(f"{split:<12}{', '.join(metrics)}")


if __name__ == "__main__":
    cli.run(main, define_flags)
