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
from motionflow.labels.flow import FLOW_AVERAGES, FLOW_METHODS, GRID_SAMPLINGS
from motionflow.labels.options import (
    DUPLICATES,
    FRAME_ENCODINGS,
    STABILIZERS,
    BuildOptions,
    LabelOptions,
)
from motionflow.labels.splits import PROTOCOLS

ENGINES = ("local", "beam")


def define_flags(values: flags.FlagValues) -> None:
    """Adds the flags; the defaults are the report's choices."""
    build, labels, limits = BuildOptions(), LabelOptions(), ClipLimits()
    define = FlagGroups(values, "Which clips, and their splits")
    define.choice("dataset", build.dataset, DATASETS, "How to read file names.")
    define.choice("split", build.split, PROTOCOLS, "What keeps the splits apart.")
    define.text("split_dir", None, "Folder of the official split files.")
    define.group("Labels")
    define.choice("flow_method", labels.flow_method, FLOW_METHODS, "The teacher.")
    text = "Subsequent frames to average over."
    define.number("flow_frames", labels.flow_frames, text, at_least=1)
    define.choice("flow_average", labels.flow_average, FLOW_AVERAGES, "How to average.")
    text = "A sample every so many frames."
    define.number("frame_stride", labels.frame_stride, text, at_least=1)
    text = "Side of the square frame, pixels."
    define.number("frame_size", labels.frame_size, text, at_least=1)
    text = "Side of the flow grid, cells."
    define.number("grid_size", labels.grid_size, text, at_least=1)
    text = "Flow of a cell."
    define.choice("grid_sampling", labels.grid_sampling, GRID_SAMPLINGS, text)
    text = "Take the camera's motion out."
    define.choice("stabilize", labels.stabilize, STABILIZERS, text)
    text = "What duplicated frames cause."
    define.choice("duplicates", labels.duplicates, DUPLICATES, text)
    text = "Keep flow at N x N; 0: no."
    define.number("store_dense_flow", labels.store_dense_flow, text, at_least=0)
    text = "Steps whose flow is kept."
    define.number("sequence_length", labels.sequence_length, text, at_least=1)
    text = "Keep the flow of so many frames before; 0: no."
    define.number("past_frames", labels.past_frames, text, at_least=0)
    text = "In the records."
    define.choice("frame_encoding", labels.frame_encoding, FRAME_ENCODINGS, text)
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
