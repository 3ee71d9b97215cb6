"""What decides about the content of a data directory; its manifest holds it as flags.

LabelOptions     how frames become labels
BuildOptions     which clips, their labels, splits and codebook
ResplitOptions   how finished data directories are split anew
"""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from motionflow.errors import InputError
from motionflow.labels import stabilize
from motionflow.labels.codebook import Codebook
from motionflow.labels.flow import (
    FLOW_AVERAGES,
    FLOW_METHODS,
    GRID_SAMPLINGS,
    PCAFLOW_SIZE,
)

FRAME_ENCODINGS = ("png", "jpeg", "raw")
STABILIZERS = ("none", "homography")
DUPLICATES = ("leave_out", "remove")
CHOICES = {
    "flow_method": tuple(FLOW_METHODS),
    "flow_average": FLOW_AVERAGES,
    "grid_sampling": GRID_SAMPLINGS,
    "frame_encoding": FRAME_ENCODINGS,
    "stabilize": STABILIZERS,
    "duplicates": DUPLICATES,
}
LEAST = {
    **dict.fromkeys(("flow_frames", "frame_stride", "frame_size", "grid_size"), 1),
    **{"sequence_length": 1, "past_frames": 0, "store_dense_flow": 0},
    "jpeg_quality": 1,
}
MOST = {"jpeg_quality": 100}


@dataclasses.dataclass(frozen=True)
class LabelOptions:
    """How frames become labels; the defaults are the report's (section 2).

    `duplicates` decides about duplicated frames: samples whose window holds one are
    left out, or the frames are removed and flow goes on to the next that differs.
    `store_dense_flow` N > 0 keeps the flow at N x N too, for dense models;
    `sequence_length` T > 1 the flow of the T - 1 steps that follow, for sequences.
    `past_frames` n > 0 keeps how the frame's places moved in the n frames before it.
    `jpeg_quality` is that of frames in the records: flow comes from the video's own.

    Raises:
      InputError: values that no clip could be labelled with.
    """

    flow_method: str = "deepflow"
    flow_frames: int = 3
    flow_average: str = "anchored"
    frame_stride: int = 5
    frame_size: int = 200
    grid_size: int = 20
    grid_sampling: str = "area"
    frame_encoding: str = "png"
    jpeg_quality: int = 95
    stabilize: str = "none"
    duplicates: str = "leave_out"
    store_dense_flow: int = 0
    sequence_length: int = 1
    past_frames: int = 0

    def __post_init__(self) -> None:
        for name, allowed in CHOICES.items():
            if (found := getattr(self, name)) not in allowed:
                raise InputError(f"{name} {found!r} is none of {', '.join(allowed)}")
        for name, least in LEAST.items():
            if (number := getattr(self, name)) < least:
                raise InputError(f"{name} is {number}, expected {least} or more")
        for name, most in MOST.items():
            if (number := getattr(self, name)) > most:
                raise InputError(f"{name} is {number}, expected {most} or less")
        if self.flow_method == "pcaflow" and self.frame_size < PCAFLOW_SIZE:
            raise InputError(
                f"pcaflow needs frame_size {PCAFLOW_SIZE}, found {self.frame_size}: "
                "OpenCV's breaks on smaller frames"
            )

    @classmethod
    def from_flags(cls, flags: Mapping[str, Any]) -> "LabelOptions":
        """Those of a manifest; what an older one does not name was off.

        Where data sets with different flags were put together, the manifest has lists.
        They say which frames became samples, not what a label means, and are left out.
        """
        fields = cls.__dataclass_fields__.keys() & flags.keys()
        values = {name: flags[name] for name in fields}
        return cls(**{n: v for n, v in values.items() if not isinstance(v, list)})

    @property
    def versions(self) -> dict[str, str]:
        """Of what makes these labels here, beside libraries; none without a camera."""
        return {} if self.stabilize == "none" else {"stabilizer": stabilize.VERSION}

    @property
    def step_motion(self) -> float:
        """Frames of a steady motion that a label amounts to."""
        return (self.flow_frames + 1) / 2 if self.flow_average == "anchored" else 1

    @property
    def step_frames(self) -> int:
        """Video frames from one step to the next: `step_motion`, rounded up."""
        return math.ceil(self.step_motion)

    @property
    def window_frames(self) -> int:
        """Frames that one sample looks at."""
        return (self.sequence_length - 1) * self.step_frames + self.flow_frames + 1

    @property
    def kept_shapes(self) -> dict[str, tuple[int, ...]]:
        """What a sample keeps beside its flow, as float16 in pixels of the frame.

        With D `store_dense_flow` and T `sequence_length`, those that are kept of
        dense_flow (D, D, 2), later_flow (T - 1, g, g, 2), the flow of the steps that
        follow, later_dense_flow (T - 1, D, D, 2), and past_flow (g, g, 2), the flow of
        the frames before, NaN in all cells where it is not known.
        """
        grid, dense = self.grid_size, self.store_dense_flow
        later, past = self.sequence_length - 1, grid if self.past_frames else 0
        shapes = {
            "dense_flow": (dense, dense, 2),
            "later_flow": (later, grid, grid, 2),
            "later_dense_flow": (later, dense, dense, 2),
            "past_flow": (past, past, 2),
        }
        return {name: shape for name, shape in shapes.items() if 0 not in shape}


