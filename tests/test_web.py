"""The page's program: what it answers, what it refuses, and that it keeps its head."""

import base64
import io
import json
import re
import struct
import threading
import zlib

import cv2
import numpy as np
import pytest
import tensorflow as tf
from PIL import EpsImagePlugin, Image

from motionflow.drawing import flow_drawing
from motionflow.films.model import Model
from motionflow.generate import rollout
from motionflow.media import video
from motionflow.models import predictor
from motionflow.web import answer
from motionflow.web.request import MAX_BYTES, FilmRequest
from motionflow.web.turns import BusyError, GoneError, Turns
from tests import served, tiny_run
from tests.fake_predictor import FakePredictor
from tests.told_predictor import ToldPredictor

pytest.importorskip("flask", reason="the page needs flask")

from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart

from motionflow.web.app import FILMS, MAX_WAITING, make_app

pytestmark = pytest.mark.slow

SQUARE = served.pictures(1, 64, 64)[0]
CRITERIA = {
    "Content-Security-Policy": "default-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


@pytest.fixture(scope="module")
def network(run_dir):
    return predictor.load(run_dir)


@pytest.fixture(scope="module")
def client(network):
    return make_app(Model(network)).test_client()


@pytest.fixture
def fake_client():
    return make_app(Model(FakePredictor())).test_client()


@pytest.fixture
def told_client():
    return make_app(Model(ToldPredictor())).test_client()


def pixels(uri):
    """The picture of a data URI."""
    kind, content = uri.split(",")
    assert kind == "data:image/jpeg;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(content))).convert("RGB"))


def frames_of(uri, path):
    """The frames of a data URI's video."""
    kind, content = uri.split(",")
    assert kind == "data:video/mp4;base64"
    path.write_bytes(base64.b64decode(content))
    return list(video.iter_frames(path))


class Uneven:
    """A predictor whose nine cells differ: four of them rest."""

    frame_size, grid_size, centers = 64, 3, tiny_run.CENTERS
    num_steps, fine_size = 1, 3
    takes_known = False
    table = np.random.default_rng(1).dirichlet(np.ones(5), 9).astype(np.float32)
    table[:4, 0] += 2
    table /= table.sum(-1, keepdims=True)

    def __call__(self, frames):
        return {
            "step_probabilities": np.broadcast_to(
                self.table.reshape(3, 3, 5), (len(frames), 1, 3, 3, 5)
            )
        }


def form(picture, kind="film", mask=None, **wishes):
    """What the page sends."""
    fields = {"wishes": json.dumps(wishes), "kind": kind}
    for name, data in (("picture", picture), ("mask", mask)):
        if data is not None:
            fields[name] = FileStorage(io.BytesIO(data), f"{name}.png")
    return fields


def encoded_form(fields):
    boundary, body = encode_multipart(fields)
    return body, f"multipart/form-data; boundary={boundary}"


def post(client, picture, kind="film", mask=None, **wishes):
    found = client.post("/film", data=form(picture, kind, mask, **wishes))
    assert found.status_code == 200, found.json
    return found.json


@pytest.mark.parametrize(("mood", "temperature"), [("calm", 1), ("lively", 0.38)])
def test_the_numbers_are_the_networks_own(mood, temperature, tmp_path):
    client = make_app(Model(Uneven())).test_client()
    said = post(client, served.encoded(SQUARE), length=2, mood=mood)
    table = Uneven.table
    assert said["mean_confidence"] == pytest.approx(table.max(-1).mean())
    moving = table.argmax(-1) != 0  # centre 0 is the still one
    assert 0 < moving.mean() < 1 and said["moving_share"] == pytest.approx(
        moving.mean()
    )
    weights = table ** (1 / temperature)
    cells = (weights / weights.sum(-1, keepdims=True)) @ tiny_run.CENTERS
    flow = cv2.resize(cells.reshape(3, 3, 2).astype(np.float32), (64, 64))
    longest = np.linalg.norm(flow, axis=-1).max()
    assert longest < said["farthest"] <= 2.001 * longest  # two predictions
    assert (said["width"], said["height"], said["seconds"]) == (64, 64, 1.1)
    (film,) = said["videos"]
    film = frames_of(film, tmp_path / "film.mp4")
    assert len(film) == 11 and film[0].shape == (64, 64, 3)
    assert np.abs(film[0].astype(int) - SQUARE).mean() < 8


def test_a_networks_confidence_is_its_own(client, network):
    said = post(client, served.encoded(SQUARE), length=1)
    found = network(SQUARE[np.newaxis])["probabilities"][0].numpy()
    assert said["mean_confidence"] == pytest.approx(found.max(-1).mean(), rel=1e-4)
    assert said["moving_share"] == pytest.approx((found.argmax(-1) != 0).mean())


def test_the_film_is_that_of_the_rollout(client, network, tmp_path):
    said = post(client, served.encoded(SQUARE), ending="loop")
    film = frames_of(said["videos"][0], tmp_path / "film.mp4")
    assert len(film) == 25 and said["seconds"] == 2.5

    def model(frames):
        flow = network(frames)["flow"]
        return tf.image.resize(flow, [64, 64])

    expected = rollout.generate(model, SQUARE[np.newaxis], 5, 5, "loop")[0].numpy()
    middle = np.abs(film[12].astype(int) - expected[11])
    assert middle.mean() < 8  # the codec's, and the borders of the resize
    assert middle.mean() < np.abs(film[0].astype(int) - expected[11]).mean()


def dotted(*places):
    """A grey picture with dark dots."""
    picture = np.full((64, 64, 3), 200, np.uint8)
    for x, y in places:
        cv2.circle(picture, (x, y), 4, (20, 20, 20), -1)
    return picture


def is_dark(frame, x, y):
    return frame[y, x].max() < 110


@pytest.mark.parametrize("kind", ["preview", "film"])
@pytest.mark.parametrize(("strength", "end"), [(1, (40, 24)), (0.5, (28, 28))])
def test_what_is_at_an_arrow_arrives(kind, strength, end, told_client, tmp_path):
    arrows = [[[16, 32], [40, 24]]]
    data = served.encoded(dotted((16, 32)))
    said = post(told_client, data, kind, arrows=arrows, strength=strength)
    film = frames_of(said["videos"][0], tmp_path / "film.mp4")
    assert len(film) == (26 if kind == "film" else 9)
    assert is_dark(film[0], 16, 32) and is_dark(film[-1], *end)
    assert not (is_dark(film[0], *end) or is_dark(film[-1], 14, 34))
    assert said["farthest"] == pytest.approx(strength * np.hypot(24, 8), rel=0.25)
    assert said["remarks"] == []


def test_a_preview_is_small_lasts_as_long_and_goes_as_far(fake_client, tmp_path):
    data = served.encoded(served.pictures(1, 300, 600)[0])
    small = post(fake_client, data, "preview", length=4)
    large = post(fake_client, data, length=4)
    assert (small["width"], small["height"]) == (320, 160)
    assert (large["width"], large["height"]) == (600, 300)
    assert small["seconds"] == pytest.approx(large["seconds"], abs=0.2)
    assert small["farthest"] == pytest.approx(large["farthest"], rel=0.01)
    assert large["farthest"] == pytest.approx(4 * 2 * 300 / 64, rel=0.01)
    assert "flow" in large and "flow" not in small
    assert len(frames_of(small["videos"][0], tmp_path / "a.mp4")) == 9


def test_pins_and_paint_hold(told_client, fake_client, tmp_path):
    data = served.encoded(dotted((16, 32), (48, 32)))
    arrows = [[[16, 32], [16, 20]], [[48, 26], [48, 16]]]
    said = post(told_client, data, arrows=arrows, pins=[[48, 36]])
    film = frames_of(said["videos"][0], tmp_path / "pinned.mp4")
    assert is_dark(film[-1], 48, 36) and is_dark(film[-1], 16, 20)
    assert not is_dark(film[-1], 16, 34)
    # All would go right by 10 pixels, but only the upper half may.
    data = served.encoded(dotted((16, 12), (16, 52)))
    white = np.zeros((64, 64, 3), np.uint8)
    white[:32] = 255
    said = post(fake_client, data, mask=served.encoded(white))
    film = frames_of(said["videos"][0], tmp_path / "masked.mp4")
    assert is_dark(film[-1], 26, 12) and not is_dark(film[-1], 16, 12)
    assert is_dark(film[-1], 16, 52) and not is_dark(film[-1], 26, 52)


def test_several_futures(tmp_path):
    client = make_app(Model(Uneven())).test_client()
    data = served.encoded(SQUARE)
    said = post(client, data, seeds=[5, 6, 7], length=2)
    assert len(set(said["videos"])) == 3 and "flow" not in said
    alone = post(client, data, seeds=[6], length=2)
    assert alone["videos"] == said["videos"][1:2] and "flow" in alone


def test_a_gif(told_client):
    data = served.encoded(cv2.resize(dotted((16, 32)), (600, 600)))
    arrows = [[[150, 300], [375, 225]]]
    found = told_client.post("/film", data=form(data, "gif", arrows=arrows, length=2))
    assert found.status_code == 200 and found.mimetype == "image/gif"
    film = Image.open(io.BytesIO(found.data))
    assert film.size == (480, 480) and film.n_frames == 11
    assert film.info["duration"] == 100 and film.info["loop"] == 0
    assert not is_dark(np.asarray(film.convert("RGB")), 300, 180)
    film.seek(10)
    assert is_dark(np.asarray(film.convert("RGB")), 300, 180)


def test_a_still_picture_looks_still_and_is_said_to_be():
    still = answer.film(
        Model(FakePredictor(probability=0)), SQUARE, None, FilmRequest(length=1), False
    )
    assert still["farthest"] == still["moving_share"] == 0
    assert still["mean_confidence"] == 1
    assert still["remarks"][0].startswith("Nothing moves here. To see what is possible")
    shown = pixels(still["flow"])
    assert shown.shape == (800, 800, 3)
    plain = np.asarray(Image.fromarray(SQUARE).resize((800, 800), Image.BICUBIC))
    assert np.abs(shown.astype(int) - plain).mean() < 4
    told = answer.film(
        Model(ToldPredictor()), SQUARE, None, FilmRequest(length=1), True
    )
    assert "drag an arrow" in told["remarks"][0]
    shy = Model(FakePredictor((9, 0), probability=0.3))
    said = answer.film(shy, SQUARE, None, FilmRequest(length=1), False)
    assert "rest most probable everywhere" in said["remarks"][0]


def test_colours_of_the_flow_and_of_confidence():
    gray = np.full((60, 120, 3), 128, np.uint8)
    flow = np.zeros((60, 120, 2), np.float32)
    flow[:, 60:, 0] = 3  # the right half moves right: red
    drawn = flow_drawing.draw_motion(gray, flow).astype(int)
    assert drawn.shape == (400, 800, 3)
    assert np.median(drawn[200:, :380] - 128) == 0
    red, green = np.median(drawn[:, 420:, 0]), np.median(drawn[:, 420:, 1])
    assert red > 180 and green < 80
    sure = answer.draw_confidence(gray, np.float32([[0, 1]]))
    scale = answer.confidence_scale()
    assert np.abs(sure[200, 100].astype(int) - scale[0, 0]).max() <= 1
    assert np.abs(sure[200, 700].astype(int) - scale[0, -1]).max() <= 1
    assert np.abs(scale[0, 0].astype(int) - scale[0, -1]).max() > 80


def test_arrows_are_those_of_the_enlarged_picture():
    gray = np.full((50, 50, 3), 128, np.uint8)
    flow = np.full((50, 50, 2), [2, 0], np.float32)
    drawn = flow_drawing.draw_motion(gray, flow)
    large = flow_drawing.draw_motion(
        np.full((800, 800, 3), 128, np.uint8), np.full((800, 800, 2), [32, 0], "f")
    )
    assert np.array_equal(drawn, large)


def shown(client, data):
    found = client.post("/picture", data=data)
    assert found.status_code == 200, found.json
    return found.json


def test_a_large_picture_is_shrunk_and_the_answer_says_so(client, tmp_path):
    wide = served.pictures(1, 600, 2048)[0]
    said = shown(client, served.encoded(wide, format="JPEG"))
    assert (said["width"], said["height"]) == (1024, 300)
    assert said["shrunk_from"] == [2048, 600]
    said = post(client, served.encoded(wide), length=1)
    assert pixels(said["confidence"]).shape == (234, 800, 3)
    film = frames_of(said["videos"][0], tmp_path / "film.mp4")
    assert len(film) == 6 and film[0].shape == (300, 1024, 3)


def test_every_kind_of_picture_is_shown_as_a_png(fake_client):
    kinds = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF")
    for kind in kinds:
        if kind not in Image.SAVE and Image.init() and kind not in Image.SAVE:
            continue  # an older Pillow
        said = shown(fake_client, served.encoded(SQUARE, format=kind))
        found, content = said["picture"].split(",")
        assert found == "data:image/png;base64" and said["shrunk_from"] is None
        there = np.asarray(Image.open(io.BytesIO(base64.b64decode(content))))
        assert np.abs(there.astype(int) - SQUARE).mean() < 12, kind


def test_odd_and_tiny_pictures(client):
    for height, width in ((1, 1), (7, 5), (33, 65)):
        data = served.encoded(served.pictures(1, height, width)[0])
        assert shown(client, data)["width"] == width
        post(client, data, length=1)


def refusal(client, data, status, **wishes):
    """What both addresses say of a picture, or one of wishes."""
    asked = [("/film", form(data, **wishes))]
    asked += [] if wishes else [("/picture", data)]
    errors = []
    for path, body in asked:
        found = client.post(path, data=body)
        assert found.status_code == status and list(found.json) == ["error"]
        for name, value in CRITERIA.items():
            assert value in found.headers[name]
        errors.append(found.json["error"])
    assert len(set(errors)) == 1
    return errors[0]


def test_no_pictures(fake_client, monkeypatch):
    for data in (b"<svg/>", b"\xff\xd8", b"PNG", b"BM", bytes(1000)):
        assert "JPEG, PNG, WebP" in refusal(fake_client, data, 400), data
    assert refusal(fake_client, b"", 400) == "No picture came: choose one."
    # A program in PostScript is not run.
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", None)
    program = served.encoded(SQUARE, format="EPS")
    assert "JPEG, PNG, WebP" in refusal(fake_client, program, 400)
    floats = io.BytesIO()
    Image.fromarray(np.zeros((9, 9), np.float32)).save(floats, "TIFF")
    assert "what is white" in refusal(fake_client, floats.getvalue(), 400)


def test_damaged_pictures(fake_client):
    for kind in ("PNG", "JPEG", "WEBP"):
        data = served.encoded(SQUARE, format=kind)
        error = refusal(fake_client, data[: len(data) // 2], 400)
        assert error == "This picture is damaged: it cannot be read."


def png_header(width, height):
    """A PNG that announces a size and holds next to nothing."""

    def chunk(name, content):
        check = struct.pack(">I", zlib.crc32(name + content))
        return struct.pack(">I", len(content)) + name + content + check

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    rest = chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + header + rest


def test_too_many_pixels_are_refused_before_they_are_decoded(fake_client, monkeypatch):
    loaded = []
    monkeypatch.setattr(Image.Image, "load", lambda image: loaded.append(image))
    error = refusal(fake_client, png_header(30_000, 30_000), 400)
    assert "at most 178 million" in error and not loaded


def test_too_many_bytes(fake_client):
    least = b"\x89PNG\r\n\x1a\n" + bytes(MAX_BYTES - 8)
    assert fake_client.post("/picture", data=least).status_code == 400
    found = fake_client.post("/picture", data=least + b"\0")
    assert found.status_code == 413
    assert found.json["error"] == "This file is too large: at most 16 MB."


def test_a_long_strip(fake_client):
    data = served.encoded(served.pictures(1, 10, 170)[0])
    assert "170x10" in refusal(fake_client, data, 400)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("length", 0),
        ("length", 11),
        ("length", 2.0),
        ("ending", "euler"),
        ("mood", ["calm"]),
        ("strength", float("nan")),
        ("strength", "1"),
        ("strength", 3.5),
        ("seeds", [1, 2, 3, 4]),
        ("seeds", [-1]),
        ("pins", [[1]]),
        ("pins", {"x": 1}),
        ("arrows", [[[1, 2], [3]]]),
        ("arrows", [[[1, 2], [3, 1e300]]]),
        ("arrows", [[[i, 2], [3, 3]] for i in range(101)]),
    ],
)
def test_odd_wishes(fake_client, name, value):
    error = refusal(fake_client, served.encoded(SQUARE), 400, **{name: value})
    assert error.startswith(f"{name} is {value!r}"[:60]) and "expected" in error


def test_wishes_that_are_none(fake_client):
    data = served.encoded(SQUARE)
    for text in ("", "x", "[1]", "[" * 100_000):
        fields = form(data) | {"wishes": text}
        found = fake_client.post("/film", data=fields)
        assert found.status_code == 400 and "wishes" in found.json["error"]
    assert "arrows, ending" in refusal(fake_client, data, 400, size=1)
    found = fake_client.post("/film", data=form(data, "avi"))
    assert "expected one of preview, film, gif" in found.json["error"]


def test_wishes_that_do_not_fit(fake_client, told_client):
    data, arrow = served.encoded(SQUARE), [[[9, 9], [20, 9]]]
    assert "cannot be told" in refusal(fake_client, data, 400, arrows=arrow)
    for kind in ("preview", "film"):
        fields = form(data, kind, pins=[[99, 9]])
        error = told_client.post("/film", data=fields).json["error"]
        assert "(99, 9)" in error and "outside" in error
    mask = served.encoded(served.pictures(1, 64, 32)[0])
    found = fake_client.post("/film", data=form(data, mask=mask))
    assert "the mask is 32x64, the picture 64x64" in found.json["error"]


def test_every_answer_has_the_headers(fake_client):
    static = ("/static/page.js", "/static/editor.js", "/static/page.css")
    for path in ("/", *static, "/example.png", "/no"):
        found = fake_client.get(path)
        for name, value in CRITERIA.items():
            assert value in found.headers[name], path
        policy = found.headers["Content-Security-Policy"]
        assert "unsafe" not in policy and "http" not in policy and "*" not in policy
        assert "Set-Cookie" not in found.headers
    assert fake_client.get("/film").status_code == 405


def test_the_page_is_our_own(fake_client, told_client):
    page = told_client.get("/").text
    assert "http" not in page and "//" not in page
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?! src=)", page)
    addresses = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(addresses) >= 5
    for address in addresses:
        found = fake_client.get(address)
        assert found.status_code == 200 and found.data, address
    assert "cannot be told" not in page and 'value="arrow"' in page
    page = fake_client.get("/").text
    assert "cannot be told" in page and 'value="paint"' in page
    assert 'value="arrow"' not in page and 'value="pin"' not in page


