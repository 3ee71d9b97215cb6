"""A predictor that does as it is told and no more: cells that are not told rest."""

import numpy as np


class ToldPredictor:
    """Squares of 64 pixels, 8x8 cells; keeps what it was told."""

    frame_size = 64
    grid_size = fine_size = 8
    num_steps = 1
    takes_known = True
    centers = np.float32([[0, 0], [4, 0]])

    def __init__(self):
        self.told = []

    def __call__(self, frames, known):
        known = np.asarray(known)
        self.told.append(known)
        rest = np.broadcast_to(np.float32([1, 0]), (len(frames), 64, 2))
        return {"step_probabilities": rest[:, None], "flow": known[..., 1:3]}
