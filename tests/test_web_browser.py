"""The page in a browser: one draws on a picture, and the film follows."""

import json
import shutil
import threading

import numpy as np
import pytest
from PIL import Image

from tests.fake_predictor import FakePredictor
from tests.told_predictor import ToldPredictor

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

from motionflow.films.model import Model
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
  document.getElementById("example").dispatchEvent(kind === "drop"
    ? new DragEvent("drop", {...all, dataTransfer: data})
    : new ClipboardEvent("paste", {...all, clipboardData: data}));
  done();
});
"""
# How dark the shown frame is at some places of the picture, 0 to 1.
DARKNESS = """
const [places, done] = arguments, video = document.querySelector("video");
const look = () => {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
  const context = canvas.getContext("2d", {willReadFrequently: true});
  context.drawImage(video, 0, 0);
  done(places.map(([x, y]) => 1 - context.getImageData(x, y, 1, 1).data[1] / 255));
};
video.seeking ? video.addEventListener("seeked", look) : look();
"""
# What is downloaded: its name and its first bytes.
DOWNLOADS = """
const made = URL.createObjectURL;
let last = null;
URL.createObjectURL = (blob) => { last = blob; return made.call(URL, blob); };
window.downloads = [];
HTMLAnchorElement.prototype.click = async function () {
  const bytes = new Uint8Array(await last.arrayBuffer());
  window.downloads.push([this.download, [...bytes.slice(0, 12)]]);
};
"""


@pytest.fixture(scope="module")
def addresses():
    """Of a page whose model can be told, and of one whose model cannot."""
    models = [Model(ToldPredictor()), Model(FakePredictor())]
    answer.warm_up(models[0])
    servers = [
        waitress.create_server(make_app(model), port=0, channel_request_lookahead=1)
        for model in models
    ]
    for server in servers:
        threading.Thread(target=server.run, daemon=True).start()
    yield [f"http://localhost:{server.effective_port}/" for server in servers]
    for server in servers:
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


def opened(driver, address):
    driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": 1280, "height": 900, "deviceScaleFactor": 1, "mobile": False},
    )
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    driver.get_log("browser"), driver.get_log("performance")
    driver.get(address)
    return driver


@pytest.fixture
def page(driver, addresses):
    return opened(driver, addresses[0])


@pytest.fixture
def untold_page(driver, addresses):
    return opened(driver, addresses[1])


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    """Grey, with a dark square of 8 pixels around (32, 48)."""
    path = tmp_path_factory.mktemp("picture") / "picture.webp"
    pixels = np.full((96, 128, 3), 200, np.uint8)
    pixels[44:52, 28:36] = 20
    Image.fromarray(pixels).save(path, lossless=True)
    return path


def by_id(driver, name):
    return driver.find_element(By.ID, name)


def press(driver, *keys):
    ActionChains(driver, duration=0).send_keys(*keys).perform()


def wait(driver, condition):
    return WebDriverWait(driver, 120, 0.05).until(condition)


def wait_for_film(driver):
    wait(driver, lambda _: by_id(driver, "status").text.startswith("The film is ready"))


def given(driver, path, length=1):
    """Gives the page a picture, and waits for its film."""
    driver.execute_script(
        "document.getElementById('length').value = arguments[0]", length
    )
    by_id(driver, "file").send_keys(str(path))
    wait_for_film(driver)


def drag(driver, start, end):
    """With the mouse on the picture of 128 x 96 pixels."""
    canvas = by_id(driver, "canvas")
    scale = canvas.size["width"] / 128
    driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", canvas)
    (x, y), (x2, y2) = ((scale * (a - 64), scale * (b - 48)) for a, b in (start, end))
    chain = ActionChains(driver, duration=20)
    chain.move_to_element_with_offset(canvas, x, y).click_and_hold()
    chain.move_by_offset(x2 - x, y2 - y).release().perform()


def choose(driver, name, value):
    script = """const [name, value] = arguments;
    const element = document.querySelector(`[name=${name}][value=${value}]`);
    if (element) return element.click();
    document.getElementById(name).value = value;
    document.getElementById(name).dispatchEvent(new Event("change", {bubbles: true}))"""
    driver.execute_script(script, name, value)


def darkness(driver, *places):
    """Of the film's last frame at some places."""
    by_id(driver, "after").click()
    return driver.execute_async_script(DARKNESS, places)