def test_what_is_known_of_a_model_stands_on_the_page():
    model = Model(FakePredictor(), ["this model predicts one class"])
    assert (
        "this model predicts one class." in make_app(model).test_client().get("/").text
    )


def test_examples_differ(fake_client):
    found = {fake_client.get(f"/example.png?number={i}").data for i in range(7)}
    assert len(found) == 6
    shape = Image.open(io.BytesIO(found.pop())).size
    assert shape == (266, 200)
    assert fake_client.get("/example.png?number=x").status_code == 200


def test_foreign_hosts():
    client = make_app(Model(FakePredictor())).test_client()
    for host in ("localhost", "localhost:8080", "127.0.0.1:1", "[::1]", "[::1]:80"):
        assert client.get("/", headers={"Host": host}).status_code == 200, host
    for host in ("evil.example", "localhost.evil.example:8080", "10.0.0.1", "[::2]:1"):
        assert client.get("/", headers={"Host": host}).status_code == 400, host
    opened = make_app(Model(FakePredictor()), local_only=False).test_client()
    assert opened.get("/", headers={"Host": "computer:8080"}).status_code == 200


def test_foreign_pages(fake_client):
    data, headers = served.encoded(SQUARE), {"Sec-Fetch-Site": "cross-site"}
    for path, body in (("/picture", data), ("/film", form(data))):
        found = fake_client.post(path, data=body, headers=headers)
        assert found.status_code == 403 and "error" in found.json
    headers["Sec-Fetch-Site"] = "same-origin"
    assert fake_client.post("/picture", data=data, headers=headers).status_code == 200


