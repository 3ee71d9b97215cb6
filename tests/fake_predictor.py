"""A predictor that needs no network: everything may move by one vector, or rest."""

import numpy as np


class FakePredictor:
    """Each cell moves with a probability by `vector` pixels of the network's frame."""

    frame_size = 64
    grid_size = fine_size = 4
    num_steps = 1
    takes_known = False

    def __init__(self, vector=(2, 0), probability=1.0):
        self.centers = np.float32([[0, 0], vector])
        self.probability = probability
        self.num_calls = 0

    def __call__(self, frames):
        self.num_calls += 1
        assert frames.shape[1:] == (64, 64, 3)
        share = np.float32([1 - self.probability, self.probability])
        probabilities = np.broadcast_to(share, (len(frames), 4, 4, 2))
        step = probabilities[:, np.newaxis]
        return {"probabilities": probabilities, "step_probabilities": step}
