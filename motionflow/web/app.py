"""The page's addresses.

GET  /                         the page
GET  /static/...               its script and style
GET  /example.png?number=3     a drawn person, another for each number
GET  /legend/<name>.png        what the colours mean: wheel, confidence
POST /predict?mode=loop&...    a JPEG or PNG as the body -> `answer.answer` as JSON

A picture comes as the body itself: a form's file would be written to disk on its way.
Every refusal is JSON {"error": a sentence}.
"""

import functools
import io
from typing import Any

import flask
import jinja2
import numpy as np
from PIL import Image
from werkzeug.exceptions import BadRequest, Forbidden, HTTPException

from motionflow import visualize
from motionflow.data.drawn import make_clip
from motionflow.errors import InputError
from motionflow.model import Model
from motionflow.web import answer, upload
from motionflow.web.turns import BusyError, Turns

LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]")
MAX_WAITING = 3
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; "
    "style-src 'self'; img-src 'self' data: blob:; media-src data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_EXAMPLE_SEED = 7
_EXAMPLE_MOMENT = 31  # frame of a clip
_NUM_EXAMPLES = 6  # one of each action


def make_app(model: Model, local_only: bool = True) -> flask.Flask:
    """Makes the page's program.

    Args:
      model: what predicts.
      local_only: answers only requests that name this machine: a foreign page whose
        name was pointed at 127.0.0.1 would send its own.
    """
    app = flask.Flask(__name__, template_folder=".")
    app.config["MAX_CONTENT_LENGTH"] = upload.MAX_BYTES
    app.jinja_env.autoescape = True  # Flask's own choice looks at the suffix
    app.jinja_env.undefined = jinja2.StrictUndefined
    turns = Turns(MAX_WAITING)

    @app.before_request
    def check_sender() -> None:
        if local_only and _host_name(flask.request.host) not in LOCAL_NAMES:
            raise BadRequest("This page is open at localhost only.")
        site = flask.request.headers.get("Sec-Fetch-Site", "none")
        if flask.request.method == "POST" and site not in ("same-origin", "none"):
            raise Forbidden("Pictures of other pages are not taken.")

    @app.after_request
    def add_headers(response: flask.Response) -> flask.Response:
        response.headers.update(_HEADERS)
        return response

    @app.get("/")
    def page() -> str:
        return flask.render_template(
            "page.html.jinja",
            predictor=model.predictor,
            max_megabytes=upload.MAX_BYTES // 2**20,
            longest_side=upload.LONGEST_SIDE,
            most_predictions=answer.MOST_PREDICTIONS,
            defaults=answer.Options(),
        )

    @app.get("/example.png")
    def example() -> flask.Response:
        number = flask.request.args.get("number", 0, type=int)
        return _png(_example(number % _NUM_EXAMPLES))

    @app.get("/legend/wheel.png")
    def wheel() -> flask.Response:
        return _png(visualize.color_wheel(160))

    @app.get("/legend/confidence.png")
    def confidence() -> flask.Response:
        return _png(answer.confidence_scale())

    @app.post("/predict")
    def predict() -> dict:
        options = _options(flask.request.args)
        data = flask.request.get_data(cache=False)
        upload.check_kind(data)
        with turns.take():
            return answer.answer(model, data, options)

    _add_refusals(app)
    return app


def _host_name(host: str) -> str:
    return host if host.endswith("]") else host.rsplit(":", 1)[0]


def _options(values: dict[str, str]) -> answer.Options:
    chosen: dict[str, Any] = {}
    for name, kind in (("num_predictions", int), ("mode", str), ("temperature", float)):
        if name in values:
            try:
                chosen[name] = kind(values[name])
            except ValueError as error:
                raise InputError(
                    f"{name} is {values[name]!r}, expected a number"
                ) from error
    return answer.Options(**chosen)


@functools.cache
def _example(number: int) -> np.ndarray:
    return make_clip(number, _EXAMPLE_SEED).frame(_EXAMPLE_MOMENT)


def _png(pixels: np.ndarray) -> flask.Response:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return flask.Response(file.getvalue(), mimetype="image/png")


def _add_refusals(app: flask.Flask) -> None:
    """Answers whatever goes wrong with a sentence.

    A bug is an HTTPException too, status 500; Flask writes its trace to the log.
    """

    @app.errorhandler(InputError)
    def refused(error: InputError) -> tuple[dict, int]:
        return {"error": str(error)}, 400

    @app.errorhandler(BusyError)
    def busy(error: BusyError) -> tuple[dict, int, dict]:
        text = "Busy: others wait for their prediction already. Try again in a minute."
        return {"error": text}, 503, {"Retry-After": "30"}

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> tuple[dict, int]:
        text = error.description
        if error.code == 413:
            text = f"This file is too large: at most {upload.MAX_BYTES // 2**20} MB."
        return {"error": text}, error.code or 500
