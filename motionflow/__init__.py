"""Predict how a still frame will move, and play it as a video.

    model = motionflow.load("runs/allconv")
    model.animate("photo.jpg").save("photo.mp4")

One arrow runs through the package, and the rooms lie along it::

    video clips -> frames                                 motionflow.media
      -> samples (frame, flow) -> codebook                motionflow.labels
      -> TFRecord shards -> tf.data batches               motionflow.data
      -> Keras model -> 20x20 flow                        motionflow.models
      -> warped frames -> video                           motionflow.generate

A later room may import an earlier one, never the other way round. The names below are
imported when they are first used: `import motionflow` alone takes no time.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from motionflow.api import evaluate_model, export_model, train_model
    from motionflow.films.model import load
    from motionflow.models import register_network

__version__ = "0.8.0.dev0"
__all__ = [
    "__version__",
    "evaluate_model",
    "export_model",
    "load",
    "register_network",
    "train_model",
]

_PLACES = {
    "evaluate_model": "motionflow.api",
    "export_model": "motionflow.api",
    "load": "motionflow.films.model",
    "register_network": "motionflow.models",
    "train_model": "motionflow.api",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
