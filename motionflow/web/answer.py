"""A picture and what is wished of it -> what the page shows.

    bytes          --picture--> the picture as the page shows it
    frame, Wishes  --film-----> {"videos", numbers, remarks, "flow", "confidence"}
    frame, Wishes  --gif------> bytes

Pictures and films are data URIs: nothing has to be kept for a later request.
"""

import io
from collections.abc import Callable, Iterator
from typing import Any

import cv2
import matplotlib
import numpy as np
from PIL import Image

from motionflow.drawing import flow_drawing, pictures
from motionflow.films.film import LEAST_MOTION, Film
from motionflow.films.model import Model
from motionflow.generate import picture_flow
from motionflow.generate.animation import Animation
from motionflow.generate.control import Control
from motionflow.media import still
from motionflow.web import upload
from motionflow.web.turns import GoneError
from motionflow.web.wishes import Wishes

FPS = 10.0
FRAMES_PER_PREDICTION = 5
PREVIEW_SIDE, FUTURE_SIDE, GIF_SIDE = 320, 512, 480  # pixels, the longer side
_PREVIEW_FUTURE_SIDE = 192
# A preview predicts less often; what moves goes as far in it as in the film.
_PREVIEW_PREDICTIONS, _PREVIEW_FRAMES = 2, 4
_TEMPERATURES = {"calm": 1.0, "lively": 0.38}
_MODES = {"open": "composed", "loop": "loop"}
_HEAT_OPACITY = 0.65
_DIMMED = 0.6  # of the picture's brightness, below the heat


def picture(model: Model, data: bytes) -> dict[str, Any]:
    """Decodes a picture, turns it upright, and shrinks it if it is large.

    Args:
      model: what will predict.
      data: a file, see `upload.read_frame`.

    Returns:
      JSON values. `picture`: data URI of a PNG; `width`, `height`: its pixels;
      `shrunk_from`: [width, height] of a file that was larger, else None.

    Raises:
      InputError: the picture cannot be read, or is too long and narrow.
    """
    frame, original = upload.read_frame(data)
    height, width = frame.shape[:2]
    picture_flow.grid_shape(model.predictor, height, width)
    quick = [cv2.IMWRITE_PNG_COMPRESSION, 2]
    png = cv2.imencode(".png", frame[..., ::-1], quick)[1].tobytes()
    return {
        "picture": pictures.data_uri(png, "image/png"),
        "width": width,
        "height": height,
        "shrunk_from": list(original) if original != (width, height) else None,
    }


def film(
    model: Model,
    frame: np.ndarray,
    mask: np.ndarray | None,
    wishes: Wishes,
    is_preview: bool,
    is_gone: Callable[[], bool] = lambda: False,
) -> dict[str, Any]:
    """Plays a picture on.

    Args:
      model: what predicts.
      frame: uint8 [H, W, 3], from `upload.read_frame`.
      mask: of the same size; only where it is white may anything move.
      wishes: how it is played; one film, or one for each seed.
      is_preview: small and of few frames; as long as the film.
      is_gone: whether who asked has left.

    Returns:
      JSON values. `videos`: data URIs of MP4s; `width`, `height`: their pixels;
      `seconds`: how long each is; `farthest`: how far anything gets, pixels of `frame`;
      `remarks`: sentences that the visitor should read first, mostly none.
      Of one film that is no preview also `flow`, `confidence`: data URIs of drawings;
      `moving_share`: cells whose most probable class is not the still one, 0 to 1;
      `mean_confidence`: probability of the most probable class, mean over cells.

    Raises:
      InputError: the wishes do not fit the picture or the model, or the picture is too
        long and narrow.
      GoneError: nobody waits for the answer.
    """
    num_frames, fps = _pace(wishes, is_preview)
    side = _PREVIEW_FUTURE_SIDE if is_preview else FUTURE_SIDE
    if len(wishes.seeds) < 2:
        side = PREVIEW_SIDE if is_preview else upload.LONGEST_SIDE
    films = _films(model, frame, mask, wishes, side, is_preview)
    videos = [pictures.video_uri(_watched(film, is_gone), fps) for film in films]
    small = still.bound_size(frame, side)
    ways = [film.largest_motion or 0.0 for film in films]
    farthest = max(ways) * max(frame.shape[:2]) / max(small.shape[:2])
    found = {
        "videos": videos,
        "width": small.shape[1],
        "height": small.shape[0],
        "seconds": num_frames / fps,
        "farthest": farthest,
        "remarks": _remarks(model, films[0], wishes, farthest),
    }
    if is_preview or len(films) > 1:
        return found
    return found | _drawn(model, frame, films[0])