START, END = (32, 48), (64, 40)


def test_the_film_follows_what_is_drawn(page, picture):
    assert not by_id(page, "work").is_displayed()
    given(page, picture)
    assert "Nothing moves here: drag an arrow" in by_id(page, "remarks").text
    shown = "return ['undo', 'clear'].map(i => document.getElementById(i).disabled)"
    assert page.execute_script(shown) == [True, True]
    assert min(darkness(page, START)) > 0.6 > 0.4 > max(darkness(page, END))
    drag(page, START, END)
    assert "Arrow 1 is set" in by_id(page, "said").text
    assert not by_id(page, "downloads").is_displayed()
    wait(page, lambda _: "preview" in by_id(page, "film-note").text.lower())
    wait_for_film(page)
    assert darkness(page, END)[0] > 0.6
    assert not by_id(page, "remarks").is_displayed()
    by_id(page, "before").click()
    assert page.execute_async_script(DARKNESS, [START, END])[1] < 0.4
    by_id(page, "run").click()
    assert not page.execute_script("return document.querySelector('video').paused")
    # A pin in its way, then both are taken back.
    choose(page, "tool", "pin")
    drag(page, (100, 20), (100, 20))
    assert "Pin 1 is set" in by_id(page, "said").text
    drag(page, (100, 20), (100, 20))
    assert "Removed" in by_id(page, "said").text
    for _ in range(2):
        by_id(page, "undo").click()
    ActionChains(page).key_down(Keys.CONTROL).send_keys("z").key_up(
        Keys.CONTROL
    ).perform()
    assert page.execute_script(shown) == [True, True]
    wait_for_film(page)
    assert darkness(page, END)[0] < 0.4


def test_paint_says_what_may_move(page, picture):
    given(page, picture)
    choose(page, "tool", "wipe")
    drag(page, (20, 20), (40, 20))
    assert "no paint" in by_id(page, "said").text
    choose(page, "tool", "paint")
    assert by_id(page, "radius").is_displayed()
    drag(page, (100, 10), (120, 10))
    choose(page, "tool", "arrow")
    drag(page, START, END)
    wait_for_film(page)
    # The arrow moves what it stands on, so it reaches less than without paint.
    assert not by_id(page, "trouble").is_displayed()
    by_id(page, "clear").click()
    wait_for_film(page)
    assert "Nothing moves here" in by_id(page, "remarks").text


def test_the_film_is_downloaded(page, picture):
    page.execute_script(DOWNLOADS)
    given(page, picture)
    film = page.execute_script("return document.querySelector('video').src")
    assert by_id(page, "mp4").get_attribute("href") == film
    assert by_id(page, "mp4").get_attribute("download") == "picture.mp4"
    by_id(page, "still").click()
    by_id(page, "gif").click()
    wait(page, lambda _: "The GIF is ready" in by_id(page, "status").text)
    count = "return window.downloads.length"
    wait(page, lambda d: d.execute_script(count) == 2)
    (still, start), (gif, head) = page.execute_script("return window.downloads")
    assert (still, gif) == ("picture-still.png", "picture.gif")
    assert bytes(start[:4]) == b"\x89PNG" and bytes(head[:4]) == b"GIF8"


def test_futures_stand_side_by_side_and_one_is_taken(page, picture):
    given(page, picture)
    choose(page, "show", "futures")
    wait_for_film(page)
    videos = "return document.querySelectorAll('video').length"
    assert page.execute_script(videos) == 3
    assert by_id(page, "film-title").text == "Three possible futures"
    assert not by_id(page, "downloads").is_displayed()
    page.find_elements(By.CSS_SELECTOR, "#films button")[1].send_keys(Keys.ENTER)
    wait_for_film(page)
    assert page.execute_script(videos) == 1
    assert page.switch_to.active_element == by_id(page, "run")
    assert by_id(page, "downloads").is_displayed()
    by_id(page, "back").click()
    wait_for_film(page)
    assert page.execute_script(videos) == 3


