"""Curves of a training as pictures."""

from matplotlib.figure import Figure

from motionflow.report import charts


def test_history_has_three_figures_and_says_where_it_ends():
    rows = [
        {"epoch": 1, "loss": 5.0, "top1": 0.5, "val_top1": 0.4, "mean_recall": 0.1},
        {"epoch": 2, "loss": 3.0, "top1": 0.7, "val_top1": 0.6, "mean_recall": 0.2},
    ]
    found = charts.history_pictures(rows)
    assert [caption[:8] for caption, _ in found] == ["Figure 6", "Figure 7", "Figure 8"]
    alts = [picture.alt for _, picture in found]
    assert alts[0] == "Figure 6. Training loss over 2 epochs: training from 5 to 3"
    assert alts[1].endswith("training from 50 to 70; validation from 40 to 60")
    assert alts[2].endswith("training from 10 to 20")
    assert charts.history_pictures([]) == []


def test_drawings_have_one_width_and_keep_their_shape():
    wide, tall = (
        charts.drawing(Figure(figsize=size), "alt") for size in ((8, 4), (4, 8))
    )
    assert wide.width == tall.width == 750  # five inches
    assert (wide.height, tall.height) == (375, 1500)
