"""A picture and what is wished of it -> what the page shows.

    bytes                     --picture--> the picture as the page shows it
    frame, mask, FilmRequest  --film-----> {"videos", numbers, remarks, "flow", ...}
    frame, mask, FilmRequest  --gif------> bytes

Pictures and films are data URIs: nothing has to be kept for a later request.
"""

import io
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

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
from motionflow.web.request import LONGEST_SIDE, FilmRequest, read_frame
from motionflow.web.turns import GoneError

FPS = 10.0
FRAMES_PER_PREDICTION = 5
PREVIEW_SIDE, FUTURE_SIDE, GIF_SIDE = 320, 512, 480  # pixels, the longer side
_PREVIEW_FUTURE_SIDE = 192
_PREVIEW_PREDICTIONS, _PREVIEW_FRAMES = 2, 4
_TEMPERATURES = {"calm": 1.0, "lively": 0.38}
_MODES = {"open": "composed", "loop": "loop"}
_HEAT_OPACITY = 0.65
_DIMMED = 0.6  # of the picture's brightness, below the heat


def picture(model: Model, data: bytes) -> dict[str, Any]:
    """Decodes a picture, turns it upright, and shrinks it if it is large.

    Args:
      model: what will predict.
      data: a file, see `request.read_frame`.

    Returns:
      JSON values. `picture`: data URI of a PNG; `width`, `height`: its pixels;
      `shrunk_from`: [width, height] of a file that was larger, else None.

    Raises:
      InputError: the picture cannot be read, or is too long and narrow.
    """
    frame, original = read_frame(data)
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
    request: FilmRequest,
    is_preview: bool,
    is_gone: Callable[[], bool] = lambda: False,
) -> dict[str, Any]:
    """Plays a picture on.

    Args:
      model: what predicts.
      frame: uint8 [H, W, 3], from `request.read_frame`.
      mask: of the same size; only where it is white may anything move.
      request: how it is played; one film, or one for each seed.
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
      InputError: the request does not fit the picture or the model, or the picture is
        too long and narrow.
      GoneError: nobody waits for the answer.
    """
    pace = _pace(request, is_preview)
    side = _PREVIEW_FUTURE_SIDE if is_preview else FUTURE_SIDE
    if len(request.seeds) < 2:
        side = PREVIEW_SIDE if is_preview else LONGEST_SIDE
    small = still.bound_size(frame, side)
    films = _films(model, frame, mask, request, small, pace)
    videos = [pictures.video_uri(_watched(film, is_gone), pace.fps) for film in films]
    longest = max(film.largest_motion or 0.0 for film in films)
    farthest = longest * max(frame.shape[:2]) / max(small.shape[:2])
    found = {
        "videos": videos,
        "width": small.shape[1],
        "height": small.shape[0],
        "seconds": (pace.num_frames + (request.ending == "open")) / pace.fps,
        "farthest": farthest,
        "remarks": _remarks(model, films[0], request, farthest),
    }
    if is_preview or len(films) > 1:
        return found
    return found | _drawn(model, frame, films[0])


def gif(
    model: Model,
    frame: np.ndarray,
    mask: np.ndarray | None,
    request: FilmRequest,
    is_gone: Callable[[], bool] = lambda: False,
) -> bytes:
    """The film as a GIF of `GIF_SIDE`; see `film`."""
    small = still.bound_size(frame, GIF_SIDE)
    film = _films(model, frame, mask, request, small, _pace(request, False))[0]
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
        film(model, frame, None, FilmRequest(arrows, ending="open"), is_preview=True)
        film(model, frame, None, FilmRequest(ending=ending), is_preview=True)


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
    values = np.tile(np.linspace(0, 1, width, dtype=np.float32), (height, 1))
    return _heat(values, np.full((height, width), 128, np.uint8))


def _heat(values: np.ndarray, gray: np.ndarray) -> np.ndarray:
    color = 255 * matplotlib.colormaps["viridis"](values)[..., :3]
    below = _DIMMED * gray[..., np.newaxis]
    mixed = _HEAT_OPACITY * color + (1 - _HEAT_OPACITY) * below
    return np.rint(mixed).astype(np.uint8)


class _Pace(NamedTuple):
    num_predictions: int
    frames_per_prediction: int
    fps: float

    @property
    def num_frames(self) -> int:
        return self.num_predictions * self.frames_per_prediction


def _pace(request: FilmRequest, is_preview: bool) -> _Pace:
    """A preview predicts less often, and lasts as long as the film."""
    whole = _Pace(request.length, FRAMES_PER_PREDICTION, FPS)
    if not is_preview:
        return whole
    pace = _Pace(min(request.length, _PREVIEW_PREDICTIONS), _PREVIEW_FRAMES, FPS)
    return pace._replace(fps=FPS * pace.num_frames / whole.num_frames)


def _films(
    model: Model,
    frame: np.ndarray,
    mask: np.ndarray | None,
    request: FilmRequest,
    small: np.ndarray,
    pace: _Pace,
) -> list[Film]:
    """What is asked of `frame`, played on `small`."""
    # Fewer predictions go as far: each moves more, but what is told is there already.
    share = pace.num_predictions / request.length
    arrows = [
        ((x, y), (x + share * (x2 - x), y + share * (y2 - y)))
        for (x, y), (x2, y2) in request.arrows
    ]
    white = None if mask is None else mask.max(axis=-1)
    control = Control(arrows, request.pins, white, request.strength / share)
    control = control.fitted(frame.shape[:2], small.shape[:2])

    def make(**chosen: Any) -> Film:
        numbers, mode = pace[:2], _MODES[request.ending]
        animation = Animation(*numbers, mode, control=control, **chosen)
        return Film(model.predictor, small, animation)

    if not request.seeds:
        return [make(temperature=_TEMPERATURES[request.mood])]
    return [make(num_futures=1, seed=seed) for seed in request.seeds]


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
    return {
        "flow": _jpeg(flow_drawing.draw_motion(frame, flow)),
        "confidence": _jpeg(draw_confidence(frame, confidence)),
        "moving_share": float(np.mean(codes != still_code)),
        "mean_confidence": float(confidence.mean()),
    }


def _jpeg(pixels: np.ndarray) -> str:
    """A data URI; a WebP would be waited for longer than it is looked at."""
    data = cv2.imencode(".jpg", pixels[..., ::-1])[1].tobytes()
    return pictures.data_uri(data, "image/jpeg")


def _remarks(
    model: Model, film: Film, request: FilmRequest, farthest: float
) -> list[str]:
    """What `Film.remarks` says, in the words of the page."""
    futures = "choose three possible futures"
    if farthest < LEAST_MOTION:
        if not model.predictor.takes_known:
            return [f"Nothing moves here. To see what is possible, {futures}."]
        way = "drag an arrow from what should move"
        return [f"Nothing moves here: {way}, or {futures}."]
    if not request.is_told and film.remarks():
        return [
            "The model finds rest most probable everywhere. What moves here is the "
            f"average of all that may happen; to see single ones, {futures}."
        ]
    return []
