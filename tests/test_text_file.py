"""Texts as editors leave them."""

import codecs

import pytest

from motionflow.errors import InputError
from motionflow.text_file import read_text

TEXT = "grüße\r\n"


@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode(),
        codecs.BOM_UTF8 + TEXT.encode(),
        codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"),
        codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"),
    ],
)
def test_marks_are_no_text(data, tmp_path):
    (tmp_path / "a").write_bytes(data)
    assert read_text(tmp_path / "a") == TEXT


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16-le", "utf-32"])
def test_what_is_no_text(encoding, tmp_path):
    (tmp_path / "a").write_bytes(TEXT.encode(encoding))
    with pytest.raises(InputError, match="a is no text in UTF-8 or UTF-16"):
        read_text(tmp_path / "a")
    with pytest.raises(InputError, match="none cannot be read: No such file"):
        read_text(tmp_path / "none")
