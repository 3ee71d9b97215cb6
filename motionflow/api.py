"""Training, evaluation and export as functions: what the commands of that name do.

Progress goes to a callback, remarks to the logger "motionflow"; nothing is printed.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from motionflow.scoring import assessment
from motionflow.serving.exporting import export_model
from motionflow.training import trainer
from motionflow.training.settings import Settings

__all__ = ["evaluate_model", "export_model", "train_model"]


def train_model(
    *, progress: Callable[[dict[str, float]], None] | None = None, **settings: Any
) -> dict[str, Any]:
    """Trains a network, or goes on with a training that was stopped.

    Args:
      progress: is given each finished epoch, as a row of history.csv.
      **settings: data_dir, run_dir, model, epochs ...: the flags of `motionflow train`,
        see `Settings`.

    Returns:
      The contents of result.json: metrics of the last epoch, the best epoch, times.

    Raises:
      InputError: unusable data, a run directory of another run, or settings that do not
        fit; names what was found.
      TypeError: a setting that there is none of.
    """
    return trainer.train(Settings(**settings), progress or (lambda row: None))


def evaluate_model(
    model: str | os.PathLike,
    data_dir: str | os.PathLike,
    split: str = "validation",
    output_dir: str | os.PathLike | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Scores a model beside the baselines, and writes tables and figures.

    Args:
      model: see `motionflow.load`.
      data_dir: data directory.
      split: "validation" or "test".
      output_dir: where to write; None: `<model>/evaluation/<split>`, which an export
        has not: it is read only.
      **options: rivals, baselines, known, interval_unit, batch_size, seed: see
        `assessment.Options`.

    Returns:
      What metrics.json holds.

    Raises:
      InputError: no such directory, an empty split, or a diverged model.
    """
    folder = Path(output_dir or assessment.folder_of(model, split))
    chosen = assessment.Options(**options)
    arguments = Path(model), Path(data_dir), split, folder, chosen
    return dict(assessment.assess(*arguments).summary)