def test_options_are_used_and_a_large_picture_is_said_to_be_shrunk(page, tmp_path):
    path = tmp_path / "large.png"
    Image.fromarray(np.zeros((90, 1300, 3), np.uint8)).save(path)
    page.execute_script("document.getElementById('ending').value = 'loop'")
    given(page, path, length=2)
    assert by_id(page, "film-note").text == "1024 \u00d7 71 pixels, 1.0 s, repeated."
    about = by_id(page, "about").text
    assert "1300 \u00d7 90 pixels was shrunk to 1024 \u00d7 71 pixels" in about
    by_id(page, "length").send_keys(Keys.ARROW_RIGHT)
    assert by_id(page, "length-shown").text == "1.5 s"


def test_a_bad_file_takes_the_old_picture_away(page, picture, tmp_path):
    given(page, picture)
    words = tmp_path / "words.png"
    words.write_text("not a picture")
    large = tmp_path / "large.jpg"
    large.write_bytes(bytes(16 * 2**20 + 1))
    error = by_id(page, "error")
    assert error.get_attribute("role") == "alert"
    for path, text in ((words, "JPEG, PNG, WebP"), (large, "too large: at most 16 MB")):
        page.get_log("performance")
        by_id(page, "file").send_keys(str(path))
        wait(page, lambda _, text=text: text in error.text)
        assert not by_id(page, "work").is_displayed()
        assert not by_id(page, "again").is_displayed()
        assert page.find_elements(By.TAG_NAME, "video") == []
        sent = any("/picture" in url for url in requested(page))
        assert sent == (path == words)  # a large one is not
    given(page, picture)
    assert not error.is_displayed()


def test_a_film_that_fails_goes_and_is_tried_again(page, picture, monkeypatch):
    given(page, picture)
    real = answer.film

    def broken(*args):
        raise RuntimeError

    monkeypatch.setattr(answer, "film", broken)
    drag(page, START, END)
    wait(page, lambda _: by_id(page, "error").text)
    assert page.find_elements(By.TAG_NAME, "video") == []
    assert not by_id(page, "downloads").is_displayed()
    assert by_id(page, "canvas").is_displayed()
    monkeypatch.setattr(answer, "film", real)
    by_id(page, "again").click()
    wait_for_film(page)
    assert darkness(page, END)[0] > 0.6  # what was drawn is still there


def test_the_keyboard_is_enough(page, picture):
    press(page, Keys.TAB, Keys.TAB)
    example = page.switch_to.active_element
    assert example.get_attribute("id") == "example"
    assert example.value_of_css_property("outline-style") == "solid"
    press(page, Keys.ENTER)
    wait_for_film(page)
    assert page.switch_to.active_element == example
    given(page, picture)
    page.execute_script("document.activeElement.blur(); file.focus()")
    order = []
    while "length" not in order and len(order) < 30:
        press(page, Keys.TAB)
        active = page.switch_to.active_element
        order.append(active.get_attribute("id") or active.get_attribute("value"))
    assert order == [
        *("example", "arrow", "canvas", "before", "after", "run", "mp4", "gif"),
        *("still", "show", "ending", "strength", "length"),
    ]
    canvas = by_id(page, "canvas")
    page.execute_script("arguments[0].focus()", canvas)
    assert canvas.value_of_css_property("outline-style") == "solid"
    assert by_id(page, "keys").is_displayed()
    # From the middle to the dark square: 10 steps of a fortieth of 128 pixels.
    press(page, *[Keys.ARROW_LEFT] * 10)
    assert by_id(page, "said").text == "Cursor: 25 % across, 50 % down."
    press(page, Keys.ENTER, *[Keys.ARROW_RIGHT] * 3, Keys.ESCAPE)
    assert by_id(page, "said").text == "Dropped."
    press(page, *[Keys.ARROW_LEFT] * 3, Keys.ENTER, *[Keys.ARROW_RIGHT] * 10)
    press(page, Keys.ENTER)
    assert by_id(page, "said").text == "Arrow 1 is set."
    wait_for_film(page)
    assert darkness(page, (63, 48))[0] > 0.6
    by_id(page, "undo").send_keys(Keys.ENTER)
    assert page.switch_to.active_element == canvas  # the button is off now
    named = """return [...document.querySelectorAll("input, select")].filter(
      e => e.labels.length !== 1).map(e => e.outerHTML)"""
    assert page.execute_script(named) == []


@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_pictures_are_dropped_and_pasted(page, kind):
    page.execute_async_script(GIVE, kind)
    wait_for_film(page)
    found = "return [document.querySelector('video').videoWidth, file.files[0].name]"
    assert page.execute_script(found) == [90, "given.png"]


