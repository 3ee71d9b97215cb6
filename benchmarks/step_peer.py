"""The process in which PyTorch trains.

    a command and its arguments -> step_torch.py -> its answer

PyTorch may live in another environment than TensorFlow, and two frameworks in one
process would share threads and memory. Either process waits while the other one
computes; what that costs is counted.
"""

import json
import os
import subprocess
import time
from pathlib import Path

import numpy as np

from motionflow.compat import keras
from motionflow.errors import InputError
from motionflow.models import blocks

SCRIPT = Path(__file__).with_name("step_torch.py")
_FIND = "import importlib.util, sys; sys.exit(not importlib.util.find_spec('torch'))"


def has_torch(python: str) -> bool:
    """Whether this interpreter's environment has PyTorch."""
    return subprocess.run([python, "-c", _FIND], check=False).returncode == 0


class Peer:
    """A running step_torch.py, which lists the commands.

    Args:
      python: of an environment with PyTorch.
      num_threads: for the peer to compute with.
      **settings: the other arguments of `step_torch.Training`.

    Attributes:
      version: of PyTorch.
    """

    def __init__(self, python: str, num_threads: int, **settings):
        self._process = subprocess.Popen(
            [python, SCRIPT],
            env=os.environ | {"OMP_NUM_THREADS": str(num_threads)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._begin, self._busy = time.perf_counter(), 0.0
        self.version = self._exchange({"num_threads": num_threads, **settings})

    def __enter__(self) -> "Peer":
        return self

    def __exit__(self, *_) -> None:
        self._process.communicate()

    def ask(self, command: str, *arguments):
        """Sends a command, waits, and returns its answer.

        Raises:
          InputError: the process has ended; what it said is on standard error.
        """
        return self._exchange([command, *arguments])

    @property
    def waiting_share(self) -> float:
        """How busy the waiting process has been so far, in processors."""
        return self._busy / (time.perf_counter() - self._begin)

    def _exchange(self, message):
        before = time.process_time()
        line = ""
        if self._process.poll() is None:
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        if not line:
            code = self._process.wait()
            raise InputError(f"PyTorch's process has ended with code {code}, see above")
        busy, answer = json.loads(line)
        self._busy += busy + time.process_time() - before
        return answer


def compare_networks(
    model: keras.Model, peer: Peer, frames: np.ndarray, folder: Path
) -> float:
    """Gives PyTorch our weights, and says how far its logits are from ours.

    Args:
      model: ours.
      peer: PyTorch's.
      frames: uint8 [N, S, S, 3].
      folder: for files that both can read.

    Returns:
      the largest difference, relative to the largest logit.

    Raises:
      RuntimeError: the networks have different numbers of parameters.
    """
    weights = [weight for layer in model.layers for weight in layer.weights]
    values = [weight.numpy() for weight in weights if weight.dtype.is_floating]
    np.savez(folder / "weights.npz", *values)
    count = peer.ask("load", str(folder / "weights.npz"))
    if count != blocks.count_parameters(model):
        raise RuntimeError(f"PyTorch's network has {count:,} parameters")
    np.save(folder / "frames.npy", frames)
    peer.ask("predict", str(folder / "frames.npy"))
    ours, theirs = model(frames).numpy(), np.load(folder / "frames.npy")
    return np.abs(ours - theirs.reshape(ours.shape)).max() / np.abs(ours).max()
