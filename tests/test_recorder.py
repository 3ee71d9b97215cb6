import pytest

from motionflow.compat import keras
from motionflow.errors import InputError
from motionflow.models.recorder import Recorder, summarize
from motionflow.models.run_dir import RunDir


def make_recorder(path, **options):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam())
    options = {"batch_size": 10, "num_checkpoints": 2, **options}
    return Recorder(model, RunDir(path), **options)


def finish_epochs(recorder, *losses):
    for epoch, loss in enumerate(losses):
        recorder.on_epoch_begin(epoch)
        recorder.on_train_batch_end(0)
        recorder.on_epoch_end(epoch, {"loss": loss, "lr": 0.5})


def test_each_epoch_has_a_row_and_the_last_ones_a_checkpoint(tmp_path):
    finish_epochs(make_recorder(tmp_path), 3.0, 2.0, 1.0)
    rows = RunDir(tmp_path).read_history()
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert [row["loss"] for row in rows] == [3, 2, 1]
    assert {row["learning_rate"] for row in rows} == {0.5}
    names = {path.stem for path in (tmp_path / "checkpoints").glob("epoch-*.index")}
    assert names == {"epoch-2", "epoch-3"}
    assert make_recorder(tmp_path).restore() == 3


def test_only_the_chief_writes_into_the_run_directory(tmp_path):
    finish_epochs(make_recorder(tmp_path, is_chief=False), 1.0)
    assert list(tmp_path.iterdir()) == []


def test_a_diverged_loss_stops_and_saves_nothing(tmp_path):
    with pytest.raises(
        InputError, match="the loss is nan in epoch 1; .* lower --learn"
    ):
        finish_epochs(make_recorder(tmp_path), float("nan"))
    assert list(tmp_path.iterdir()) == []


def test_the_result_is_the_last_row_and_the_totals():
    first = {"loss": 9.0, "top1": 0.1, "val_loss": 8.0, "val_top1": 0.2}
    last = {"loss": 5.0, "top1": 0.5, "val_loss": 6.0, "val_top1": 0.4}
    rates = [{"seconds": 2.0, "images_per_second": r} for r in (1.0, 50.0, 40.0)]
    rows = [row | rate for row, rate in zip([first, first, last], rates, strict=True)]
    result = summarize(rows)
    assert result.pop("tensorflow")
    assert result == {
        "epochs": 3,
        "training": {"loss": 5.0, "top1": 0.5},
        "validation": {"loss": 6.0, "top1": 0.4},
        "seconds": 6.0,
        "images_per_second": 40.0,
    }