def gif(
    model: Model,
    frame: np.ndarray,
    mask: np.ndarray | None,
    wishes: Wishes,
    is_gone: Callable[[], bool] = lambda: False,
) -> bytes:
    """The film as a GIF of `GIF_SIDE`; see `film`."""
    film = _films(model, frame, mask, wishes, GIF_SIDE, is_preview=False)[0]
    frames = [Image.fromarray(frame) for frame in _watched(film, is_gone)]
    # All colours are those of the picture: one palette, found once.
    first = frames[0].quantize()
    others = [frame.quantize(palette=first) for frame in frames[1:]]
    file = io.BytesIO()
    first.save(
        file, "GIF", save_all=True, append_images=others, duration=1000 / FPS, loop=0
    )
    return file.getvalue()


def warm_up(model: Model) -> None:
    """Plays pictures of two sizes, which makes TensorFlow ready for all sizes."""
    for shape, ending in (((48, 64, 3), "open"), ((64, 48, 3), "loop")):
        arrows = [((9.0, 9.0), (12.0, 9.0))] if model.predictor.takes_known else []
        frame = np.zeros(shape, np.uint8)
        film(model, frame, None, Wishes(arrows, ending="open"), is_preview=True)
        film(model, frame, None, Wishes(ending=ending), is_preview=True)


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


def _pace(wishes: Wishes, is_preview: bool) -> tuple[int, float]:
    """How many frames a film has, and how many a second."""
    whole = wishes.length * FRAMES_PER_PREDICTION
    num_frames = whole
    if is_preview:
        num_frames = min(wishes.length, _PREVIEW_PREDICTIONS) * _PREVIEW_FRAMES
    fps = FPS * num_frames / whole
    return num_frames + (wishes.ending == "open"), fps


def _films(
    model: Model,
    frame: np.ndarray,
    mask: np.ndarray | None,
    wishes: Wishes,
    side: int,
    is_preview: bool,
) -> list[Film]:
    num_predictions, num_frames = wishes.length, FRAMES_PER_PREDICTION
    if is_preview:
        num_predictions = min(wishes.length, _PREVIEW_PREDICTIONS)
        num_frames = _PREVIEW_FRAMES
    # Fewer predictions go as far: each moves more, but what is told is there already.
    share = num_predictions / wishes.length
    arrows = [
        ((x, y), (x + share * (x2 - x), y + share * (y2 - y)))
        for (x, y), (x2, y2) in wishes.arrows
    ]

    white = None if mask is None else mask.max(axis=-1)
    control = Control(arrows, wishes.pins, white, wishes.strength / share)
    small = still.bound_size(frame, side)
    control = control.fitted(frame.shape[:2], small.shape[:2])

    def make(**chosen: Any) -> Film:
        animation = Animation(
            num_predictions,
            num_frames,
            _MODES[wishes.ending],
            control=control,
            **chosen,
        )
        return Film(model.predictor, small, animation)

    if not wishes.seeds:
        return [make(temperature=_TEMPERATURES[wishes.mood])]
    return [make(num_futures=1, seed=seed) for seed in wishes.seeds]


def _watched(film: Film, is_gone: Callable[[], bool]) -> Iterator[np.ndarray]:
    for frame in film:
        if is_gone():
            raise GoneError
        yield frame


def _drawn(model: Model, frame: np.ndarray, film: Film) -> dict[str, Any]:
    """The first predicted motion as drawings and numbers."""
    assert film.first is not None, "it was played"
    flow, found = film.first.flow, film.first.probabilities
    confidence, codes = found.max(axis=-1), found.argmax(axis=-1)
    still_code = np.linalg.norm(model.predictor.centers, axis=-1).argmin()
    drawn = flow_drawing.draw_motion(frame, flow)
    return {
        "flow": _jpeg(drawn),
        "confidence": _jpeg(draw_confidence(frame, confidence)),
        "moving_share": float(np.mean(codes != still_code)),
        "mean_confidence": float(confidence.mean()),
    }


def _jpeg(pixels: np.ndarray) -> str:
    """A data URI; a WebP would be waited for longer than it is looked at."""
    data = cv2.imencode(".jpg", pixels[..., ::-1])[1].tobytes()
    return pictures.data_uri(data, "image/jpeg")


def _remarks(model: Model, film: Film, wishes: Wishes, farthest: float) -> list[str]:
    """What `Film.remarks` says, in the words of the page."""
    futures = "choose three possible futures"
    if farthest < LEAST_MOTION:
        if not model.predictor.takes_known:
            return [f"Nothing moves here. To see what is possible, {futures}."]
        way = "drag an arrow from what should move"
        return [f"Nothing moves here: {way}, or {futures}."]
    if not wishes.is_told and film.remarks():
        return [
            "The model finds rest most probable everywhere. What moves here is the "
            f"average of all that may happen; to see single ones, {futures}."
        ]
    return []
