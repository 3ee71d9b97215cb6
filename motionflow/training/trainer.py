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

from motionflow.compat import as_written, keras
from motionflow.data import finishing, pipeline
from motionflow.data.data_dir import open_data_dir
from motionflow.files import outputs
from motionflow.files.lock import alone
from motionflow.models import blocks, weights
from motionflow.models.network import target_view
from motionflow.models.run_dir import RunDir
from motionflow.training import devices, display
from motionflow.training.callbacks import (
    Profiler,
    StepKeeper,
    WeightAverage,
    profile_range,
)
from motionflow.training.checkpoints import Checkpoints, Progress
from motionflow.training.preparation import (
    augmentation,
    check_replicas,
    make_config,
    make_model,
    make_schedule,
)
from motionflow.training.settings import Settings
from motionflow.training.tensorboard import Board
from motionflow.training.trunk_maps import check_keepable, keep_maps

_LOG = logging.getLogger(__name__)
Watch = Callable[[dict[str, float]], None]


@as_written
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
      InputError: unusable data, another run's directory, too few samples or replicas
        for a batch, a diverged loss, or another process that trains there.
      Stopped: SIGTERM or Ctrl-C came; the training is saved.
    """
    return Trainer(settings, watch, bar).run()


class Trainer:
    """What a training needs, made from its settings, and the way through it.

    Attributes:
      strategy: the devices.
      data: the data directory with the network's targets.
      schedule: the learning rate of each step.
      model: what is trained.
      evaluated: what is validated and kept: the average of the weights, or `model`.
      checkpoints: what is saved, from `run` on.
    """

    def __init__(
        self, settings: Settings, watch: Watch = lambda row: None, bar: bool = False
    ):
        self.settings, self._watch, self._has_bar = settings, watch, bar
        self.strategy = devices.make_strategy(settings.strategy)
        self.is_chief = devices.is_chief(self.strategy)
        self.run_dir = RunDir(settings.run_dir or f"runs/{settings.model}")
        outputs.check_name(self.run_dir.path)
        if self.is_chief:
            outputs.check_folder(self.run_dir.path)
        devices.set_precision(settings.precision)
        keras.utils.set_random_seed(settings.seed)
        data = open_data_dir(settings.data_dir)
        self.data = target_view(settings.model, data)
        steps = pipeline.steps_per_epoch(self.data, settings.batch_size)
        check_replicas(settings.batch_size, self.strategy.num_replicas_in_sync)
        self.schedule = make_schedule(settings, steps)
        self._profiled = profile_range(settings.profile_steps)
        with self.strategy.scope():
            models = [
                make_model(settings, self.data, self.schedule)
                for _ in range(2 if settings.ema_decay else 1)
            ]
            if settings.pretrained and not self.run_dir.checkpoint_paths():
                weights.load_trunk(models[0], settings.pretrained)
        self.model, self.evaluated = models[0], models[-1]
        check_keepable(settings)
        self.progress = Progress(steps, settings.epochs, settings.batch_size)

    def run(self) -> dict[str, Any]:
        """Goes from where the run directory is to the last epoch."""
        if not self.is_chief:
            return self._run()
        with alone(self.run_dir.path):
            self.set_up()
            return self._run()

    def set_up(self) -> None:
        """Sets the run directory up, or checks that it belongs to the same run."""
        config, data = make_config(self.settings, self.data), self.data
        self.run_dir.prepare(config, data.codebook, data.mean_frame)
        self.run_dir.write_flags(self.settings.flag_lines())
        self.run_dir.write_origin(data.manifest)

    def _run(self) -> dict[str, Any]:
        settings, progress = self.settings, self.progress
        average = self.evaluated if settings.ema_decay else None
        with self.strategy.scope():
            self.checkpoints = Checkpoints(
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
            self.checkpoints.restore()
        if progress.epoch >= settings.epochs:
            # A cosine is at its end, whatever comes.
            can_go_on = settings.learning_rate_schedule != "cosine"
            more = "; pass more --epochs" if can_go_on else ""
            _LOG.info(f"{self.run_dir.path} is finished: {progress.epoch} epochs{more}")
        else:
            # Of the trunk that was restored, which is no longer loaded from a file.
            self._kept = keep_maps(settings, self.data, self.model)
            if self._kept:
                self.model.start_from_maps()
                self.evaluated.start_from_maps()
            elif not devices.finishes_on_host(self.strategy):
                self.model.finish = self._finish
            devices.warn_if_slow(settings.precision)
            num_replicas = self.strategy.num_replicas_in_sync
            counts = blocks.count_parameters(self.model), num_replicas
            _LOG.info(display.summary(settings, self.data, progress, *counts))
            self._go_through_epochs(averaging)
        result = progress.summary()
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
        if 0 < progress.step < progress.steps_per_epoch:
            keeper.restore_metrics(self.model.metrics)
        bar = display.ProgressBar(progress, self._has_bar and self.is_chief)
        callbacks, board = [keeper, bar], None
        if self.is_chief:
            logs = self.run_dir.logs
            board = Board(logs, self.data, self.evaluated)
            hparams = {"model": settings.model, **settings.section("model")}
            board.write_run(hparams | settings.section("training"))
            if self._profiled:
                callbacks.append(Profiler(logs, self._profiled, progress))
        with (
            keeper.answering_signals(),
            contextlib.closing(bar),
            contextlib.closing(self.checkpoints),
            self.strategy.scope(),
        ):
            while progress.epoch < settings.epochs:
                self._fit(callbacks)
                validation = self._validate(callbacks)
                confusion = self._confusion()  # a sum over all workers: each takes part
                self._finish_epoch(validation, confusion)
                if board:
                    self._report_epoch(board, confusion)

    def _fit(self, callbacks: list[keras.callbacks.Callback]) -> None:
        """Trains for the steps that the epoch still has, if any."""
        settings, progress = self.settings, self.progress
        if progress.training is not None:
            return
        order = {
            "batch_size": settings.batch_size,
            "seed": settings.seed,
            "epoch": progress.epoch,
            "first_step": progress.step,
            "tells": self.model.takes_known,
        }

        def batches(context: tf.distribute.InputContext) -> tf.data.Dataset:
            if self._kept:
                return self._kept["train"].training_batches(**order)
            read = pipeline.training_batches(self.data, context=context, **order)
            if self.model.finish:
                return read
            return read.map(self._finish, num_parallel_calls=tf.data.AUTOTUNE)

        if steps := progress.steps_per_epoch - progress.step:
            self.model.fit(
                self.strategy.distribute_datasets_from_function(batches),
                steps_per_epoch=steps,
                initial_epoch=progress.epoch,
                epochs=progress.epoch + 1,
                callbacks=callbacks,
                verbose=0,
            )
        progress.training = {
            metric.name: float(metric.result()) for metric in self.model.metrics
        }

    def _finish(self, batch: dict[str, tf.Tensor]) -> tuple:
        return finishing.finish(self.data, augmentation(self.settings), batch)

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
        policy = tf.data.experimental.AutoShardPolicy.DATA
        options.experimental_distribute.auto_shard_policy = policy
        logs = self.evaluated.evaluate(
            batches.with_options(options),
            callbacks=callbacks,
            return_dict=True,
            verbose=0,
        )
        return {f"val_{name}": float(value) for name, value in logs.items()}

    def _confusion(self) -> np.ndarray:
        """Of the split that the metrics saw last: validation, if there is one."""
        last = self.evaluated if self.data.num_samples("validation") else self.model
        (recall,) = [one for one in last.metrics if one.name == "mean_recall"]
        return recall.confusion.numpy()

    def _finish_epoch(
        self, validation: dict[str, float], confusion: np.ndarray
    ) -> None:
        progress = self.progress
        assert progress.training is not None, "_fit sets it"
        self._read_clock()
        # The share of the cells in which the class that is predicted most is predicted.
        most_predicted = float(confusion.sum(axis=0).max() / confusion.sum())
        num_steps = progress.steps_per_epoch
        num_images = num_steps * progress.batch_size
        progress.finish_epoch(
            {
                "epoch": progress.epoch + 1,
                **progress.training,
                **validation,
                f"{'val_' if validation else ''}most_predicted": most_predicted,
                "learning_rate": float(
                    self.schedule((progress.epoch + 1) * num_steps - 1)
                ),
                "seconds": progress.seconds,
                "images_per_second": num_images / progress.seconds,
                "input_share": progress.input_seconds / progress.seconds,
            }
        )
        self._save()
        self.checkpoints.save_best()

    def _report_epoch(self, board: Board, confusion: np.ndarray) -> None:
        row, still = self.progress.rows[-1], self.data.codebook.zero_index
        self.run_dir.write_history(self.progress.rows)
        self._watch(row)
        if warning := display.stuck_warning(confusion, still, row["epoch"]):
            _LOG.warning(warning)
        board.write_epoch(row, confusion)

    def _read_clock(self) -> None:
        if self.model.input_clock:  # else there was nothing left to fit
            self.progress.input_seconds += self.model.input_clock.read()

    def _save(self) -> None:
        self._read_clock()
        self.checkpoints.save()
