"""The table by hand, what the bar writes on a terminal and elsewhere, the warning."""

import io
import types

import numpy as np
import pytest
import tensorflow as tf

from motionflow.training import display
from motionflow.training.checkpoints import Progress

LOGS = {"loss": 612.34, "top1": 0.7612, "top5": 0.951, "top10": 1.0}
LOGS |= {"mean_recall": 0.0512, "epe": 0.734, "epe_nz": 1.926}
ROW = {"epoch": 3, **LOGS, "learning_rate": 1e-4, "seconds": 1234.56}
ROW |= {"images_per_second": 2345.6, "input_share": 0.034}
VALIDATION = {"val_loss": 698.76, "val_top1": 0.755, "val_top5": 0.949}
VALIDATION |= {"val_top10": 0.98, "val_mean_recall": 0.048}
VALIDATION |= {"val_epe": 0.751, "val_epe_nz": 10.5}


def test_a_row_holds_training_and_validation_side_by_side():
    assert display.table_row(ROW | VALIDATION, 81).split() == [
        "3/81",
        *("612.3", "698.8"),
        *("76.1", "75.5"),
        *("95.1", "94.9"),
        *("100.0", "98.0"),
        *("5.1", "4.8"),
        *("0.73", "0.75"),
        *("1.93", "10.50"),
        *("0.0001", "2,346", "3%", "1,234.6"),
    ]


def test_numbers_end_below_their_heads():
    head, kinds = display.table_head(81).splitlines()
    for row in (ROW | VALIDATION, ROW):
        line = display.table_row(row, 81)
        assert len(line) == len(head)
        for place in range(1, len(kinds)):
            if kinds[place : place + 1].strip() and not kinds[place + 1 :][:1].strip():
                assert line[place] != " " and line[place + 1] == " "
    # Without validation: training, then a dash, for each of the seven numbers.
    assert line.split()[1:5] == ["612.3", "-", "76.1", "-"] and line.count("-") == 7


class Terminal(io.StringIO):
    """Something that says it is a terminal, or not."""

    def __init__(self, is_terminal):
        super().__init__()
        self.isatty = lambda: is_terminal


def show(monkeypatch, is_terminal, is_chief=True):
    """An epoch that goes on after its fourth step, then a validation: the output."""
    terminal = Terminal(is_terminal)
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setattr(display, "_SECONDS_BETWEEN", 0.0)
    progress = Progress(steps_per_epoch=6, epochs=81, batch_size=100)
    progress.epoch, progress.step, progress.seconds = 2, 4, 1.0
    waited = iter([0.5, 0.25])
    bar = display.ProgressBar(progress, is_chief)
    bar.close()  # there is none yet
    bar.model = types.SimpleNamespace(
        input_clock=types.SimpleNamespace(read=lambda: next(waited)),
        optimizer=types.SimpleNamespace(learning_rate=tf.constant(1e-3)),
    )
    bar.on_epoch_begin(2)
    for batch in range(2):
        progress.step, progress.seconds = 5 + batch, 2.0 + batch
        bar.on_train_batch_end(batch, LOGS)
    bar.on_train_end()
    bar.on_test_begin()
    bar.on_test_batch_end(0, LOGS)
    bar.on_test_end()
    return terminal.getvalue(), progress


def test_the_bar_goes_on_where_the_epoch_was_interrupted(monkeypatch):
    monkeypatch.setenv("COLUMNS", "250")
    text, progress = show(monkeypatch, is_terminal=True)
    first, fifth, sixth, *_, validation = [
        line for line in text.split("\r") if "epoch 3/81" in line
    ]
    assert "| 4/6 [" in first and "| 5/6 [" in fifth and "| 6/6 [" in sixth
    # 600 images in 3 seconds, of which 0.75 were spent waiting.
    numbers = "200 images/s loss 612.3 top-1 76.1 top-5 95.1 top-10 100.0 recall 5.1"
    numbers += " EPE 0.73 EPE-nz 1.93 rate 0.001 input 25%"
    assert numbers in sixth and "250 images/s" in fifth
    assert progress.input_seconds == 0.75
    assert "epoch 3/81, validation: 1step" in validation


def test_between_two_pictures_the_bar_does_nothing(monkeypatch):
    seconds = iter([10.0, 10.1, 10.2, 10.7])
    monkeypatch.setattr(display.time, "monotonic", lambda: next(seconds))
    bar = display.ProgressBar(Progress(6, 81, 100))
    bar._bar, bar._next = types.SimpleNamespace(disable=False), 0.0
    assert [bar._is_due() for _ in range(4)] == [True, False, False, True]


@pytest.mark.parametrize("options", [(False, True), (True, False)])
def test_without_a_terminal_and_on_other_workers_there_is_no_bar(monkeypatch, options):
    text, progress = show(monkeypatch, *options)
    assert text == "" and progress.input_seconds == 0


def confusion(*rows):
    return np.array(rows, float)


STUCK = confusion([0, 30, 0], [0, 60, 0], [0, 10, 0])


def test_a_network_that_predicts_one_code_only_is_said_so():
    warning = display.stuck_warning(STUCK, still=1, epoch=3)
    assert "after epoch 3 the network predicts code 1 (still) in 100.00%" in warning
    assert "the most frequent one with 60%" in warning
    assert "--learning_rate" in warning and "--class_weights=smoothed" in warning
    assert "code 1 in" in display.stuck_warning(STUCK, still=0, epoch=3)


@pytest.mark.parametrize(
    ("counts", "is_stuck"),
    [
        (1000 * STUCK + confusion([1, 0, 0], [0, 0, 0], [0, 0, 1]), True),
        (STUCK + confusion([1, 0, 0], [0, 0, 0], [0, 0, 0]), False),
        # Always code 2, which is not the most frequent one.
        (confusion([0, 0, 30], [0, 0, 60], [0, 0, 10]), False),
        # There is nothing else to predict.
        (confusion([0, 0, 0], [0, 60, 0], [0, 0, 0]), False),
        (np.zeros((3, 3)), False),
    ],
)
def test_what_counts_as_one_code_only(counts, is_stuck):
    assert (display.stuck_warning(counts, 1, 1) is not None) == is_stuck
