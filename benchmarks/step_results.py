"""What step.py prints: operations, rates, fractions of the peak, ratios.

    Keras model -> operations an image
    seconds of the turns -> a table and a few lines

Convolutions and fully connected layers count, two operations a multiplication and
addition. A step computes each layer's output, the gradient of its weights and the
gradient of its input, which cost the same; nobody needs that of the frames. Biases,
normalisation, activations and pooling are left out: together they are a few operations
a value, and peak rates are measured on matrices.

No step can be faster than its floor: these operations at the peak, and then Adam, which
reads weight, gradient and moments from memory and writes the first and the last.
"""

import dataclasses
import math

from motionflow.compat import keras
from motionflow.drawing.tables import markdown_table

BARE, TRAINING = "bare step", "training"
EAGER, COMPILED = "PyTorch eager", "PyTorch compiled"
TENSORFLOW, PYTORCH = "TensorFlow", "PyTorch"
HEAD = ["", "s a step", "images/s", "of the peak", "of the floor", "PyTorch's best = 1"]
ADAM_BYTES = 7 * 4  # a weight


@dataclasses.dataclass(frozen=True)
class Results:
    """One network's measurements; of several turns the fastest counts.

    Attributes:
      batch_size: images a step.
      num_steps: steps a turn.
      flops: operations of a step on one image.
      turns: seconds of the turns of `BARE` and, with PyTorch, `EAGER` and `COMPILED`.
      epochs: seconds of the training's epochs, turns of as many steps.
      breaks: seconds between two epochs, with the writing of a checkpoint.
      stops: seconds of them in which the training stands still.
      checkpoint_steps: steps from one checkpoint to the next.
      products: operations a second of matrix products, by library.
      num_weights: that the optimizer changes.
      memory_rate: bytes a second, of a sum of two large vectors into one of them.
    """

    batch_size: int
    num_steps: int
    flops: float
    turns: dict[str, list[float]]
    epochs: list[float]
    breaks: list[float]
    stops: list[float]
    checkpoint_steps: int
    products: dict[str, list[float]]
    num_weights: int
    memory_rate: float

    @property
    def peaks(self) -> dict[str, float]:
        """Operations a second of each library's fastest matrix product."""
        return {library: max(rates) for library, rates in self.products.items()}

    @property
    def floor(self) -> float:
        """Seconds of a step that only multiplies and changes weights."""
        products = self.batch_size * self.flops / max(self.peaks.values())
        return products + self.num_weights * ADAM_BYTES / self.memory_rate

    @property
    def checkpoint_seconds(self) -> float:
        """What checkpoints add to a step."""
        return min(self.breaks) / self.checkpoint_steps

    @property
    def steps(self) -> dict[str, float]:
        """Seconds of a step of each."""
        turns = self.turns | {TRAINING: self.epochs}
        steps = {name: min(turns[name]) / self.num_steps for name in turns}
        steps[TRAINING] += self.checkpoint_seconds
        order = (BARE, TRAINING, EAGER, COMPILED)
        return {name: steps[name] for name in order if name in steps}

    @property
    def overhead(self) -> float:
        """What training costs on top of the bare step, as a share of it."""
        return self.steps[TRAINING] / self.steps[BARE] - 1

    def lines(self) -> list[str]:
        """The peak, the table, the overhead."""
        peaks, steps = self.peaks, self.steps
        rivals = [steps[name] for name in (EAGER, COMPILED) if name in steps]
        rows = []
        for name, seconds in steps.items():
            images = self.batch_size / seconds
            row = [name, f"{seconds:.3f}", f"{images:.2f}"]
            row.append(f"{images * self.flops / max(peaks.values()):.1%}")
            row.append(f"{self.floor / seconds:.1%}")
            row.append(f"{min(rivals) / seconds:.2f}" if rivals else "-")
            rows.append(row)
        products = [f"{library} {rate / 1e9:.1f}" for library, rate in peaks.items()]
        return [
            f"Peak {max(peaks.values()) / 1e9:.1f} GFLOP/s ({', '.join(products)}); "
            f"{self.flops / 1e9:.2f} GFLOP an image and step",
            f"Floor {self.floor:.3f} s a step, with "
            f"{self.num_weights * ADAM_BYTES / 1e9:.2f} GB at "
            f"{self.memory_rate / 1e9:.1f} GB/s",
            "",
            *markdown_table(HEAD, rows),
            "",
            f"Training costs {self.overhead:.1%} on top of the bare step, checkpoints "
            f"{self.checkpoint_seconds / steps[BARE]:.1%} of that if their writing, "
            f"which goes on beside it, is counted: {min(self.breaks):.2f} s in all, "
            f"{min(self.stops):.2f} s without.",
        ]


def forward_flops(model: keras.Model) -> list[int]:
    """Operations of each convolution and fully connected layer on one image.

    Args:
      model: a functional model whose layers lie in a row.

    Returns:
      the counts, from input to output.
    """
    counts = []
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D):
            height, width = layer.output_shape[1:3]
            counts.append(2 * height * width * math.prod(layer.kernel.shape))
        elif isinstance(layer, keras.layers.Dense):
            counts.append(2 * math.prod(layer.kernel.shape))
    return counts


def training_flops(model: keras.Model) -> int:
    """Operations of one training step on one image."""
    counts = forward_flops(model)
    return 3 * sum(counts) - counts[0]
