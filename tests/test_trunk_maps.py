"""What a frozen trunk says, kept in files."""

import dataclasses
import shutil
from unittest import mock

import numpy as np
import pytest
import tensorflow as tf

from motionflow.data import pipeline
from motionflow.data.augmentation import Augmentation, augment
from motionflow.errors import InputError
from motionflow.models import predictor
from motionflow.models.run_dir import RunDir
from motionflow.training import trainer, trunk_maps
from motionflow.training.settings import Settings
from motionflow.training.trainer import Trainer, train
from motionflow.training.trunk_maps import TrunkMaps, View

CHANGED = Augmentation(mirror=True, min_crop=0.6, brightness=0.3)
VIEWS = [View(number, CHANGED) for number in range(4)]


class Trunk:
    """Frames -> maps that say the mean colour of each cell; counts what it sees."""

    output_shape = (None, 4, 4, 3)

    def __init__(self, factor=1.0):
        self.num_frames, self._factor = 0, factor

    def __call__(self, frames):
        tf.py_function(self._count, [tf.shape(frames)[0]], [])
        return self._factor * tf.nn.avg_pool2d(frames, 16, 16, "VALID")

    def _count(self, num):
        self.num_frames += int(num)

    def get_weights(self):
        return [np.float32([self._factor])]


