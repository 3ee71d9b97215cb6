"""What the records of one split hold, counted while they stream by."""

import collections

import numpy as np


class Census:
    """Counts over the samples of one split; it stays small, however many there are.

    Attributes:
      samples: (clip, action, source) -> number of its samples.
      code_counts: int64 [K], cells of each code.
      longest: pixels, of the flow in any cell.
      frame_sum: float64 [S, S, 3], sum of the frames.
      num_with_past: samples whose flow just before is known.
    """

    def __init__(self, num_clusters: int, zero_index: int, frame_size: int):
        """Takes the codebook's size K and still code, and the frame's side S."""
        self.samples: collections.Counter[tuple[str, str, str]] = collections.Counter()
        self.code_counts = np.zeros(num_clusters, np.int64)
        self.longest = 0.0
        self.frame_sum = np.zeros((frame_size, frame_size, 3))
        self.num_with_past = 0
        self._zero_index = zero_index

    def add_sample(self, origin: tuple[str, str, str], frame: np.ndarray) -> None:
        """Counts a sample of a clip, action and source; frame is uint8 [S, S, 3]."""
        self.samples[origin] += 1
        self.frame_sum += frame

    def add_motion(self, flow: np.ndarray, codes: np.ndarray) -> None:
        """Counts finite flow float32 [g, g, 2] and its codes, int [g * g] below K."""
        self.code_counts += np.bincount(codes, minlength=len(self.code_counts))
        self.longest = max(self.longest, float(np.linalg.norm(flow, axis=-1).max()))

    @property
    def num_samples(self) -> int:
        """Samples counted."""
        return self.samples.total()

    @property
    def clips(self) -> set[str]:
        """Clips that they are from."""
        return {clip for clip, _, _ in self.samples}

    @property
    def num_clips(self) -> int:
        """Number of these clips."""
        return len(self.clips)

    @property
    def sources(self) -> set[str]:
        """Videos that the clips were cut from."""
        return {source for _, _, source in self.samples}

    @property
    def still_share(self) -> float | None:
        """Share of the cells that are still; None without a sample."""
        total = self.code_counts.sum()
        return float(self.code_counts[self._zero_index] / total) if total else None
