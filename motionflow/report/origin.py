"""What a model learned from and what it is judged on, in plain words.

    run or export --find_origin--> manifest of the training data --> sentences

What is not recorded is said not to be.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from motionflow.data.data_dir import DataDir
from motionflow.errors import InputError
from motionflow.labels.clip_status import read_clips
from motionflow.models.run_dir import RunDir
from motionflow.scoring.summary import Summary

# The flag says how clips are named, and the sample clips are named like HMDB-51's.
_DATASETS = {
    "hmdb51": "HMDB-51, or clips named like its own",
    "ucf101": "UCF-101, or clips named like its own",
    "folder": "a folder of clips",
}
_SEEN = {
    "source": "It learned from no clip of these videos.",
    "official": "It learned from none of these clips.",
    "frame": "It learned from other frames of the same clips, which flatters it.",
    "": "How they were kept apart from what it learned from is not recorded.",
}


def find_origin(model_dir: str | Path) -> dict[str, Any] | None:
    """The manifest of a run's or an export's training data; None if not recorded."""
    card = Path(model_dir, "assets.extra", "model_card.json")
    if card.is_file():
        return json.loads(card.read_text(encoding="utf-8"))["data"]
    return RunDir(model_dir).origin


def learned_from(origin: Mapping | None, data: DataDir) -> str:
    """Frames, clips, sources, data and teacher of the training, from `find_origin`.

    The clips of the data that it is judged on tell its sources, if it learned there.
    """
    if origin is None:
        return "What it learned from is not recorded."
    flags, train = origin["flags"], origin["splits"]["train"]
    counts = f"{train['num_samples']:,} frames"
    if "num_clips" in train:
        counts += f" of {train['num_clips']:,} clips"
    where = _where(flags)
    if _is_same(origin, data):
        where += f"; data directory \u201c{data.path.resolve().name}\u201d"
        if num_sources := _num_training_sources(data):
            counts += f" from {num_sources:,} source videos"
    method = flags.get("flow_method", "not recorded")
    return (
        f"It learned from {counts} ({where}). Its teacher was the optical flow in them "
        f"(method: {method}); nobody labelled anything."
    )


def _where(flags: Mapping[str, Any]) -> str:
    dataset = flags.get("dataset", "data of unknown name")
    names = dict.fromkeys(dataset if isinstance(dataset, list) else [dataset])
    where = " and ".join(_DATASETS.get(name, str(name)) for name in names)
    sets = flags.get("data_sets")
    return f"data sets {', '.join(sets)}: {where}" if sets else where


def judged_on(summary: Summary, origin: Mapping | None, data: DataDir) -> str:
    """Split, frames, clips and sources, and whether the model knows them."""
    counts = (
        f"It is judged on the {summary['split']} split: {summary['num_samples']:,} "
        f"frames of {summary['num_clips']:,} clips from {summary['num_sources']:,} "
        "source videos."
    )
    if origin is not None and not _is_same(origin, data):
        return f"{counts} These are other data than those that it learned from."
    return f"{counts} {_SEEN[data.protocol.rstrip('123')]}"


def _is_same(origin: Mapping, data: DataDir) -> bool:
    """Whether a model was trained on this data directory, or on a copy of it."""
    one, other = (
        {name: split["num_samples"] for name, split in found["splits"].items()}
        | {"codebook": found["codebook_fingerprint"]}
        for found in (origin, data.manifest)
    )
    return one == other


def _num_training_sources(data: DataDir) -> int:
    """0 where the clips are not listed."""
    try:
        clips = read_clips(data.path)
    except InputError:
        return 0
    return len({c.source for c in clips if c.split in ("train", "frame")})
