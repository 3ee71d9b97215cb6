"""Words of a flag -> kinds of knowledge -> what a predictor is told of a batch.

    "past+arrows3" -> Kind(past=True, num_arrows=3) -> known [B, g, g, 7]

See `data.known` for the channels.
"""

import dataclasses
import re
from collections.abc import Sequence

import numpy as np

from motionflow.data.known import pack_known
from motionflow.errors import InputError

_WORD = re.compile(r"none|past|(?:past\+)?arrows([1-9]\d*)")


@dataclasses.dataclass(frozen=True)
class Kind:
    """What is told of each sample.

    Attributes:
      name: the word that stands for it.
      past: whether the flow of the frames just before is told.
      num_arrows: of how many cells the true flow is told.
    """

    name: str
    past: bool = False
    num_arrows: int = 0

    @property
    def tells(self) -> bool:
        """Whether anything is told."""
        return self.past or self.num_arrows > 0


def parse_kinds(words: Sequence[str]) -> list[Kind]:
    """Reads "none", "past", "arrows3", "past+arrows3": each once, in their order.

    Raises:
      InputError: another word.
    """
    return [_parse(word) for word in dict.fromkeys(words)]


def _parse(word: str) -> Kind:
    found = _WORD.fullmatch(word)
    if not found:
        raise InputError(
            f"known holds {word!r}, expected none, past, arrows<number> or "
            "past+arrows<number>"
        )
    return Kind(word, word.startswith("past"), int(found[1] or 0))


def tell(
    kind: Kind, flow: np.ndarray, cells: np.ndarray, past_flow: np.ndarray | None
) -> np.ndarray | None:
    """What is known of a batch.

    Args:
      kind: of knowledge.
      flow: float32 [B, g, g, 2], the truth, pixels of the frame per step.
      cells: int [B, n], the places of arrows in the order in which they are given,
        row by row; the kind's number of them is told.
      past_flow: float32 [B, g, g, 2], NaN where it is not known; for `past` only.

    Returns:
      float32 [B, g, g, 7], or None where the kind tells nothing.
    """
    if not kind.tells:
        return None
    size, height, width, _ = flow.shape
    mask = np.zeros((size, height * width), bool)
    np.put_along_axis(mask, cells[:, : kind.num_arrows], True, axis=1)
    is_told = mask.reshape(size, height, width, 1)
    return pack_known(
        (size, height, width),
        arrows=np.where(is_told, flow, np.nan),
        past=past_flow if kind.past else None,
    )
