import sys

import pytest
from absl import flags

from motionflow import train
from tests import tiny_run


def test_the_command_says_what_it_reached(tmp_path, capsys):
    data = tiny_run.write_data(tmp_path / "data")
    settings = tiny_run.settings(data, tmp_path / "run", epochs=1)
    values = flags.FlagValues()
    train.define_flags(values)
    values(["train", *settings.flag_lines().split()])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flags, "FLAGS", values)
        train.main([sys.argv[0]])
    lines = capsys.readouterr().out.splitlines()
    assert f"results     {tmp_path}/run/result.json" in lines
    (training,) = [line for line in lines if line.startswith("training    loss ")]
    for name in ("cross_entropy", "top1", "mean_recall", "epe_nz"):
        assert f", {name} " in training
    assert [line for line in lines if line.startswith("validation  loss ")]
