"""PyTorch's side of benchmarks/step.py, which starts it in an environment of its own.

    lines of JSON on standard input: settings, then commands -> an answer each

The networks are those of tables 1 and 2 of the report once more, written without a look
at ours, with what PyTorch recommends on CPUs: channels last, autocast for bfloat16, the
fused Adam. Commands are lists:

    load FILE        weights in the order of the layers (.npz); answers how many
                     convolutions and fully connected layers have
    predict FILE     frames uint8 [N, S, S, 3] (.npy), which logits then replace
    batch FILE       frames and codes to train on (.npz)
    eager N          N steps; answers their seconds and the last cross-entropy
    compiled N       the same through torch.compile
    multiply SIZE    products of square matrices; answers the fastest's seconds

Before each answer stand the processor's seconds that waiting for the command has cost.
"""

import json
import sys
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional

# Filters, kernel, stride, padding, dropout (of its share: 1 or 0); or a pooling.
ALLCONV = [
    (96, 7, 4, 2, 0),
    (128, 3, 2, 1, 0),
    (256, 4, 1, 0, 0),
    (256, 3, 1, 1, 1),
    (512, 3, 1, 0, 1),
    (512, 3, 1, 1, 1),
    (512, 3, 1, 1, 0),
]
ALEXNET = [
    (96, 11, 4, 2, 0),
    "pool",
    (256, 5, 1, 2, 0),
    "pool",
    (384, 3, 1, 1, 0),
    (384, 3, 1, 1, 0),
    (256, 3, 1, 1, 0),
    "pool",
]
FINAL_SIZE, NUM_UNITS, NUM_CELLS = 5, 4096, 400
NUM_PRODUCTS = 5
DTYPES = {"float32": torch.float32, "mixed_bfloat16": torch.bfloat16}


