"""The flags that say how videos become training data.

flags -> BuildOptions, an engine: the arguments of data.builder.build_data_dir
"""

import functools
import os
import shlex
from collections.abc import Callable
from typing import Any

from absl import flags

from motionflow.flag_groups import FlagGroups
from motionflow.labels.codebook import Codebook
from motionflow.labels.datasets import DATASETS
from motionflow.labels.extraction import ClipLimits, extract_clips
from motionflow.labels.options import CHOICES, LEAST, MOST, BuildOptions, LabelOptions
from motionflow.labels.splits import PROTOCOLS

ENGINES = ("local", "beam")
LABEL_TEXTS = {
    "flow_method": "The teacher.",
    "flow_frames": "Subsequent frames to average over.",
    "flow_average": "How to average.",
    "frame_stride": "A sample every so many frames.",
    "frame_size": "Side of the square frame, pixels.",
    "grid_size": "Side of the flow grid, cells.",
    "grid_sampling": "Flow of a cell.",
    "stabilize": "Take the camera's motion out.",
    "duplicates": "What duplicated frames cause.",
    "store_dense_flow": "Keep flow at N x N; 0: no.",
    "sequence_length": "Steps whose flow is kept.",
    "past_frames": "Keep the flow of so many frames before; 0: no.",
    "frame_encoding": "In the records.",
    "jpeg_quality": "Of jpeg in the records, up to 100.",
}


def define_flags(values: flags.FlagValues) -> None:
    """Adds the flags; the defaults are the report's choices."""
    build, labels, limits = BuildOptions(), LabelOptions(), ClipLimits()
    define = FlagGroups(values, "Which clips, and their splits")
    define.choice("dataset", build.dataset, DATASETS, "How to read file names.")
    define.choice("split", build.split, PROTOCOLS, "What keeps the splits apart.")
    define.text("split_dir", None, "Folder of the official split files.")
    define.group("Labels")
    for name, text in LABEL_TEXTS.items():
        default = getattr(labels, name)
        if name in CHOICES:
            define.choice(name, default, CHOICES[name], text)
        else:
            most = MOST.get(name)
            define.number(name, default, text, at_least=LEAST[name], at_most=most)
    define.group("Codebook")
    text = "Flow vectors in the codebook."
    define.number("num_clusters", build.num_clusters, text, at_least=1)
    define.text("codebook", None, "A codebook.npz to use instead of fitting one.")
    define.group("How it is computed")
    define.choice("engine", "local", ENGINES, "Where clips are extracted.")
    define.text("beam_args", "", "Options of the Beam pipeline, as one string.")
    text = "Processes of the local engine."
    define.number("num_workers", os.cpu_count() or 1, text, at_least=1)
    text = "Seconds that a clip may take; 0: any."
    define.number("clip_timeout", int(limits.seconds), text, at_least=0)
    text = "Memory that a clip may take; 0: any."
    define.number("clip_memory_mb", limits.megabytes, text, at_least=0)
    text = "Share of the clips that may fail."
    define.number("max_failed_fraction", 0.1, text, 0.0, 1.0)


def options_from(values: flags.FlagValues) -> BuildOptions:
    """What to build."""
    labels: dict[str, Any] = {
        name: values[name].value for name in LabelOptions.__dataclass_fields__
    }
    return BuildOptions(
        dataset=values.dataset,
        split=values.split,
        num_clusters=values.num_clusters,
        seed=values.seed,
        codebook=Codebook.load(values.codebook) if values.codebook else None,
        labels=LabelOptions(**labels),
    )


def engine_from(
    values: flags.FlagValues, progress: Callable[[int, int], None]
) -> Callable:
    """Who extracts the clips."""
    limits = ClipLimits(values.clip_timeout, values.clip_memory_mb)
    if values.engine == "local":
        return functools.partial(
            extract_clips,
            num_workers=values.num_workers,
            limits=limits,
            progress=progress,
        )
    from motionflow.labels import beam

    return functools.partial(
        beam.extract_clips,
        limits=limits,
        pipeline_args=shlex.split(values.beam_args),
        progress=progress,
    )
