"""One training, epoch by epoch.

    Settings -> data, model under a strategy -> [fit -> validate -> row, checkpoint]*
      -> result.json

`fit` is called once an epoch, with the steps that the epoch still has. `loss` and
`val_loss` are what training minimises (`models/losses.py`, plus the L2 penalty), summed
over the cells, averaged over images; `cross_entropy` is the plain one. Training metrics
are averages while the weights change, validation metrics belong to the end of the epoch
(as in figures 7 and 8).
"""

import contextlib
import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from motionflow import runtime
from motionflow.compat import keras
from motionflow.data import pipeline
from motionflow.data.data_dir import open_data_dir
from motionflow.files import outputs
from motionflow.files.lock import alone
from motionflow.models import blocks, trunk
from motionflow.models.building import target_view
from motionflow.models.guided import GuidedNetwork
from motionflow.models.run_dir import RunDir
from motionflow.training import display
from motionflow.training.callbacks import StepKeeper
from motionflow.training.checkpoints import Checkpoints
from motionflow.training.preparation import (
    augmentation,
    check_replicas,
    make_config,
    make_model,
    make_schedule,
)
from motionflow.training.profiler import Profiler, profile_range
from motionflow.training.progress import Progress, summarize
from motionflow.training.settings import Settings
from motionflow.training.tensorboard import Board
from motionflow.training.trunk_maps import check_keepable, keep_maps
from motionflow.training.weight_average import WeightAverage

_LOG = logging.getLogger(__name__)
Watch = Callable[[dict[str, float]], None]


@tf.autograph.experimental.do_not_convert
def train(
    settings: Settings, watch: Watch = lambda row: None, bar: bool = False
) -> dict[str, Any]:
    """Trains, or resumes, one network.

    Args:
      settings: everything that the flags can say.
      watch: is given each finished epoch, as a row of history.csv.
      bar: shows a bar on standard error while an epoch runs, if that is a terminal.

    Returns:
      The contents of result.json.

    Raises:
      InputError: unusable data directory, a run directory of another run, fewer samples
        than a batch, a batch that the replicas cannot share, a diverged loss, or
        another process that trains there.
      Stopped: SIGTERM or Ctrl-C came; the training is saved.
    """
    return Trainer(settings, watch, bar).run()


