"""The command, where PyTorch and the original are installed."""

import re

import numpy as np
import pytest

from motionflow.commands import convert_efficientnet


@pytest.mark.slow
def test_the_command(call, tmp_path):
    for package in ("torch", "efficientnet_lite_pytorch"):
        pytest.importorskip(package)
    output = tmp_path / "weights.npz"
    done = call(convert_efficientnet, f"--output={output}")
    assert done.code == 0, done.err
    assert len(re.findall(r"logits differ by \d\.\de-0[5-9]", done.out)) == 2
    with np.load(output) as file:
        sizes = [
            file[n].size for n in file.files if not n.split("/")[1].startswith("mov")
        ]
    # The published number, without the convolution, the norm and the classes on top.
    assert sum(sizes) == 4_652_008 - 1280 * (320 + 2) - 1281 * 1000
