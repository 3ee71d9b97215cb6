"""Folds -> one evaluation, by the command; and what a user can get wrong."""

import json

import pytest

from motionflow.commands import pool
from motionflow.errors import InputError
from motionflow.scoring import assessment
from motionflow.scoring.assessment import Options
from tests.tiny_data import make_sample, write_hand_made

pytestmark = pytest.mark.slow

STILL = [[0, 0]] * 4
MOVING = [[3, 0]] * 4


@pytest.fixture(scope="module")
def folds(run_dir, tmp_path_factory):
    """Two folds of frames of 8 pixels, and a network (for others: flow space only)."""
    folder = tmp_path_factory.mktemp("folds")
    found = []
    for fold, flow, code in ((1, STILL, 0), (2, MOVING, 1)):
        samples = {
            "train": [make_sample("a1", 0, 10, MOVING, [1] * 4)],
            "validation": [],
            "test": [make_sample(f"t{fold}", i, 9, flow, [code] * 4) for i in range(3)],
        }
        data_dir = write_hand_made(folder / f"d{fold}", samples, statuses=[])
        out = folder / f"e{fold}"
        options = Options(baselines="constant")
        assessment.assess(run_dir, data_dir, "test", out, options)
        found.append(out)
    return found


def test_command(call, folds, tmp_path):
    own = [f"--evaluations={folds[0]},{folds[1]}", f"--output_dir={tmp_path}"]
    done = call(pool, "--name=both", *own)
    assert done.code == 0, done.err
    text = (tmp_path / "tables.md").read_text(encoding="utf-8")
    assert text in done.out and "# both on 2 pooled evaluations (test)" in text
    summary = json.loads((tmp_path / "metrics.json").read_text())
    assert (summary["num_samples"], summary["num_clips"]) == (6, 2)
    # Half of the cells are still, half move by 3 px.
    zero = summary["results"]["zero flow"]["masks"]["all"]
    assert zero["epe"] == pytest.approx(1.5) and zero["top1"] == pytest.approx(0.5)
    # Two clips: each draw holds one of them twice or both.
    bounds = summary["results"]["zero flow"]["intervals"]["masks"]["all"]["epe"]
    assert bounds == pytest.approx([0, 3])


def test_what_a_user_can_get_wrong(folds, tmp_path):
    with pytest.raises(InputError, match="no evaluation to pool"):
        assessment.assess_pooled([], tmp_path)
    with pytest.raises(InputError, match=r"nowhere.* is no evaluation"):
        assessment.assess_pooled([tmp_path / "nowhere"], tmp_path)
    with pytest.raises(InputError, match="1 clips are in two evaluations: walk/t1"):
        assessment.assess_pooled([folds[0], folds[0]], tmp_path)
