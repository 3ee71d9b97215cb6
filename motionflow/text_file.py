"""A text that somebody saved -> its characters, whatever editor it was.

file --read_text--> str

Notepad writes a mark before UTF-8, PowerShell writes UTF-16; the mark is not text.
"""

import codecs
from pathlib import Path

from motionflow.errors import InputError

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_text(path: str | Path) -> str:
    """Reads UTF-8, with a byte-order mark or without, or UTF-16 with one.

    Raises:
      InputError: the file cannot be read, or is no such text.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    encoding = "utf-16" if data.startswith(_UTF16) else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no text in UTF-8 or UTF-16") from error
    if "\0" in text:
        raise InputError(f"{path} is no text in UTF-8 or UTF-16: it holds zero bytes")
    return text
