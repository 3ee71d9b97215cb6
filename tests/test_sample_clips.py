"""The tool that draws the sample clips."""

from motionflow.commands import sample_clips


def test_it_writes_clips_and_says_so(call, tmp_path):
    (tmp_path / "walk").mkdir()
    (tmp_path / "walk" / "mine.avi").write_bytes(b"kept")
    numbers = ["--num_clips=1", "--num_workers=1"]
    done = call(sample_clips, f"--output_dir={tmp_path}", *numbers)
    assert done.code == 0, done.err
    assert "1 clips" in done.out and "1 walk" in done.out
    assert "1 other .avi files" in done.out
    assert (tmp_path / "walk" / "mine.avi").read_bytes() == b"kept"
    assert len(list((tmp_path / "walk").iterdir())) == 2


def test_a_wrong_number_ends_with_one_line(call, tmp_path):
    done = call(sample_clips, f"--output_dir={tmp_path}", "--num_clips=0")
    assert done.code == 1
    assert done.err == "error: num_clips is 0; expected at least 1.\n"
    assert not any(tmp_path.iterdir())
