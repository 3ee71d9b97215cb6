"""UCF-101: file names to clips, official lists to train and test.

`v_ApplyEyeMakeup_g08_c01.avi` is clip 1 of group 8 of its action; the clips of a group
were cut from one video, so action and group together are the source.
"""

import re
from pathlib import Path

from motionflow.errors import InputError
from motionflow.files.file_names import video_stem
from motionflow.labels.clips import Clip, find_named_clips
from motionflow.text_file import read_text

_NAME = re.compile(r"^v_(?P<action>[A-Za-z]+)_(?P<group>g\d+)_c\d+$")
# The published names and lists spell one action in two ways.
_TWO_WAYS = re.compile("HandstandPushups", re.IGNORECASE)


def parse_name(name: str) -> Clip:
    """Reads one UCF-101 file name; ValueError where it is none."""
    match = _NAME.match(_TWO_WAYS.sub("HandStandPushups", video_stem(name)))
    if not match:
        raise ValueError(f"{name!r} is not v_<Action>_g<group>_c<clip>.avi")
    return Clip(name, match["action"], f"{match['action']}_{match['group']}")


def find_clips(video_dir: str | Path) -> list[Clip]:
    """Lists the videos below `video_dir`; names that do not parse are excluded."""
    return find_named_clips(video_dir, lambda path: parse_name(path.name))


def read_official_split(split_dir: str | Path, number: int) -> dict[str, str]:
    """Reads trainlist0<number>.txt (`Action/name.avi label`) and testlist0<number>.txt.

    Returns:
      clip name -> "train" or "test".

    Raises:
      InputError: one of the two lists is missing, or is no text.
    """
    splits = {}
    for split in ("train", "test"):
        file = Path(split_dir, f"{split}list{number:02d}.txt")
        if not file.is_file():
            raise InputError(f"no {file.name} in split_dir {split_dir}")
        for line in read_text(file).splitlines():
            if line.strip():
                splits[Path(line.split()[0]).name] = split
    return splits
