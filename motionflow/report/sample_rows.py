"""Samples -> what the page shows of each: flow over the frame, codes, a video.

    frames, flow, prediction, codes -> rows of pictures with captions
    frames, flow, prediction -> films of both motions, side by side
    frames -> roll-out -> videos beside their frame

Rows of small pictures, not one wide figure: a telephone shows them at the same size,
and captions stay text.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from motionflow.drawing import flow_color
from motionflow.drawing.pictures import Picture, picture, video_uri
from motionflow.generate import rollout
from motionflow.labels.codebook import Codebook
from motionflow.media import video
from motionflow.models.predictor import Predictor
from motionflow.scoring.figures import example_titles

Samples = Mapping[str, np.ndarray]
_LARGE = 400  # pixels a side of the pictures in Figure 1
_NUM_PREDICTIONS = _FRAMES_PER_PREDICTION = 5  # the report's
NUM_STEPS = 5  # that a motion is carried on for, so that the eye can follow it
_FRAMES_PER_STEP, _PAUSE = 3, 6  # of a film; frames that it rests at each end
_GAP = 4  # pixels between its halves


@dataclasses.dataclass(frozen=True)
class Row:
    """Pictures of one sample side by side, a caption each, under title and note."""

    title: str
    note: str
    pictures: Sequence[Picture]
    captions: Sequence[str]


@dataclasses.dataclass(frozen=True)
class Clip:
    """A video inside the page, beside the frame that it was made from."""

    title: str
    uri: str
    still: Picture


def first_overlay(samples: Samples, zero_index: int) -> Row:
    """Figure 1: true and predicted flow of the first sample, larger.

    Args as in `overlay_rows`.
    """
    frame = cv2.resize(
        samples["frames"][0], [_LARGE] * 2, interpolation=cv2.INTER_CUBIC
    )
    first = {key: values[:1] for key, values in samples.items()}
    (row,) = overlay_rows(first | {"frames": frame[None]}, zero_index)
    return dataclasses.replace(
        row, pictures=row.pictures[1:], captions=row.captions[1:]
    )


def overlay_rows(samples: Samples, zero_index: int) -> list[Row]:
    """Figure 10: frame, true and predicted flow of each sample.

    Args:
      samples: frames, flow, prediction, codes and titles, see `example_titles`.
      zero_index: the code of "still".
    """
    keys = ("frames", "flow", "prediction", "codes")
    columns, rows = (samples[key] for key in keys), []
    for title, frame, true, predicted, codes in zip(
        example_titles(samples), *columns, strict=True
    ):
        note, moving = "nothing moves", codes != zero_index
        if moving.any():
            error, length = (
                np.linalg.norm(flow, axis=-1).ravel()[moving].mean()
                for flow in (predicted - true, true)
            )
            note = (
                f"EPE where it moves {error:.2f} px, of the zero flow {length:.2f} px"
            )
        panels = flow_color.flow_panels(frame, true, predicted)
        captions = [
            f"{one}, {panel.longest:.1f} px"
            for one, panel in zip(("true", "predicted"), panels, strict=True)
        ]
        what = ("True flow", "Predicted flow")
        rows.append(_row(title, note, frame, what, captions, panels))
    return rows


def _row(
    title: str,
    note: str,
    frame: np.ndarray,
    what: Sequence[str],
    captions: Sequence[str],
    panels: Sequence[flow_color.FlowPanel],
) -> Row:
    """A frame and flows over it."""
    pictures = [picture(frame, f"Frame: {title}")]
    for name, panel in zip(what, panels, strict=True):
        pictures.append(picture(panel.picture, f"{name}: {title}"))
    return Row(title, note, tuple(pictures), ("frame", *captions))


def clustering_rows(samples: Samples, codebook: Codebook) -> list[Row]:
    """Figure 2: frame, flow before clustering, flow that the codes stand for.

    Args:
      samples: from `pipeline.read_samples`; without dense flow the unquantised grid
        stands in its place.
      codebook: of the data.
    """
    rows, finest = [], samples.get("dense_flow", samples["flow"])
    columns = (samples[key] for key in ("frames", "flow", "codes"))
    for title, before, frame, flow, codes in zip(
        example_titles(samples), finest, *columns, strict=True
    ):
        after = codebook.decode(codes).reshape(flow.shape)
        error = np.linalg.norm(after - flow, axis=-1).mean()
        note = f"codes are {error:.2f} px off, mean over all cells"
        panels = flow_color.flow_panels(frame, before, after)
        side, cells = len(before), len(flow)
        captions = (
            f"flow, {side}x{side}",
            f"{codebook.num_clusters} codes, {cells}x{cells}",
        )
        what = ("Flow before clustering", "Flow of the codes")
        rows.append(_row(title, note, frame, what, captions, panels))
    return rows


def films(samples: Samples, num_films: int) -> list[Clip]:
    """Frames moved by the predicted flow, left, and by the true flow, right.

    One film of both, so that they cannot drift apart.

    Args:
      samples: as in `overlay_rows`.
      num_films: how many, those with the longest true flow on average.
    """
    lengths = np.linalg.norm(samples["flow"], axis=-1).mean(axis=(1, 2))
    order = np.argsort(-lengths, kind="stable")[:num_films]
    chosen = {key: values[order] for key, values in samples.items()}
    halves = [_carry_on(chosen["frames"], chosen[k]) for k in ("prediction", "flow")]
    gap = np.full([*halves[0].shape[:3], _GAP, 3], 128, np.uint8)
    both = np.concatenate([halves[0], gap, halves[1]], axis=3)
    return [
        Clip(title, video_uri(film), picture(film[0], f"Frame, twice: {title}"))
        for title, film in zip(example_titles(chosen), both, strict=True)
    ]


def _carry_on(frames: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """A flow that stands still while things move through it: uint8 [N, T, S, S, 3]."""
    moved = rollout.generate(
        lambda _: flow, frames, NUM_STEPS, _FRAMES_PER_STEP, mode="euler"
    )
    film = np.concatenate([frames[:, np.newaxis], rollout.to_uint8(moved)], axis=1)
    return np.pad(film, [(0, 0), (_PAUSE, _PAUSE), (0, 0), (0, 0), (0, 0)], mode="edge")


def play(model: Predictor, samples: Samples, num_clips: int) -> list[Clip]:
    """Rolls frames forward, as `motionflow animate` does.

    Args:
      model: predicts the flow of each frame.
      samples: frames uint8 [N, S, S, 3] and titles.
      num_clips: how many of them, from the first on.
    """
    frames = np.stack(
        [video.fit_frame(f, model.frame_size) for f in samples["frames"][:num_clips]]
    )
    futures = rollout.generate(
        lambda batch: model(batch)["flow"],
        frames,
        _NUM_PREDICTIONS,
        _FRAMES_PER_PREDICTION,
    )
    futures = rollout.to_uint8(futures)
    titles = example_titles(samples)[:num_clips]
    return [
        Clip(title, video_uri([first, *future]), picture(first, f"Frame: {title}"))
        for title, first, future in zip(titles, frames, futures, strict=True)
    ]
