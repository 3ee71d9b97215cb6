"""A data directory on one page of Markdown, to read in a terminal or paste into docs.

Inspection --> where it came from, clips, splits, actions, codes, verdicts
"""

import collections
import textwrap
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from motionflow.drawing import tables
from motionflow.inspection.inspector import Inspection
from motionflow.inspection.promises import PROMISES
from motionflow.labels.clip_status import LEFT_OUT
from motionflow.labels.codebook import Codebook

# Flags of `motionflow split`, where it puts data sets together.
_BY_SPLIT = ("split", "num_clusters", "seed", "codebook", "test_sets")
_BAR = 24  # characters of the longest bar


def format_card(found: Inspection) -> str:
    """Writes what was found in a data directory as a Markdown page.

    Raises:
      ValueError: the inspection has no codebook, so that its codes mean nothing.
    """
    if found.codebook is None:
        raise ValueError("a card needs the codebook of the records")
    has_sets = "data_sets" in found.manifest["flags"]
    parts = [
        [f"# Data directory {found.path.resolve().name}", "", *_summary(found)],
        ["## Where it came from", "", *_origin(found, found.codebook)],
        ["## Clips", "", *_clips(found)],
        ["## Splits", "", *_splits(found)],
        *([["## Data sets", "", *_data_sets(found)]] if has_sets else []),
        ["## Actions", "", *_actions(found)],
        ["## Codes", "", *_codes(found, found.codebook)],
        ["## Verified", "", *_verdicts(found)],
    ]
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def _summary(found: Inspection) -> list[str]:
    flags, censuses = found.manifest["flags"], found.censuses.values()
    total = sum((census.samples for census in censuses), collections.Counter())
    clips = {clip for clip, _, _ in total}
    sources = {source for _, _, source in total}
    size = sum(f.stat().st_size for f in found.path.rglob("*") if f.is_file())
    lines = [
        f"{total.total():,} samples of {len(clips):,} clips from {len(sources):,} "
        f"sources, {size / 1e6:,.1f} MB on disk.",
        f"A sample is a frame of {flags['frame_size']}x{flags['frame_size']} and the "
        f"flow of its {flags['grid_size']}x{flags['grid_size']} cells.",
    ]
    if found.num_unread:
        lines.append(
            f"**{found.num_unread:,} samples could not be read and are not counted.**"
        )
    return lines


def _origin(found: Inspection, codebook: Codebook) -> list[str]:
    flags = dict(found.manifest["flags"])
    num_folds, fold = (flags.pop(name, None) for name in ("num_folds", "fold"))
    share, validates = flags.pop("train_share", None), flags.pop("validation", True)
    versions = [f"{name} {v}" for name, v in found.manifest["versions"].items()]
    return [
        "```sh",
        *(line for command in _commands(flags) for line in _wrapped(command)),
        "```",
        "",
        *([f"Then fold {fold} of {num_folds} by `motionflow split`."] if fold else []),
        *([f"Of the training sources a share of {share:g} is kept."] if share else []),
        *([] if validates else ["What would validate trains, too."]),
        f"Written by {', '.join(versions)}; codebook {codebook.fingerprint}.",
    ]


def _commands(flags: Mapping[str, Any]) -> list[str]:
    """The command that made the data, or those for each data set and for all."""
    sets = flags.get("data_sets")
    if not sets:
        return [" ".join(["motionflow data", *_words(flags)])]
    by_split = {k: v for k, v in flags.items() if k in _BY_SPLIT}
    if "test_sets" in by_split:
        by_split["test_sets"] = ",".join(by_split["test_sets"])
    labels = {k: v for k, v in flags.items() if k not in (*_BY_SPLIT, "data_sets")}
    commands = []
    for i, name in enumerate(sets):
        own = {k: v[i] if isinstance(v, list) else v for k, v in labels.items()}
        words = _words(own | {"output_dir": name})
        commands.append(" ".join(["motionflow data", *words]))
    words = _words({"data_dir": ",".join(sets)} | by_split)
    return [*commands, " ".join(["motionflow split", *words])]


def _words(flags: Mapping[str, Any]) -> list[str]:
    return [f"--{k}={value}" for k, value in flags.items() if value not in ("", None)]


