"""A data directory of noise: as large to read and decode as real frames, made at once.

nothing -> records of 200x200 frames with 20x20 random motions
"""

import dataclasses
import functools
import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from motionflow.data import records
from motionflow.data.data_dir import FORMAT_VERSION, DataDir, open_data_dir
from motionflow.labels.codebook import Codebook
from motionflow.labels.options import LabelOptions
from motionflow.labels.samples import encode_frame

FRAME_SIZE, GRID_SIZE, NUM_CLUSTERS = 200, 20, 40
NUM_SHARDS = 10
NUM_DISTINCT = 250  # samples; more of them are these again
_SOURCE_LENGTH = 4  # clips


def write_noise_data(
    folder: Path,
    num_samples: int,
    frame_encoding: str = "png",
    clip_length: int = 0,
    jpeg_quality: int = LabelOptions.jpeg_quality,
) -> DataDir:
    """Writes a data directory without validation and test samples.

    Args:
      folder: does not exist yet.
      num_samples: of the training split.
      frame_encoding: png, jpeg or raw.
      clip_length: samples in a clip, four clips from a source; 0: all of one clip.
      jpeg_quality: of jpeg.

    Returns:
      the data directory, opened.
    """
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    codebook = Codebook(random.normal(0, 3, (NUM_CLUSTERS, 2)))
    encode = functools.partial(
        encode_frame, encoding=frame_encoding, jpeg_quality=jpeg_quality
    )
    distinct = [
        _sample(random, codebook, i, encode)
        for i in range(min(num_samples, NUM_DISTINCT))
    ]
    samples = (
        _placed(distinct[i % NUM_DISTINCT], i, clip_length or num_samples).encode()
        for i in range(num_samples)
    )
    shards = records.write_shards(folder, "train", samples, NUM_SHARDS)
    codebook.save(folder / "codebook.npz")
    mean_frame = np.full((FRAME_SIZE, FRAME_SIZE, 3), 128, np.float32)
    np.save(folder / "mean_frame.npy", mean_frame)
    empty = {"num_samples": 0, "shards": []}
    manifest = {
        "format_version": FORMAT_VERSION,
        "flags": {
            "frame_size": FRAME_SIZE,
            "grid_size": GRID_SIZE,
            "frame_encoding": frame_encoding,
        },
        "codebook_fingerprint": codebook.fingerprint,
        "splits": {
            "train": {"num_samples": num_samples, "shards": shards},
            "validation": empty,
            "test": empty,
        },
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return open_data_dir(folder)


def _placed(sample: records.Sample, index: int, clip_length: int) -> records.Sample:
    """A sample as that of a split with this number."""
    clip, frame_index = divmod(index, clip_length)
    return dataclasses.replace(
        sample,
        clip=f"noise{clip:05d}.avi",
        frame_index=frame_index,
        source=f"noise{clip // _SOURCE_LENGTH}",
    )


def _sample(
    random: np.random.Generator,
    codebook: Codebook,
    index: int,
    encode: Callable[[np.ndarray], bytes],
) -> records.Sample:
    # Blurred, since noise as such cannot be compressed: about 70 kB, as real frames.
    noise = random.normal(0, 1, (FRAME_SIZE, FRAME_SIZE, 3))
    frame = np.clip(128 + 400 * cv2.GaussianBlur(noise, (0, 0), 3), 0, 255)
    flow = random.normal(0, 3, (GRID_SIZE, GRID_SIZE, 2)).astype(np.float32)
    return records.Sample(
        frame=encode(frame.astype(np.uint8)),
        flow=flow,
        codes=codebook.encode(flow).ravel(),
        clip="noise.avi",
        frame_index=index,
        action="",
        source="noise",
    )
