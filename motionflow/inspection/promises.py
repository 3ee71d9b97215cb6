"""What a data directory promises about its parts, and how each promise is checked.

    records of a split --> Census: counts, gathered while they stream by
    counts, clips.jsonl, manifest --> a line for each violation

The functions know nothing of files that are damaged: `inspection` reads what there is
and asks here what is wrong with it.
"""

import collections
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from motionflow.labels.clip_status import ClipStatus
from motionflow.labels.codebook import Codebook

PROMISES = {
    "shards": "every shard is there, with the size, the sha256 and the number of "
    "records that the manifest gives, and no other lies there",
    "records": "every record parses, occurs once, and holds a frame of the right size, "
    "finite flow, and the codes of this flow",
    "splits": "no two splits share what --split keeps apart",
    "counts": "clips.jsonl, the manifest and the records agree on clips and samples",
    "codebook": "the codebook is the one of the records; its centres are distinct, not "
    "more than one is near zero, and none is unused in training",
    "mean_frame": "mean_frame.npy is the mean of the training frames",
}
MEAN_TOLERANCE = 0.5  # levels of 255: two decoders of one JPEG differ by less


class Census:
    """Counts over the samples of one split; it stays small, however many there are.

    Attributes:
      samples: (clip, action, source) -> number of its samples.
      code_counts: int64 [K], cells of each code.
      longest: pixels, of the flow in any cell.
      frame_sum: float64 [S, S, 3], sum of the frames.
      num_with_past: samples whose flow just before is known.
    """

    def __init__(self, num_clusters: int, zero_index: int, frame_size: int):
        """Takes the codebook's size K and still code, and the frame's side S."""
        self.samples: collections.Counter[tuple[str, str, str]] = collections.Counter()
        self.code_counts = np.zeros(num_clusters, np.int64)
        self.longest = 0.0
        self.frame_sum = np.zeros((frame_size, frame_size, 3))
        self.num_with_past = 0
        self._zero_index = zero_index

    def add_sample(self, origin: tuple[str, str, str], frame: np.ndarray) -> None:
        """Counts a sample of a clip, action and source; frame is uint8 [S, S, 3]."""
        self.samples[origin] += 1
        self.frame_sum += frame

    def add_motion(self, flow: np.ndarray, codes: np.ndarray) -> None:
        """Counts finite flow float32 [g, g, 2] and its codes, int [g * g] below K."""
        self.code_counts += np.bincount(codes, minlength=len(self.code_counts))
        self.longest = max(self.longest, float(np.linalg.norm(flow, axis=-1).max()))

    @property
    def num_samples(self) -> int:
        """Samples counted."""
        return self.samples.total()

    @property
    def clips(self) -> set[str]:
        """Clips that they are from."""
        return {clip for clip, _, _ in self.samples}

    @property
    def num_clips(self) -> int:
        """Number of these clips."""
        return len(self.clips)

    @property
    def sources(self) -> set[str]:
        """Videos that the clips were cut from."""
        return {source for _, _, source in self.samples}

    @property
    def still_share(self) -> float | None:
        """Share of the cells that are still; None without a sample."""
        total = self.code_counts.sum()
        return float(self.code_counts[self._zero_index] / total) if total else None


def split_problems(protocol: str, censuses: Mapping[str, Census]) -> Iterator[str]:
    """Checks that the splits are disjoint, as far as the protocol promises.

    Args:
      protocol: one of `splits.PROTOCOLS`. By `frame` only samples are apart, which is
        seen where the records are read.
      censuses: split -> its counts.
    """
    if protocol == "frame":
        return
    clips, sources = collections.defaultdict(list), collections.defaultdict(list)
    for split, census in censuses.items():
        for clip in census.clips:
            clips[clip].append(split)
        # Official lists do not keep the test sources apart; of their training clips
        # those for validation are chosen by source.
        if protocol == "source" or split != "test":
            for source in census.sources:
                sources[source].append(split)
    for noun, splits_of in (("clip", clips), ("source", sources)):
        shared = [f"{k!r} ({', '.join(v)})" for k, v in splits_of.items() if len(v) > 1]
        if shared:
            yield f"--split={protocol}: a {noun} lies in two splits: {some(shared)}"


