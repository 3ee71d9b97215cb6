"""The site of docs/: it is built without a warning and loads nothing from elsewhere."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import motionflow

ROOT = Path(__file__).parent.parent
# What a browser would fetch: everything but where a reader may go.
FETCHED = re.compile(
    r"""(?:<(?!a\b)\w+[^>]*\b(?:src|href|data)=|\burl\(|@import )["']?(?:https?:)?//"""
)


@pytest.fixture(scope="module")
# One line of the stack will do.
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "sphinx", "--fail-on-warning", "docs", folder]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


def test_pages_load_nothing_from_elsewhere(site):
    example = (
        '<script src="https://x"></script><a href="//x">x</a><img src=//x>url(//x)'
    )
    assert len(FETCHED.findall(example)) == 3
    pages = [*site.rglob("*.html"), *site.rglob("*.css")]
    assert len(pages) > 40
    for page in pages:
        assert not FETCHED.findall(page.read_text(encoding="utf-8")), page


def test_the_api_page_has_every_public_name(site):
    page = (site / "api.html").read_text(encoding="utf-8")
    for name in motionflow.__all__:
        if name != "__version__":
            assert f'id="motionflow.{name}"' in page, name