def test_a_bug_is_a_sentence(monkeypatch, caplog):
    def broken(*args):
        raise RuntimeError("secret")

    monkeypatch.setattr(answer, "film", broken)
    client = make_app(Model(FakePredictor())).test_client()
    found = client.post("/film", data=form(served.encoded(SQUARE)))
    error = found.json["error"]
    assert found.status_code == 500
    assert "secret" not in error and "secret" in caplog.text


def test_one_at_a_time_and_then_busy(monkeypatch):
    started, finish, inside, most = threading.Semaphore(0), threading.Event(), [], []

    def slow(*args):
        inside.append(1)
        most.append(len(inside))
        started.release()
        finish.wait(30)
        inside.pop()
        return {}

    monkeypatch.setattr(answer, "film", slow)
    app, data = make_app(Model(FakePredictor())), served.encoded(SQUARE)
    statuses = []

    def post():
        found = app.test_client().post("/film", data=form(data))
        statuses.append(found.status_code)

    threads = [threading.Thread(target=post) for _ in range(MAX_WAITING + 3)]
    for thread in threads:
        thread.start()
    started.acquire(timeout=30)
    while statuses.count(503) < 2 and any(t.is_alive() for t in threads):
        threads[-1].join(0.01)
    assert app.test_client().get("/").status_code == 200  # the page itself is there
    finish.set()
    for thread in threads:
        thread.join(30)
    assert sorted(statuses) == [200] * (MAX_WAITING + 1) + [503] * 2
    assert max(most) == 1


