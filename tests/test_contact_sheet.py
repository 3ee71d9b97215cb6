"""Which samples are drawn, what each picture of a row shows, and the file."""

import os

import matplotlib.text
import numpy as np
import pytest
from PIL import Image

from motionflow.drawing.plots import save_figure
from motionflow.inspection import MOST_SAMPLES
from motionflow.inspection.contact_sheet import (
    contact_sheet,
    draw_samples,
)
from motionflow.inspection.inspector import inspect_data_dir
from motionflow.inspection.record_reader import RecordedSample
from motionflow.labels.codebook import Codebook
from tests import tiny_data
from tests.conftest import texture

CODEBOOK = Codebook(np.float32([[0, 0], [4, 0], [0, -4]]))


def make_sample(**changes):
    """Row 1, column 2 moves 5 right; row 3, column 0 moves 4 up."""
    flow, codes = np.zeros((4, 4, 2), np.float32), np.zeros((4, 4), np.int64)
    flow[1, 2], flow[3, 0] = (5, 0), (0, -4)
    codes[1, 2], codes[3, 0] = 1, 2
    values = {
        "clip": "walk/a.avi",
        "frame_index": 15,
        "action": "walk",
        "source": "a",
        "frame": texture(0, 40, 40),
        "flow": flow,
        "codes": codes.ravel(),
        "kept": {},
    }
    return RecordedSample(**values | changes)


def panels_of(figure, row=0):
    """The four pictures of a row; the first of the figure's parts is its header."""
    return figure.subfigs[1 + row].axes


def texts_of(axes):
    return {
        text.get_text(): tuple(np.round(text.get_position(), 3)) for text in axes.texts
    }


def test_captions():
    figure = contact_sheet([make_sample(), make_sample(frame_index=20)], CODEBOOK, "t")
    assert figure.subfigs[1].get_suptitle() == "walk: walk/a.avi, frame 15"
    assert figure.subfigs[2].get_suptitle() == "walk: walk/a.avi, frame 20"
    titles = [axes.get_title() for axes in panels_of(figure)]
    # The moving cells are 1 and 0 pixels off.
    assert titles == [
        "frame",
        "flow, up to 5.0 px",
        "an arrow a cell",
        "codes, 0.50 px off where it moves",
    ]


def test_frame_and_colours():
    sample = make_sample()
    frame, colors, arrows, codes = panels_of(contact_sheet([sample], CODEBOOK, "t"))
    shown = [axes.images[0].get_array() for axes in (frame, colors, arrows, codes)]
    np.testing.assert_array_equal(shown[0], sample.frame)
    # Right is red, and its cell is the longest: 80 % colour. By its code it is 4 long.
    inside, red = (15, 25), np.array([255, 0, 0])
    under = sample.frame[inside].astype(float)
    np.testing.assert_allclose(shown[1][inside], 0.2 * under + 0.8 * red, atol=1)
    np.testing.assert_allclose(shown[3][inside], 0.36 * under + 0.64 * red, atol=1)
    still = (5, 5)
    for picture in (shown[1], shown[3]):
        np.testing.assert_array_equal(picture[still], sample.frame[still])
    assert shown[2].mean() < sample.frame.mean()  # dimmed, so that arrows stand out


def test_arrows_and_grid():
    arrows = panels_of(contact_sheet([make_sample()], CODEBOOK, "t"))[2]
    *lines, quiver = arrows.collections
    # Three lines each way, between four cells of ten pixels around pixel centres.
    ends = [np.array(segments.get_segments()) for segments in lines]
    assert ends[0][:, 0, 0].tolist() == ends[1][:, 0, 1].tolist() == [9.5, 19.5, 29.5]
    at = {tuple(xy): i for i, xy in enumerate(np.asarray(quiver.XY))}
    right, up = at[24.5, 14.5], at[4.5, 34.5]
    assert (quiver.U[right], quiver.V[right]) == (5, 0)
    assert (quiver.U[up], quiver.V[up]) == (0, -4)
    assert np.count_nonzero(quiver.N) == 16 if np.ndim(quiver.N) else quiver.N == 16
    # dy points down in the data and on the screen.
    assert arrows.yaxis_inverted() and quiver.angles == "xy"
    # The longest arrow is 1.6 cells of 10 pixels long.
    assert 5 / quiver.scale == pytest.approx(16)
    np.testing.assert_allclose(quiver.get_facecolors()[right, :3], [1, 0, 0])


