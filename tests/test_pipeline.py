"""Batches against the records themselves, and mirroring against physics."""

import dataclasses
import itertools

import cv2
import numpy as np
import pytest
import tensorflow as tf

from motionflow.data import pipeline
from motionflow.data.records import open_data_dir
from motionflow.errors import InputError
from tests import tiny_data
from tests.conftest import moving_square


@pytest.fixture(scope="module")
def data(tiny_data_dir):
    return open_data_dir(tiny_data_dir)


def take(dataset, count):
    return [
        tuple(x.numpy() for x in batch) for batch in itertools.islice(dataset, count)
    ]


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
    batches = take(pipeline.training_batches(data, 7, seed=3, augment=False), 3)
    frames = np.concatenate([frames for frames, _ in batches])
    assert frames.dtype == np.uint8
    assert len({frame.tobytes() for frame in frames}) == 21


def test_training_stream_is_repeatable_and_resumes_at_an_epoch(data):
    whole = take(pipeline.training_batches(data, 7, seed=3), 9)
    again = take(pipeline.training_batches(data, 7, seed=3), 9)
    resumed = take(pipeline.training_batches(data, 7, seed=3, first_epoch=2), 3)
    for got, expected in zip(again + resumed, whole + whole[6:], strict=True):
        np.testing.assert_array_equal(got[0], expected[0])
        np.testing.assert_array_equal(got[1], expected[1])


@pytest.mark.parametrize("global_seed", [0, 7])
def test_training_stream_does_not_depend_on_the_global_seed(data, global_seed):
    expected = take(pipeline.training_batches(data, 7, seed=0), 3)
    tf.random.set_seed(global_seed)
    for got, want in zip(
        take(pipeline.training_batches(data, 7, seed=0), 3), expected, strict=True
    ):
        np.testing.assert_array_equal(got[0], want[0])


def test_epochs_and_seeds_differ_in_order(data):
    def codes(seed, skip):
        stream = pipeline.training_batches(data, 7, seed=seed, augment=False)
        return take(stream, skip + 3)[-3:]

    def same(a, b):
        return all(np.array_equal(x[0], y[0]) for x, y in zip(a, b, strict=True))

    assert not same(codes(3, 0), codes(3, 3))
    assert not same(codes(3, 0), codes(100, 0))


def test_about_half_of_the_samples_are_mirrored(data):
    plain = {
        frame.tobytes()
        for frames, _ in take(pipeline.training_batches(data, 7, 3, augment=False), 3)
        for frame in frames
    }
    stream = take(pipeline.training_batches(data, 7, seed=3), 30)
    flipped = [frame.tobytes() not in plain for frames, _ in stream for frame in frames]
    assert 0.35 < np.mean(flipped) < 0.65


def test_mirrored_flow_warps_the_mirrored_frame_onto_the_mirrored_next():
    before, after = moving_square((3, 1), 2, seed=5)
    flow = np.zeros((200, 200, 2), np.float32)
    flow[60:140, 60:140] = 3, 1
    frame, mirrored, _ = pipeline.mirror(before, flow, np.zeros((1, 2), np.float32))
    target = after[:, ::-1]
    x, y = np.meshgrid(np.arange(200, dtype=np.float32), np.arange(200, dtype="f4"))
    dx, dy = mirrored.numpy()[..., 0], mirrored.numpy()[..., 1]
    # Sampling the next frame where each pixel goes gives the frame back.
    sampled = cv2.remap(target, x + dx, y + dy, cv2.INTER_LINEAR)
    inside = np.s_[60:140, 60:140]
    np.testing.assert_array_equal(sampled[inside], frame.numpy()[inside])


def test_mirror_assigns_codes_again():
    centers = np.array([[0, 0], [2, 0], [-2, 0], [0, 2]], np.float32)
    # One row moves right, then down: mirrored it moves down, then left.
    flow = np.array([[[2, 0], [0, 2]], [[0, 0], [-2, 0.5]]], np.float32)
    frame = np.zeros((2, 2, 3), np.uint8)
    _, mirrored, codes = pipeline.mirror(frame, flow, centers)
    np.testing.assert_array_equal(codes, [3, 2, 1, 0])
    np.testing.assert_array_equal(mirrored, [[[0, 2], [-2, 0]], [[2, 0.5], [0, 0]]])


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