def set_problems(flags: Mapping, statuses: Sequence[ClipStatus]) -> Iterator[str]:
    """Checks that clips are of the data sets, and those of test sets only tested."""
    if "data_sets" not in flags:
        return
    set_of = {status.clip: status.clip.split("/")[0] for status in statuses}
    if others := [clip for clip in set_of if set_of[clip] not in flags["data_sets"]]:
        yield f"clips.jsonl names clips of no data set: {some(map(repr, others))}"
    trained = [
        f"{status.clip!r} ({status.split})"
        for status in statuses
        if set_of[status.clip] in flags.get("test_sets", ())
        and status.split not in ("test", "")
    ]
    if trained:
        yield f"clips of --test_sets lie in other splits: {some(trained)}"


def status_problems(
    statuses: Sequence[ClipStatus], expected: Mapping[str, int]
) -> Iterator[str]:
    """Checks clips.jsonl against the manifest's number of clips of each status."""
    found = collections.Counter(status.status for status in statuses)
    if found != expected:
        yield f"clips.jsonl has clips {dict(found)}, the manifest says {dict(expected)}"
    lines = collections.Counter(status.clip for status in statuses)
    if twice := [clip for clip, count in lines.items() if count > 1]:
        yield f"clips.jsonl names a clip twice: {some(map(repr, twice))}"


def count_problems(
    splits: Mapping[str, dict], censuses: Mapping[str, Census]
) -> Iterator[str]:
    """Checks the manifest's `splits` against the counts over all records."""
    for split, census in censuses.items():
        for name in ("num_samples", "num_clips"):
            found, expected = getattr(census, name), splits[split][name]
            if found != expected:
                yield f"{split} has {name} {found}, the manifest says {expected}"


def clip_problems(
    statuses: Sequence[ClipStatus], censuses: Mapping[str, Census]
) -> Iterator[str]:
    """Checks clips.jsonl, clip by clip, against the counts over all records."""
    total = sum((census.samples for census in censuses.values()), collections.Counter())
    recorded = {clip: (count, *rest) for (clip, *rest), count in total.items()}
    listed = {s.clip: (s.samples, s.action, s.source) for s in statuses if s.samples}
    if unlisted := sorted(recorded.keys() - listed.keys()):
        names = some(map(repr, unlisted))
        yield f"clips.jsonl gives no samples to a clip that has some: {names}"
    other = [
        f"{clip!r} {values}, the records {recorded.get(clip, (0,))}"
        for clip, values in listed.items()
        if recorded.get(clip) != values
    ]
    if other:
        yield f"clips.jsonl differs from the records: {some(other)}"
    split_of = {status.clip: status.split for status in statuses}
    moved = [
        f"{clip!r} ({split_of[clip]}) in {split}"
        for split, census in censuses.items()
        for clip in sorted(census.clips)
        if split_of.get(clip, "frame") not in (split, "frame")
    ]
    if moved:
        yield f"records lie in another split than clips.jsonl says: {some(moved)}"


def codebook_problems(
    codebook: Codebook, code_counts: np.ndarray, own: bool
) -> Iterator[str]:
    """Checks the codebook's centres, and its counts against the training records.

    Args:
      codebook: that of the records; its centres are distinct, or it would not load.
      code_counts: [K], training cells of each code.
      own: fitted to this training split, so that each centre should be used here.
    """
    if codebook.num_near_zero > 1:
        yield f"codebook.npz has {codebook.num_near_zero} centres near zero, expected 1"
    if own and len(unused := np.flatnonzero(code_counts == 0)):
        yield f"no training cell has the codes {some(map(str, unused), 10)}"
    if (code_counts != codebook.counts).any():
        yield "codebook.npz counts other vectors a code than the training records"


def mean_frame_problems(path: Path, train: Census) -> Iterator[str]:
    """Checks the file `path` against the mean of the training frames."""
    try:
        found = np.load(path)
    except (OSError, ValueError, EOFError) as error:
        yield f"{path.name} cannot be read: {error}"
        return
    expected = train.frame_sum / max(train.num_samples, 1)
    if found.shape != expected.shape:
        yield f"{path.name} is {found.shape}, expected {expected.shape}"
    elif not (off := np.abs(found - expected).max()) <= MEAN_TOLERANCE:
        yield f"{path.name} is up to {off:.1f} levels off the mean of training frames"


def some(items: Iterable[str], most: int = 3) -> str:
    """Joins the first few items and counts the rest."""
    items = list(items)
    rest = f"; and {len(items) - most} more" if len(items) > most else ""
    return "; ".join(items[:most]) + rest