def test_who_is_quick_waits_for_the_warm_up(monkeypatch):
    monkeypatch.setattr(answer, "film", lambda *_: {})
    app, statuses = make_app(Model(FakePredictor())), []

    def post():
        data = form(served.encoded(SQUARE))
        statuses.append(app.test_client().post("/film", data=data).status_code)

    thread = threading.Thread(target=post)
    with app.extensions[FILMS].take():  # as the server does while it warms up
        thread.start()
        thread.join(0.3)
        assert not statuses
    thread.join(30)
    assert statuses == [200]


def test_a_turn_is_given_back_after_an_error():
    turns = Turns(max_waiting=0)
    for _ in range(3):
        with pytest.raises(KeyError), turns.take():
            raise KeyError
    with turns.take(), pytest.raises(BusyError), turns.take():
        pass


def test_who_leaves_frees_the_place():
    turns, gone = Turns(max_waiting=1), threading.Event()
    errors = []

    def wait():
        try:
            with turns.take(gone.is_set):
                pass
        except GoneError as error:
            errors.append(error)

    with turns.take():
        thread = threading.Thread(target=wait)
        thread.start()
        thread.join(0.2)
        assert thread.is_alive() and not errors
        gone.set()
        thread.join(30)
        assert len(errors) == 1


def test_a_film_that_nobody_waits_for_is_not_finished():
    fake, asked = FakePredictor(), []

    def is_gone():
        asked.append(1)
        return len(asked) == 8

    environment = {"waitress.client_disconnected": is_gone}
    client = make_app(Model(fake)).test_client()
    fields = form(served.encoded(SQUARE))
    found = client.post("/film", data=fields, environ_overrides=environment)
    assert found.status_code == 400 and len(asked) == 8
    assert fake.num_calls == 2  # of 5


def test_nothing_stays_on_disk(fake_client, tmp_path, monkeypatch):
    noise = np.random.default_rng(0).integers(0, 256, (500, 500, 3), np.uint8)
    fields = form(served.encoded(noise), "preview", length=1)
    body, kind = encoded_form(fields)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    made = []
    monkeypatch.setattr("tempfile.TemporaryFile", lambda *a, **k: made.append(a))
    monkeypatch.setattr("tempfile.SpooledTemporaryFile", made.append)
    found = fake_client.post("/film", data=body, content_type=kind)
    assert found.status_code == 200, found.json
    assert list(tmp_path.iterdir()) == made == []
