"""A data directory of noise, and a run without training: small, for many tests."""

import json

import numpy as np
import tensorflow as tf

from motionflow.compat import keras
from motionflow.data import records
from motionflow.data.data_dir import FORMAT_VERSION
from motionflow.labels.codebook import Codebook
from motionflow.labels.options import LabelOptions
from motionflow.models.network import build_model
from motionflow.models.run_dir import RunDir
from motionflow.training.settings import Settings

FRAME_SIZE, GRID_SIZE = 64, 3  # allconv: 64 -> 3
STEPS_SIZE, STEPS_GRID = 72, 4  # dense networks: 72 -> 4 -> 36
STEPS = {"dense_size": 36, "sequence_length": 3}
GUIDED_GRID = 4  # of a trunk that halves 64 four times
CENTERS = np.array([[0, 0], [2, 0], [-2, 0], [0, 3], [0, -3]], np.float32)


def write_data(
    path,
    num_samples=(12, 5, 5),
    centers=CENTERS,
    steps=False,
    frame_size=FRAME_SIZE,
    grid_size=GRID_SIZE,
):
    """Writes a data directory; frames and flow are random, codes are nearest.

    With `steps` it keeps what a `dense_sequence` learns, see `write_run`.
    """
    path.mkdir(parents=True)
    random, codebook = np.random.default_rng(0), Codebook(centers)
    flags = {"frame_size": frame_size, "grid_size": grid_size, "frame_encoding": "raw"}
    if steps:
        flags |= {"frame_size": STEPS_SIZE, "grid_size": STEPS_GRID}
        flags |= {"store_dense_flow": 36, "sequence_length": 3}
    splits = {}
    for split, num in zip(("train", "validation", "test"), num_samples, strict=True):
        samples = [_record(random, codebook, flags, i) for i in range(num)]
        shards = records.write_shards(path, split, samples, 2)
        splits[split] = {"num_samples": num, "shards": shards}
    codebook.save(path / "codebook.npz")
    shape = (flags["frame_size"], flags["frame_size"], 3)
    np.save(path / "mean_frame.npy", np.full(shape, 127, np.float32))
    manifest = {
        "format_version": FORMAT_VERSION,
        "flags": flags,
        "codebook_fingerprint": codebook.fingerprint,
        "splits": splits,
    }
    (path / "manifest.json").write_text(json.dumps(manifest))
    return path


def _record(random, codebook, flags, index):
    size, grid = flags["frame_size"], flags["grid_size"]
    flow = random.normal(0, 2, (grid, grid, 2)).astype(np.float32)
    frame = random.integers(0, 256, (size, size, 3), np.uint8)
    kept = {
        name: random.normal(0, 2, shape).astype(np.float16)
        for name, shape in LabelOptions.from_flags(flags).kept_shapes.items()
    }
    return records.Sample(
        frame=frame.tobytes(),
        flow=flow,
        codes=codebook.encode(flow).ravel(),
        clip="clip.avi",
        frame_index=index,
        action="",
        source="clip",
        **kept,
    ).encode()


def settings(data_dir, run_dir, **changes):
    """Settings of a training that takes a second or two."""
    values = {"width": 0.05, "batch_size": 4, "epochs": 2, "seed": 0}
    return Settings(data_dir=str(data_dir), run_dir=str(run_dir), **values | changes)


def write_run(path, name="allconv", centers=CENTERS):
    """Writes the run directory of a network with random weights.

    A `dense_sequence` has frames of STEPS_SIZE, a grid of STEPS_GRID, and STEPS; a
    `guided` network has a grid of GUIDED_GRID.
    """
    model_config = {
        "name": name,
        "num_clusters": len(centers),
        "width": 0.1,
        "dropout": 0.3,
    }
    size, model_config["grid_size"] = FRAME_SIZE, GRID_SIZE
    if name == "dense_sequence":
        size, model_config["grid_size"] = STEPS_SIZE, STEPS_GRID
        model_config |= STEPS
    elif name == "guided":
        model_config |= {"grid_size": GUIDED_GRID, "head": "dilated"}
    mean_frame = np.full((size, size, 3), 127, np.float32)
    keras.utils.set_random_seed(0)
    model = build_model(mean_frame=mean_frame, **model_config)
    if name == "dense_sequence":
        model.get_layer("steps").centers.assign(centers)
    random, weights = np.random.default_rng(0), model.trainable_weights
    if name == "guided":
        model.get_layer("guidance").centers.assign(centers)
        # Noise all along so deep a trunk would drown the frame.
        heads = map(model.get_layer, ("scores", "gates", "guidance"))
        weights = [weight for layer in heads for weight in layer.trainable_weights]
    for weight in weights:
        weight.assign_add(random.normal(0, 0.1, weight.shape))
    run_dir = RunDir(path)
    config = {"model": model_config, "training": {}, "data": {}}
    run_dir.prepare(config, Codebook(centers), mean_frame)
    checkpoint = tf.train.Checkpoint(model=model)
    tf.train.CheckpointManager(
        checkpoint, str(run_dir.checkpoints), 1, checkpoint_name="epoch"
    ).save(checkpoint_number=1)
    return path