@dataclasses.dataclass(frozen=True)
class BuildOptions:
    """What a data directory holds.

    `codebook` is an existing one to use; None fits one of `num_clusters` centres.

    Raises:
      InputError: cells that do not divide the frame.
    """

    dataset: str = "hmdb51"
    split: str = "source"
    num_clusters: int = 40
    seed: int = 0
    codebook: Codebook | None = None
    labels: LabelOptions = dataclasses.field(default_factory=LabelOptions)

    def __post_init__(self) -> None:
        size = self.labels.frame_size
        for name in ("grid_size", "store_dense_flow"):
            cells = getattr(self.labels, name)
            if cells and size % cells:
                raise InputError(f"frame_size {size} is no multiple of {name} {cells}")

    def flags(self) -> dict[str, Any]:
        """One flat dictionary, flag name to value; a codebook as its fingerprint."""
        flags = vars(self) | dataclasses.asdict(self.labels)
        del flags["labels"]
        if not self.labels.past_frames:
            del flags["past_frames"]  # older builds of the same name none
        if self.labels.jpeg_quality == LabelOptions.jpeg_quality:
            del flags["jpeg_quality"]
        return _with_fingerprint(flags)


@dataclasses.dataclass(frozen=True)
class ResplitOptions:
    """How to split anew.

    `num_folds` 0 draws one split; N >= 3 draws N by source, each source being tested in
    exactly one of them. `codebook` is an existing one to use. `test_sets` are data sets
    that are tested only, `train_share` is the share of the other training sources that
    is kept. Without `validation` those that would validate train, too.
    """

    split: str = "source"
    num_folds: int = 0
    num_clusters: int = 40
    seed: int = 0
    codebook: Codebook | None = None
    test_sets: tuple[str, ...] = ()
    train_share: float = 1.0
    validation: bool = True

    def flags(self, before: Mapping[str, Any]) -> dict[str, Any]:
        """The flags of a build with these in their place."""
        flags = {**before, **vars(self), "test_sets": list(self.test_sets)}
        flags.pop("fold", None)  # of a fold that is split anew
        for name in ("num_folds", "test_sets", "train_share", "validation"):
            if getattr(self, name) == getattr(ResplitOptions, name):
                del flags[name]
        return _with_fingerprint(flags)


def _with_fingerprint(flags: dict[str, Any]) -> dict[str, Any]:
    if codebook := flags["codebook"]:
        flags["codebook"] = codebook.fingerprint
        flags["num_clusters"] = codebook.num_clusters
    return flags
