"""A training step against PyTorch's, and against what the processor can do at most.

    python benchmarks/step.py --torch_python=VENV/bin/python

The same networks, batch and precision, in turns in one run:

bare step   forward pass, gradients and optimizer, on one batch that lies in memory
training    what `motionflow train` does: records of PNG frames, decoded,
            shuffled and mirrored; metrics, callbacks, checkpoints. Its time is the one
            in history.csv. What lies between two epochs (a checkpoint, history.csv, a
            new dataset, its first batch) is added once in --checkpoint_steps, 100
PyTorch     the bare step, eager and compiled, in a process of its own (step_torch.py)

Before the clock starts both get the same weights and must give the same logits. The
fastest turn of each counts; the first, which traces and compiles, does not. The peak is
the fastest product of two large matrices in either library. Operations are counted from
the layers' shapes (step_results.py).
"""

import argparse
import contextlib
import math
import os
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from noise_data import write_noise_data
from step_results import (
    BARE,
    COMPILED,
    EAGER,
    PYTORCH,
    TENSORFLOW,
    Results,
    training_flops,
)
from step_sides import (
    MATRIX_SIZE,
    BareStep,
    Peer,
    WholeTraining,
    compare_networks,
    has_torch,
    memory_rate,
    product_seconds,
)

from motionflow.compat import keras
from motionflow.data import pipeline
from motionflow.data.data_dir import DataDir
from motionflow.models import blocks
from motionflow.training.settings import Settings

# As configs/allconv.flags and configs/alexnet.flags have it.
RECIPES = {
    "allconv": {"learning_rate": 1e-3, "l2": 1e-5, "dropout": 0.3},
    "alexnet": {"learning_rate": 1e-4, "l2": 0.0, "dropout": 0.5},
}
TARGETS = {
    "allconv": "training at 85 % of the peak, bare step not behind PyTorch",
    "alexnet": "bare step at 90 % of the floor and 1.15 times PyTorch",
}
# Of the logits, relative to the largest.
TOLERANCES = {"float32": 1e-3, "mixed_bfloat16": 5e-2}
NUM_COMPARED = 2


def parse() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default=",".join(RECIPES), help="networks")
    add_flags(parser, TOLERANCES, num_steps=3)
    text = "Python with PyTorch, of any environment; left out if it has none"
    parser.add_argument("--torch_python", default=sys.executable, help=text)
    return parser.parse_args()


def add_flags(
    parser: argparse.ArgumentParser, precisions: Iterable[str], num_steps: int
) -> None:
    """Adds what both benchmarks of a step ask; `num_steps` is a default."""
    parser.add_argument("--width", type=float, default=1.0, help="factor on filters")
    parser.add_argument("--batch_size", type=int, default=32, help="images a step")
    parser.add_argument("--num_steps", type=int, default=num_steps, help="steps a turn")
    parser.add_argument("--num_rounds", type=int, default=3, help="turns of each")
    parser.add_argument("--precision", default="float32", choices=precisions)
    parser.add_argument("--num_threads", type=int, default=os.cpu_count())


class Turns:
    """Everyone's turns, again and again in the same order.

    Args:
      contestants: functions of a number of steps that return seconds.
      num_steps: of a turn.

    Attributes:
      seconds: of each contestant's turns, without the first, which is one step.
    """

    def __init__(self, contestants: dict[str, Callable[[int], float]], num_steps: int):
        self._contestants, self._is_warm = contestants, False
        self._num_steps = num_steps
        self.seconds: dict[str, list[float]] = {name: [] for name in contestants}

    def __call__(self) -> None:
        """Lets each have its turn."""
        for name, run in self._contestants.items():
            seconds = run(self._num_steps if self._is_warm else 1)
            if self._is_warm:
                self.seconds[name].append(seconds)
        self._is_warm = True


