"""Predict how a still frame will move, and play it as a video.

One arrow runs through the package, and the rooms lie along it::

    video clips -> samples (frame, flow) -> codebook
      -> TFRecord shards -> tf.data batches               motionflow.data
      -> Keras model -> 20x20 flow                        motionflow.models
      -> warped frames -> video                           motionflow.generate

A later room may import an earlier one, never the other way round.
"""

__version__ = "0.7.0"
