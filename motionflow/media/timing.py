"""When the frames of a video were taken: their numbers, and where time is missing.

time stamps, seconds --Timing.of--> the number of each frame, seconds a frame, gaps

Stamps are taken at their word where they are regular: a step of three frames' time says
that two frames are missing. Some kinds of files need more:

AVI           keeps the order of storage, so frames that are stored before others are
              stamped with each other's time: stamps are sorted.
jumps back    where files were joined or a clock was set, stamps begin anew: the frame
              there is as good as behind a gap.
slips         a single stamp that is far from both its neighbours, which are close to
              each other, is wrong: its frame was taken between them.
pulldown      film of 24 or 25 frames a second in slots of 30 leaves every fifth or
              sixth slot empty, as in most of HMDB-51. Motion runs on evenly across such
              holes: the film has its own rate, and no frame is missing.
varying rate  phones and screen recordings. No number can be told for a frame, but a
              step that is far longer than most is a gap all the same.
"""

import dataclasses
import itertools
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

# Of a step; containers round time stamps, to milliseconds for example.
_IRREGULAR = 0.3
_MANY_IRREGULAR = 0.05
_LONG = 1.75  # times the usual step
_RAREST_HOLE = 8  # of so many slots pulldown leaves one empty, at least
_FEWEST_HOLES = 3
_FARTHEST_REORDERED = 16  # frames; H.264 and H.265 hold no more back
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
        known = [stamp for stamp in stamps if stamp is not None]
        if len(known) < max(2, len(stamps)) or len(set(known)) == 1:
            return cls(numbers, frozenset(), Fraction(0), False)
        known, jumps = _without_jumps_back(_without_slips(known))
        known.sort()
        total = known[-1] - known[0]
        steps = np.diff([float(stamp) for stamp in known])
        counts = _slots(steps)
        if counts is None:
            is_gap = steps > _LONG * np.median(steps)
            mean = total / (len(known) - 1)
        else:
            if _is_pulldown(counts):
                counts = np.ones_like(counts)
            is_gap = counts > 1
            numbers = [0, *np.cumsum(counts).tolist()]
            # Rounded stamps give rounded steps; together they give the true one.
            mean = total / numbers[-1]
        gaps = jumps.union((np.flatnonzero(is_gap) + 1).tolist())
        return cls(numbers, gaps, mean, counts is not None)


def _usual(stamps: Sequence[Fraction]) -> Fraction:
    """The step in the middle of all steps."""
    differences = sorted(abs(b - a) for a, b in itertools.pairwise(stamps))
    return differences[len(differences) // 2]


def _without_slips(stamps: Sequence[Fraction]) -> list[Fraction]:
    """Single stamps that are far from both neighbours come between them."""
    found, far = list(stamps), _FARTHEST_REORDERED * _usual(stamps)
    for position in range(1, len(found) - 1):
        before, stamp, after = found[position - 1 : position + 2]
        if min(abs(stamp - before), abs(stamp - after)) > far >= abs(after - before):
            found[position] = (before + after) / 2
    return found


def _without_jumps_back(
    stamps: Sequence[Fraction],
) -> tuple[list[Fraction], frozenset[int]]:
    """Stamps that go on where they would begin anew, and where that is."""
    usual = _usual(stamps)
    found, jumps, latest, shift = [], set(), stamps[0], Fraction(0)
    for position, stamp in enumerate(stamps):
        if stamp + shift < latest - _FARTHEST_REORDERED * usual:
            shift = latest + usual - stamp
            jumps.add(position)
        found.append(stamp + shift)
        latest = max(latest, found[-1])
    return found, frozenset(jumps)


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
