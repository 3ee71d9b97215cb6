"""Which pictures are filmed, and where their films go."""

from pathlib import Path

import pytest

from motionflow.errors import InputError
from motionflow.films.filming import plan


@pytest.fixture(autouse=True)
def photos(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.jpg", "b.png", "b.jpg", "[c].jpg", "notes.txt"):
        Path("photos").mkdir(exist_ok=True)
        Path("photos", name).touch()
    Path("clip.mp4").touch()


def names(found):
    return {str(source): str(target) for source, target in found.films}


def test_a_film_lies_beside_its_picture():
    found = plan(["photos/a.jpg"], None)
    assert names(found) == {"photos/a.jpg": "photos/a.mp4"} and not found.is_batch
    assert names(plan(["photos/a.jpg"], None, "gif")) == {
        "photos/a.jpg": "photos/a.gif"
    }
    assert names(plan(["photos/a.jpg"], None, "png")) == {"photos/a.jpg": "photos/a"}
    assert names(plan(["photos/a.jpg"], "x.gif")) == {"photos/a.jpg": "x.gif"}
    # A video is not its own film.
    assert names(plan(["clip.mp4"], None)) == {"clip.mp4": "clip-film.mp4"}


def test_a_folder():
    found = plan(["photos"], None)
    assert names(found) == {
        "photos/[c].jpg": "photos/[c].mp4",
        "photos/a.jpg": "photos/a.mp4",
        "photos/b.jpg": "photos/b-jpg.mp4",
        "photos/b.png": "photos/b-png.mp4",
    }
    assert found.is_batch and found.num_others == 1
    assert [str(t) for _, t in plan(["photos"], "films", "gif").films] == [
        "films/[c].gif",
        "films/a.gif",
        "films/b-jpg.gif",
        "films/b-png.gif",
    ]


def test_patterns_and_several_words():
    found = plan(["photos/*.jpg", "clip.mp4", "photos/a.jpg"], "films")
    assert list(names(found)) == [
        "photos/[c].jpg",
        "photos/a.jpg",
        "photos/b.jpg",
        "clip.mp4",
    ]
    # A name that looks like a pattern is a name first.
    assert list(names(plan(["photos/[c].jpg"], None))) == ["photos/[c].jpg"]
    assert plan(["photos/a*.jpg"], None).is_batch


@pytest.mark.parametrize(
    "inputs, output, message",
    [
        (["none/*.jpg"], None, "no file is called like none"),
        (["clip.mp4"], "clip.mp4", "--output is --input"),
        (["photos"], "photos", "--output is --input"),
        (["photos"], "a.mp4", "--output must be one, not a.mp4"),
        (["photos", "clip.mp4"], "clip.mp4", "--output is --input"),
        (["photos/a.jpg"], "a.avi", "must end in"),
    ],
)
def test_refused(inputs, output, message):
    with pytest.raises(InputError, match=message):
        plan(inputs, output)


def test_two_films_of_one_name():
    Path("other").mkdir()
    Path("other/a.jpg").touch()
    with pytest.raises(InputError, match="2 films would be called films/a-jpg.mp4"):
        plan(["photos/a.jpg", "other/a.jpg"], "films")
    assert names(plan(["photos/a.jpg", "other/a.jpg"], None)) == {
        "photos/a.jpg": "photos/a.mp4",
        "other/a.jpg": "other/a.mp4",
    }
