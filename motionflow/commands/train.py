"""Trains a network: from a data directory, or from your videos.

    motionflow train data/tfrecords --flagfile=configs/allconv.flags --run_dir=R
    motionflow train videos/

A data directory comes from `motionflow data`; R gets the trained network. Stopped or
killed, the same command goes on after the last saved step, exactly. The defaults are
the report's all-convolutional recipe (section 4): Adam, 0.9 and 0.999, batches of 125.

A folder of videos is turned into data, a network is trained and scored on videos that
it never saw, exported, and one film is made: all of it in one run directory (--run_dir,
runs/<name of the folder>), with data/, evaluation/, exported/ and film.mp4. What is
done is not done again, and nothing is deleted. Labels are made by DIS flow, and what is
trained is a head on the frozen trunk of the model in the box, unless a flag or
--flagfile says otherwise: --model=allconv is a small network from nothing. The flags of
`motionflow data` count here too.
"""

from collections.abc import Callable
from pathlib import Path

from absl import flags

from motionflow import cli
from motionflow.commands import data_flags, training_flags
from motionflow.errors import InputError
from motionflow.flag_groups import FlagGroups

WORDS = "data_dir"
GOES_ON = True
# What a folder of videos gets unless a flag says otherwise: labels that take minutes,
# and the network of configs/demo.flags, or with --model that of configs/small.flags.
DATA_DEFAULTS = {"dataset": "folder", "flow_method": "dis"}
NETWORK_DEFAULTS = {
    "model": "efficientnet",
    "pretrained": "default",
    "freeze_trunk": True,
    "num_views": 2,
    "width": 0.75,
    "batch_size": 16,
    "epochs": 30,
    "optimizer": "adamw",
    "l2": 0.0,
    "learning_rate": 8e-3,
    "learning_rate_schedule": "cosine",
    "warmup_epochs": 1.0,
    "ema_decay": 0.99,
    "dropout": 0.2,
}
# Gigabytes of what the trunk says of a view of an image, and what is kept unasked.
VIEW_SIZE, MOST_KEPT = 4e-4, 4.0
SMALL_DEFAULTS = {
    "width": 0.25,
    "batch_size": 16,
    "epochs": 8,
    "learning_rate_decay_epoch": 6,
    "dropout": 0.1,
}


def define_flags(values: flags.FlagValues) -> None:
    """Adds the flags of a training, and those of `data` for a folder of videos."""
    training_flags.define_flags(values)
    data_flags.define_flags(values)
    define = FlagGroups(values, "Export of a model made from videos")
    text = "Of the videos, for the model card."
    define.text("data_licence", None, text)


def main(values: flags.FlagValues) -> None:
    """Trains, prints the last metrics."""
    from motionflow import own_model

    if own_model.is_video_folder(values.data_dir):
        _make_model(values)
        return
    names = _data_flag_names(values)
    if given := [name for name in names if not values[name].using_default_value]:
        raise InputError(
            f"--{given[0]} is for a folder of videos, and {values.data_dir} is none"
        )
    from motionflow.training.trainer import train

    settings = training_flags.settings_from(values)
    result = train(settings, _epoch_table(settings.epochs), bar=True)
    print(f"results     {settings.run_dir or f'runs/{settings.model}'}/result.json")
    for split in ("training", "validation"):
        if result[split]:
            metrics = [f"{name} {value:.4g}" for name, value in result[split].items()]
            print(f"{split:<12}{', '.join(metrics)}")


def _make_model(values: flags.FlagValues) -> None:
    from motionflow import own_model
    from motionflow.data.data_dir import open_data_dir

    network = NETWORK_DEFAULTS
    if not values["model"].using_default_value:
        network = SMALL_DEFAULTS
    defaults = DATA_DEFAULTS | ({} if values.flagfile else network)
    is_default = values["batch_size"].using_default_value
    for name, default in defaults.items():
        if values[name].using_default_value:
            setattr(values, name, default)
    if not values.run_dir:
        name = Path(values.data_dir).resolve().name
        values["run_dir"].value = str(Path("runs", name))
    video_dir = values.data_dir
    values["data_dir"].value = str(Path(values.run_dir, "data"))
    training_flags.settings_from(values)  # refuses before the work
    with cli.progress_bar("frames and flow", "clip") as progress:
        summary = own_model.build_data(
            video_dir,
            values.run_dir,
            data_flags.options_from(values),
            extract=data_flags.engine_from(values, progress),
            split_dir=values.split_dir,
            max_failed_fraction=values.max_failed_fraction,
        )
    print(summary)
    num_samples = open_data_dir(values.data_dir).num_samples("train")
    if is_default:
        _fit_batch(values, num_samples)
    _keep_maps(values, num_samples)
    settings = training_flags.settings_from(values)
    watch = _epoch_table(settings.epochs)
    licence = values.data_licence
    own_model.make_model(video_dir, settings, watch, bar=True, data_licence=licence)


def _fit_batch(values: flags.FlagValues, num_samples: int) -> None:
    """A few videos give fewer samples than a batch."""
    if num_samples < values.batch_size:
        print(
            f"only {num_samples} training samples, so batches of {num_samples}: too "
            f"little to learn from, but enough to see how it goes"
        )
        values["batch_size"].value = num_samples


def _keep_maps(values: flags.FlagValues, num_samples: int) -> None:
    """Keeps what a frozen trunk says, if it is not too much."""
    stands_still = values.freeze_trunk and values.train_trunk_from < 0
    can_keep = stands_still and values.strategy == "one_device"
    if values.flagfile or values.keep_trunk_maps or not can_keep:
        return
    gigabytes = num_samples * values.num_views * VIEW_SIZE
    if gigabytes <= MOST_KEPT:
        values["keep_trunk_maps"].value = str(Path(values.run_dir, "trunk_maps"))
    else:
        print(
            f"--keep_trunk_maps=DIR would train three times as fast, for "
            f"{gigabytes:.0f} GB of disk"
        )


def _epoch_table(epochs: int) -> Callable[[dict[str, float]], None]:
    """What prints a line an epoch, under two lines of titles."""
    from motionflow.training import display

    titles = [display.table_head(epochs)]

    def show(row: dict[str, float]) -> None:
        print(*titles, display.table_row(row, epochs), sep="\n", flush=True)
        titles.clear()

    return show


def _data_flag_names(values: flags.FlagValues) -> list[str]:
    own = flags.FlagValues()
    data_flags.define_flags(own)
    return [*own, "data_licence"]