class Trainer:
    """What a training needs, made from its settings, and the way through it.

    Attributes:
      settings: what it was made from.
      strategy: the devices.
      data: the opened data directory.
      steps: of an epoch.
      run_dir: where results go.
      schedule: the learning rate of each step.
      model: what is trained.
      predictor: what is validated and used: the model of averaged weights, or `model`.
      progress: the place in the training.
    """

    def __init__(
        self,
        settings: Settings,
        watch: Watch = lambda row: None,
        bar: bool = False,
    ):
        self.settings, self._watch, self._has_bar = settings, watch, bar
        self.strategy = runtime.make_strategy(settings.strategy)
        self.is_chief = runtime.is_chief(self.strategy)
        self.run_dir = RunDir(settings.run_dir or f"runs/{settings.model}")
        outputs.check_name(self.run_dir.path)
        if self.is_chief:
            outputs.check_folder(self.run_dir.path)
        runtime.set_precision(settings.precision)
        runtime.set_seeds(settings.seed)
        data = open_data_dir(settings.data_dir)
        self.data = target_view(settings.model, data)
        self.steps = pipeline.steps_per_epoch(self.data, settings.batch_size)
        check_replicas(settings.batch_size, self.strategy.num_replicas_in_sync)
        self.schedule = make_schedule(settings, self.steps)
        self.profile = settings.profile_steps and profile_range(settings.profile_steps)
        with self.strategy.scope():
            models = [
                make_model(settings, self.data, self.schedule)
                for _ in range(2 if settings.ema_decay else 1)
            ]
            if settings.pretrained and not self.run_dir.checkpoint_paths():
                trunk.load(models[0], settings.pretrained)
        self.model, self.predictor = models[0], models[-1]
        self._tells = isinstance(self.model, GuidedNetwork)
        check_keepable(settings)
        self.progress = Progress()

    def run(self) -> dict[str, Any]:
        """Goes from where the run directory is to the last epoch."""
        if not self.is_chief:
            return self._run()
        with alone(self.run_dir.path):
            self.set_up()
            return self._run()

    def set_up(self) -> None:
        """Sets the run directory up, or checks that it belongs to the same run."""
        config = make_config(self.settings, self.data)
        self.run_dir.prepare(config, self.data.codebook, self.data.mean_frame)
        self.run_dir.write_flags(self.settings.flag_lines())
        self.run_dir.write_origin(self.data.manifest)

    def _run(self) -> dict[str, Any]:
        settings, progress = self.settings, self.progress
        average = self.predictor if settings.ema_decay else None
        with self.strategy.scope():
            self._checkpoints = Checkpoints(
                self.run_dir,
                self.model,
                average,
                progress,
                settings.num_checkpoints,
                settings.num_best_checkpoints,
                self.is_chief,
            )
            averaging = average and WeightAverage(
                self.model, average, settings.ema_decay
            )
            self._checkpoints.restore()
        if progress.epoch >= settings.epochs:
            # A cosine is at its end, whatever comes.
            can_go_on = settings.learning_rate_schedule != "cosine"
            more = "; pass more --epochs" if can_go_on else ""
            path = self.run_dir.path
            _LOG.info("%s is finished: %d epochs%s", path, progress.epoch, more)
        else:
            # Of the trunk that was restored, which is no longer loaded from a file.
            self._kept = keep_maps(settings, self.data, self.model)
            if self._kept:
                self.model.start_from_maps()
                self.predictor.start_from_maps()
            _LOG.info(self._summary())
            self._go_through_epochs(averaging)
        result = summarize(progress.rows)
        if self.is_chief:
            # The history too: a kill may have come between a checkpoint and its row.
            self.run_dir.write_history(progress.rows)
            self.run_dir.write_result(result)
        return result

    def _go_through_epochs(self, averaging: WeightAverage | None) -> None:
        settings, progress = self.settings, self.progress

        def after_step() -> None:
            if averaging:
                averaging.update(self.model.optimizer.iterations)

        keeper = StepKeeper(
            progress,
            self._save,
            settings.checkpoint_steps,
            after_step,
            saves_alone=settings.strategy != "multi_worker",
        )
        if 0 < progress.step < self.steps:
            keeper.restore_metrics(self.model.metrics)
        bar = display.ProgressBar(
            progress,
            self.steps,
            settings.epochs,
            settings.batch_size,
            self._has_bar and self.is_chief,
        )
        callbacks, board = [keeper, bar], None
        if self.is_chief:
            board = Board(self.run_dir.logs, self.data, self.predictor)
            hparams = {"model": settings.model, **settings.section("model")}
            board.write_run(hparams | settings.section("training"))
            if self.profile:
                callbacks.append(
                    Profiler(self.run_dir.logs, self.profile, progress, self.steps)
                )
        with (
            keeper.answering_signals(),
            contextlib.closing(bar),
            self.strategy.scope(),
        ):
            while progress.epoch < settings.epochs:
                self._fit(callbacks)
                validation = self._validate(callbacks)
                confusion = self._confusion()  # a sum over all workers: each takes part
                self._finish_epoch(validation, confusion)
                if board:
                    self._report_epoch(board, confusion)

    def _confusion(self) -> np.ndarray:
        """Of the split that the metrics saw last: validation, if there is one."""
        has_validation = self.data.num_samples("validation")
        metrics = (self.predictor if has_validation else self.model).metrics
        (recall,) = [metric for metric in metrics if metric.name == "mean_recall"]
        return recall.confusion.numpy()

    def _report_epoch(self, board: Board, confusion: np.ndarray) -> None:
        row, still = self.progress.rows[-1], self.data.codebook.zero_index
        self.run_dir.write_history(self.progress.rows)
        self._watch(row)
        if warning := display.stuck_warning(confusion, still, row["epoch"]):
            _LOG.warning(warning)
        board.write_epoch(row, confusion)

    def _fit(self, callbacks: list[keras.callbacks.Callback]) -> None:
        """Trains for the steps that the epoch still has, if any."""
        progress = self.progress
        if progress.training is not None:
            return
        epoch, first_step = progress.epoch, progress.step

        def batches(context: tf.distribute.InputContext) -> tf.data.Dataset:
            if self._kept:
                return self._kept["train"].training_batches(
                    self.settings.batch_size,
                    self.settings.seed,
                    epoch,
                    first_step,
                    self._tells,
                )
            return pipeline.training_batches(
                self.data,
                self.settings.batch_size,
                self.settings.seed,
                epoch,
                augmentation(self.settings),
                first_step,
                context,
                self._tells,
            )

        if first_step < self.steps:
            self.model.fit(
                self.strategy.distribute_datasets_from_function(batches),
                steps_per_epoch=self.steps - first_step,
                initial_epoch=epoch,
                epochs=epoch + 1,
                callbacks=callbacks,
                verbose=0,
            )
        progress.training = {
            metric.name: float(metric.result()) for metric in self.model.metrics
        }

    def _validate(self, callbacks: list[keras.callbacks.Callback]) -> dict[str, float]:
        if not self.data.num_samples("validation"):
            return {}
        size = self.settings.batch_size
        if self._kept:
            batches = self._kept["validation"].evaluation_batches(size)
        else:
            batches = pipeline.evaluation_batches(self.data, "validation", size).map(
                lambda batch: (
                    batch["frames"],
                    pipeline.pack_targets(batch["codes"], batch["flow"]),
                )
            )
        # Workers split each batch: there need not be a file for each of them.
        options = tf.data.Options()
        options.experimental_distribute.auto_shard_policy = (
            tf.data.experimental.AutoShardPolicy.DATA
        )
        logs = self.predictor.evaluate(
            batches.with_options(options),
            callbacks=callbacks,
            return_dict=True,
            verbose=0,
        )
        return {f"val_{name}": float(value) for name, value in logs.items()}

    def _finish_epoch(
        self, validation: dict[str, float], confusion: np.ndarray
    ) -> None:
        progress = self.progress
        assert progress.training is not None, "_fit sets it"
        self._read_clock()
        rate = self.schedule((progress.epoch + 1) * self.steps - 1)
        # The share of the cells in which the class that is predicted most is predicted.
        most_predicted = float(confusion.sum(axis=0).max() / confusion.sum())
        num_images = self.steps * self.settings.batch_size
        progress.finish_epoch(
            {
                "epoch": progress.epoch + 1,
                **progress.training,
                **validation,
                f"{'val_' if validation else ''}most_predicted": most_predicted,
                "learning_rate": float(rate),
                "seconds": progress.seconds,
                "images_per_second": num_images / progress.seconds,
                "input_share": progress.input_seconds / progress.seconds,
            }
        )
        self._save()
        self._checkpoints.save_best()

    def _read_clock(self) -> None:
        if self.model.input_clock:  # else there was nothing left to fit
            self.progress.input_seconds += self.model.input_clock.read()

    def _save(self) -> None:
        self._read_clock()
        self._checkpoints.save(self.progress.epoch * self.steps + self.progress.step)

    def _summary(self) -> str:
        settings, data, progress = self.settings, self.data, self.progress
        num_train, num_validation = map(data.num_samples, ("train", "validation"))
        validation = f"{num_validation:,} validation samples"
        if not num_validation:
            validation = "NO validation samples: training without validation"
        begin = f"epochs {progress.epoch + 1} to {settings.epochs}"
        if progress.step:
            begin += f" (from step {progress.step + 1})"
        return "\n".join(
            [
                f"model     {settings.model}, width {settings.width:g}, "
                f"{blocks.count_parameters(self.model):,} parameters",
                f"data      {data.path}: {num_train:,} training and {validation}, "
                f"{data.grid_size}x{data.grid_size} cells, "
                f"{data.codebook.num_clusters} motions",
                f"training  {begin}, "
                f"{self.steps:,} steps of {settings.batch_size} images",
                f"device    {settings.strategy} of "
                f"{self.strategy.num_replicas_in_sync}, "
                f"{settings.precision}, TensorFlow {tf.__version__}",
            ]
        )
