"""What is known of the motion, packed and drawn."""

import numpy as np
import pytest
import tensorflow as tf

from motionflow.data import known
from motionflow.errors import InputError

GRID = 6


def test_packing_what_is_known():
    nan = np.nan
    arrows = np.array([[[[nan, nan], [3, -1]], [[nan, nan], [nan, nan]]]])
    past = np.array([[[[1, 2], [nan, nan]], [[0, 0], [4, 4]]]])
    pins = np.array([[[True, False], [False, False]]])
    packed = known.pack_known((1, 2, 2), arrows=arrows, pins=pins, past=past)
    assert packed.dtype == np.float32
    np.testing.assert_array_equal(
        packed[0],
        [
            [[0, 0, 0, 1, 1, 1, 2], [1, 3, -1, 0, 0, 0, 0]],
            [[0, 0, 0, 0, 1, 0, 0], [0, 0, 0, 0, 1, 4, 4]],
        ],
    )
    told = known.split_known(packed).told[0, ..., 0]
    np.testing.assert_array_equal(told, [[1, 1], [0, 0]])
    assert not known.pack_known((3, 2, 2)).any()


def test_what_does_not_fit_is_refused():
    with pytest.raises(InputError, match="arrows"):
        known.pack_known((1, 2, 2), arrows=np.zeros((1, 3, 2, 2)))
    with pytest.raises(InputError, match="pins"):
        known.pack_known((1, 2, 2), pins=np.zeros((2, 2), bool))
    with pytest.raises(InputError, match="an arrow and a pin"):
        known.pack_known(
            (1, 1, 1), arrows=np.ones((1, 1, 1, 2)), pins=np.ones((1, 1, 1), bool)
        )


def draw(flow, past, num, seed=0):
    """What `num` samples of the same flow and past [g, g, 2] are told."""
    chances = tf.random.stateless_uniform([num, known.NUM_CHANCES], [seed, 1])
    cells = tf.random.stateless_uniform([num, GRID, GRID], [seed, 2])
    flow, past = (tf.constant(np.float32([values] * num)) for values in (flow, past))
    told = known.draw_known(flow, past, chances, cells).numpy()
    return known.Known(*(part for part in known.split_known(told)))


@pytest.fixture(scope="module")
def many():
    """Samples of a flow that rests on the left and moves on the right."""
    flow = np.zeros((GRID, GRID, 2))
    flow[:, 3:] = np.random.default_rng(0).normal((4, 0), 3, (GRID, 3, 2))
    return flow, draw(flow, 0.5 * flow, 6000)


def test_a_third_is_told_nothing(many):
    _, told = many
    has_past = told.past_mask.numpy().any(axis=(1, 2, 3))
    has_arrows = told.arrow_mask.numpy().any(axis=(1, 2, 3))
    assert (has_past.mean(), has_arrows.mean()) == pytest.approx((0.45, 0.40), abs=0.02)
    assert (~has_past & ~has_arrows).mean() == pytest.approx(1 / 3, abs=0.02)
    assert (has_past & has_arrows).mean() == pytest.approx(0.18, abs=0.02)


def test_numbers_of_arrows_are_small_most_often(many):
    _, told = many
    counts = told.arrow_mask.numpy().sum(axis=(1, 2, 3))
    counts = counts[counts > 0]
    shares = {n: (counts == n).mean() for n in range(1, 11)}
    assert shares[1] == pytest.approx(3 / 8, abs=0.03)
    assert all(shares[n] == pytest.approx(1 / 8, abs=0.03) for n in (2, 3, 4, 6, 10))


def test_what_is_told_is_true(many):
    flow, told = many
    arrow, past = told.arrow_mask.numpy() > 0, told.past_mask.numpy() > 0
    truth = np.broadcast_to(flow, told.arrows.shape).astype(np.float32)
    np.testing.assert_array_equal(told.arrows, np.where(arrow, truth, 0))
    np.testing.assert_array_equal(told.past, np.where(past, 0.5 * truth, 0))
    # Pins lie where nothing moves, and never on an arrow.
    pins = told.pins.numpy() > 0
    assert not (pins & arrow).any()
    assert np.abs(truth[pins[..., 0]]).max() < known.STILL
    pinned = pins.any(axis=(1, 2, 3))
    assert pinned.mean() == pytest.approx(0.4 * known.PINS_SHARE, abs=0.015)
    assert set(pins.sum(axis=(1, 2, 3))) == {0, 1, 2, 3}


def test_arrows_point_at_what_moves_and_half_of_them_at_peaks():
    flow = np.zeros((GRID, GRID, 2))
    flow[2:5, 2:5], flow[3, 3] = [2, 0], [0, 5]  # one peak; nine cells move
    told = draw(flow, np.full_like(flow, np.nan), 4000)
    one = told.arrow_mask.numpy().sum(axis=(1, 2, 3)) == 1
    places = told.arrow_mask.numpy()[one][..., 0]
    on_peak = places[:, 3, 3].mean()
    moving = places[:, 2:5, 2:5].sum(axis=(1, 2)).mean()
    # At random: 5.02 of 21.72 + 0.54, weights being the speed plus 0.02.
    assert on_peak == pytest.approx(0.5 + 0.5 * 5.02 / 21.72, abs=0.06)
    assert moving > 0.95
    assert not told.past_mask.numpy().any()  # unknown: never told


def test_a_grid_smaller_than_the_most_arrows():
    flow = tf.ones([3, 2, 2, 2])
    chances = tf.constant([[0.99, 0.99, 0.1, 0.9, 0.9]] * 3)
    cells = tf.random.stateless_uniform([3, 2, 2], [0, 0])
    told = known.split_known(known.draw_known(flow, flow, chances, cells))
    assert told.arrow_mask.numpy().sum() == 12


def test_each_place_has_draws_of_its_own():
    flow = tf.random.normal([4, GRID, GRID, 2], seed=0)

    def told(places):
        chances = [known.draw_chances([7, 3], place, GRID) for place in places]
        rows = tf.gather(flow, [0] * len(places))
        return known.tell(rows, rows, tf.stack(chances)).numpy()

    all_places = told(range(40))
    # A batch that begins elsewhere gives each place the same.
    np.testing.assert_array_equal(told([11, 12]), all_places[11:13])
    # A third is told nothing and a quarter the same past; the others differ.
    assert len({one.tobytes() for one in all_places}) > 8
    drawn = {
        known.draw_chances([7, epoch], place, GRID).numpy().tobytes()
        for epoch in (3, 4)
        for place in range(40)
    }
    assert len(drawn) == 80
