"""What the records of one split hold, counted while they stream by.

    sample, sample, ... --> samples of each clip, codes, lengths of the flow

However many samples there are, a census stays small. The report's 48,000 samples have
19 million flow vectors; their lengths are counted to the hundredth of a pixel instead
of being kept, so a percentile is exact as far as it is printed.
"""

import collections

import numpy as np

LONGEST = 1000.0  # pixels; five frames of 200 pixels. Longer vectors count as this
STEP = 0.01  # pixels


class LengthCounts:
    """How many flow vectors have which length."""

    def __init__(self) -> None:
        """Nothing counted yet."""
        self.counts = np.zeros(round(LONGEST / STEP) + 1, np.int64)
        self.longest = 0.0

    def add(self, lengths: np.ndarray) -> None:
        """Counts float [N] lengths in pixels."""
        bins = np.rint(np.minimum(lengths, LONGEST) / STEP).astype(np.int64)
        np.add.at(self.counts, bins, 1)
        self.longest = max(self.longest, float(lengths.max(initial=0)))

    @property
    def num_counted(self) -> int:
        """Vectors counted."""
        return int(self.counts.sum())

    def percentile(self, percent: int) -> float | None:
        """Returns the least length that `percent` of the vectors do not exceed.

        In pixels, rounded to STEP; None where nothing was counted.
        """
        sums = np.cumsum(self.counts)
        if not sums[-1]:
            return None
        return float(np.searchsorted(sums, percent * sums[-1] / 100) * STEP)


class Census:
    """Counts over the samples of one split.

    Attributes:
      samples: (clip, action, source) -> number of its samples.
      code_counts: int64 [K], cells of each code.
      lengths: of the flow in all cells.
      moving_lengths: of the flow in the cells whose code is not the still one.
      frame_sum: float64 [S, S, 3], sum of the frames.
      num_with_past: samples whose flow just before is known.
    """

    def __init__(self, num_clusters: int, zero_index: int, frame_size: int):
        """Takes the codebook's size K and still code, and the frame's side S."""
        self.samples: collections.Counter[tuple[str, str, str]] = collections.Counter()
        self.code_counts = np.zeros(num_clusters, np.int64)
        self.zero_index = zero_index
        self.lengths, self.moving_lengths = LengthCounts(), LengthCounts()
        self.frame_sum = np.zeros((frame_size, frame_size, 3))
        self.num_with_past = 0

    def add_sample(self, origin: tuple[str, str, str], frame: np.ndarray) -> None:
        """Counts a sample of a clip, action and source; frame is uint8 [S, S, 3]."""
        self.samples[origin] += 1
        self.frame_sum += frame

    def add_motion(self, flow: np.ndarray, codes: np.ndarray) -> None:
        """Counts finite flow float32 [g, g, 2] and its codes, int [g * g] below K."""
        self.code_counts += np.bincount(codes, minlength=len(self.code_counts))
        lengths = np.linalg.norm(flow, axis=-1).ravel()
        self.lengths.add(lengths)
        self.moving_lengths.add(lengths[codes != self.zero_index])

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
        return float(self.code_counts[self.zero_index] / total) if total else None
