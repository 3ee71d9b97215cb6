"""The command: what it prints and writes."""

import json

import numpy as np
import pytest
import tensorflow as tf

from motionflow.commands import evaluate
from motionflow.data.data_dir import open_data_dir
from motionflow.models import predictor
from tests import tiny_run

pytestmark = pytest.mark.slow


def test_command_line(call, tmp_path):
    data_dir = tiny_run.write_data(tmp_path / "data", num_samples=(12, 5, 0))
    run_dir = tiny_run.write_run(tmp_path / "tiny")
    own = [f"--run_dir={run_dir}", f"--data_dir={data_dir}", "--batch_size=2"]
    done = call(evaluate, *own)
    assert done.code == 0, done.err
    folder = run_dir / "evaluation" / "validation"
    assert (folder / "tables.md").read_text(encoding="utf-8") in done.out
    summary = json.loads((folder / "metrics.json").read_text())
    assert summary["num_samples"] == 5 and summary["model"] == "tiny"
    result = summary["results"]["model"]
    assert np.sum(result["confusion"]) == 5 * 9
    # Independent: the network's own answers on the same records.
    model, data = predictor.load(run_dir), open_data_dir(data_dir)
    hits = []
    for record in tf.data.TFRecordDataset(data.shards("validation")):
        feature = tf.train.Example.FromString(record.numpy()).features.feature
        frame = np.frombuffer(feature["frame"].bytes_list.value[0], np.uint8)
        codes = model(frame.reshape(1, 64, 64, 3))["codes"].numpy().ravel()
        hits.append(codes == np.array(feature["codes"].int64_list.value))
    assert result["masks"]["all"]["top1"] == pytest.approx(np.mean(hits))
    np.testing.assert_allclose(result["top1_by_cell"], np.mean(hits, axis=0))
    assert summary["num_parameters"]["model"] == model.num_parameters
