"""Sample clips drawn by ourselves, with known flow.

motions (how people move) -> figure (skeleton, parts) -> clip (frames, true flow)
textures: parts in cloth and skin, background
"""

from motionflow.media.drawn.clip import (
    DrawnClip,
    central_square,
    make_clip,
    write_clips,
)

__all__ = ["DrawnClip", "central_square", "make_clip", "write_clips"]