class Standardize(nn.Module):
    """Frames [B, S, S, 3] -> (frame - mean) / 255, [B, 3, S, S], channels last."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(1))

    def forward(self, frames):
        """Moves no pixel: only the order of the axes changes."""
        return ((frames.float() - self.mean) / 255).permute(0, 3, 1, 2)


class ToRows(nn.Module):
    """[B, C, H, W], channels last -> [B, H * W * C], channels running fastest."""

    def forward(self, features):
        """Moves no value either."""
        return features.permute(0, 2, 3, 1).flatten(1)


def make_network(name: str, width: float, num_clusters: int, dropout: float):
    """Frames uint8 [B, 200, 200, 3] -> logits [B, 400 * num_clusters]."""

    def scaled(size: int) -> int:
        return max(1, round(size * width))

    layers, channels = [Standardize()], 3
    for row in ALLCONV if name == "allconv" else ALEXNET:
        if row == "pool":
            layers.append(nn.MaxPool2d(3, 2))
            continue
        filters, kernel, stride, padding, drops = row
        layers.append(nn.Conv2d(channels, scaled(filters), kernel, stride, padding))
        channels = scaled(filters)
        layers.append(nn.BatchNorm2d(channels, eps=1e-5, momentum=0.1))
        if drops:
            layers.append(nn.Dropout(dropout))
        layers.append(nn.ReLU())
    if name == "allconv":
        return nn.Sequential(*layers, nn.Conv2d(channels, num_clusters, 1), ToRows())
    layers.append(ToRows())
    size = channels * FINAL_SIZE**2
    for _ in range(2):
        layers += [nn.Linear(size, scaled(NUM_UNITS)), nn.ReLU(), nn.Dropout(dropout)]
        size = scaled(NUM_UNITS)
    return nn.Sequential(*layers, nn.Linear(size, NUM_CELLS * num_clusters))


class Training:
    """One network and its training; a method for each command."""

    def __init__(
        self,
        name: str,
        width: float,
        num_clusters: int,
        dropout: float,
        l2: float,
        learning_rate: float,
        precision: str,
        num_threads: int,
    ):
        torch.set_num_threads(num_threads)
        self._num_clusters, self._dtype = num_clusters, DTYPES[precision]
        self._network = make_network(name, width, num_clusters, dropout)
        self._network.to(memory_format=torch.channels_last)
        decayed = [p for p in self._network.parameters() if p.dim() > 1]
        others = [p for p in self._network.parameters() if p.dim() == 1]
        self._optimizer = torch.optim.Adam(
            [{"params": decayed, "weight_decay": l2}, {"params": others}],
            lr=learning_rate,
            eps=1e-8,
            fused=True,
        )
        self._compiled = torch.compile(self._loss)

    def _logits(self, frames):
        bfloat16 = self._dtype == torch.bfloat16
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            logits = self._network(frames)
        return logits.float().reshape(len(frames), NUM_CELLS, self._num_clusters)

    def _loss(self, frames, codes):
        cells = self._logits(frames).reshape(-1, self._num_clusters)
        total = functional.cross_entropy(cells, codes.reshape(-1), reduction="sum")
        return total / len(frames)

    def load(self, file: str) -> int:
        """Takes weights; returns how many convolutions and dense layers have."""
        arrays, count = np.load(file), 0
        values = iter(torch.from_numpy(arrays[name]) for name in arrays.files)
        with torch.no_grad():
            for layer in self._network:
                if isinstance(layer, Standardize):
                    layer.mean = next(values)
                elif isinstance(layer, nn.Conv2d):
                    layer.weight.copy_(next(values).permute(3, 2, 0, 1))
                    layer.bias.copy_(next(values))
                elif isinstance(layer, nn.Linear):
                    layer.weight.copy_(next(values).T)
                    layer.bias.copy_(next(values))
                elif isinstance(layer, nn.BatchNorm2d):
                    parts = layer.weight, layer.bias, layer.running_mean
                    for part in (*parts, layer.running_var):
                        part.copy_(next(values))
                if isinstance(layer, nn.Conv2d | nn.Linear):
                    count += layer.weight.numel() + layer.bias.numel()
        return count

    def predict(self, file: str) -> None:
        """Frames in, logits out, in the same file."""
        self._network.eval()
        with torch.no_grad():
            logits = self._logits(torch.from_numpy(np.load(file)))
        self._network.train()
        np.save(file, logits.numpy())

    def batch(self, file: str) -> None:
        """Takes the batch of all steps."""
        arrays = np.load(file)
        self._frames = torch.from_numpy(arrays["frames"])
        self._codes = torch.from_numpy(arrays["codes"]).long()

    def eager(self, num_steps: int) -> tuple[float, float]:
        """Trains some steps."""
        return self._train(self._loss, num_steps)

    def compiled(self, num_steps: int) -> tuple[float, float]:
        """Trains some steps through the compiled network and loss."""
        return self._train(self._compiled, num_steps)

    def _train(self, function, num_steps: int) -> tuple[float, float]:
        begin = time.perf_counter()
        for _ in range(num_steps):
            self._optimizer.zero_grad()
            loss = function(self._frames, self._codes)
            loss.backward()
            self._optimizer.step()
        return time.perf_counter() - begin, loss.item()

    def multiply(self, size: int) -> float:
        """The fastest of some matrix products."""
        left, right = torch.randn(2, size, size).to(self._dtype)
        seconds = []
        for _ in range(NUM_PRODUCTS):
            begin = time.perf_counter()
            torch.matmul(left, right)
            seconds.append(time.perf_counter() - begin)
        return min(seconds)


def main() -> None:
    """Answers until there are no more lines."""
    training = Training(**json.loads(sys.stdin.readline()))
    answer, waited = torch.__version__, 0.0
    while True:
        print(json.dumps([waited, answer]), flush=True)
        begin = time.process_time()
        line = sys.stdin.readline()
        waited = time.process_time() - begin
        if not line:
            break
        command, *arguments = json.loads(line)
        answer = getattr(training, command)(*arguments)


if __name__ == "__main__":
    main()
