"""A training step of `guided` on a frozen trunk, against the least that it can take.

    python benchmarks/frozen_trunk.py

trunk       the frozen trunk's forward pass alone, on one batch that lies in memory
products    what the head's convolutions cost, with both their gradients, at the rate
            of the fastest product of two large matrices in the same precision
floor       trunk and products
bare step   forward pass, gradients of the head, optimizer, on that batch
training    what `motionflow train` does: see step.py

All have their turns in one run; the fastest turn of each counts.
"""

import argparse
import math
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf
from noise_data import write_noise_data
from step import Turns, add_flags
from step_results import BARE, TRAINING
from step_sides import MATRIX_SIZE, WholeTraining, product_seconds

from motionflow.compat import graph, keras
from motionflow.data import pipeline
from motionflow.data.data_dir import DataDir
from motionflow.data.finishing import finish
from motionflow.drawing.tables import markdown_table
from motionflow.models import blocks, weights
from motionflow.models.dilated_head import JOINED
from motionflow.models.losses import cross_entropy
from motionflow.training import devices
from motionflow.training.preparation import augmentation, make_model, make_schedule
from motionflow.training.settings import PRECISIONS, Settings

TRUNK, PRODUCTS, FLOOR = "trunk", "products of the head", "floor"
TARGET = "80 % of the floor"
HEAD = ["", "s a step", "images/s", "of the floor"]
# As configs/guided.flags has it, but for crops and colours, which are input.
RECIPE = {
    "model": "guided",
    "pretrained": "default",
    "freeze_trunk": True,
    "optimizer": "adamw",
    "weight_decay": 0.05,
    "l2": 0.0,
    "dropout": 0.25,
}


def parse() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_flags(parser, PRECISIONS, num_steps=4)
    return parser.parse_args()


class Step:
    """The network's trunk, and its step without Keras' training around it.

    Args:
      settings: of the training that it is a part of.
      data: its data directory.

    Attributes:
      model: the network, its trunk frozen.
      look: the trunk's maps of the batch.
      learn: one step on the batch; its loss.
    """

    def __init__(self, settings: Settings, data: DataDir):
        devices.set_precision(settings.precision)
        steps = pipeline.steps_per_epoch(data, settings.batch_size)
        model = make_model(settings, data, make_schedule(settings, steps))
        weights.load_trunk(model, settings.pretrained)
        trunk = keras.Model(model.input, model.get_layer(JOINED).output)
        batches = pipeline.training_batches(data, settings.batch_size, 0, tells=True)
        batch = next(iter(batches))
        (frames, known), targets = finish(data, augmentation(settings), batch)
        codes, _ = pipeline.unpack_targets(targets)

        @graph
        def look(frames: tf.Tensor) -> tf.Tensor:
            return trunk(frames, training=True)

        @graph
        def learn(frames: tf.Tensor, known: tf.Tensor) -> tf.Tensor:
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(model.trainable_variables)
                logits, epe = model.forward((frames, known), targets)
                loss = tf.reduce_mean(cross_entropy(codes, logits)) + epe
            model.optimizer.minimize(loss, model.trainable_variables, tape=tape)
            return loss

        self.model = model
        self.look = lambda: look(frames)
        self.learn = lambda: learn(frames, known)


def seconds(compute: Callable[[], tf.Tensor], num_steps: int) -> float:
    """How long some steps take."""
    begin = time.perf_counter()
    for _ in range(num_steps):
        compute().numpy()
    return time.perf_counter() - begin


def head_flops(model: keras.Model) -> int:
    """Operations of the head's convolutions in one training step on one image.

    Each is computed three times, for its output and two gradients, but for the first:
    nobody needs the gradient of the trunk's maps. What compares cells, adds and
    normalises is left out.
    """
    counts = {
        layer.name: 2 * model.grid_size**2 * math.prod(layer.kernel.shape)
        for layer in model.submodules
        if isinstance(layer, keras.layers.Conv2D)
        and not layer.name.startswith(blocks.TRUNK)
    }
    return 3 * sum(counts.values()) - counts["look_in"]


def measure(args: argparse.Namespace, data: DataDir, run_dir: Path) -> list[str]:
    """The lines of the table."""
    settings = Settings(
        data_dir=str(data.path),
        run_dir=str(run_dir),
        width=args.width,
        batch_size=args.batch_size,
        epochs=args.num_rounds + 1,
        precision=args.precision,
        **RECIPE,
    )
    step = Step(settings, data)
    contestants = {
        TRUNK: lambda num_steps: seconds(step.look, num_steps),
        BARE: lambda num_steps: seconds(step.learn, num_steps),
        PRODUCTS: lambda _: product_seconds(settings.precision),
    }
    turns = Turns(contestants, args.num_steps)
    training = WholeTraining(settings)
    training.run(turns)
    rate = 2 * MATRIX_SIZE**3 / min(turns.seconds.pop(PRODUCTS))
    found = {name: min(each) / args.num_steps for name, each in turns.seconds.items()}
    # The first epoch traces, and what is before it is no break.
    found[TRAINING] = min(training.epochs[1:]) / args.num_steps
    found[TRAINING] += min(training.breaks[1:]) / settings.checkpoint_steps
    flops = args.batch_size * head_flops(step.model)
    found[PRODUCTS] = flops / rate
    found[FLOOR] = found[TRUNK] + found[PRODUCTS]
    rows = [
        [
            name,
            f"{found[name]:.3f}",
            f"{args.batch_size / found[name]:.1f}",
            f"{found[FLOOR] / found[name]:.0%}" if name in (BARE, TRAINING) else "",
        ]
        for name in (TRUNK, PRODUCTS, FLOOR, BARE, TRAINING)
    ]
    return [
        f"Peak {rate / 1e9:.0f} GFLOP/s; {flops / 1e9:.1f} GFLOP a step in the head",
        "",
        *markdown_table(HEAD, rows),
        "",
        f"Waiting for input: {training.input_share:.1%} of the training. Target: "
        f"training at {TARGET}.",
    ]


def main() -> None:
    """Prints a table."""
    args = parse()
    tf.config.threading.set_intra_op_parallelism_threads(args.num_threads)
    tf.config.threading.set_inter_op_parallelism_threads(args.num_threads)
    with tempfile.TemporaryDirectory() as folder:
        num_samples = args.batch_size * args.num_steps
        data = write_noise_data(Path(folder, "data"), num_samples)
        lines = measure(args, data, Path(folder, "run"))
    print(
        f"## guided, frozen trunk, width {args.width:g}, batch {args.batch_size}, "
        f"{args.precision}, {args.num_threads} threads, TensorFlow {tf.__version__}\n"
    )
    print("\n".join(lines))


if __name__ == "__main__":
    main()
