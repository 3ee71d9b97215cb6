"""Predictors of several steps that need no network, and data kept in memory."""

import dataclasses
import types

import numpy as np
import tensorflow as tf

from motionflow.data import pipeline
from motionflow.labels.codebook import Codebook

CENTERS = np.float32([[0, 0], [4, 0], [0, -4]])  # still, right, up


class StepModel:
    """Says the same code in every cell: one of each step, with a probability.

    Args:
      codes: [T], of each step.
      probability: of that code; the rest is still.
      size: (frame_size, grid_size, fine_size).
    """

    num_parameters = 7

    def __init__(self, codes=(1,), probability=1.0, size=(200, 20, 20)):
        self.frame_size, self.grid_size, self.fine_size = size
        self.num_steps, self.centers = len(codes), CENTERS
        shares = probability * np.eye(3)[list(codes)] + (1 - probability) * np.eye(3)[0]
        self.shares = np.float32(shares)
        self.num_drawn = 0

    def __call__(self, frames):
        assert frames.shape[1:] == (self.frame_size, self.frame_size, 3)
        shape = len(frames), self.num_steps, *[self.fine_size] * 2, 3
        steps = np.broadcast_to(self.shares[:, None, None], shape)
        grid = len(frames), *[self.grid_size] * 2
        coarse = np.broadcast_to(self.shares[0], (*grid, 3))
        found = {"step_probabilities": steps, "probabilities": coarse}
        found["flow"] = coarse @ CENTERS
        return {name: tf.constant(value) for name, value in found.items()}

    def sample_steps(self, frames, noise):
        """As many futures as there is noise: the i-th moves i pixels to the right."""
        assert noise.shape[1:] == (self.grid_size, self.grid_size, 3)
        shape = len(noise), len(frames), self.num_steps, *[self.fine_size] * 2
        dx = np.broadcast_to(np.arange(len(noise)).reshape(-1, 1, 1, 1, 1), shape)
        return tf.constant(np.stack([dx, np.zeros(shape)], axis=-1), tf.float32)


@dataclasses.dataclass(frozen=True)
class MemoryData:
    """Stands in for a data directory: samples in memory, with steps and dense flow.

    `samples` holds frames, steps [N, T, g, g, 2], dense_flow [N, D, D, 2] or none,
    clip, source, action and frame_index.
    """

    samples: dict
    step_frames: int = 2
    dense: bool = False
    sequence: bool = False

    @property
    def manifest(self):
        return {"flags": {}}

    @property
    def labels(self):
        dense = self.samples.get("dense_flow")
        return types.SimpleNamespace(
            step_frames=self.step_frames,
            sequence_length=self.samples["steps"].shape[1],
            store_dense_flow=0 if dense is None else len(dense[0]),
        )

    @property
    def codebook(self):
        return Codebook(CENTERS)

    @property
    def frame_size(self):
        return self.samples["frames"].shape[1]

    @property
    def grid_size(self):
        return self.samples["steps"].shape[2]

    def view(self, dense, sequence):
        return dataclasses.replace(self, dense=dense, sequence=sequence)

    def read(self, indices=slice(None)):
        found = {key: value[indices] for key, value in self.samples.items()}
        steps, dense = found.pop("steps"), found.pop("dense_flow", None)
        steps = dense[:, None] if self.dense else steps
        return found | {"flow": steps if self.sequence else steps[:, :1]}

    def install(self, monkeypatch, module):
        """Lets a module open these data, and the pipeline read them."""

        def batches(data, split, batch_size):
            assert split == "test"
            return tf.data.Dataset.from_tensor_slices(data.read()).batch(batch_size)

        monkeypatch.setattr(module, "open_data_dir", lambda path: self)
        monkeypatch.setattr(pipeline, "targets", batches)
        monkeypatch.setattr(pipeline, "evaluation_batches", batches)
        monkeypatch.setattr(
            pipeline, "read_samples", lambda data, split, indices: data.read(indices)
        )
        monkeypatch.setattr(
            pipeline,
            "chosen_samples",
            lambda data, split, is_chosen: tf.data.Dataset.from_tensor_slices(
                data.read(is_chosen)
            ),
        )
