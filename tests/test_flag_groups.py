"""What help shows of each kind of flag."""

import pytest
from absl import flags

from motionflow.flag_groups import FlagGroups, format_help


def make():
    values = flags.FlagValues()
    define = FlagGroups(values, "First")
    define.text("name", "x", "A name.")
    define.texts("models", "Some.")
    define.choice("mode", None, ("slow", "fast"), "How.")
    define.group("Second")
    define.number("count", 5, "How many.", at_least=1)
    define.number("share", 0.5, "How much.", 0.0, 1.0)
    define.number("longest_of_all_the_names", None, "A limit: 3.", at_least=0.1)
    define.switch("crop", False, "Crops.")
    define.switch("mirror", True, "Mirrors.")
    define.repeated("grid", "Several.")
    return values


def test_help_of_each_kind():
    assert format_help(make()).splitlines() == [
        "First:",
        "  --name=x                A name.",
        "  --models=               Some.",
        "  --mode=                 How. One of: slow, fast.",
        "",
        "Second:",
        "  --count=5               How many.",
        "  --share=0.5             How much.",
        "  --longest_of_all_the_names=",
        "                          A limit: 3.",
        "  --[no]crop              Crops.",
        "  --mirror, --nomirror    Mirrors.",
        "  --grid=                 Several.",
    ]


def test_long_texts_are_wrapped():
    values = flags.FlagValues()
    FlagGroups(values, "First").text("name", None, "word " * 40)
    lines = format_help(values).splitlines()
    assert len(lines) == 5 and max(map(len, lines)) <= 88


def test_kinds_and_bounds():
    values = make()
    values(["x", "--count=7", "--share=1", "--models=a,b", "--grid=a,b", "--grid=c"])
    assert values.count == 7 and isinstance(values.count, int)
    assert values.share == 1.0 and isinstance(values.share, float)
    assert values.models == ["a", "b"] and values.grid == ["a,b", "c"]
    for wrong in ("--count=0", "--count=1.5", "--share=1.1", "--mode=medium"):
        with pytest.raises(flags.IllegalFlagValueError):
            make()(["x", wrong])
