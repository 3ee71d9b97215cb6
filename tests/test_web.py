"""The page's program: what it answers, what it refuses, and that it keeps its head."""

import base64
import io
import re
import struct
import threading
import zlib

import cv2
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from motionflow import flow_drawing
from motionflow.data import video
from motionflow.errors import InputError
from motionflow.generate import rollout
from motionflow.model import Model
from motionflow.models import predictor
from motionflow.web import answer, upload
from motionflow.web.turns import BusyError, Turns
from tests import served, tiny_run
from tests.fake_predictor import FakePredictor

pytest.importorskip("flask", reason="the page needs flask")

from motionflow.web.app import MAX_WAITING, make_app

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


def pixels(uri):
    """The picture of a data URI."""
    kind, content = uri.split(",")
    assert kind == "data:image/webp;base64"
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
    table = np.random.default_rng(1).dirichlet(np.ones(5), 9).astype(np.float32)
    table[:4, 0] += 2
    table /= table.sum(-1, keepdims=True)

    def __call__(self, frames):
        return {
            "step_probabilities": np.broadcast_to(self.table, (len(frames), 1, 9, 5))
        }


@pytest.mark.parametrize("temperature", ["1", "0.38"])
def test_the_numbers_are_the_networks_own(temperature, tmp_path):
    query = f"/predict?num_predictions=2&temperature={temperature}"
    client = make_app(Model(Uneven())).test_client()
    found = client.post(query, data=served.encoded(SQUARE))
    assert found.status_code == 200
    said, table = found.json, Uneven.table
    assert said["mean_confidence"] == pytest.approx(table.max(-1).mean())
    moving = table.argmax(-1) != 0  # centre 0 is the still one
    assert 0 < moving.mean() < 1 and said["moving_share"] == pytest.approx(
        moving.mean()
    )
    weights = table ** (1 / float(temperature))
    cells = (weights / weights.sum(-1, keepdims=True)) @ tiny_run.CENTERS
    flow = cv2.resize(cells.reshape(3, 3, 2).astype(np.float32), (64, 64))
    longest = np.linalg.norm(flow, axis=-1).max()
    assert said["fastest"] == pytest.approx(longest, rel=1e-3)
    assert said["width"] == said["height"] == 64 and said["shrunk_from"] is None
    assert said["grid"] == [3, 3] and said["num_frames"] == 11
    film = frames_of(said["video"], tmp_path / "film.mp4")
    assert len(film) == 11 and film[0].shape == (64, 64, 3)
    assert np.abs(film[0].astype(int) - SQUARE).mean() < 8


def test_a_networks_confidence_is_its_own(client, network):
    said = client.post("/predict?num_predictions=1", data=served.encoded(SQUARE)).json
    found = network(SQUARE[np.newaxis])["probabilities"][0].numpy()
    assert said["mean_confidence"] == pytest.approx(found.max(-1).mean(), rel=1e-4)
    assert said["moving_share"] == pytest.approx((found.argmax(-1) != 0).mean())


def test_the_film_is_that_of_the_rollout(client, network, tmp_path):
    said = client.post("/predict?mode=loop", data=served.encoded(SQUARE)).json
    film = frames_of(said["video"], tmp_path / "film.mp4")
    assert len(film) == said["num_frames"] == 25

    def model(frames):
        flow = network(frames)["flow"]
        return tf.image.resize(flow, [64, 64])

    expected = rollout.generate(model, SQUARE[np.newaxis], 5, 5, "loop")[0].numpy()
    middle = np.abs(film[12].astype(int) - expected[11])
    assert middle.mean() < 8  # the codec's, and the borders of the resize
    assert middle.mean() < np.abs(film[0].astype(int) - expected[11]).mean()


def test_a_still_picture_looks_still():
    said = answer.answer(
        Model(FakePredictor(probability=0)), served.encoded(SQUARE), answer.Options(1)
    )
    assert said["fastest"] == said["moving_share"] == 0
    assert said["mean_confidence"] == 1
    shown = pixels(said["flow"])
    assert shown.shape == (800, 800, 3)
    plain = np.asarray(Image.fromarray(SQUARE).resize((800, 800), Image.BICUBIC))
    assert np.abs(shown.astype(int) - plain).mean() < 4


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


def test_a_large_picture_is_shrunk_and_the_answer_says_so(client, tmp_path):
    wide = served.pictures(1, 600, 2048)[0]
    data = served.encoded(wide, format="JPEG")
    said = client.post("/predict?num_predictions=1", data=data).json
    assert (said["width"], said["height"]) == (1024, 300)
    assert said["shrunk_from"] == [2048, 600] and said["grid"] == [10, 3]
    assert pixels(said["confidence"]).shape == (234, 800, 3)
    film = frames_of(said["video"], tmp_path / "film.mp4")
    assert len(film) == 6 and film[0].shape == (300, 1024, 3)


