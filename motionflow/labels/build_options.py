"""What decides about the content of a data directory, but for its labels.

Both are saved in the manifest. No TensorFlow here: a command knows its flags at once.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from motionflow.labels import hmdb51, ucf101
from motionflow.labels.clips import find_folder_clips
from motionflow.labels.codebook import Codebook
from motionflow.labels.samples import LabelOptions

DATASETS = {
    "hmdb51": hmdb51.find_clips,
    "ucf101": ucf101.find_clips,
    "folder": find_folder_clips,
}


@dataclasses.dataclass(frozen=True)
class BuildOptions:
    """All that decides what a data directory holds; saved in its manifest.

    `codebook` is an existing one to use; None fits one of `num_clusters` centres.
    """

    dataset: str = "hmdb51"
    split: str = "source"
    num_clusters: int = 40
    seed: int = 0
    codebook: Codebook | None = None
    labels: LabelOptions = dataclasses.field(default_factory=LabelOptions)

    def flags(self) -> dict:
        """One flat dictionary, flag name to value; a codebook as its fingerprint."""
        flags = vars(self) | dataclasses.asdict(self.labels)
        del flags["labels"]
        if not self.labels.past_frames:
            del flags["past_frames"]  # older builds of the same name none
        if self.codebook is not None:
            flags["codebook"] = self.codebook.fingerprint
            flags["num_clusters"] = self.codebook.num_clusters
        return flags


@dataclasses.dataclass(frozen=True)
class ResplitOptions:
    """How to split anew; saved in the manifest.

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

    def flags(self, before: Mapping[str, Any]) -> dict:
        """The flags of a build with these in their place."""
        flags = {**before, **vars(self), "test_sets": list(self.test_sets)}
        if self.codebook is not None:
            flags["codebook"] = self.codebook.fingerprint
            flags["num_clusters"] = self.codebook.num_clusters
        flags.pop("fold", None)  # of a fold that is split anew
        for name in ("num_folds", "test_sets", "train_share", "validation"):
            if getattr(self, name) == getattr(ResplitOptions, name):
                del flags[name]
        return flags
