"""The one place that knows which Keras is installed, and how graphs are made.

Both lines of the stack give the Keras 2 API: TensorFlow 2.15 as `tf.keras`, TensorFlow
2.21 through the `tf_keras` package (its own `tf.keras` is Keras 3, whose `fit` does not
run under `MultiWorkerMirroredStrategy`).

AutoGraph, which rewrites Python into graphs, is off everywhere: it slows each trace,
and what it cannot read it only warns of. What branches on tensors says `tf.cond`.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

if tf.__version__.startswith("2.15."):
    from tensorflow import keras
else:
    import tf_keras as keras

__all__ = ["as_written", "graph", "keras"]

# For a function whose lambdas and calls TensorFlow would rewrite.
as_written = tf.autograph.experimental.do_not_convert


def graph(function: Callable[..., Any] | None = None, **options: Any) -> Any:
    """`tf.function` of what is written; without a function, its decorator."""
    return tf.function(function, autograph=False, **options)
