"""A predictor that does as it is told and no more: what is not told rests."""

import numpy as np


class ToldPredictor:
    """Keeps what it was told.

    Args:
      goes_on: whether the past goes on where no arrow is.
      size: pixels of its square.
      cells: a side.
    """

    num_steps = 1
    takes_known = True
    centers = np.float32([[0, 0], [4, 0]])

    def __init__(self, goes_on=False, size=64, cells=8):
        self.frame_size, self.grid_size, self.fine_size = size, cells, cells
        self._goes_on = goes_on
        self.told = []

    def __call__(self, frames, known=None):
        grid = self.grid_size
        if known is None:
            known = np.zeros((len(frames), grid, grid, 7), np.float32)
        known = np.asarray(known)
        self.told.append(known)
        rest = np.broadcast_to(np.float32([1, 0]), (len(frames), grid, grid, 2))
        flow = known[..., 1:3]
        if self._goes_on:
            flow = np.where(known[..., :1], flow, known[..., 5:])
        return {"step_probabilities": rest[:, None], "flow": flow}
