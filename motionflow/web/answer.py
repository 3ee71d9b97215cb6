"""A picture file -> what the page shows of its predicted motion.

    bytes, Options --answer--> {"flow", "confidence", "video", numbers, words}

Pictures and the video are data URIs: nothing has to be kept for a later request.
"""

import dataclasses
from typing import Any

import cv2
import matplotlib
import numpy as np

from motionflow import flow_drawing
from motionflow.errors import InputError
from motionflow.film import Film
from motionflow.generate.animation import Animation
from motionflow.model import Model
from motionflow.report import pictures
from motionflow.web import upload

MODES = ("composed", "loop")
TEMPERATURES = (1.0, 0.38)
MOST_PREDICTIONS = 10
_HEAT_OPACITY = 0.65
_DIMMED = 0.6  # of the picture's brightness, below the heat


@dataclasses.dataclass(frozen=True)
class Options:
    """What a visitor can choose.

    Attributes:
      num_predictions: how often the flow is predicted, 1 to `MOST_PREDICTIONS`.
      mode: one of `MODES`, see `generate.rollout`.
      temperature: one of `TEMPERATURES`: the expected motion, or the annealed mean.

    Raises:
      InputError: any other value.
    """

    num_predictions: int = 5
    mode: str = "composed"
    temperature: float = 1.0

    def __post_init__(self) -> None:
        for name, allowed in (
            ("num_predictions", range(1, MOST_PREDICTIONS + 1)),
            ("mode", MODES),
            ("temperature", TEMPERATURES),
        ):
            if (value := getattr(self, name)) not in allowed:
                raise InputError(
                    f"{name} is {value!r}, expected one of "
                    f"{', '.join(map(str, allowed))}"
                )


def answer(model: Model, data: bytes, options: Options) -> dict[str, Any]:
    """Predicts how a picture moves on, and draws it.

    Args:
      model: what predicts.
      data: a JPEG or PNG.
      options: how it is played.

    Returns:
      JSON values. `flow`, `confidence`: data URIs of pictures, `video`: of an MP4.
      `width`, `height`: pixels of the video; `shrunk_from`: [width, height] of a file
      that was larger, else None. `num_frames`; `moving_share`: cells whose most
      probable class is not the still one, 0 to 1; `fastest`: longest flow vector,
      pixels per prediction; `mean_confidence`: probability of the most probable class,
      mean over cells; `grid`: [columns, rows];
      `remarks`: sentences that the visitor should read first, mostly none.

    Raises:
      InputError: the picture cannot be read, or is too long and narrow; or the model
        predicts no sequence and is asked for one.
    """
    frame, original = upload.read_frame(data)
    height, width = frame.shape[:2]
    animation = Animation(
        options.num_predictions, mode=options.mode, temperature=options.temperature
    )
    film = Film(model.predictor, frame, animation)
    video = pictures.video_uri(film)
    assert film.first is not None, "it was played"
    flow, found = film.first.flow, film.first.probabilities
    confidence, codes = found.max(axis=-1), found.argmax(axis=-1)
    still_code = np.linalg.norm(model.predictor.centers, axis=-1).argmin()
    drawn = flow_drawing.draw_motion(frame, flow)
    return {
        "flow": pictures.picture(drawn, "").uri,
        "confidence": pictures.picture(draw_confidence(frame, confidence), "").uri,
        "video": video,
        "width": width,
        "height": height,
        "shrunk_from": list(original) if original != (width, height) else None,
        "num_frames": len(film),
        "moving_share": float(np.mean(codes != still_code)),
        "fastest": float(np.linalg.norm(flow, axis=-1).max()),
        "mean_confidence": float(confidence.mean()),
        "grid": list(confidence.shape[::-1]),
        "remarks": [*model.remarks(), *film.remarks()],
    }


def draw_confidence(frame: np.ndarray, confidence: np.ndarray) -> np.ndarray:
    """Lays a heat map of probabilities over the dimmed grey picture.

    Args:
      frame: uint8 RGB [H, W, 3].
      confidence: [rows, columns], 0 to 1.

    Returns:
      uint8, 800 pixels along the longer side; the colours are those of
      `confidence_scale`.
    """
    frame = flow_drawing.enlarge(frame)
    height, width = frame.shape[:2]
    heat = cv2.resize(confidence, (width, height), interpolation=cv2.INTER_NEAREST)
    return _heat(heat, cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY))


def confidence_scale(height: int = 16, width: int = 256) -> np.ndarray:
    """The legend: 0 at the left, 1 at the right, over mid grey; uint8 RGB."""
    values = np.broadcast_to(
        np.linspace(0, 1, width, dtype=np.float32), (height, width)
    )
    return _heat(values, np.full((height, width), 128, np.uint8))


def _heat(values: np.ndarray, gray: np.ndarray) -> np.ndarray:
    color = 255 * matplotlib.colormaps["viridis"](values)[..., :3]
    below = _DIMMED * gray[..., np.newaxis]
    mixed = _HEAT_OPACITY * color + (1 - _HEAT_OPACITY) * below
    return np.rint(mixed).astype(np.uint8)
