"""How a browser shows the page: on a telephone, and the first screen of a desk."""

import html
import json
import re
import shutil
import subprocess

import pytest

from motionflow.report import page as report
from motionflow.scoring.assessment import Options
from tests import tiny_run
from tests.hostile_data import write_hostile_data

pytestmark = pytest.mark.slow

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# Opens what is folded, then says what does not fit, load or play.
PROBE = """<script>addEventListener("load", () => {
  document.querySelectorAll("details").forEach(d => d.open = true);
  const outside = e => e.getBoundingClientRect().right > innerWidth + 0.5;
  parent.document.title = JSON.stringify({
    width: innerWidth,
    scroll: document.documentElement.scrollWidth,
    wide: [...document.querySelectorAll("body *")]
      .filter(e => !e.closest(".scroll > *") && outside(e)).map(e => e.className),
    broken: [...document.images].filter(i => !i.naturalWidth).length,
    videos: [...document.querySelectorAll("video")]
      .map(v => [v.readyState, v.duration, v.videoWidth]),
    opening: document.getElementById("opening").getBoundingClientRect().bottom,
    labels: [...document.querySelectorAll(".pair span")]
      .map(s => s.getBoundingClientRect()).map(r => [r.left, r.top, r.width]),
  });
});</script></body>"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The source of a page with names that are long and cannot be broken."""
    folder = tmp_path_factory.mktemp("page")
    data_dir = write_hostile_data(folder / "data")
    run_dir = tiny_run.write_run(folder / "<b>run")
    options = Options(baselines="constant")
    path = report.make_report(run_dir, data_dir, "test", folder / "e", options)
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize(("width", "height"), [(390, 844), (1280, 800)])
def test_a_telephone_and_a_desk_show_it(page, tmp_path, width, height):
    found = [path for name in BROWSERS if (path := shutil.which(name))]
    if not found:
        pytest.skip(f"no browser: looked for {', '.join(BROWSERS)}")
    inner = page.replace("</body>", PROBE)
    # A window has at least 500 pixels, so a frame stands in for the screen.
    outer = tmp_path / "outer.html"
    style = f"width:{width}px;height:{height}px;border:0"
    outer.write_text(
        f'<!DOCTYPE html><title></title><iframe style="{style}" '
        f'srcdoc="{html.escape(inner)}"></iframe>',
        encoding="utf-8",
    )
    command = [found[0], "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    command += ["--hide-scrollbars", f"--user-data-dir={tmp_path / 'profile'}"]
    done = subprocess.run(
        [*command, outer.as_uri()], capture_output=True, text=True, timeout=120
    )
    title = re.search("<title>(.*?)</title>", done.stdout, re.DOTALL)
    assert title, done.stderr
    shown = json.loads(html.unescape(title[1]))
    assert shown["width"] == width and shown["scroll"] <= width and shown["wide"] == []
    assert shown["broken"] == 0
    # Enough is decoded to play, at 10 frames a second: two halves and a gap; one frame.
    films = [(2.8, 2 * tiny_run.FRAME_SIZE + 4)] * 3
    expected = films + [(2.6, tiny_run.FRAME_SIZE)] * 4
    for video, (seconds, pixels) in zip(shown["videos"], expected, strict=True):
        assert video[0] >= 2 and video[2] == pixels
        assert video[1] == pytest.approx(seconds, abs=0.05)
    for one, other in zip(shown["labels"][::2], shown["labels"][1::2], strict=True):
        # As wide as its half of the film.
        assert one[1] == other[1] and one[2] == pytest.approx(other[2], abs=0.5)
        assert other[0] == pytest.approx(one[0] + one[2], abs=0.5)
    if width == 1280:
        assert shown["opening"] <= height
        assert len({top for _, top, _ in shown["labels"]}) == 1
