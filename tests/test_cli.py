"""How command lines end."""

import subprocess
import sys

import pytest

SCRIPT = """
from absl import flags
from motionflow import cli
from motionflow.errors import InputError

def define_flags(values=flags.FLAGS):
    flags.DEFINE_string("name", "x", "A name.", flag_values=values)

def main(argv):
    if flags.FLAGS.name == "bad":
        raise InputError("name is bad, expected good")
    if flags.FLAGS.name == "bug":
        raise ValueError("a bug")
    print("hello", flags.FLAGS.name)

if __name__ == "__main__":
    cli.run(main, define_flags)
"""


@pytest.fixture
def run(tmp_path):
    (tmp_path / "tool.py").write_text(SCRIPT)

    def call(*args):
        command = [sys.executable, str(tmp_path / "tool.py"), *args]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    return call


def test_success(run):
    done = run("--name=good")
    assert (done.returncode, done.stdout) == (0, "hello good\n")


def test_an_input_error_is_one_line(run):
    done = run("--name=bad")
    assert (done.returncode, done.stderr) == (1, "error: name is bad, expected good\n")


def test_a_bug_keeps_its_traceback(run):
    done = run("--name=bug")
    assert done.returncode == 1
    assert "Traceback" in done.stderr


def test_an_unknown_flag_and_a_stray_word(run, tmp_path):
    assert "Unknown command line flag 'nam'" in run("--nam=a").stderr
    (tmp_path / "a.flags").write_text("# a comment\n--no_such_flag=1\n")
    done = run(f"--flagfile={tmp_path / 'a.flags'}")
    assert "Unknown command line flag 'no_such_flag'" in done.stderr
    assert done.returncode == 1
    assert "unexpected arguments: word" in run("word").stderr
