"""What a model says of a few frames, told this and that, beside what happened.

samples, kinds --draw_told--> a row a sample: each kind's flow, and the true one
"""

from collections.abc import Sequence

import cv2
import numpy as np

from motionflow.baselines.arrows import draw_batch
from motionflow.baselines.known import Kind
from motionflow.data import pipeline
from motionflow.data.data_dir import DataDir
from motionflow.drawing import flow_color
from motionflow.drawing.flow_drawing import write_note
from motionflow.scoring.examples import choose_examples
from motionflow.scoring.model_rows import ModelRows

NUM_SAMPLES = 12


def draw_told(
    model: ModelRows,
    name: str,
    data: DataDir,
    split: str,
    kinds: Sequence[Kind],
    num_moving: np.ndarray,
    seed: int = 0,
) -> np.ndarray:
    """Draws typical frames of a split, those that move more than most.

    Args:
      model: what is drawn, under the name of its row.
      name: that name.
      data: an opened data directory; with the past where a kind tells it.
      split: which samples.
      kinds: one column each; the truth comes last, on the same scale.
      num_moving: [N], moving cells of each sample.
      seed: of the arrows.

    Returns:
      uint8 [rows * S, (kinds + 1) * S, 3]; rings mark the cells that were told.
    """
    places = choose_examples(num_moving, NUM_SAMPLES)
    samples = pipeline.first_step(pipeline.read_samples(data, split, places))
    frames, true = samples["frames"], samples["flow"]
    cells = draw_batch(samples, max(1, *(kind.num_arrows for kind in kinds)), seed)
    longest = np.linalg.norm(true, axis=-1).max(axis=(1, 2))
    columns = []
    for kind in kinds:
        told: tuple = ()
        if model.takes_known and not kind.is_empty:
            told = (kind.of_batch(true, cells, samples.get("past_flow")),)
        flow = model(frames, *told)[name]["flow"]
        panels = [
            flow_color.overlay_flow(*one)
            for one in zip(frames, flow, longest, strict=True)
        ]
        for panel, own in zip(panels, cells[:, : kind.num_arrows], strict=True):
            ring(panel, own, data.grid_size)
        columns.append([write_note(panel, kind.name) for panel in panels])
    truth = zip(frames, true, longest, strict=True)
    columns.append([write_note(flow_color.overlay_flow(*one), "true") for one in truth])
    return np.concatenate(
        [np.concatenate(row, axis=1) for row in zip(*columns, strict=True)]
    )


def ring(panel: np.ndarray, cells: np.ndarray, grid_size: int) -> None:
    """Marks cells, numbered row by row, on a picture."""
    block = panel.shape[0] / grid_size
    for row, column in zip(*np.divmod(cells, grid_size), strict=True):
        middle = (int((column + 0.5) * block), int((row + 0.5) * block))
        cv2.circle(
            panel, middle, max(2, int(0.7 * block)), (255, 255, 255), 1, cv2.LINE_AA
        )
