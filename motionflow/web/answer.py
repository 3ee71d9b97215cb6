"""A picture file -> what the page shows of its predicted motion.

    bytes, Options --answer--> {"flow", "confidence", "video", numbers, words}

Pictures and the video are data URIs: nothing has to be kept for a later request.
"""

import dataclasses
from typing import Any

import cv2
import matplotlib
import numpy as np

from motionflow import flow_drawing, visualize
from motionflow.errors import InputError
from motionflow.generate import picture_flow
from motionflow.generate.animation import Animation
from motionflow.models.predictor import Predictor
from motionflow.report import pictures
from motionflow.web import upload

MODES = ("composed", "loop")
TEMPERATURES = (1.0, 0.38)
MOST_PREDICTIONS = 10
_DRAWN_SIDE = 800  # pixels: arrows and cells stay sharp on a small picture
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


def answer(predictor: Predictor, data: bytes, options: Options) -> dict[str, Any]:
    """Predicts how a picture moves on, and draws it.

    Args:
      predictor: predicts squares.
      data: a JPEG or PNG.
      options: how it is played.

    Returns:
      JSON values. `flow`, `confidence`: data URIs of pictures, `video`: of an MP4.
      `width`, `height`: pixels of the video; `shrunk_from`: [width, height] of a file
      that was larger, else None. `num_frames`; `moving_share`: cells whose most
      probable class is not the still one, 0 to 1; `fastest`: longest flow vector,
      pixels per prediction; `mean_confidence`: probability of the most probable class,
      mean over cells; `grid`: [columns, rows].

    Raises:
      InputError: the picture cannot be read, or is too long and narrow; or the model
        predicts no sequence and is asked for one.
    """
    frame, original = upload.read_frame(data)
    height, width = frame.shape[:2]
    picture_flow.grid_shape(predictor, height, width)  # refuses narrow strips
    found = picture_flow.step_probabilities(predictor, frame[np.newaxis], 1)[0, 0]
    found = found.numpy()
    confidence, codes = found.max(axis=-1), found.argmax(axis=-1)
    still_code = np.linalg.norm(predictor.centers, axis=-1).argmin()
    animation = Animation(
        options.num_predictions, mode=options.mode, temperature=options.temperature
    )
    shots = [futures[0] for futures in animation.play(predictor, frame)]
    return {
        "flow": pictures.picture(draw_flow(frame, shots[0].flow), "").uri,
        "confidence": pictures.picture(draw_confidence(frame, confidence), "").uri,
        "video": pictures.video_uri([shot.frame for shot in shots]),
        "width": width,
        "height": height,
        "shrunk_from": list(original) if original != (width, height) else None,
        "num_frames": len(shots),
        "moving_share": float(np.mean(codes != still_code)),
        "fastest": float(np.linalg.norm(shots[0].flow, axis=-1).max()),
        "mean_confidence": float(confidence.mean()),
        "grid": list(confidence.shape[::-1]),
    }


def draw_flow(frame: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """Draws the flow over its picture, as colours and arrows.

    Args:
      frame: uint8 RGB [H, W, 3].
      flow: float32 [H, W, 2], pixels of the frame.

    Returns:
      uint8, 800 pixels along the longer side. Full colour is the longest vector, but at
      least half a per cent of the short side, so that a still picture looks still.
    """
    before = frame.shape[1]
    frame = _enlarge(frame)
    height, width = frame.shape[:2]
    flow = cv2.resize(flow, (width, height)) * (width / before)
    longest = float(np.linalg.norm(flow, axis=-1).max())
    longest = max(longest, 0.005 * min(height, width))
    colored = visualize.overlay_flow(frame, flow, longest, opacity=0.65)
    scale = flow_drawing.arrow_scale(longest, height, width)
    return flow_drawing.draw_arrows(colored, flow, scale)


def draw_confidence(frame: np.ndarray, confidence: np.ndarray) -> np.ndarray:
    """Lays a heat map of probabilities over the dimmed grey picture.

    Args:
      frame: uint8 RGB [H, W, 3].
      confidence: [rows, columns], 0 to 1.

    Returns:
      uint8, 800 pixels along the longer side; the colours are those of
      `confidence_scale`.
    """
    frame = _enlarge(frame)
    height, width = frame.shape[:2]
    heat = cv2.resize(confidence, (width, height), interpolation=cv2.INTER_NEAREST)
    return _heat(heat, cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY))


def confidence_scale(height: int = 16, width: int = 256) -> np.ndarray:
    """The legend: 0 at the left, 1 at the right, over mid grey; uint8 RGB."""
    values = np.broadcast_to(
        np.linspace(0, 1, width, dtype=np.float32), (height, width)
    )
    return _heat(values, np.full((height, width), 128, np.uint8))


def _enlarge(frame: np.ndarray) -> np.ndarray:
    scale = _DRAWN_SIDE / max(frame.shape[:2])
    shape = [max(1, round(side * scale)) for side in frame.shape[1::-1]]
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return cv2.resize(frame, shape, interpolation=method)


def _heat(values: np.ndarray, gray: np.ndarray) -> np.ndarray:
    color = 255 * matplotlib.colormaps["viridis"](values)[..., :3]
    below = _DIMMED * gray[..., np.newaxis]
    mixed = _HEAT_OPACITY * color + (1 - _HEAT_OPACITY) * below
    return np.rint(mixed).astype(np.uint8)
