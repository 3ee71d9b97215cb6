import numpy as np
import pytest

from motionflow.compat import keras
from motionflow.errors import InputError
from motionflow.models.run_dir import RunDir
from motionflow.training.checkpoints import Checkpoints, Progress


class Run:
    """A model of one weight in a run directory, with its checkpoints."""

    def __init__(self, path, num_last=2, num_best=1, **options):
        self.model = keras.Sequential(
            [keras.Input((1,)), keras.layers.Dense(1, use_bias=False)]
        )
        self.model.compile(keras.optimizers.Adam(), "mse")
        self.progress, self.run_dir = Progress(), RunDir(path)
        self.checkpoints = Checkpoints(
            self.run_dir, self.model, None, self.progress, num_last, num_best, **options
        )

    def set(self, value, step):
        self.model.weights[0].assign([[value]])
        self.progress.step = step
        self.checkpoints.save()
        self.checkpoints.finish()

    def finish_epoch(self, cross_entropy):
        row = {"epoch": self.progress.epoch + 1}
        if cross_entropy is not None:
            row["val_cross_entropy"] = cross_entropy
        self.progress.finish_epoch(row)
        self.checkpoints.save_best()
        self.checkpoints.finish()
        self.run_dir.write_history(self.progress.rows)


def restored(path):
    run = Run(path)
    run.checkpoints.restore()
    return run.model.weights[0].numpy().item(), run.progress.step


def best_files(path):
    folder = path / "checkpoints" / "best"
    return {file.name.split(".")[0] for file in folder.glob("*")}


def test_nothing_saved_nothing_restored(tmp_path):
    assert restored(tmp_path)[1] == 0


def test_the_last_ones_are_kept_and_the_latest_comes_back(tmp_path):
    run = Run(tmp_path)
    for i in range(1, 5):
        run.set(i, step=10 * i)
    files = {file.stem for file in (tmp_path / "checkpoints").glob("*.index")}
    assert files == {"step-30", "step-40"}
    assert restored(tmp_path) == (4.0, 40)


def damage(file, how):
    content = bytearray(file.read_bytes())
    if how == "cut":
        content = content[: len(content) // 2]
    elif how == "flipped":
        content[len(content) // 2] ^= 0xFF
    elif how == "empty":
        content = b""
    file.write_bytes(content)
    if how == "missing":
        file.unlink()


@pytest.mark.parametrize("how", ["cut", "flipped", "empty", "missing"])
@pytest.mark.parametrize("part", ["index", "data-00000-of-00001"])
def test_a_damaged_last_checkpoint_falls_back_to_the_one_before(
    tmp_path, part, how, caplog
):
    run = Run(tmp_path)
    run.set(1.0, step=10)
    run.set(2.0, step=20)
    damage(tmp_path / "checkpoints" / f"step-20.{part}", how)
    assert restored(tmp_path) == (1.0, 10)
    (warning,) = caplog.messages
    assert "step-20 is damaged and passed over" in warning
    assert "\n" not in warning


def test_only_damaged_ones_are_an_error(tmp_path):
    run = Run(tmp_path)
    run.set(1.0, step=10)
    damage(tmp_path / "checkpoints" / "step-10.index", "empty")
    with pytest.raises(InputError, match="no checkpoint in .* remove that folder"):
        restored(tmp_path)


def test_the_best_epochs_are_kept(tmp_path):
    run = Run(tmp_path, num_best=2)
    kept = []
    for cross_entropy in (5.0, 3.0, 4.0, 9.0, 2.0):
        run.finish_epoch(cross_entropy)
        kept.append(best_files(tmp_path))
    numbers = [{int(name.split("-")[1]) for name in names} for names in kept]
    assert numbers == [{1}, {1, 2}, {2, 3}, {2, 3}, {2, 5}]
    folder = tmp_path / "checkpoints" / "best"
    paths = [str(folder / f"epoch-{i}") for i in (5, 2)]
    assert RunDir(folder).checkpoint_paths() == paths


@pytest.mark.parametrize("num_best, value", [(0, 1.0), (2, None)])
def test_none_is_best_without_the_wish_or_without_validation(tmp_path, num_best, value):
    Run(tmp_path, num_best=num_best).finish_epoch(value)
    assert best_files(tmp_path) == set()


def test_only_the_chief_writes_into_the_run_directory(tmp_path):
    run = Run(tmp_path / "run", is_chief=False)
    run.set(1.0, 10)
    assert not (tmp_path / "run").exists()


def test_the_optimizers_moments_are_part_of_it(tmp_path):
    run = Run(tmp_path)
    run.model.fit(np.ones((4, 1)), np.ones((4, 1)), verbose=0)
    run.set(0.5, 10)
    other = Run(tmp_path)
    other.checkpoints.restore()
    for a, b in zip(
        run.model.optimizer.variables, other.model.optimizer.variables, strict=True
    ):
        np.testing.assert_array_equal(a, b)
