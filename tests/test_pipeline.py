"""Batches against the records themselves."""

import dataclasses
import functools
import itertools

import numpy as np
import pytest
import tensorflow as tf

from motionflow.data import finishing, pipeline
from motionflow.data.augmentation import Augmentation
from motionflow.data.data_dir import open_data_dir
from motionflow.errors import InputError
from tests import tiny_data

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def data(tiny_data_dir):
    return open_data_dir(tiny_data_dir)


def take(dataset, count):
    return [
        tuple(x.numpy() for x in batch) for batch in itertools.islice(dataset, count)
    ]


NOTHING, MIRROR = Augmentation(), Augmentation(mirror=True)


def trained_on(data, *order, augmentation=NOTHING, **options):
    """The batches of an epoch as the training step makes them."""
    batches = pipeline.training_batches(data, *order, **options)
    return batches.map(functools.partial(finishing.finish, data, augmentation))


def test_evaluation_sees_each_sample_once_in_a_fixed_order(data):
    def order():
        return [
            (clip.decode(), int(index))
            for batch in pipeline.evaluation_batches(data, "train", 4)
            for clip, index in zip(
                batch["clip"].numpy(), batch["frame_index"].numpy(), strict=True
            )
        ]

    first = order()
    assert len(set(first)) == len(first) == data.num_samples("train") == 21
    assert first == order()


def test_the_end_of_a_split_waits_for_no_tuner(data):
    for batches in (pipeline.evaluation_batches, pipeline.targets):
        assert batches(data, "train", 4).options().autotune.enabled is False
    chosen = pipeline.chosen_samples(data, "train", np.ones(12, bool))
    assert chosen.options().autotune.enabled is False


def test_targets_are_the_evaluation_batches_without_frames(data):
    full = next(iter(pipeline.evaluation_batches(data, "validation", 8)))
    bare = next(iter(pipeline.targets(data, "validation", 8)))
    assert full.pop("frames").shape == (3, 200, 200, 3)
    assert bare.keys() == full.keys()
    np.testing.assert_array_equal(bare["flow"], full["flow"])


def test_codes_are_nearest_centres_of_the_stored_flow(data):
    for batch in pipeline.targets(data, "train", 8):
        flow = batch["flow"].numpy().reshape(-1, 2)
        gaps = np.linalg.norm(flow[:, None] - data.codebook.centers, axis=2)
        chosen = gaps[np.arange(len(flow)), batch["codes"].numpy().ravel()]
        np.testing.assert_allclose(chosen, gaps.min(axis=1), rtol=1e-6)


def test_training_epoch_holds_every_sample_once_where_batches_divide_it(data):
    batches = take(trained_on(data, 7, 3), 9)
    frames = np.concatenate([frames for frames, _ in batches])
    assert frames.dtype == np.uint8
    assert len(frames) == len({frame.tobytes() for frame in frames}) == 21


def test_targets_are_the_codes_and_flow_of_the_frames(data):
    (stored,) = pipeline.evaluation_batches(data, "train", 21)
    places = {frame.tobytes(): i for i, frame in enumerate(stored["frames"].numpy())}
    for frames, targets in trained_on(data, 7, 3):
        codes, flow = pipeline.unpack_targets(targets)
        order = [places[frame.tobytes()] for frame in frames.numpy()]
        np.testing.assert_array_equal(codes, stored["codes"].numpy()[order])
        np.testing.assert_array_equal(flow, stored["flow"].numpy()[order])


@pytest.mark.parametrize("augmentation", [MIRROR, Augmentation(True, 0.7, 0.2)])
def test_an_epoch_is_repeatable_and_can_begin_at_any_step(data, augmentation):
    def epoch(**options):
        stream = trained_on(data, 4, 3, 2, augmentation=augmentation, **options)
        return take(stream, 9)

    whole = epoch()
    assert len(whole) == 5
    again = epoch() + epoch(first_step=3)
    for got, expected in zip(again, whole + whole[3:], strict=True):
        np.testing.assert_array_equal(got[0], expected[0])
        np.testing.assert_array_equal(got[1], expected[1])


