"""The page in a browser: a picture goes in, pictures and a video come out."""

import json
import shutil
import threading

import numpy as np
import pytest
from PIL import Image

from tests import served
from tests.fake_predictor import FakePredictor

pytest.importorskip("flask", reason="the page needs flask")
pytest.importorskip("waitress", reason="the page needs waitress")
pytest.importorskip("selenium", reason="selenium drives the browser")

import waitress
from selenium import webdriver
from selenium.webdriver import ActionChains
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

from motionflow.model import Model
from motionflow.web import answer
from motionflow.web.app import make_app

BROWSER = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not (BROWSER and DRIVER), reason="no browser: looked for chromium, chromedriver"
)
ARGUMENTS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"),
    *("--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)
PHONE = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
WIDE = """return [...document.querySelectorAll("body *")].filter(
  e => e.getBoundingClientRect().right > innerWidth + 0.5).map(e => e.outerHTML)"""
# Drops or pastes a file that the script draws, as a hand would.
GIVE = """
const [kind, done] = arguments, canvas = document.createElement("canvas");
canvas.width = 90; canvas.height = 60;
canvas.getContext("2d").fillRect(20, 20, 30, 30);
canvas.toBlob(blob => {
  const data = new DataTransfer();
  data.items.add(new File([blob], "given.png", {type: "image/png"}));
  const all = {bubbles: true, cancelable: true};
  document.getElementById("predict").dispatchEvent(kind === "drop"
    ? new DragEvent("drop", {...all, dataTransfer: data})
    : new ClipboardEvent("paste", {...all, clipboardData: data}));
  done();
});
"""


@pytest.fixture(scope="module")
def address():
    server = waitress.create_server(make_app(Model(FakePredictor())), port=0)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    yield f"http://localhost:{server.effective_port}/"
    server.task_dispatcher.shutdown()
    server.close()


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for argument in ARGUMENTS:
        options.add_argument(argument)
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('profile')}")
    options.set_capability(
        "goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"}
    )
    driver = webdriver.Chrome(options, Service(executable_path=DRIVER))
    driver.set_script_timeout(30)
    yield driver
    driver.quit()


@pytest.fixture
def page(driver, address):
    driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    driver.get_log("browser"), driver.get_log("performance")
    driver.get(address)
    return driver


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    path = tmp_path_factory.mktemp("picture") / "picture.jpg"
    Image.fromarray(served.pictures(1, 96, 120)[0]).save(path)
    return path


def by_id(driver, name):
    return driver.find_element(By.ID, name)


def press(driver, key):
    ActionChains(driver).send_keys(key).perform()


def wait(driver, condition):
    return WebDriverWait(driver, 60, 0.05).until(condition)


def wait_for_result(driver):
    wait(driver, lambda _: by_id(driver, "status").text.startswith("Done"))
    wait(driver, lambda d: d.execute_script("return video.readyState") >= 3)


def test_a_picture_is_predicted(page, picture):
    assert not by_id(page, "result").is_displayed()
    assert not by_id(page, "predict").is_enabled()
    by_id(page, "file").send_keys(str(picture))
    wait_for_result(page)
    shown = page.execute_script(
        "return [chosen, flow, confidence].map(i => [i.naturalWidth, i.naturalHeight])"
    )
    assert shown == [[120, 96], [800, 640], [800, 640]]
    film = page.execute_script(
        "return [video.videoWidth, video.videoHeight, video.duration, video.paused,"
        "video.loop, video.muted, video.controls]"
    )
    assert film == [120, 96, pytest.approx(2.6, abs=0.15), False, True, True, True]
    assert by_id(page, "moving").text == by_id(page, "mean-confidence").text == "100 %"
    assert by_id(page, "fastest").text == "3.0 px per prediction"  # 2 of 64
    assert "not calibrated" in by_id(page, "result").text
    download = by_id(page, "download")
    assert download.get_attribute("download") == "motionflow.mp4"
    assert download.get_attribute("href").startswith("data:video/mp4;base64,")
    assert by_id(page, "predict").is_enabled()


def test_options_are_used(page, picture):
    page.execute_script("mode.value = 'loop'; num_predictions.value = 2")
    by_id(page, "file").send_keys(str(picture))
    wait_for_result(page)
    assert by_id(page, "film-note").text.startswith("10 frames, 1.0 s")


def test_a_large_picture_is_said_to_be_shrunk(page, tmp_path):
    path = tmp_path / "large.png"
    Image.fromarray(np.zeros((20, 1300, 3), np.uint8)).resize((1300, 90)).save(path)
    page.execute_script("num_predictions.value = 1")
    by_id(page, "file").send_keys(str(path))
    wait_for_result(page)
    assert (
        "1300 \u00d7 90 pixels was shrunk to 1024 \u00d7 71"
        in by_id(page, "about").text
    )


