"""PSNR of pictures whose errors are known."""

import numpy as np
import pytest

from motionflow.generate import likeness
from tests.conftest import texture


def test_psnr_of_a_mask():
    real = texture(0, 20, 20)[np.newaxis].repeat(3, axis=0)
    frames, mask = real.copy(), np.zeros((3, 20, 20), bool)
    mask[:2, :10] = True
    # Inside each value is off by 5: 10 log10(255^2 / 25) = 34.15. Outside is free.
    step = np.where(real[0, :10] < 128, 5, -5)
    frames[0, :10] = real[0, :10].astype(int) + step
    frames[:, 10:] = 0
    found = likeness.psnr(frames, real, mask)
    assert found[0] == pytest.approx(34.151, abs=0.001) and found[1] == 100
    assert np.isnan(found[2])


def test_psnr_of_whole_frames():
    one = np.full((4, 4, 3), 100, np.uint8)
    assert likeness.psnr(one, one + 5) == pytest.approx(34.1514, abs=1e-4)
    assert (
        likeness.psnr(one, one) == 100
        and likeness.psnr(one, one, most=np.inf) == np.inf
    )
