"""How commands read flags, keep quiet and end."""

import logging
import os
import signal
import subprocess
import sys
import types

import pytest

from motionflow import cli
from motionflow.errors import InputError, Stopped
from motionflow.flag_groups import FlagGroups


def make_command(main, words="", goes_on=False):
    """A command with three flags."""

    def define_flags(values):
        define = FlagGroups(values, "Own")
        define.text("name", "x", "A name.")
        define.repeated("input", "Files.")
        define.text("data_dir", None, "A folder.")

    command = types.ModuleType("command", "Does something.\n\nAt length.")
    command.__file__ = "command.py"
    command.define_flags, command.main = define_flags, main
    if words:
        command.WORDS = words
    if goes_on:
        command.GOES_ON = True
    return command


def raising(error):
    def main(values):
        raise error

    return make_command(main)


def test_success(call):
    done = call(make_command(lambda values: print("hello", values.name)), "--name=you")
    assert done == (0, "hello you\n", "")
    assert call(make_command(lambda values: 3)).code == 3


def test_an_input_error_is_one_line(call):
    done = call(raising(InputError("name is bad, expected good")))
    assert done == (1, "", "error: name is bad, expected good\n")


def test_a_bug_keeps_its_traceback(call):
    with pytest.raises(ZeroDivisionError):
        call(make_command(lambda values: 1 / 0))


def test_an_unknown_flag_and_a_stray_word(call, tmp_path):
    command = make_command(print)
    done = call(command, "--nam=a")
    assert done.code == 1 and done.out == ""
    first, hint = done.err.splitlines()
    assert first == "error: Unknown command line flag 'nam'. Did you mean: name ?"
    assert hint == "--help shows all flags"
    file = tmp_path / "a.flags"
    file.write_text("# a comment\n--no_such_flag=1\n")
    assert "flag 'no_such_flag'" in call(command, f"--flagfile={file}").err
    assert call(command, "word").err.startswith("error: unexpected arguments: word\n")


def test_a_word_stands_for_a_flag():
    one, many = make_command(print, "data_dir"), make_command(print, "input")
    assert cli.parse(one, ["d", "--name=a"]).data_dir == "d"
    values = cli.parse(many, ["a b.jpg", "--name", "a", "b,c.jpg"])
    assert values.input == ["a b.jpg", "b,c.jpg"] and values.name == "a"
    assert cli.parse(many, ["--input=a", "--input=b"]).input == ["a", "b"]
    with pytest.raises(cli.flags.Error, match="unexpected arguments: e"):
        cli.parse(one, ["d", "e"])
    for twice in (["d", "--data_dir=e"], ["--data_dir", "e", "d"]):
        with pytest.raises(cli.flags.Error, match="--data_dir is given twice"):
            cli.parse(one, twice)


def test_the_flag_file_is_read_and_named(tmp_path):
    file = tmp_path / "a.flags"
    file.write_text("--name=of the file\n")
    command = make_command(print)
    for words in ([f"--flagfile={file}"], ["--flagfile", str(file)]):
        values = cli.parse(command, words)
        assert (values.name, values.flagfile) == ("of the file", str(file))
    assert cli.parse(command, []).flagfile == ""
    # A word goes before what the file says, as a flag does.
    file.write_text("--data_dir=of the file\n")
    command.WORDS = "data_dir"
    assert cli.parse(command, [f"--flagfile={file}", "mine"]).data_dir == "mine"


