"""When the frames of a video were taken: their numbers, and where time is missing.

time stamps, seconds --Timing.of--> the number of each frame, seconds a frame, gaps

Stamps are taken at their word where they are regular: a step of three frames' time says
that two frames are missing. Three kinds of files need more:

AVI           keeps the order of storage, so frames that are stored before others are
              stamped with each other's time: stamps are sorted.
pulldown      film of 24 or 25 frames a second in slots of 30 leaves every fifth or
              sixth slot empty, as in most of HMDB-51. Motion runs on evenly across such
              holes: the film has its own rate, and no frame is missing.
varying rate  phones and screen recordings. No number can be told for a frame, but a
              step that is far longer than most is a gap all the same.
"""

import dataclasses
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

# Of a step; containers round time stamps, to milliseconds for example.
_IRREGULAR = 0.3
_MANY_IRREGULAR = 0.05
_LONG = 1.75  # times the usual step
_RAREST_HOLE = 8  # of so many slots pulldown leaves one empty, at least
_FEWEST_HOLES = 3
_UNEVEN_HOLES = 1.5  # slots; stamps of reordered frames shift holes


@dataclasses.dataclass(frozen=True)
class Timing:
    """When the frames of a video were taken.

    Attributes:
      numbers: of the frames, ascending from 0 on; what is left out is missing.
      gaps: positions of the frames that come later than the one before says: motion to
        them is longer than to others.
      step: seconds a frame; 0 where there is no telling.
      is_regular: whether the stamps number the frames; else no number is left out.
    """

    numbers: Sequence[int]
    gaps: frozenset[int]
    step: Fraction
    is_regular: bool

    @property
    def rate(self) -> float:
        """Frames a second with none missing; 0 where there is no telling."""
        return float(1 / self.step) if self.step else 0.0

    @classmethod
    def of(cls, stamps: Sequence[Fraction | None]) -> "Timing":
        """Reads time stamps, seconds; None where the container does not say."""
        numbers = list(range(len(stamps)))
        known = sorted(stamp for stamp in stamps if stamp is not None)
        if len(stamps) < 2 or len(known) < len(stamps) or known[0] == known[-1]:
            return cls(numbers, frozenset(), Fraction(0), False)
        total = known[-1] - known[0]
        steps = np.diff([float(stamp) for stamp in known])
        counts = _slots(steps)
        if counts is None:
            gaps = np.flatnonzero(steps > _LONG * np.median(steps)) + 1
            mean = total / (len(known) - 1)
            return cls(numbers, frozenset(gaps.tolist()), mean, False)
        if _is_pulldown(counts):
            counts = np.ones_like(counts)
        gaps = np.flatnonzero(counts > 1) + 1
        numbers = [0, *np.cumsum(counts).tolist()]
        # Rounded stamps give a rounded step; all of them together give the true one.
        return cls(numbers, frozenset(gaps.tolist()), total / numbers[-1], True)


def _slots(steps: np.ndarray) -> np.ndarray | None:
    """How many frames' time each step takes; None where steps are irregular."""
    if steps.min() <= 0:
        return None
    # Most steps may be gaps, but the shortest ones are frames.
    step = np.mean(steps[steps < 1.5 * np.quantile(steps, 0.1)])
    counts = np.maximum(np.rint(steps / step), 1).astype(int)
    irregular = np.abs(steps / step - counts) > _IRREGULAR
    return None if irregular.mean() > _MANY_IRREGULAR else counts


def _is_pulldown(counts: np.ndarray) -> bool:
    """Whether single slots are empty, often and evenly from the first to the last."""
    slots = np.cumsum(counts)
    holes = slots[counts > 1] - 1
    if counts.max() != 2 or len(holes) < _FEWEST_HOLES:
        return False
    distance = (holes[-1] - holes[0]) / (len(holes) - 1)
    off = holes - holes[0] - distance * np.arange(len(holes))
    ends = max(holes[0] + 1, slots[-1] - holes[-1])
    return bool(
        distance <= _RAREST_HOLE
        and np.abs(off).max() <= _UNEVEN_HOLES
        and ends <= distance + 2 * _UNEVEN_HOLES
    )