@pytest.fixture(scope="module")
def kept(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("maps")
    return folder, TrunkMaps(folder, Trunk(), data, "train", VIEWS)


def samples_of(data, split="train"):
    batches = pipeline.evaluation_batches(data, split, 99).as_numpy_iterator()
    return pipeline.first_step(next(batches))


def test_the_first_view_is_the_image_and_the_second_its_mirror(data, kept):
    _, maps = kept
    samples = samples_of(data)
    np.testing.assert_array_equal(maps.flow[0], samples["flow"])
    np.testing.assert_array_equal(maps.flow[1], samples["flow"][:, :, ::-1] * [-1, 1])
    for view, frames in ((0, samples["frames"]), (1, samples["frames"][:, :, ::-1])):
        means = frames.reshape(-1, 4, 16, 4, 16, 3).mean(axis=(2, 4))
        np.testing.assert_allclose(read(maps, view), means, rtol=1e-3)


def read(maps, view):
    """The maps of all samples, by what training reads."""
    num = maps.flow.shape[1]
    index = np.arange(num)
    batch = next(iter(maps._batches(index, 0 * index + view, index, num)))
    return batch[1].numpy()


def test_other_views_are_crops_whose_flow_goes_along(data, kept):
    _, maps = kept
    samples = samples_of(data)
    ids = trunk_maps._sample_ids(data, "train")
    draws = VIEWS[2].draws(ids)
    images = tf.constant(samples["frames"]), tf.constant(samples["flow"][:, None])
    frames, flow = augment(*images, draws, CHANGED)
    np.testing.assert_array_equal(maps.flow[2], flow[:, 0])
    np.testing.assert_allclose(read(maps, 2), Trunk()(frames), rtol=2e-3)
    # Every second one is mirrored, and each has a crop of its own.
    assert (draws[:, 0] > 0.5).numpy().all()
    assert (VIEWS[3].draws(ids)[:, 0] < 0.5).numpy().all()
    assert len(set(draws[:, 1].numpy())) == len(ids)


def test_what_is_kept_is_not_computed_again(data, kept, tmp_path):
    folder, maps = kept
    network = Trunk()
    again = TrunkMaps(folder, network, data, "train", VIEWS)
    assert not network.num_frames
    np.testing.assert_array_equal(again.flow, maps.flow)
    np.testing.assert_array_equal(read(again, 3), read(maps, 3))
    # Other samples are added; those of another trunk lie apart.
    TrunkMaps(folder, network, data, "validation", VIEWS[:1])
    assert network.num_frames == data.num_samples("validation")
    other = Trunk(2.0)
    doubled = TrunkMaps(folder, other, data, "train", VIEWS[:1])
    assert other.num_frames == data.num_samples("train")
    np.testing.assert_allclose(read(doubled, 0), 2 * read(maps, 0), rtol=2e-3)


def test_a_computation_that_was_stopped_goes_on(data, tmp_path, monkeypatch):
    monkeypatch.setattr(trunk_maps, "CHUNK", 4)
    monkeypatch.setattr(trunk_maps, "_BATCH", 2)
    network = Trunk()

    class Stopping(Trunk):
        def _count(self, num):
            super()._count(num)
            if self.num_frames > 8:
                raise KeyboardInterrupt

    with pytest.raises(Exception, match="KeyboardInterrupt"):
        TrunkMaps(tmp_path, Stopping(), data, "train", VIEWS[:1])
    found = TrunkMaps(tmp_path, network, data, "train", VIEWS[:1])
    assert network.num_frames == data.num_samples("train") - 8
    np.testing.assert_array_equal(found.flow[0], samples_of(data)["flow"])
    assert not [file for file in tmp_path.rglob(".*") if file.is_file()]


def test_an_epoch_has_each_sample_once_and_begins_anywhere(data, kept):
    _, maps = kept
    whole = list(maps.training_batches(3, 5, 1))
    assert len(whole) == 4
    rest = list(maps.training_batches(3, 5, 1, first_step=2))
    for one, other in zip(whole[2:], rest, strict=True):
        for x, y in zip(one, other, strict=True):
            np.testing.assert_array_equal(x, y)
    # Whose flow it is, view by view.
    flow = np.concatenate([targets[..., 1:] for _, targets in whole])
    places = {
        maps.flow[view, sample].tobytes(): sample
        for view in range(4)
        for sample in range(12)
    }
    shape = (-1, *maps.flow.shape[2:])
    assert {places[one.tobytes()] for one in flow.reshape(shape)} == set(range(12))
    other_epoch = next(iter(maps.training_batches(3, 5, 2)))
    assert (other_epoch[1] != whole[0][1]).numpy().any()


def test_targets_have_the_nearest_codes(data, kept):
    _, maps = kept
    for _, targets in maps.training_batches(3, 0, 0):
        codes, flow = pipeline.unpack_targets(targets)
        distances = np.linalg.norm(flow[..., None, :] - data.codebook.centers, axis=-1)
        np.testing.assert_array_equal(codes, distances.argmin(-1))


@pytest.fixture(scope="module")
def settings(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    return Settings(
        data_dir=str(data.path),
        run_dir=str(folder / "r"),
        model="efficientnet",
        width=0.05,
        dropout=0.0,
        freeze_trunk=True,
        keep_trunk_maps=str(folder / "maps"),
        num_views=2,
        batch_size=4,
        epochs=2,
        learning_rate=0.01,
        learning_rate_schedule="cosine",
    )


@pytest.mark.slow
def test_training_from_kept_maps(data, settings, short_trunk):
    result = train(settings)
    # What the whole network says of the validation frames, frames and all.
    run_dir = RunDir.open(settings.run_dir)
    predict = predictor.load(settings.run_dir)
    samples = samples_of(data, "validation")
    found = predict(samples["frames"])
    probabilities = found["probabilities"].numpy().reshape(*samples["codes"].shape, -1)
    chosen = np.take_along_axis(probabilities, samples["codes"][..., None], axis=-1)
    cross_entropy = -np.log(chosen).sum(axis=(1, 2)).mean()
    assert result["validation"]["cross_entropy"] == pytest.approx(
        cross_entropy, rel=1e-3
    )
    first, last = run_dir.read_history()
    assert last["cross_entropy"] < first["cross_entropy"]


@pytest.mark.slow
def test_a_resumed_training_keeps_no_other_maps(settings, tmp_path, monkeypatch):
    monkeypatch.setattr(trainer, "Board", mock.Mock())  # others draw
    maps = tmp_path / "maps"
    change = {"run_dir": str(tmp_path / "r"), "keep_trunk_maps": str(maps)}
    change |= {"pretrained": "default", "learning_rate_schedule": "step"}
    loaded = dataclasses.replace(settings, **change)
    train(dataclasses.replace(loaded, epochs=1))
    kept = sorted(path.name for path in maps.iterdir())
    train(loaded)
    assert sorted(path.name for path in maps.iterdir()) == kept
    # What is finished needs none.
    shutil.rmtree(maps)
    train(loaded)
    assert not maps.exists()


@pytest.mark.slow
def test_guided_networks_train_from_kept_maps(settings, tmp_path, short_trunk):
    told = dataclasses.replace(settings, model="guided", run_dir=str(tmp_path))
    assert np.isfinite(train(told)["training"]["loss"])


def test_a_trunk_that_trains_cannot_be_kept(settings, tmp_path):
    for change in ({"freeze_trunk": False}, {"strategy": "mirrored"}):
        changed = dataclasses.replace(settings, run_dir=str(tmp_path), **change)
        with pytest.raises(InputError, match="--keep_trunk_maps needs"):
            Trainer(changed)
