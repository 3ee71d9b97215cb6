"""What needs no network: factor and width found again on motion made with them."""

import dataclasses

import numpy as np
import pytest

from motionflow.baselines import known
from motionflow.baselines.known import (
    Kind,
    NaiveMotion,
    fit_factor,
    fit_naive,
    fit_width,
)
from motionflow.data.data_dir import open_data_dir
from motionflow.data.known import pack_known
from tests.tiny_data import MIXED, SAMPLES, make_sample, write_hand_made


def test_the_factor_is_found_again():
    past = np.random.default_rng(0).normal(0, 3, (4, 5, 5, 2))
    assert fit_factor(past, 0.6 * past) == 0.6
    # Samples without a past say nothing, whatever they do.
    past[1] = np.nan
    flow = np.where(np.isnan(past), 100, 0.3 * past)
    assert fit_factor(past, flow) == 0.3
    assert fit_factor(past[1:2], flow[1:2]) == 0
    assert fit_factor(past, -flow) == 0  # what turns back is better not believed


def fading(width, arrow, at, side=9):
    """One arrow and the motion around it, cell by cell."""
    flow = np.zeros([side, side, 2], np.float32)
    for row, column in np.ndindex(side, side):
        square = (row - at[0]) ** 2 + (column - at[1]) ** 2
        weight = np.exp(-square / (2 * width**2))
        flow[row, column] = weight * np.array(arrow) / (weight + 0.3)
    flow[at] = arrow
    return flow


@pytest.mark.parametrize("width", [1.5, 3.0])
def test_the_width_is_found_again(width):
    at = [(2, 3), (6, 6)]
    flow = np.stack([fading(width, (4, 0), at[0]), fading(width, (1, -5), at[1])])
    arrows = np.full_like(flow, np.nan)
    for index, place in enumerate(at):
        arrows[index][place] = flow[index][place]
    told = pack_known(flow.shape[:3], arrows=arrows)
    moving = np.linalg.norm(flow, axis=-1) > 2
    # Cells at rest have no vote: they would be for a narrower one.
    assert fit_width(told, np.where(moving[..., None], flow, 0), moving) == width


def test_rows_are_those_that_something_is_told_for():
    arrows = np.full([1, 3, 3, 2], np.nan)
    arrows[0, 0, 0] = 6, 0
    past = np.full([1, 3, 3, 2], (0.0, 4.0))
    told = pack_known((1, 3, 3), arrows=arrows, past=past)
    naive = NaiveMotion(factor=0.5, width=1.0)
    assert naive(told, Kind("none")) == {}
    assert list(naive(told, Kind("past", past=True))) == ["the past goes on"]
    assert list(naive(told, Kind("arrows1", num_arrows=1))) == ["arrows spread"]
    rows = naive(told, Kind("both", True, 1))
    assert list(rows) == ["the past goes on", "arrows spread", "both mixed"]
    # One cell away the weight is e^-0.5 = 0.6065: 6 * 0.6065 / 0.9065 = 4.0144 to the
    # right, by 0.6065 of it and 0.3935 of the past, which is 2 down.
    np.testing.assert_allclose(rows["the past goes on"][0, 0, 1], (0, 2), atol=1e-4)
    np.testing.assert_allclose(rows["arrows spread"][0, 0, 1], (4.0144, 0), atol=1e-3)
    np.testing.assert_allclose(rows["both mixed"][0, 0, 1], (2.4348, 0.787), atol=1e-3)
    assert all((flow[0, 0, 0] == (6, 0)).all() for flow in rows.values())


def write_with_past(path, factor, num=6):
    """Training samples: the past times `factor` is the truth; the last has none."""
    samples = [make_sample(f"a{i}", i, i, MIXED, [0, 0, 1, 2]) for i in range(num)]
    samples = [dataclasses.replace(s, past_flow=s.flow / factor) for s in samples]
    unknown = np.full([2, 2, 2], np.nan)
    samples[-1] = dataclasses.replace(samples[-1], past_flow=unknown)
    splits = {**SAMPLES, "train": samples, "validation": [], "test": []}
    return write_hand_made(path, splits, statuses=[], past_frames=2)


def test_fitted_on_a_data_directory(tmp_path, monkeypatch):
    data = open_data_dir(write_with_past(tmp_path / "d", 0.8))
    assert fit_naive(data.view(past=True), seed=0, batch_size=4).factor == 0.8
    assert fit_naive(data, seed=0).factor == 0  # the view has no past
    # A few of the samples, whatever the batch.
    monkeypatch.setattr(known, "MAX_SAMPLES", 2)
    sizes = []
    monkeypatch.setattr(known, "fit_width", lambda told, *_: sizes.append(told.shape))
    found = [fit_naive(data.view(past=True), 0, batch_size=size) for size in (1, 9)]
    assert sizes == [(2, 2, 2, 7)] * 2 and found[0] == found[1]
