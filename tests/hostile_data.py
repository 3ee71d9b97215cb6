"""A small data directory whose names are markup."""

import json

import pytest

from motionflow.data import records
from tests import tiny_run

HOSTILE = '<script>alert("1")</script>&'


def write_hostile_data(path):
    """Six clips of two sources; names of clips and actions are markup."""
    sample = records.Sample

    def renamed(**values):
        index = values["frame_index"]
        return sample(
            **values
            | {
                "clip": f"{HOSTILE}/{index % 6}.avi",
                "action": HOSTILE * (index % 2),
                "source": str(index % 2),
            }
        )

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records, "Sample", renamed)
        tiny_run.write_data(path, num_samples=(12, 4, 12))
    manifest = json.loads((path / "manifest.json").read_text())
    manifest["flags"] |= {"split": "frame", "dataset": HOSTILE}
    (path / "manifest.json").write_text(json.dumps(manifest))
    return path
