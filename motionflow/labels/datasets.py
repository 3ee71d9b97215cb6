"""Published data sets: file names to clips, official lists to train and test.

    April_09_brush_hair_u_nm_np1_ba_goo_0.avi    HMDB-51
    `source` `-action-' | |  |   |  |   clip number of the source
                        | |  |   |  quality: goo, med, bad
                        | |  |   camera's view: fr, ba, le, ri
                        | |  number of people
                        | camera motion: nm (none), cm
                        visible body: h, u, l, f

    v_ApplyEyeMakeup_g08_c01.avi                 UCF-101: clip 1 of group 8

HMDB-51's names are parsed from the right, since sources hold underscores of their own;
the action is taken from the folder. The report (section 2) keeps clips without camera
motion and of medium or good quality: 2,306 of 6,766, in 48 of the 51 classes. The clips
of a group of UCF-101 were cut from one video: action and group are the source.
"""

import re
from collections.abc import Callable
from pathlib import Path

from motionflow.errors import InputError
from motionflow.files.file_names import is_hidden, video_stem
from motionflow.labels.clips import Clip, find_folder_clips, find_named_clips
from motionflow.text_file import read_text

_HMDB51_ACTIONS = """
    brush_hair cartwheel catch chew clap climb climb_stairs dive draw_sword
    dribble drink eat fall_floor fencing flic_flac golf handstand hit hug jump
    kick kick_ball kiss laugh pick pour pullup punch push pushup ride_bike
    ride_horse run shake_hands shoot_ball shoot_bow shoot_gun sit situp smile
    smoke somersault stand swing_baseball sword sword_exercise talk throw turn
    walk wave
"""
HMDB51_ACTIONS = tuple(_HMDB51_ACTIONS.split())
_HMDB51_TAGS = re.compile(
    r"_(?P<body>[hulf])_(?P<camera>nm|cm)_np(?P<people>\d+)_(?P<view>fr|ba|le|ri)"
    r"_(?P<quality>goo|med|bad)_(?P<number>\d+)$"
)
_UCF101_NAME = re.compile(r"^v_(?P<action>[A-Za-z]+)_(?P<group>g\d+)_c\d+$")
# The published names and lists spell one action in two ways.
_TWO_WAYS = re.compile("HandstandPushups", re.IGNORECASE)


def parse_hmdb51(name: str, folder: str = "") -> Clip:
    """Reads one HMDB-51 file name; its suffix says nothing.

    The folder's name tells the action where it is one of the 51. `excluded` says which
    tag the report leaves out.

    Raises:
      ValueError: the name does not end with HMDB-51's six tags, or no action of the 51
        stands before them.
    """
    stem = video_stem(name)
    match = _HMDB51_TAGS.search(stem)
    if not match:
        raise ValueError(f"{name!r} does not end with HMDB-51's tags")
    stem = stem[: match.start()]
    # The longest action wins: kick_ball before kick.
    actions = sorted(HMDB51_ACTIONS, key=len, reverse=True)
    actions = [folder] if folder in HMDB51_ACTIONS else actions
    action = next((a for a in actions if stem == a or stem.endswith("_" + a)), folder)
    if action not in HMDB51_ACTIONS:
        raise ValueError(f"{name!r} names none of the 51 actions before its tags")
    source = stem.removesuffix(action).removesuffix("_") or stem
    good = match["quality"] in ("med", "goo")
    excluded = "" if good else f"quality {match['quality']}"
    return Clip(name, action, source, excluded, match["camera"] == "cm")


def parse_ucf101(name: str) -> Clip:
    """Reads one UCF-101 file name; ValueError where it is none."""
    match = _UCF101_NAME.match(_TWO_WAYS.sub("HandStandPushups", video_stem(name)))
    if not match:
        raise ValueError(f"{name!r} is not v_<Action>_g<group>_c<clip>.avi")
    return Clip(name, match["action"], f"{match['action']}_{match['group']}")


# Data set -> what lists the clips of a folder; names that do not parse are excluded.
DATASETS: dict[str, Callable[[str | Path], list[Clip]]] = {
    "hmdb51": lambda video_dir: find_named_clips(
        video_dir, lambda path: parse_hmdb51(path.name, path.parent.name)
    ),
    "ucf101": lambda video_dir: find_named_clips(
        video_dir, lambda path: parse_ucf101(path.name)
    ),
    "folder": find_folder_clips,
}


def read_hmdb51_split(split_dir: str | Path, number: int) -> dict[str, str]:
    """Reads `<action>_test_split<number>.txt` of all actions, lines `name.avi 0|1|2`.

    Returns:
      clip name -> "train" (1), "test" (2) or "" (0: in neither).
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


def read_ucf101_split(split_dir: str | Path, number: int) -> dict[str, str]:
    """Reads trainlist0<number>.txt (`Action/name.avi label`) and testlist0<number>.txt.

    Returns:
      clip name -> "train" or "test".
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


OFFICIAL_LISTS = {"hmdb51": read_hmdb51_split, "ucf101": read_ucf101_split}