def test_pipelines_of_two_workers_share_the_batches_of_one(data):
    """Four replicas on two workers: each pipeline feeds two with two samples each."""

    def stream(index):
        context = tf.distribute.InputContext(2, index, 4)
        stream = trained_on(data, 8, 0, 1, augmentation=MIRROR, context=context)
        return take(stream, 9)

    whole = take(trained_on(data, 8, 0, 1, augmentation=MIRROR), 9)
    first, second = stream(0), stream(1)
    assert len(first) == len(second) == 2 * len(whole) == 4
    for i, (frames, targets) in enumerate(whole):
        shares = [first[2 * i], first[2 * i + 1], second[2 * i], second[2 * i + 1]]
        np.testing.assert_array_equal(np.concatenate([s[0] for s in shares]), frames)
        np.testing.assert_array_equal(np.concatenate([s[1] for s in shares]), targets)


@pytest.mark.parametrize("global_seed", [0, 7])
def test_training_stream_does_not_depend_on_the_global_seed(data, global_seed):
    expected = take(trained_on(data, 7, 0), 3)
    tf.random.set_seed(global_seed)
    for got, want in zip(take(trained_on(data, 7, 0), 3), expected, strict=True):
        np.testing.assert_array_equal(got[0], want[0])


def test_epochs_and_seeds_differ_in_order_and_in_what_is_mirrored(data):
    def frames(seed, epoch, augmentation=NOTHING):
        stream = trained_on(data, 7, seed, epoch, augmentation=augmentation)
        return np.concatenate([frames for frames, _ in take(stream, 3)])

    plain = frames(3, 0)
    assert not np.array_equal(plain, frames(3, 1))
    assert not np.array_equal(plain, frames(100, 0))

    def mirrored(seed, epoch):
        changed = frames(seed, epoch, MIRROR) != frames(seed, epoch)
        return changed.any(axis=(1, 2, 3)).tolist()

    draws = [mirrored(3, 0), mirrored(3, 1), mirrored(4, 0)]
    assert draws[0] != draws[1] and draws[0] != draws[2]
    assert 0.3 < np.mean(draws) < 0.7


def test_moved_pixels_get_their_codes_anew(data):
    augmentation = Augmentation(mirror=True, min_crop=0.5)
    for _, targets in trained_on(data, 7, 3, 0, augmentation=augmentation):
        codes, flow = pipeline.unpack_targets(targets)
        expected = data.codebook.encode(flow.numpy())
        np.testing.assert_array_equal(codes, expected.reshape(codes.shape))


def test_assign_codes_equals_the_codebook(data):
    flow = np.random.default_rng(0).normal(0, 4, (500, 2)).astype(np.float32)
    np.testing.assert_array_equal(
        pipeline.assign_codes(tf.constant(flow), data.codebook.centers),
        data.codebook.encode(flow),
    )


def test_fewer_samples_than_a_batch_is_an_error_that_says_what_to_pass(data):
    with pytest.raises(InputError, match="--batch_size=21"):
        pipeline.training_batches(data, 125, seed=0)
    assert pipeline.steps_per_epoch(data, 5) == 4


def test_unknown_split(data):
    with pytest.raises(InputError, match="none of train, validation, test"):
        pipeline.evaluation_batches(data, "dev", 4)


@pytest.fixture(scope="module")
def steps_dir(tmp_path_factory):
    """Data that keep dense flow and sequences, and the flow of each sample."""
    rng = np.random.default_rng(0)
    shapes = {
        "dense_flow": (4, 4, 2),
        "later_flow": (2, 2, 2, 2),
        "later_dense_flow": (2, 4, 4, 2),
    }
    samples = {
        split: [
            dataclasses.replace(
                sample,
                **{
                    n: rng.normal(0, 3, s).astype(np.float16) for n, s in shapes.items()
                },
            )
            for sample in items
        ]
        for split, items in tiny_data.SAMPLES.items()
    }
    path = tmp_path_factory.mktemp("steps") / "data"
    flags = {"store_dense_flow": 4, "sequence_length": 3}
    return open_data_dir(tiny_data.write_hand_made(path, samples, **flags)), samples


