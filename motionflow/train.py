"""Data directory -> trained network in a run directory.

    python -m motionflow.train --flagfile=configs/allconv.flags
    python -m motionflow.train --flagfile=configs/allconv.flags --data_dir=D --run_dir=R

    D/ -> batches -> model.fit under a strategy -> R/ (see models/run_dir.py)

The defaults are the report's all-convolutional recipe (section 4): Adam, 0.9 and 0.999,
batches of 125. The same command resumes an interrupted training after the last saved
step, exactly (see training/checkpoints.py).
"""

from collections.abc import Sequence

from absl import flags

from motionflow import cli
from motionflow.training.trainer import train
from motionflow.training_flags import define_flags, settings_from


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
