"""Data directories, written and read: records, shards, batches."""

import importlib
from typing import Any


def __getattr__(name: str) -> Any:
    if name in ("picture", "video"):  # where they were until 0.7
        return importlib.import_module(f"motionflow.media.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
