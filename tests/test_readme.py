"""Each command and snippet of README and the guide, run in order on tiny input."""

import functools
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from absl import flags
from PIL import Image

from motionflow import cli, models
from motionflow.commands import VERBS
from motionflow.scoring import assessment
from tests.conftest import moving_square, texture, write_avi

ROOT = Path(__file__).parent.parent
GUIDE = ("data", "train", "evaluate", "films", "serving", "extending")
PAGES = {"README.md": (ROOT / "README.md").read_text(encoding="utf-8")} | {
    f"{name}.md": (ROOT / f"docs/guide/{name}.md").read_text(encoding="utf-8")
    for name in GUIDE
}
ALL_PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]
FENCED = re.compile(r'^```(\w+)(?: title="(.+)")?\n(.*?)^```', re.MULTILINE | re.DOTALL)
# What makes each command's input tiny; the page's own flags come first.
NETWORK = ["--width=0.03", "--batch_size=4", "--epochs=1"]
LABELS = ["--frame_stride=10", "--num_clusters=6"]
OWN = ["--model=allconv", *LABELS]  # of a folder of videos `train` builds the data, too
TINY = {
    "sample-clips": ["--num_clips=7"],
    "data": ["--flow_method=dis", *LABELS],
    "inspect": ["--num_samples=2"],
    "split": ["--num_clusters=6"],
    "train": NETWORK,
    "evaluate": ["--baselines=constant"],
    "report": ["--baselines=constant"],
    "animate": ["--num_predictions=2"],
    "compare": ["--num_futures=2", "--max_samples_per_clip=1"],
    "serve": ["--port=0"],
}
# Flags of other programs that the pages name.
FOREIGN = {"logdir", "enable_batching", "batching_parameters_file"}


def blocks(text: str) -> list[tuple[str, str, str]]:
    """Kind, title and contents of what stands fenced in a page."""
    return [match.groups() for match in FENCED.finditer(text)]


def commands(text: str) -> list[list[str]]:
    """The words of each line that calls motionflow; a backslash goes on."""
    joined = text.replace("\\\n", " ")
    found = re.findall(r"^ *(motionflow .*)$", joined, re.MULTILINE)
    return [shlex.split(line)[1:] for line in found]


def inline_code(text: str) -> list[str]:
    """What stands between backticks."""
    return re.findall(r"`([^`]+)`", FENCED.sub("", text))


@pytest.fixture
def clone(tmp_path, monkeypatch) -> Path:
    """A folder that looks like a clone, with videos and pictures."""
    for name in ("motionflow", "tools", "configs"):
        (tmp_path / name).symlink_to(ROOT / name)
    for i in range(3):
        frames = moving_square((2 - i, i), 24, seed=i)
        write_avi(tmp_path / "data/ucf101/Jump" / f"v_Jump_g0{i}_c01.avi", frames)
    write_avi(tmp_path / "clip.avi", moving_square((2, 0), 12, seed=0))
    (tmp_path / "frames").mkdir()
    for number, frame in enumerate(moving_square((2, 0), 4, seed=0)):
        if number != 2:
            Image.fromarray(frame).save(tmp_path / f"frames/{number}.png")
    for name in ("photo.jpg", "picture.jpg"):
        Image.fromarray(texture(0, 240, 320)).save(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    # --import_module is for a process that ends with its command.
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(models, "_BUILDERS", dict(models._BUILDERS))
    yield tmp_path
    sys.modules.pop("my_networks", None)


def interrupt(*_):
    raise KeyboardInterrupt


@pytest.mark.slow
def test_commands_and_snippets(call, clone, monkeypatch):
    server = pytest.importorskip("waitress.server", reason="the page needs waitress")
    monkeypatch.setattr(server.TcpWSGIServer, "run", interrupt)  # once it listens
    quick = functools.partial(assessment.Options, baselines="constant")
    monkeypatch.setattr(assessment, "Options", quick)  # of `train` on videos
    names, ran, count = {}, set(), 0
    for page, text in PAGES.items():
        for kind, title, content in blocks(text):
            if kind == "python" and title:
                Path(title).write_text(content)
            elif kind == "python":
                exec(content, names)
            assert kind in ("python", "sh"), page
            for verb, *words in commands(content) if kind == "sh" else ():
                count += 1
                # Two pages show the same.
                command = verb, *(re.sub(r"^photo\.", "picture.", w) for w in words)
                if command in ran:
                    continue
                ran.add(command)
                tiny = TINY.get(verb, [])
                tiny = tiny + OWN * (words[:1] == ["videos"] and verb == "train")
                done = call(cli.load_command(verb), *words, *tiny)
                expected = 130 if verb == "serve" else 0
                assert done.code == expected, (page, verb, words, done.err)
    assert (count, len(ran)) == (45, 42)
    for name in (
        *("photo.mp4", "photo-flow.png", "runs/videos/film.mp4", "flow.gif"),
        "told.mp4",
        *("compared.csv", "steps.mp4", "whole.mp4", "clip2.mp4"),
        *("runs/report/report.html", "runs/compared/strip_frames.png", "mine.png"),
        *("exported/1/saved_model.pb", "exported-onnx/1/model.onnx"),
        "exported-tflite/1/model-dynamic.tflite",
    ):
        assert (clone / name).stat().st_size > 200, name
    assert names["flow"].shape == (20, 20, 2)
    assert names["motion"].flow.shape == (20, 27, 2)  # of 320x240


@pytest.mark.parametrize("page", PAGES)
def test_commands_that_are_not_run_could_be(page, monkeypatch):
    """Their verbs, words and flags exist."""
    monkeypatch.chdir(ROOT)
    for verb, *words in commands(FENCED.sub("", PAGES[page])):
        try:
            cli.parse(cli.load_command(verb), words)
        except (flags.Error, ImportError) as error:
            pytest.fail(f"motionflow {verb} {words}: {error}")


def test_flags_that_are_named_exist():
    known = set(FOREIGN)
    for verb in sum(VERBS.values(), ()):
        known |= set(cli.define(cli.load_command(verb)))
    known |= {f"no{name}" for name in known}
    named = {
        (page, name)
        for page, text in PAGES.items()
        # What follows "More than one machine" names the flags of Beam's runners.
        for code in inline_code(text.partition("\n## More than one machine")[0])
        for name in re.findall(r"--(\w+)", code)
    }
    assert len(named) > 40
    assert not {(page, name) for page, name in named if name not in known}


def test_make_commands():
    found = [
        line
        for text in PAGES.values()
        for line in re.findall(r"^    (make .*)$", text, re.MULTILINE)
    ]
    assert len(found) == 2
    for line in found:
        words = shlex.split(line, comments=True)
        done = subprocess.run(
            [words[0], "--dry-run", *words[1:], f"PYTHON={sys.executable}"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        named = set(re.findall(r"(?:tools|configs)/\w+\.\w+", done.stdout))
        assert all((ROOT / name).exists() for name in named)


@pytest.mark.parametrize("page", ALL_PAGES, ids=lambda page: page.name)
def test_files_that_pages_name_exist(page):
    text = page.read_text(encoding="utf-8")
    folders = "motionflow|tools|configs|docs|tests|benchmarks"
    for name in re.findall(rf"`((?:{folders})/[\w/.-]*\w\.\w+)`", text):
        assert (ROOT / name).exists(), name
    for name in re.findall(r"\]\((?!http)([^)#]+)\)", text):
        assert (page.parent / name).exists(), name


def test_readme_is_short():
    assert len(PAGES["README.md"].splitlines()) <= 150