def test_numbers_stand_in_moving_cells_only():
    codes = panels_of(contact_sheet([make_sample()], CODEBOOK, "t"))[3]
    assert texts_of(codes) == {"1": (24.5, 14.5), "2": (4.5, 34.5)}


def test_a_still_sample_looks_still():
    noise = np.random.default_rng(0).normal(0, 0.01, (4, 4, 2)).astype(np.float32)
    sample = make_sample(flow=noise, codes=np.zeros(16, np.int64))
    _, colors, arrows, codes = panels_of(contact_sheet([sample], CODEBOOK, "t"))
    difference = colors.images[0].get_array().astype(int) - sample.frame
    assert np.abs(difference).max() <= 8  # of 255: the scale is at least a pixel
    assert arrows.collections[-1].scale == pytest.approx(1 / 16)
    assert codes.get_title() == "codes: all still" and not codes.texts


def test_the_header_has_the_title_and_the_legend():
    header = contact_sheet([make_sample()], CODEBOOK, "2 of 7 $amples").subfigs[0]
    texts = [text.get_text() for text in header.findobj(matplotlib.text.Text)]
    assert "2 of 7 $amples" in texts and "colour: direction of flow" in texts
    wheel = header.axes[0].images[0].get_array()
    assert wheel[50, 100].tolist() == [255, 0, 0]


@pytest.mark.parametrize("num_samples", [1, 3])
def test_the_file(num_samples, tmp_path):
    figure = contact_sheet([make_sample()] * num_samples, CODEBOOK, "t")
    save_figure(figure, tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        width, height = image.size
        picture = np.asarray(image.convert("RGB")).astype(float)
    # Inches at 150 pixels: 11.4 wide, 0.6 for the header, 3.35 a row.
    assert width == 1710
    assert height == pytest.approx(150 * (0.6 + 3.35 * num_samples), abs=1)
    # Each row's four quarters hold a picture, none is blank.
    for row in range(num_samples):
        top = round(150 * (0.6 + 3.35 * row))
        for quarter in np.split(picture[top + 120 : top + 480, :1708], 4, axis=1):
            assert quarter.std() > 10
    assert 150 * (0.6 + 3.35 * MOST_SAMPLES) < 2**16


def test_names_that_are_no_text_nor_formula(tmp_path):
    name = "walk/$_{$ " + os.fsdecode(b"\xff") + "\n.avi"
    figure = contact_sheet([make_sample(clip=name, action="")], CODEBOOK, "t")
    assert figure.subfigs[1].get_suptitle() == r": walk/$_{$ \udcff\n.avi, frame 15"
    save_figure(figure, tmp_path / "a.png")


def test_drawn_samples_are_seeded_and_spread_over_clips(tmp_path):
    train = [
        tiny_data.make_sample(f"a{clip}", index, 0, tiny_data.MIXED, [0, 0, 1, 2])
        for clip in range(3)
        for index in range(2 * clip + 1)  # 1, 3 and 5 samples
    ]
    counts = np.array([2, 1, 1]) * len(train)
    data = tiny_data.write_hand_made(
        tmp_path / "d",
        tiny_data.SAMPLES | {"train": train},
        statuses=[],
        counts=counts,
    )
    found = inspect_data_dir(data)

    def draw(num_samples, seed):
        drawn = draw_samples(found, "train", num_samples, seed)
        return [(sample.clip, sample.frame_index) for sample in drawn]

    assert len({clip for clip, _ in draw(3, seed=0)}) == 3
    five = [clip for clip, _ in draw(5, seed=0)]
    assert sorted(map(five.count, set(five))) == [1, 2, 2]
    assert draw(5, seed=0) == draw(5, seed=0) != draw(5, seed=1)
    assert sorted(draw(100, seed=0)) == sorted((s.clip, s.frame_index) for s in train)
    assert draw_samples(found, "test", 0, seed=0) == []


def test_a_drawn_sample_is_the_one_that_was_recorded(tmp_path):
    found = inspect_data_dir(tiny_data.write_hand_made(tmp_path / "d"))
    for sample in draw_samples(found, "train", 3, seed=0):
        (expected,) = [
            s
            for s in tiny_data.SAMPLES["train"]
            if (s.clip, s.frame_index) == (sample.clip, sample.frame_index)
        ]
        assert sample.frame.tobytes() == expected.frame
        np.testing.assert_array_equal(sample.flow, expected.flow)