@pytest.mark.parametrize("dense, sequence", [(1, 0), (0, 1), (1, 1)])
def test_views_read_other_flow(steps_dir, dense, sequence):
    data, samples = steps_dir
    view = data.view(dense=dense, sequence=sequence)
    num_steps, side = 3 if sequence else 1, 4 if dense else 2
    assert view.target_shape == (num_steps, side)
    (batch,) = pipeline.evaluation_batches(view, "test", 8).as_numpy_iterator()
    assert batch["flow"].shape == (2, num_steps, side, side, 2)
    for sample, flow, codes in zip(
        samples["test"], batch["flow"], batch["codes"], strict=True
    ):
        first = sample.dense_flow if dense else sample.flow
        later = sample.later_dense_flow if dense else sample.later_flow
        np.testing.assert_array_equal(flow[0], first)
        if sequence:
            np.testing.assert_array_equal(flow[1:], later)
        distances = np.linalg.norm(
            flow.reshape(-1, 1, 2) - tiny_data.CENTERS[None], axis=-1
        )
        np.testing.assert_array_equal(codes.ravel(), distances.argmin(axis=-1))


def test_training_batches_of_a_view_are_mirrored_step_by_step(steps_dir):
    data, samples = steps_dir
    view = data.view(dense=True, sequence=True)
    seen = set()
    for epoch in range(4):
        batches = trained_on(view, 3, 0, epoch, augmentation=MIRROR)
        ((frames, targets),) = batches.as_numpy_iterator()
        assert targets.shape == (3, 3, 4, 4, 3)
        for frame, target in zip(frames, targets, strict=True):
            flow = target[..., 1:]
            (sample,) = [s for s in samples["train"] if frame[0, 0, 0] == s.frame[0]]
            steps = np.concatenate([sample.dense_flow[None], sample.later_dense_flow])
            mirrored = steps[:, :, ::-1] * np.float32([-1, 1])
            is_mirrored = np.array_equal(flow, mirrored)
            assert is_mirrored or np.array_equal(flow, steps)
            seen.add(is_mirrored)
    assert seen == {True, False}


def test_a_view_of_what_is_not_kept(data):
    with pytest.raises(InputError, match="make the data with --store_dense_flow=100"):
        data.view(dense=True)
    with pytest.raises(InputError, match="make the data with --sequence_length=5"):
        data.view(sequence=True)


def test_a_few_samples_in_the_order_asked_for(tmp_path):
    kept = np.random.default_rng(0).normal(size=[3, 4, 4, 2]).astype(np.float16)
    samples = {
        split: [
            dataclasses.replace(sample, dense_flow=kept[i])
            for i, sample in enumerate(items)
        ]
        for split, items in tiny_data.SAMPLES.items()
    }
    path = tiny_data.write_hand_made(tmp_path / "data", samples, store_dense_flow=4)
    data = open_data_dir(path)
    # Two shards, in turn: samples 0 and 2, frames of level 10 and 60, are in the first.
    found = pipeline.read_samples(data, "train", [2, 0, 1])
    np.testing.assert_array_equal(found["frames"][:, 0, 0, 0], [20, 10, 60])
    np.testing.assert_array_equal(found["dense_flow"], kept[[1, 0, 2]])
    assert found["clip"].tolist() == [b"walk/a1.avi", b"walk/a1.avi", b"walk/b1.avi"]
    without = open_data_dir(tiny_data.write_hand_made(tmp_path / "without"))
    assert "dense_flow" not in pipeline.read_samples(without, "train", [0])
