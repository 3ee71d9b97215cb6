import pytest
import tensorflow as tf

from motionflow.training.checkpoints import Progress


def test_it_comes_back_from_a_checkpoint(tmp_path):
    progress = Progress()
    progress.epoch, progress.step, progress.seconds = 3, 17, 1.5
    progress.training, progress.rows = {"loss": 2.0}, [{"epoch": 3, "loss": 0.1}]
    path = tf.train.Checkpoint(progress=progress).save(str(tmp_path / "it"))
    other = Progress()
    tf.train.Checkpoint(progress=other).restore(path).assert_consumed()
    names = ("epoch", "step", "seconds", "input_seconds", "training", "rows")
    for name in names:
        assert getattr(other, name) == getattr(progress, name)


def test_an_epochs_end_is_the_next_ones_begin():
    progress = Progress()
    progress.step, progress.seconds, progress.training = 9, 3.0, {"loss": 1.0}
    progress.finish_epoch({"epoch": 1})
    assert (progress.epoch, progress.step, progress.seconds) == (1, 0, 0)
    assert progress.training is None and progress.rows == [{"epoch": 1}]


def rows(*validation):
    rates = [(1.0, 0.1), (50.0, 0.3), (40.0, 0.2)]
    for i, (value, (rate, share)) in enumerate(zip(validation, rates, strict=True)):
        row = {"epoch": i + 1, "loss": 10.0 - i, "top1": i / 10}
        if value is not None:
            row |= {"val_loss": value + 1, "val_cross_entropy": value, "val_top1": 0.4}
        row |= {"learning_rate": 0.1, "seconds": 2.0}
        yield row | {"images_per_second": rate, "input_share": share}


def summary_of(*validation):
    progress = Progress()
    for row in rows(*validation):
        progress.finish_epoch(row)
    return progress.summary()


def test_the_result_is_the_last_row_and_the_totals():
    result = summary_of(7.0, 5.0, 6.0)
    assert result.pop("tensorflow") == tf.__version__
    assert result == {
        "epochs": 3,
        "best_epoch": 2,
        "training": {"loss": 8.0, "top1": 0.2},
        "validation": {"loss": 7.0, "cross_entropy": 6.0, "top1": 0.4},
        "seconds": 6.0,
        "images_per_second": 40.0,
        "input_share": 0.2,
    }


def test_without_validation_the_last_epoch_counts_as_best():
    result = summary_of(None, None, None)
    assert result["validation"] is None and result["best_epoch"] == 3
    assert result["training"] == pytest.approx({"loss": 8.0, "top1": 0.2})