def _wrapped(command: str) -> list[str]:
    *lines, last = textwrap.wrap(
        command,
        width=78,
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [*(f"{line} \\" for line in lines), last]


def _clips(found: Inspection) -> list[str]:
    """Clips by status, and the samples that were left out of them."""
    groups = collections.defaultdict(list)
    for status in found.statuses:
        groups[status.status].append(status)
    fields = ["frames", "samples", *(f"{cause}_samples" for cause in LEFT_OUT)]
    rows = [
        [name, f"{len(group):,}"]
        + [f"{sum(getattr(status, field) for status in group):,}" for field in fields]
        for name, group in sorted(groups.items(), key=lambda item: -len(item[1]))
    ]
    head = ["Status", "Clips", "Frames", "Samples"]
    head += ["Shot cut", "Duplicate frame", "Gap in time", "Unstable"]
    return [
        *tables.markdown_table(head, rows),
        "",
        "The last four columns count samples that were left out: their window of",
        "frames spans a cut, a repeated frame or a gap in time, or the camera's motion",
        "could not be removed.",
    ]


def _splits(found: Inspection) -> list[str]:
    rows, has_past = [], found.labels.past_frames > 0
    for split, census in found.censuses.items():
        shards = found.manifest["splits"][split]["shards"]
        counts = census.num_samples, census.num_clips, len(census.sources), len(shards)
        size = sum(shard["bytes"] for shard in shards) / 1e6
        still = census.still_share
        row = [split, *(f"{n:,}" for n in counts), f"{size:,.1f}"]
        row += (
            ["-", "-"] if still is None else [f"{still:.1%}", _pixels(census.longest)]
        )
        rows.append([*row, f"{census.num_with_past:,}"] if has_past else row)
    head = ["Split", "Samples", "Clips", "Sources", "Shards", "MB", "Still cells"]
    head += ["Longest flow, px", "Past known"] if has_past else ["Longest flow, px"]
    return tables.markdown_table(head, rows)


def _data_sets(found: Inspection) -> list[str]:
    return _shares(found, "Data set", lambda clip, action: clip.split("/")[0])


def _actions(found: Inspection) -> list[str]:
    return _shares(found, "Action", lambda clip, action: action)


def _shares(
    found: Inspection, head: str, group_of: Callable[[str, str], str]
) -> list[str]:
    """Clips and samples of each group, which clip and action tell."""
    clips: dict[str, set[str]] = collections.defaultdict(set)
    samples: collections.Counter[tuple[str, str]] = collections.Counter()
    for split, census in found.censuses.items():
        for (clip, action, _), count in census.samples.items():
            group = group_of(clip, action)
            clips[group].add(clip)
            samples[group, split] += count
    rows = [
        [_name(group), f"{len(clips[group]):,}"]
        + [f"{samples[group, split]:,}" for split in found.censuses]
        for group in sorted(clips)
    ]
    return tables.markdown_table([head, "Clips", *found.censuses], rows)


def _name(group: str) -> str:
    """A folder's name as a cell: one line, no bar, whatever it holds."""
    return repr(group)[1:-1].replace("|", r"\|") or "(none)"


def _codes(found: Inspection, codebook: Codebook) -> list[str]:
    centers, counts = codebook.centers, found.censuses["train"].code_counts
    shares = counts / max(counts.sum(), 1)
    lengths = np.linalg.norm(centers, axis=1)
    rows = [
        [str(code), bar, f"{share:.2%}", *(_pixels(v) for v in (*center, length))]
        for code, (center, length, share, bar) in enumerate(
            zip(centers, lengths, shares, _bars(shares), strict=True)
        )
    ]
    head = ["Code", "", "Training cells", "dx", "dy", "Length"]
    still = f"Code {codebook.zero_index} is the still one"
    if not codebook.num_near_zero:
        still += ", though it is not near zero: hardly anything rests in these videos"
    return [
        f"{still}. Bars are as long",
        "as the square root of the share, or the still code would hide all others.",
        "",
        *tables.markdown_table(head, rows, num_names=2),
    ]


def _bars(shares: np.ndarray) -> Iterable[str]:
    lengths = np.sqrt(shares / max(shares.max(), 1e-12)) * _BAR
    return ["#" * round(length) for length in lengths]


def _verdicts(found: Inspection) -> list[str]:
    lines = []
    for name, promise in PROMISES.items():
        lines.append(f"- {found.verdict(name)}: {promise}")
        lines += [f"    - {line}" for line in found.findings[name]]
    return lines


def _pixels(value: float | None) -> str:
    # Adding zero makes "-0.00" a plain zero.
    return "-" if value is None else f"{round(float(value), 2) + 0.0:.2f}"
