"""`motionflow`: what it lists, what it refuses, and that asking for help is light."""

import subprocess
import sys

import pytest

import motionflow
from motionflow import __main__ as entry
from motionflow.commands import VERBS

# What takes long to import; nothing of it may be, before flags are read.
HEAVY = ("tensorflow", "keras", "tf_keras", "sklearn", "scipy", "matplotlib", "av")
HELP = f"""
import sys
from motionflow import cli
from motionflow.__main__ import overview
print(len(overview().splitlines()))
for verb in sys.argv[1:]:
    text = cli.usage(cli.load_command(verb))
    assert "--verbosity=0" in text and "General:" in text, verb
print([name for name in {HEAVY} if name in sys.modules])
import motionflow
print([name for name in ("numpy", "cv2") if motionflow.__version__ in sys.modules])
"""


def test_help_imports_nothing_heavy():
    verbs = [verb for group in VERBS.values() for verb in group]
    command = [sys.executable, "-c", HELP, *verbs]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert int(lines[0]) == len(verbs) + 2 * len(VERBS) + 3
    assert lines[1] == "[]"
    assert not done.stderr


def test_the_package_alone_imports_nothing():
    script = "import sys, motionflow; print({'numpy', 'absl', 'tqdm'} & {*sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("set()\n", "")


def test_the_public_surface():
    names = {"load", "train_model", "evaluate_model", "export_model"}
    assert {*motionflow.__all__} == names | {"register_network", "__version__"}
    for name in names | {"register_network"}:
        assert callable(getattr(motionflow, name)) and getattr(motionflow, name).__doc__
    assert names < {*dir(motionflow)}
    with pytest.raises(AttributeError, match="has no attribute 'loud'"):
        motionflow.loud  # noqa: B018


@pytest.fixture
def run(monkeypatch, capsys):
    def run_main(*words):
        monkeypatch.setattr(sys, "argv", ["motionflow", *words])
        with pytest.raises(SystemExit) as ended:
            entry.main()
        return ended.value.code, *capsys.readouterr()

    return run_main


def test_help_lists_the_verbs_with_a_line_each(run):
    for words in ((), ("--help",), ("help",)):
        code, out, err = run(*words)
        assert (code, err) == (0, "")
        for group in VERBS.values():
            for verb in group:
                (line,) = [li for li in out.splitlines() if li.startswith(f"  {verb} ")]
                assert 20 < len(line) <= 88


def test_the_version(run):
    assert run("--version") == (0, f"motionflow {motionflow.__version__}\n", "")


def test_a_verb_that_is_none(run):
    code, _, err = run("animat")
    assert (code, err) == (1, "error: no command 'animat': motionflow --help\n")


def test_a_verb_runs(run, tmp_path):
    code, out, _ = run("sample-clips", str(tmp_path), "--num_clips=1")
    assert code == 0 and out.startswith("1 clips in ")
    assert sys.argv[0] == "motionflow sample-clips"
