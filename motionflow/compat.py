"""The one place that knows which Keras is installed and whether Addons is.

Both lines of the stack give the Keras 2 API: TensorFlow 2.15 as `tf.keras`, TensorFlow
2.21 through the `tf_keras` package (its own `tf.keras` is Keras 3, whose `fit` does not
run under `MultiWorkerMirroredStrategy`). TensorFlow Addons has releases for the first
line only.
"""

import warnings

import tensorflow as tf

if tf.__version__.startswith("2.15."):
    from tensorflow import keras
else:
    import tf_keras as keras

try:
    # Addons announces its end of life on import; design decisions know that already.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import tensorflow_addons as addons
except ModuleNotFoundError:
    addons = None

__all__ = ["addons", "keras"]
