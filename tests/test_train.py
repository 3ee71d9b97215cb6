import pytest

from motionflow import train
from tests import tiny_run

pytestmark = pytest.mark.slow


def test_the_command_says_what_it_reached(call, tmp_path):
    data = tiny_run.write_data(tmp_path / "data")
    settings = tiny_run.settings(data, tmp_path / "run", epochs=1)
    lines = call(train, *settings.flag_lines().split()).out.splitlines()
    assert f"results     {tmp_path}/run/result.json" in lines
    (training,) = [line for line in lines if line.startswith("training    loss ")]
    for name in ("cross_entropy", "top1", "mean_recall", "epe_nz"):
        assert f", {name} " in training
    assert [line for line in lines if line.startswith("validation  loss ")]
