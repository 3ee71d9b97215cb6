"""Which files may be replaced."""

import numpy as np
import pytest

from motionflow.errors import InputError
from motionflow.files.marks import check_replaceable
from motionflow.media import picture, video_writer

FRAMES = np.zeros((3, 16, 16, 3), np.uint8)


@pytest.mark.parametrize("name", ["a.mp4", "a.gif", "a", "a.png"])
def test_a_file_with_the_mark_may_be_replaced(name, tmp_path):
    path = tmp_path / name
    check_replaceable(path, "motionflow animate")  # nothing is there

    def write(mark):
        if path.suffix == ".png":
            picture.write_png(path, FRAMES[0], mark)
        elif path.suffix:
            video_writer.write_video(path, FRAMES, 10, mark)
        else:
            picture.write_frames(path, FRAMES, mark)
            (path / ".DS_Store").touch()

    write("motionflow animate")
    check_replaceable(path, "motionflow animate")
    for other in ("motionflow restore", ""):
        write(other)
        with pytest.raises(InputError, match="was not made by motionflow animate"):
            check_replaceable(path, "motionflow animate")
        check_replaceable(path, "motionflow animate", overwrite=True)


def test_a_device_without_an_end_is_not_read():
    with pytest.raises(InputError, match="is there already"):
        check_replaceable("/dev/full", "motionflow animate")


def test_an_empty_file_or_folder(tmp_path):
    (tmp_path / "a.mp4").touch()
    with pytest.raises(InputError, match="is there already"):
        check_replaceable(tmp_path / "a.mp4", "motionflow animate")
    (tmp_path / "a").mkdir()
    check_replaceable(tmp_path / "a", "motionflow animate")
    (tmp_path / "a" / "folder").mkdir()
    with pytest.raises(InputError, match="is there already"):
        check_replaceable(tmp_path / "a", "motionflow animate")
