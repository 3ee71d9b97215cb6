"""A copy of what a checkpoint holds, so that it is written while training goes on.

    trackable objects -> objects of the same names, whose variables are copies

Checkpoints are restored by the names under which objects hold each other. The copies
have the same ones, lie in host memory, and are overwritten in place: memory that is
taken anew each time costs more than copying into it.
"""

from typing import Any

import tensorflow as tf

from motionflow.compat import as_written


class _FrozenState(tf.train.experimental.PythonState):
    """What a Python state said of itself."""

    text = ""

    def serialize(self) -> str:
        """For the checkpoint."""
        return self.text

    def deserialize(self, string_value: bytes) -> None:
        """Nobody restores a copy."""
        raise NotImplementedError


class Snapshot:
    """Copies of variables and Python states; empty until `take`.

    Under a strategy it is made in a thread that has none: copies are no replicas.

    Args:
      checkpoint: of objects that have all their variables; neither saved nor restored.

    Attributes:
      items: the copies, for a checkpoint of the same names.
    """

    def __init__(self, checkpoint: tf.train.Checkpoint):
        self._variables: list[tuple[tf.Variable, tf.Variable]] = []
        self._states: list[tuple[_FrozenState, Any]] = []
        # With the originals, which keeps their numbers theirs.
        self._known: dict[int, tuple[Any, Any]] = {}
        self.items = self._copy_children(checkpoint)

    @as_written
    def take(self) -> None:
        """Copies everything as it is now."""
        for copy, original in self._variables:
            copy[...].assign(original)
        for state, original in self._states:
            state.text = original.serialize()

    def _copy(self, original: Any) -> Any:
        if id(original) in self._known:
            return self._known[id(original)][1]
        copy: Any
        if isinstance(original, tf.Variable):
            with tf.device("CPU:0"):
                copy = tf.Variable(tf.zeros(original.shape, original.dtype))
            self._variables.append((copy, original))
        elif isinstance(original, tf.train.experimental.PythonState):
            copy = _FrozenState()
            self._states.append((copy, original))
        else:
            copy = tf.__internal__.tracking.AutoTrackable()
        self._known[id(original)] = original, copy  # objects may hold each other
        if not isinstance(copy, tf.Variable | _FrozenState):
            for name, child in self._copy_children(original).items():
                setattr(copy, name, child)
        return copy

    def _copy_children(self, original: Any) -> dict[str, Any]:
        children = tf.train.TrackableView.children(original)
        return {name: self._copy(child) for name, child in children.items()}
