"""The one place that knows which Keras is installed.

Both lines of the stack give the Keras 2 API: TensorFlow 2.15 as `tf.keras`, TensorFlow
2.21 through the `tf_keras` package (its own `tf.keras` is Keras 3, whose `fit` does not
run under `MultiWorkerMirroredStrategy`).
"""

import tensorflow as tf

if tf.__version__.startswith("2.15."):
    from tensorflow import keras
else:
    import tf_keras as keras

__all__ = ["keras"]
