"""The page's addresses.

GET  /                         the page
GET  /static/...               its scripts and style
GET  /example.png?number=3     a drawn person, another for each number
GET  /legend/<name>.png        what the colours mean: wheel, confidence
POST /picture                  any picture as the body -> `answer.picture` as JSON
POST /film                     a form: picture, mask (files), wishes (JSON), kind:
                               preview or film -> `answer.film` as JSON; gif -> a GIF

The picture comes with each request, so that none is kept here. The files of a form stay
in memory. Every refusal is JSON {"error": a sentence}.
"""

import functools
import io
from typing import IO

import flask
import jinja2
import numpy as np
from PIL import Image
from werkzeug.exceptions import BadRequest, Forbidden, HTTPException

from motionflow.drawing import flow_color
from motionflow.errors import InputError
from motionflow.films.model import Model
from motionflow.media.drawn import make_clip
from motionflow.web import answer, request
from motionflow.web.turns import BusyError, GoneError, Turns

LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]")
MAX_WAITING = 3
KINDS = ("preview", "film", "gif")
FILMS = "films"  # the extension that holds the turns of those who wait for a film
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; "
    "style-src 'self'; img-src 'self' data: blob:; media-src blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_EXAMPLE_SEED = 7
_EXAMPLE_MOMENT = 31  # frame of a clip
_NUM_EXAMPLES = 6  # one of each action


class _Request(flask.Request):
    """One whose files are not written to disk on their way."""

    def _get_file_stream(
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None = None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        return io.BytesIO()


def make_app(model: Model, local_only: bool = True) -> flask.Flask:
    """Makes the page's program.

    Args:
      model: what predicts.
      local_only: answers only requests that name this machine: a foreign page whose
        name was pointed at 127.0.0.1 would send its own.
    """
    app = flask.Flask(__name__, template_folder=".")
    app.request_class = _Request
    app.config["MAX_CONTENT_LENGTH"] = request.MAX_BYTES
    app.jinja_env.autoescape = True  # Flask's own choice looks at the suffix
    app.jinja_env.undefined = jinja2.StrictUndefined
    _add_guards(app, local_only)
    _add_page(app, model)
    app.extensions[FILMS] = Turns(MAX_WAITING)
    _add_answers(app, model, app.extensions[FILMS])
    _add_refusals(app)
    return app


def _add_guards(app: flask.Flask, local_only: bool) -> None:
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


def _host_name(host: str) -> str:
    return host if host.endswith("]") else host.rsplit(":", 1)[0]


def _add_page(app: flask.Flask, model: Model) -> None:
    @app.get("/")
    def page() -> str:
        return flask.render_template(
            "page.html.jinja",
            can_be_told=model.predictor.takes_known,
            remarks=model.remarks(),
            max_megabytes=request.MAX_BYTES // 2**20,
            longest_side=request.LONGEST_SIDE,
            gif_side=answer.GIF_SIDE,
            seconds_per_prediction=answer.FRAMES_PER_PREDICTION / answer.FPS,
            limits=request,
            defaults=request.FilmRequest(),
        )

    @app.get("/example.png")
    def example() -> flask.Response:
        number = flask.request.args.get("number", 0, type=int)
        return _png(_example(number % _NUM_EXAMPLES))

    @app.get("/legend/wheel.png")
    def wheel() -> flask.Response:
        return _png(flow_color.color_wheel(160))

    @app.get("/legend/confidence.png")
    def confidence() -> flask.Response:
        return _png(answer.confidence_scale())


def _add_answers(app: flask.Flask, model: Model, films: Turns) -> None:
    pictures = Turns(MAX_WAITING)

    @app.post("/picture")
    def picture() -> dict:
        data = flask.request.get_data(cache=False)
        with pictures.take():  # a large one takes much memory
            return answer.picture(model, data)

    @app.post("/film")
    def film() -> dict | flask.Response:
        # The server looks whether the browser is still there.
        environment = flask.request.environ
        is_gone = environment.get("waitress.client_disconnected", lambda: False)
        kind = flask.request.form.get("kind", "film")
        if kind not in KINDS:
            raise InputError(f"kind is {kind!r}, expected one of {', '.join(KINDS)}")
        wished = request.read_request(flask.request.form.get("wishes", "{}"))
        files = {name: file.read() for name, file in flask.request.files.items()}
        with films.take(is_gone):
            frame, _ = request.read_frame(files.get("picture", b""))
            mask = request.read_frame(files["mask"])[0] if "mask" in files else None
            asked = model, frame, mask, wished
            if kind == "gif":
                found = answer.gif(*asked, is_gone)
                return flask.Response(found, mimetype="image/gif")
            return answer.film(*asked, kind == "preview", is_gone)


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
        text = "Busy: others wait for their film already. Try again in a minute."
        return {"error": text}, 503, {"Retry-After": "30"}

    @app.errorhandler(GoneError)
    def gone(error: GoneError) -> tuple[dict, int]:
        return {"error": "Nobody waits for this film any more."}, 400

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> tuple[dict, int]:
        text = error.description
        if error.code == 413:
            text = f"This file is too large: at most {request.MAX_BYTES // 2**20} MB."
        return {"error": text}, error.code or 500