def test_it_shows_how_long_it_takes_and_stops_what_nobody_waits_for(
    page, picture, monkeypatch
):
    go, real, gone = threading.Event(), answer.film, []

    def slow(*args):
        while not go.wait(0.02):
            if args[-1]():
                gone.append(1)
                break
        return real(*args)

    monkeypatch.setattr(answer, "film", slow)
    by_id(page, "file").send_keys(str(picture))
    wait(page, lambda _: by_id(page, "seconds").text > "0.3 s")
    assert by_id(page, "status").text == "Preview:"
    assert by_id(page, "status").get_attribute("role") == "status"
    spinner = "return getComputedStyle(document.querySelector('.state'), '::before')"
    assert page.execute_script(spinner + ".animationName") == "turn"
    drag(page, START, END)
    wait(page, lambda _: gone)
    go.set()
    wait_for_film(page)
    assert "after" in by_id(page, "status").text and not by_id(page, "seconds").text
    assert page.execute_script(spinner + ".animationName") == "none"
    assert darkness(page, END)[0] > 0.6


def test_who_wants_little_motion_starts_the_film(page, picture):
    feature = {"name": "prefers-reduced-motion", "value": "reduce"}
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    given(page, picture)
    script = "const v = document.querySelector('video');"
    state = script + "return [v.paused, v.currentTime]"
    assert page.execute_script(state) == [True, 0]


def test_a_telephone_shows_it_and_a_finger_draws(page, picture):
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    given(page, picture)
    choose(page, "tool", "paint")  # the brush takes room too
    page.execute_script("document.getElementById('details').open = true")
    widths = "return [innerWidth, document.documentElement.scrollWidth]"
    assert page.execute_script(widths) == [390, 390]
    assert page.execute_script(WIDE) == []
    sides = "return [...document.querySelectorAll('.side')].map(s => s.offsetLeft)"
    assert len(set(page.execute_script(sides))) == 1  # one column
    choose(page, "tool", "arrow")
    box = page.execute_script(
        "canvas.scrollIntoView({block: 'center'});"
        "const b = canvas.getBoundingClientRect();"
        "return [b.left, b.top, b.width / 128]"
    )
    for kind, places in (
        ("touchStart", [START]),
        ("touchMove", [(50, 44)]),
        ("touchMove", [END]),
        ("touchEnd", []),
    ):
        points = [
            {"x": box[0] + box[2] * x, "y": box[1] + box[2] * y} for x, y in places
        ]
        touch = {"type": kind, "touchPoints": points}
        page.execute_cdp_cmd("Input.dispatchTouchEvent", touch)
    assert by_id(page, "said").text == "Arrow 1 is set."
    wait_for_film(page)
    assert darkness(page, END)[0] > 0.6


def test_a_model_that_cannot_be_told(untold_page, picture):
    page = untold_page
    assert "cannot be told where things go" in page.find_element(By.TAG_NAME, "p").text
    given(page, picture)
    tools = page.find_elements(By.NAME, "tool")
    assert [tool.get_attribute("value") for tool in tools] == ["paint", "wipe"]
    assert by_id(page, "radius").is_displayed()
    assert darkness(page, (34, 48))[0] > 0.6  # all goes right by 3 pixels
    assert by_id(page, "farthest").get_attribute("textContent") == "3.2 pixels"
    drag(page, (100, 80), (120, 80))
    wait_for_film(page)
    assert darkness(page, (28, 48))[0] > 0.6  # stays: only elsewhere may move


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


def test_it_asks_nobody_else_and_obeys_its_own_policy(page, addresses, picture):
    given(page, picture)
    by_id(page, "example").click()
    width = "return document.querySelector('video')?.videoWidth"
    wait(page, lambda d: d.execute_script(width) == 266)
    wait_for_film(page)
    urls = requested(page)
    own = addresses[0]
    assert any("/film" in url for url in urls)
    assert [u for u in urls if not u.startswith((own, "data:", "blob:" + own))] == []
    assert page.get_log("browser") == []
    script = "return new Promise(r => fetch('http://127.0.0.1:9/').catch(() => r(1)))"
    page.execute_script(script)
    assert "Content Security Policy" in page.get_log("browser")[0]["message"]
