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
    print("hello", flags.FLAGS.name, *argv[1:])

if __name__ == "__main__":
    cli.run(main, define_flags, ARGUMENTS)
"""


@pytest.fixture
def run(tmp_path):
    def call(*args, arguments=()):
        script = SCRIPT.replace("ARGUMENTS", repr(arguments))
        (tmp_path / "tool.py").write_text(script)
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


def test_arguments_beside_the_flags(run):
    def call(*args):
        return run(*args, arguments=["DIR"])

    assert call("data", "--name=a").stdout == "hello a data\n"
    assert call("--name=a", "data").stdout == "hello a data\n"
    missing, unexpected = call("--name=a"), call("data", "more")
    assert "missing: DIR" in missing.stderr
    assert "unexpected arguments: more" in unexpected.stderr
    assert missing.returncode == unexpected.returncode == 1
