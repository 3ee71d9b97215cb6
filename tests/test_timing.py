"""What time stamps say."""

from fractions import Fraction

import pytest

from motionflow.media.timing import Timing


def stamps(numbers, rate=25, unit=None):
    """Seconds, rounded to a container's unit."""
    times = [Fraction(number, rate) for number in numbers]
    return [Fraction(round(t / unit)) * unit for t in times] if unit else times


@pytest.mark.parametrize("rate", [24, 25, 30, 60, Fraction(30000, 1001)])
def test_time_stamps_number_frames(rate):
    numbers = [0, 1, 2, 5, 6, 10, 11, 12]
    for unit in (None, Fraction(1, 1000)):  # Matroska rounds to milliseconds
        found = Timing.of(stamps(numbers, rate, unit))
        assert (found.numbers, found.gaps, found.is_regular) == (numbers, {3, 5}, True)
        assert found.rate == pytest.approx(float(rate), rel=3e-3)


def test_rounding_does_not_add_up():
    numbers = [*range(2000), *range(2003, 6000)]
    found = Timing.of(stamps(numbers, 60, Fraction(1, 1000)))
    assert (found.numbers, found.gaps) == (numbers, {2000})
    assert found.rate == pytest.approx(60, rel=1e-5)


def test_a_gif_counts_hundredths():
    found = Timing.of(stamps(range(60), 30, Fraction(1, 100)))
    assert (found.is_regular, found.gaps) == (True, frozenset())
    assert found.rate == pytest.approx(30, rel=0.01)


def test_most_steps_may_be_gaps():
    numbers = [0, 1, 5, 9, 13, 14, 18, 22, 26]
    assert Timing.of(stamps(numbers)).numbers == numbers


def test_order_of_storage_is_no_order_of_time():
    numbers = [0, 3, 1, 2, 6, 4, 5, 9, 7, 8]
    assert Timing.of(stamps(numbers)).numbers == list(range(10))


def test_stamps_that_begin_anew_go_on_behind_a_gap():
    times = [*stamps(range(20)), *stamps(range(27))]
    found = Timing.of(times)
    assert (found.numbers, found.gaps) == (list(range(47)), {20})
    assert found.rate == pytest.approx(25)


@pytest.mark.parametrize("slip", [3600, -3600])
def test_a_single_wrong_stamp_makes_no_gap(slip):
    times = stamps(range(30))
    times[15] += slip
    found = Timing.of(times)
    assert (found.numbers, found.gaps) == (list(range(30)), frozenset())
    assert found.rate == pytest.approx(25)


@pytest.mark.parametrize("rate, slots", [(24, 30), (25, 30), (25, 29)])
def test_film_in_slots_of_video_misses_no_frame(rate, slots):
    """Each frame goes into the next slot, and a fifth or sixth stays empty."""
    numbers = [n * slots // rate for n in range(40)]
    assert numbers[-1] > 40 + 4
    found = Timing.of(stamps(numbers, slots))
    assert (found.numbers, found.gaps) == (list(range(40)), frozenset())
    assert found.rate == pytest.approx(rate, rel=0.02)


def test_holes_now_and_then_are_missing_frames():
    numbers = [n for n in range(60) if n not in (7, 12, 33, 38, 51)]
    found = Timing.of(stamps(numbers))
    assert (found.numbers, len(found.gaps)) == (numbers, 5)


def test_a_varying_rate_has_no_numbers_but_gaps():
    """Of a screen: a frame where something changes, and once nothing for long."""
    steps = [30, 41, 60, 38, 20, 45, 36, 55, 250, 41, 30, 62, 33]
    times = [Fraction(sum(steps[:i]), 1000) for i in range(len(steps) + 1)]
    found = Timing.of(times)
    assert (found.numbers, found.is_regular) == (list(range(14)), False)
    assert found.gaps == {9}
    assert found.rate == pytest.approx(13 / 0.741)


@pytest.mark.parametrize("times", [[None, None], [Fraction(1)], [Fraction(1)] * 3])
def test_without_stamps_there_is_no_telling(times):
    found = Timing.of(times)
    assert (found.numbers, found.gaps) == (list(range(len(times))), frozenset())
    assert (found.rate, found.is_regular) == (0, False)