def test_odd_and_tiny_pictures(client):
    for height, width in ((1, 1), (7, 5), (33, 65)):
        data = served.encoded(served.pictures(1, height, width)[0])
        found = client.post("/predict?num_predictions=1", data=data)
        assert found.status_code == 200, (height, width)


def refusal(client, data, status, query=""):
    found = client.post("/predict" + query, data=data)
    assert found.status_code == status and list(found.json) == ["error"]
    for name, value in CRITERIA.items():
        assert value in found.headers[name]
    return found.json["error"]


def test_kinds_are_told_by_their_first_bytes(fake_client):
    for kind in ("GIF", "BMP", "WEBP", "TIFF"):
        data = served.encoded(SQUARE, format=kind)
        assert "JPEG or PNG" in refusal(fake_client, data, 400)
    for data in (b"", b"<svg/>", b"\xff\xd8", b"PNG"):
        assert "JPEG or PNG" in refusal(fake_client, data, 400)


def test_damaged_pictures(fake_client):
    for kind in ("PNG", "JPEG"):
        data = served.encoded(SQUARE, format=kind)
        for damaged in (data[:12], data[: len(data) // 2]):
            error = refusal(fake_client, damaged, 400)
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
    least = b"\xff\xd8\xff" + bytes(upload.MAX_BYTES - 3)
    assert "damaged" in refusal(fake_client, least, 400)
    assert refusal(fake_client, least + b"\0", 413) == (
        "This file is too large: at most 16 MB."
    )


def test_a_long_strip(fake_client):
    data = served.encoded(served.pictures(1, 10, 170)[0])
    assert "170x10" in refusal(fake_client, data, 400)


@pytest.mark.parametrize(
    "query",
    [
        "num_predictions=0",
        "num_predictions=11",
        "num_predictions=x",
        "mode=euler",
        "temperature=nan",
        "temperature=2",
        "temperature=",
    ],
)
def test_options(fake_client, query):
    error = refusal(fake_client, served.encoded(SQUARE), 400, "?" + query)
    name, value = query.split("=")
    assert name in error and value in error and "expected" in error


def test_options_of_the_program():
    with pytest.raises(InputError, match="mode is 'x', expected one of composed, loop"):
        answer.Options(mode="x")


def test_every_answer_has_the_headers(fake_client):
    for path in ("/", "/static/page.js", "/static/page.css", "/example.png", "/no"):
        found = fake_client.get(path)
        for name, value in CRITERIA.items():
            assert value in found.headers[name], path
        policy = found.headers["Content-Security-Policy"]
        assert "unsafe" not in policy and "http" not in policy and "*" not in policy
        assert "Set-Cookie" not in found.headers
    assert fake_client.get("/predict").status_code == 405


def test_the_page_is_our_own(fake_client):
    page = fake_client.get("/").text
    assert "http" not in page and "//" not in page
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?! src=)", page)
    addresses = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(addresses) >= 5
    for address in addresses:
        found = fake_client.get(address)
        assert found.status_code == 200 and found.data, address


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
    found = fake_client.post("/predict", data=data, headers=headers)
    assert found.status_code == 403 and "error" in found.json
    headers["Sec-Fetch-Site"] = "same-origin"
    query = "/predict?num_predictions=1"
    assert fake_client.post(query, data=data, headers=headers).status_code == 200


def test_a_bug_is_a_sentence(monkeypatch, caplog):
    def broken(*args):
        raise RuntimeError("secret")

    monkeypatch.setattr(answer, "answer", broken)
    app = make_app(Model(FakePredictor()))
    error = refusal(app.test_client(), served.encoded(SQUARE), 500)
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

    monkeypatch.setattr(answer, "answer", slow)
    app, data = make_app(Model(FakePredictor())), served.encoded(SQUARE)
    statuses = []

    def post():
        statuses.append(app.test_client().post("/predict", data=data).status_code)

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


def test_a_turn_is_given_back_after_an_error():
    turns = Turns(max_waiting=0)
    for _ in range(3):
        with pytest.raises(KeyError), turns.take():
            raise KeyError
    with turns.take(), pytest.raises(BusyError), turns.take():
        pass


def test_nothing_stays_on_disk(fake_client, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    data = served.encoded(SQUARE)
    assert fake_client.post("/predict?num_predictions=1", data=data).status_code == 200
    assert list(tmp_path.iterdir()) == []
