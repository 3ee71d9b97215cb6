"""Serving: run directory -> SavedModel and other formats; clients of a server."""

from motionflow.models.model_path import PACKED, SAVED_MODEL

# Formats of an export, each with the file that makes a version one of it.
FORMATS = {
    "saved_model": SAVED_MODEL,
    "tflite": "model.tflite",
    "onnx": "model.onnx",
    "packed": PACKED,
}