def test_a_bad_file_gives_a_message_and_the_next_one_works(page, picture, tmp_path):
    path = tmp_path / "words.png"
    path.write_text("not a picture")
    by_id(page, "file").send_keys(str(path))
    error = by_id(page, "error")
    wait(page, lambda _: error.text)
    assert "choose a JPEG or PNG" in error.text
    assert error.get_attribute("role") == "alert"
    assert not by_id(page, "result").is_displayed()
    by_id(page, "file").send_keys(str(picture))
    wait_for_result(page)
    assert not error.text


def test_a_large_file_is_not_sent(page, tmp_path):
    path = tmp_path / "large.jpg"
    path.write_bytes(bytes(16 * 2**20 + 1))
    by_id(page, "file").send_keys(str(path))
    wait(page, lambda _: by_id(page, "error").text)
    assert "too large: at most 16 MB" in by_id(page, "error").text
    assert not any("/predict" in url for url in requested(page))


def test_the_keyboard_is_enough(page):
    seen = []
    for _ in range(12):
        press(page, Keys.TAB)
        active = page.switch_to.active_element
        seen.append(active.get_attribute("id"))
        if seen[-1] == "example":
            outline = active.value_of_css_property("outline-style")
            assert outline == "solid"
            press(page, Keys.ENTER)
            wait_for_result(page)
            assert page.switch_to.active_element == active
        if seen[-1] == "predict":
            break
    assert seen == [
        "file",
        "example",
        "mode",
        "num_predictions",
        "temperature",
        "predict",
    ]
    page.execute_script("video.removeAttribute('src')")
    press(page, Keys.SPACE)
    wait(page, lambda d: d.execute_script("return video.getAttribute('src')"))
    labels = "return [...document.querySelectorAll('input, select')].map(e => e.labels)"
    assert all(len(found) == 1 for found in page.execute_script(labels))


@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_pictures_are_dropped_and_pasted(page, kind):
    page.execute_async_script(GIVE, kind)
    wait_for_result(page)
    assert page.execute_script("return [video.videoWidth, file.files[0].name]") == [
        90,
        "given.png",
    ]


def test_it_shows_that_it_works(page, picture, monkeypatch):
    go, real = threading.Event(), answer.answer

    def slow(*args):
        go.wait(30)
        return real(*args)

    monkeypatch.setattr(answer, "answer", slow)
    by_id(page, "file").send_keys(str(picture))
    wait(page, lambda _: "Predicting" in by_id(page, "status").text)
    assert by_id(page, "status").get_attribute("aria-live") == "polite"
    for name in ("predict", "example", "file"):
        assert not by_id(page, name).is_enabled()
    spinner = "return getComputedStyle(document.getElementById('status'), '::before')"
    assert page.execute_script(spinner + ".animationName") == "turn"
    go.set()
    wait_for_result(page)
    assert page.execute_script(spinner + ".animationName") == "none"


def test_who_wants_little_motion_starts_the_video(page, picture):
    feature = {"name": "prefers-reduced-motion", "value": "reduce"}
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    by_id(page, "file").send_keys(str(picture))
    wait_for_result(page)
    assert page.execute_script("return [video.paused, video.currentTime]") == [True, 0]


def test_a_telephone_shows_it(page, picture):
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    by_id(page, "file").send_keys(str(picture))
    wait_for_result(page)
    widths = "return [innerWidth, document.documentElement.scrollWidth]"
    assert page.execute_script(widths) == [390, 390]
    assert page.execute_script(WIDE) == []
    figures = page.execute_script(
        "return [...document.querySelectorAll('figure')].map(f => f.offsetLeft)"
    )
    assert len(figures) == 3 and len(set(figures)) == 1  # one column


def requested(driver):
    """Addresses that the page asked for since it was opened."""
    messages = [
        json.loads(m["message"])["message"] for m in driver.get_log("performance")
    ]
    return [
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    ]


def test_it_asks_nobody_else_and_obeys_its_own_policy(page, address, picture):
    by_id(page, "file").send_keys(str(picture))
    wait_for_result(page)
    by_id(page, "example").click()
    wait(page, lambda d: d.execute_script("return video.videoWidth") == 266)
    wait_for_result(page)
    urls = requested(page)
    assert any("/predict?" in url for url in urls)
    foreign = [
        u for u in urls if not u.startswith((address, "data:", "blob:" + address))
    ]
    assert foreign == []
    assert page.get_log("browser") == []
    script = "return new Promise(r => fetch('http://127.0.0.1:9/').catch(() => r(1)))"
    page.execute_script(script)
    assert "Content Security Policy" in page.get_log("browser")[0]["message"]
