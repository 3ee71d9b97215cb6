"""The page as a command: what it serves, and what it refuses to start with."""

import ast
import contextlib
import http.client
import io
import json
import os
import re
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart

from motionflow.commands import serve as command
from motionflow.errors import InputError
from motionflow.web.server import serve
from tests import served

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent


@pytest.fixture
def exported(version):
    return version.parent


@contextlib.contextmanager
def started(*flags):
    """Runs the command on a free port; yields the line that it prints."""
    env = os.environ | {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "2"}
    process = subprocess.Popen(
        [sys.executable, "-m", "motionflow.demo", "--port=0", *flags],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield process.stdout.readline()
    finally:
        process.terminate()
        process.wait(30)
        process.stdout.close()


def test_it_serves_the_newest_version_at_one_address_only(exported):
    with started(f"--export_dir={exported}") as line:
        assert line.startswith(f"{exported}: open http://127.0.0.1:")
        address = re.search(r"http://\S+", line)[0]
        with urllib.request.urlopen(address) as page:
            assert "Make a picture move" in page.read().decode()
            assert page.headers["Server"] is None
        picture = served.encoded(served.pictures(1, 64, 64)[0])
        boundary, form = encode_multipart(
            {
                "picture": FileStorage(io.BytesIO(picture), "a.png"),
                "wishes": '{"length": 1}',
            }
        )
        kind = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        request = urllib.request.Request(address + "/film", form, kind)
        with urllib.request.urlopen(request) as answer:
            assert json.load(answer)["seconds"] == 0.6
        port = int(address.rsplit(":", 1)[1])
        large = http.client.HTTPConnection("127.0.0.1", port)
        large.request("POST", "/picture", b"\xff\xd8\xff" + bytes(16 * 2**20))
        refused = large.getresponse()
        assert refused.status == 413 and "16 MB" in json.load(refused)["error"]
        large.close()
        # Every 127.x.x.x is this machine; only the one asked for answers.
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.2", port), 5).close()
        with pytest.raises(InputError, match=f"port {port}"):
            serve(exported, "127.0.0.1", port, print)


@pytest.mark.parametrize("name", ["", "missing", "file"])
def test_a_wrong_folder(name, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(
        InputError, match=r"(holds no model|does not exist|is a file): expected"
    ):
        serve(tmp_path / name, "127.0.0.1", 0, print)


def test_a_wrong_folder_is_one_line(call, tmp_path):
    done = call(command, f"--export_dir={tmp_path}")
    assert done.code == 1
    assert done.err.startswith(f"error: {tmp_path} holds no model: expected")


def test_a_damaged_model(tmp_path):
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "saved_model.pb").write_text("no model")
    with pytest.raises(InputError, match="1 holds a damaged model"):
        serve(tmp_path, "127.0.0.1", 0, print)


def test_a_wrong_host(run_dir):
    with pytest.raises(InputError, match=r"cannot listen at 192\.0\.2\.1, port 0"):
        serve(run_dir, "192.0.2.1", 0, print)


@pytest.mark.parametrize("package", ["flask", "waitress"])
def test_a_missing_package(package, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, "motionflow.web.app", raising=False)
    with pytest.raises(InputError, match=rf"{package}.*'motionflow\[serving\]'"):
        serve(tmp_path, "127.0.0.1", 0, print)


def test_the_page_is_in_the_package():
    setup = (ROOT / "setup.py").read_text()
    patterns = ast.literal_eval(
        re.search(r'package_data=\{\s*"motionflow": (\[.+?\])', setup, re.S)[1]
    )
    folder = ROOT / "motionflow"
    packed = {path for pattern in patterns for path in folder.glob(pattern)}
    wanted = [path for path in folder.rglob("*") if path.is_file()]
    skipped = (".py", ".pyc")
    assert {p for p in wanted if p.suffix not in skipped} <= packed
