"""Which Keras, by the line of the stack."""

import sys

import tensorflow as tf

from motionflow import compat


def test_keras_2_on_both_lines():
    current = sys.version_info >= (3, 12)
    assert tf.__version__.startswith("2.21." if current else "2.15.")
    # Keras 3 has no such module; Keras 2 has it under both names.
    assert hasattr(compat.keras.utils, "get_custom_objects")
    assert hasattr(compat.keras.optimizers, "legacy")
