"""HMDB-51: file names to clips, official split files to train and test.

    April_09_brush_hair_u_nm_np1_ba_goo_0.avi
    `source` `-action-' | |  |   |  |   clip number of the source
                        | |  |   |  quality: goo, med, bad
                        | |  |   camera's view: fr, ba, le, ri
                        | |  number of people
                        | camera motion: nm (none), cm
                        visible body: h, u, l, f

Names are parsed from the right, since sources hold underscores of their own; the action
is taken from the folder. The report (section 2) keeps clips without camera motion and
of medium or good quality: 2,306 of 6,766, in 48 of the 51 classes.
"""

import re
from pathlib import Path

from motionflow.errors import InputError
from motionflow.files.file_names import is_hidden, video_stem
from motionflow.labels.clips import Clip, find_named_clips
from motionflow.text_file import read_text

_ACTION_NAMES = """
    brush_hair cartwheel catch chew clap climb climb_stairs dive draw_sword
    dribble drink eat fall_floor fencing flic_flac golf handstand hit hug jump
    kick kick_ball kiss laugh pick pour pullup punch push pushup ride_bike
    ride_horse run shake_hands shoot_ball shoot_bow shoot_gun sit situp smile
    smoke somersault stand swing_baseball sword sword_exercise talk throw turn
    walk wave
"""
ACTIONS = tuple(_ACTION_NAMES.split())
_TAGS = re.compile(
    r"_(?P<body>[hulf])_(?P<camera>nm|cm)_np(?P<people>\d+)_(?P<view>fr|ba|le|ri)"
    r"_(?P<quality>goo|med|bad)_(?P<number>\d+)$"
)


def parse_name(name: str, folder: str = "") -> Clip:
    """Reads one HMDB-51 file name.

    Args:
      name: the file's name without its folder; its suffix says nothing.
      folder: the folder's name; it tells the action where it is one of the 51.

    Returns:
      The clip with `path` = `name`; `excluded` says which tag the report leaves out.

    Raises:
      ValueError: the name does not end with HMDB-51's six tags, or no action of the 51
        stands before them.
    """
    stem = video_stem(name)
    match = _TAGS.search(stem)
    if not match:
        raise ValueError(f"{name!r} does not end with HMDB-51's tags")
    stem = stem[: match.start()]
    # The longest action wins: kick_ball before kick.
    actions = [folder] if folder in ACTIONS else sorted(ACTIONS, key=len, reverse=True)
    action = next((a for a in actions if stem == a or stem.endswith("_" + a)), folder)
    if action not in ACTIONS:
        raise ValueError(f"{name!r} names none of the 51 actions before its tags")
    source = stem.removesuffix(action).removesuffix("_") or stem
    good = match["quality"] in ("med", "goo")
    excluded = "" if good else f"quality {match['quality']}"
    return Clip(name, action, source, excluded, match["camera"] == "cm")


def find_clips(video_dir: str | Path) -> list[Clip]:
    """Lists `video_dir`/<action>/<name>.avi; names that do not parse are excluded."""
    return find_named_clips(
        video_dir, lambda path: parse_name(path.name, path.parent.name)
    )


def read_official_split(split_dir: str | Path, number: int) -> dict[str, str]:
    """Reads `<action>_test_split<number>.txt` of all actions.

    Returns:
      clip name -> "train" (1), "test" (2) or "" (0: in neither).

    Raises:
      InputError: no such file, one that is no text, or a line that is not
        `name.avi 0|1|2`.
    """
    found = sorted(Path(split_dir).glob(f"*_test_split{number}.txt"))
    files = [file for file in found if not is_hidden(file.name)]
    if not files:
        raise InputError(f"no *_test_split{number}.txt in split_dir {split_dir}")
    meaning = {"0": "", "1": "train", "2": "test"}
    splits = {}
    for file in files:
        for line in read_text(file).splitlines():
            name, _, digit = line.strip().rpartition(" ")
            if digit not in meaning:
                raise InputError(f"{file}: {line!r} is not 'name.avi 0|1|2'")
            splits[name] = meaning[digit]
    return splits