def compare(args: argparse.Namespace, name: str, data: DataDir, folder: Path) -> None:
    """Measures one network and prints what was found."""
    settings = Settings(
        data_dir=str(data.path),
        run_dir=str(folder / "run"),
        model=name,
        width=args.width,
        batch_size=args.batch_size,
        epochs=args.num_rounds + 1,
        precision=args.precision,
        **RECIPES[name],
    )
    bare = BareStep(settings, data)
    batches = pipeline.training_batches(data, settings.batch_size, settings.seed)
    batch = next(iter(batches))
    frames, codes = batch["frames"], batch["codes"]
    contestants = {
        BARE: lambda num_steps: bare.seconds(num_steps, frames, codes),
        TENSORFLOW: lambda _: product_seconds(settings.precision),
    }
    with contextlib.ExitStack() as stack:
        peer = start_peer(args, settings, data.codebook.num_clusters)
        if peer:
            stack.enter_context(peer)
            batch = frames.numpy(), codes.numpy()
            check_peer(peer, bare.model, *batch, folder, settings.precision)
            contestants |= {
                EAGER: lambda num_steps: peer.ask("eager", num_steps)[0],
                COMPILED: lambda num_steps: peer.ask("compiled", num_steps)[0],
                PYTORCH: lambda _: peer.ask("multiply", MATRIX_SIZE),
            }
        turns = Turns(contestants, args.num_steps)
        training = WholeTraining(settings)
        training.run(turns)
        print_results(args, bare.model, settings, turns.seconds, training)
        if peer:
            print(f"The waiting process used {peer.waiting_share:.1%} of a processor.")


def print_results(
    args: argparse.Namespace,
    model: keras.Model,
    settings: Settings,
    turns: dict[str, list[float]],
    training: WholeTraining,
) -> None:
    """Prints a network's table."""
    libraries = [library for library in (TENSORFLOW, PYTORCH) if library in turns]
    results = Results(
        batch_size=settings.batch_size,
        num_steps=args.num_steps,
        flops=training_flops(model),
        products={
            library: [2 * MATRIX_SIZE**3 / seconds for seconds in turns.pop(library)]
            for library in libraries
        },
        turns=turns,
        # The first epoch traces, and what is before it is no break.
        epochs=training.epochs[1:],
        breaks=training.breaks[1:],
        stops=training.stops[1:],
        checkpoint_steps=settings.checkpoint_steps,
        num_weights=sum(math.prod(weight.shape) for weight in model.trainable_weights),
        memory_rate=memory_rate(),
    )
    head = f"{settings.model}, width {settings.width:g}, batch {settings.batch_size}"
    print(
        f"\n## {head}, {settings.precision}\n\n"
        f"{blocks.count_parameters(model):,} parameters, {args.num_threads} threads, "
        f"TensorFlow {tf.__version__}"
    )
    print("\n".join(results.lines()))
    print(
        f"Waiting for input: {training.input_share:.1%} of the training. Targets: "
        f"overhead under 5 %, {TARGETS[settings.model]}."
    )


def start_peer(
    args: argparse.Namespace, settings: Settings, num_clusters: int
) -> Peer | None:
    """Starts PyTorch, if there is one."""
    if not has_torch(args.torch_python):
        print(f"PyTorch left out: {args.torch_python} has none; see --torch_python")
        return None
    return Peer(
        args.torch_python,
        args.num_threads,
        name=settings.model,
        width=settings.width,
        num_clusters=num_clusters,
        dropout=settings.dropout,
        l2=settings.l2,
        learning_rate=settings.learning_rate,
        precision=settings.precision,
    )


def check_peer(
    peer: Peer,
    model: keras.Model,
    frames: np.ndarray,
    codes: np.ndarray,
    folder: Path,
    precision: str,
) -> None:
    """Gives PyTorch our weights and the batch, and insists on the same logits."""
    np.savez(folder / "batch.npz", frames=frames, codes=codes)
    peer.ask("batch", str(folder / "batch.npz"))
    difference = compare_networks(model, peer, frames[:NUM_COMPARED], folder)
    print(f"PyTorch {peer.version}: same weights, logits differ by {difference:.1e}")
    if difference > TOLERANCES[precision]:
        raise RuntimeError("PyTorch's network is another one")


def main() -> None:
    """Prints a table a network."""
    args = parse()
    tf.config.threading.set_intra_op_parallelism_threads(args.num_threads)
    tf.config.threading.set_inter_op_parallelism_threads(args.num_threads)
    for name in args.model.split(","):
        with tempfile.TemporaryDirectory() as folder:
            num_samples = args.batch_size * args.num_steps
            data = write_noise_data(Path(folder, "data"), num_samples)
            compare(args, name, data, Path(folder))


if __name__ == "__main__":
    main()