def test_flag_files_of_any_editor_and_in_each_other(tmp_path, call):
    """A mark of Notepad, UTF-16 of PowerShell; the inner file in the outer's place."""
    command = make_command(print)
    inner, outer = tmp_path / "inner.flags", tmp_path / "outer.flags"
    inner.write_text("--name=hügel\n--data_dir=inner", encoding="utf-16")
    lines = ["--data_dir=outer", "", "  # --name=x", f"--flagfile={inner}", "// y"]
    outer.write_bytes("\r\n".join(lines).encode("utf-8-sig"))
    values = cli.parse(command, ["--input=a", f"--flagfile={outer}", "--input=b"])
    assert (values.name, values.data_dir) == ("hügel", "inner")
    assert (values.input, values.flagfile) == (["a", "b"], str(outer))
    outer.write_text(f"--flagfile={outer}")
    said = call(command, f"--flagfile={outer}").err
    assert said == f"error: the flag file {outer} holds itself\n"
    outer.write_bytes("--name=hügel".encode("latin-1"))
    said = call(command, "--flagfile", outer).err
    assert said == f"error: {outer} is no text in UTF-8 or UTF-16\n"
    assert "none cannot be read: No such" in call(command, "--flagfile=none").err
    assert call(command, "--flagfile").err == "error: --flagfile names no file\n"


def test_a_default_of_an_older_name_gives_way_to_the_flag():
    command, defaults = make_command(print), {"name": "old"}
    assert cli.parse(command, [], defaults).name == "old"
    assert cli.parse(command, ["--name=new"], defaults).name == "new"


@pytest.mark.parametrize("flag", ["--help", "-h", "--helpfull", "--helpshort"])
def test_help(call, flag):
    done = call(make_command(print), "--no_such_flag", flag)
    assert done.code == 0 and done.err == ""
    assert done.out.startswith("Does something.\n\nAt length.\n\nOwn:\n  --name=x ")
    assert "\nGeneral:\n" in done.out


def test_what_stops_it_is_one_line(call):
    done = call(raising(KeyboardInterrupt()))
    assert done == (130, "", "\nstopped\n")
    done = call(raising(Stopped(signal.SIGTERM, "saved; goes on")))
    assert done == (143, "", "\nsaved; goes on\n")


def test_sigterm_is_answered_like_ctrl_c(call):
    before = signal.getsignal(signal.SIGTERM)

    def main(values):
        os.kill(os.getpid(), signal.SIGTERM)
        raise AssertionError("it went on")

    done = call(make_command(main, goes_on=True))
    assert done == (143, "", "\nstopped; the same command goes on\n")
    assert signal.getsignal(signal.SIGTERM) == before


def test_remarks_are_shown_plainly(call):
    def main(values):
        logging.getLogger("motionflow.some.module").info("%d frames", 3)
        logging.getLogger("motionflow.some.module").warning("remark: odd")
        logging.getLogger("tensorflow").error("noise")

    assert call(make_command(main)) == (0, "3 frames\n", "remark: odd\n")
    assert not logging.getLogger("motionflow").handlers


def test_a_module_of_the_user_is_imported_first(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "mine_for_test_cli.py").write_text("print('imported')")
    command = make_command(lambda values: print("main"))
    done = call(command, "--import_module=mine_for_test_cli")
    assert done == (0, "imported\nmain\n", "")
    done = call(command, "--import_module=none_there")
    assert done.err == "error: --import_module: there is no module none_there\n"


def test_who_reads_the_output_may_stop():
    script = "from motionflow import cli; cli.run('animate')"
    command = f'{sys.executable} -c "{script}" --help | head -n 1'
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    assert done.stdout.startswith("Plays a picture on") and not done.stderr


def test_closed_streams_are_no_place_for_results():
    script = "from motionflow import terminal as t; t.open_standard_streams();"
    script += "import os, sys;"
    script += "print('lost', file=sys.stderr); print('lost'); sys.exit(os.open('/', 0))"
    command = f'{sys.executable} -c "{script}" <&- >&- 2>&-'
    assert subprocess.run(command, shell=True).returncode == 3


def test_a_folder_that_went_away_is_said(call, tmp_path, monkeypatch):
    (tmp_path / "a").mkdir()
    monkeypatch.chdir(tmp_path / "a")
    (tmp_path / "a").rmdir()
    done = call(make_command(lambda values: os.getcwd()))
    monkeypatch.chdir(tmp_path)
    assert (
        done.err == "error: the folder that this was called in is not there any more\n"
    )
