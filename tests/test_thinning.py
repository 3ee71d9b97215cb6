"""Plans keep their promise, and no choice of frames drops more."""

import dataclasses
import itertools
import json

import numpy as np
import pytest

from motionflow.errors import InputError
from motionflow.films import thinning
from motionflow.films.filling import KEPT, Filler, restore
from motionflow.films.thinning import Plan
from tests.conftest import texture

pytestmark = pytest.mark.slow


@dataclasses.dataclass(frozen=True)
class Blend(Filler):
    """Mixes the two ends of a gap, or repeats its beginning."""

    repeats: bool = False

    def fill(self, before, after, num_frames):
        for share in np.arange(1, num_frames + 1) / (num_frames + 1):
            last = before[-1] if self.repeats or not after else after[0]
            yield np.rint((1 - share) * before[-1] + share * last).astype(np.uint8), ""


def filler_of(method, max_gap):
    if method == "flow":
        return Filler(max_gap=max_gap)
    return Blend(max_gap=max_gap, repeats=method == "repeat")


def levels(*values):
    """Flat frames: blending and repeating can be reckoned by hand."""
    return [np.full((4, 4, 3), value, np.uint8) for value in values]


def dropped(frames, method, min_psnr, max_gap=4):
    plan = thinning.make_plan(frames, filler_of(method, max_gap), min_psnr)
    return list(plan.dropped)


def test_what_is_linear_can_go():
    ramp = levels(*range(0, 70, 10))
    assert dropped(ramp, "blend", 40, max_gap=4) == [1, 2, 3, 4]
    assert dropped(ramp, "blend", 40, max_gap=2) == [1, 2, 4, 5]
    assert dropped(ramp, "repeat", 40) == []
    # A difference of 10 is 28.1 dB, of 20 is 22.1.
    assert dropped(ramp, "repeat", 28) == [1, 3, 5]
    assert dropped(ramp, "repeat", 22) == [1, 2, 4, 5]


def test_a_bend_stays():
    bend = levels(0, 10, 20, 30, 20, 10, 0)
    assert dropped(bend, "blend", 40) == [1, 2, 4, 5]


def test_the_first_frame_stays_and_the_last_may_go():
    assert dropped(levels(50), "repeat", 30) == []
    assert dropped(levels(50, 50), "repeat", 30) == [1]
    assert dropped(levels(*[50] * 5), "repeat", 30, max_gap=4) == [1, 2, 3, 4]
    assert dropped(levels(*[50] * 7), "repeat", 30, max_gap=4) == [1, 2, 3, 4, 6]
    assert dropped(levels(50, 90), "blend", 30) == []


def test_a_frame_that_fails_ends_the_run():
    frames = levels(0, 10, 20, 30, 40)
    frames[2] = levels(200)[0]
    assert 2 not in dropped(frames, "blend", 35)


def promised(frames, kept, min_psnr, max_gap):
    """Whether each dropped frame is within the bound, by repeating the last kept."""
    last = 0
    for i, frame in enumerate(frames):
        last = i if i in kept else last
        if i - last > max_gap or thinning.psnr(frames[last], frame) < min_psnr:
            return False
    return True


@pytest.mark.parametrize("seed", range(5))
def test_no_choice_drops_more(seed):
    """All subsets of ten frames that grow brighter."""
    steps = np.random.default_rng(seed).integers(0, 6, 10)
    frames, bound = levels(*np.cumsum(steps)), 32
    numbers = range(1, 10)
    best = min(
        len(kept)
        for size in range(10)
        for kept in itertools.combinations(numbers, size)
        if promised(frames, {0, *kept}, bound, 3)
    )
    found = dropped(frames, "repeat", bound, max_gap=3)
    assert len(found) == 9 - best
    assert promised(frames, set(range(10)) - set(found), bound, 3)


def shaking(num_frames):
    scene = texture(0, 60, 120)
    starts = np.cumsum(np.random.default_rng(0).integers(0, 3, num_frames))
    return [scene[:, start : start + 60] for start in starts]


@pytest.mark.parametrize("method", ["flow", "blend", "repeat"])
def test_the_promise_is_kept(method):
    frames, filler = shaking(20), filler_of(method, 3)
    plan = thinning.make_plan(frames, filler, 28)
    assert 0 < len(plan.dropped) < 19
    thin = thinning.thin(plan, frames)
    numbered = zip(plan.kept, thin, strict=True)
    restored = list(restore(numbered, 0, plan.num_frames - 1, filler))
    assert len(restored) == 20
    for i, (frame, how) in enumerate(restored):
        assert (how == KEPT) == (i not in plan.dropped)
        if how != KEPT:
            error = np.mean((frame.astype(float) - frames[i]) ** 2)
            psnr = min(100, 20 * np.log10(255) - 10 * np.log10(max(error, 1e-9)))
            assert psnr == pytest.approx(plan.dropped[i], abs=1e-6) and psnr >= 28


def test_frames_are_read_as_they_are_needed():
    read = []

    def source():
        for i, frame in enumerate(levels(*range(0, 250, 10))):
            read.append(i)
            yield frame

    decisions = thinning.choose(source(), filler_of("repeat", 3), 40)
    for _ in range(5):
        assert next(decisions) is None
    assert read[-1] == 4 + 3 + 1


def test_bytes_are_those_of_the_files():
    noise = np.random.default_rng(0).integers(0, 256, (12, 64, 64, 3), np.uint8)
    plan = Plan(12, dict.fromkeys(range(1, 12, 2), 40.0), "flow", 2, 4, 30.0)
    measured = thinning.measure_bytes(plan, lambda: iter(noise), 30)
    # Noise cannot be predicted: half of the frames are about half of the bytes.
    assert measured.saving == pytest.approx(0.5, abs=0.1)
    assert measured.bytes_full > 12 * 1000
    assert plan.saving == 0 and measured.dropped == plan.dropped


def test_a_plan_is_read_as_it_was_written(tmp_path):
    plan = Plan(10, {3: 36.25, 4: 41.5}, "flow", 1, 6, 35.0, 2000, 1500)
    plan.save(tmp_path / "plan.json")
    assert Plan.load(tmp_path / "plan.json") == plan
    assert plan.kept == [0, 1, 2, 5, 6, 7, 8, 9]
    values = json.loads((tmp_path / "plan.json").read_text())
    assert values["dropped"][0] == {"frame": 3, "psnr": 36.25}
    assert (values["share_dropped"], values["saving"]) == (0.2, 0.25)


@pytest.mark.parametrize(
    "change, message",
    [
        ("no json", "is no plan of restore_frames"),
        ("[]", "is no plan of restore_frames"),
        ({"min_psnr": None, "method": "magic"}, "method is 'magic', expected one of"),
        ({"method": "blend"}, "blend is gone: --method=flow .*; make the plan anew"),
        ({"dropped": [{"frame": 10, "psnr": 40}]}, "its numbers are impossible"),
        ({"dropped": [{"frame": 0, "psnr": 40}]}, "its numbers are impossible"),
        ({"dropped": [3]}, "is no plan of restore_frames"),
    ],
)
def test_what_is_no_plan(tmp_path, change, message):
    path = tmp_path / "plan.json"
    Plan(10, {3: 36.0}, "flow", 1, 6, 35.0).save(path)
    if isinstance(change, dict):
        change = json.dumps(json.loads(path.read_text()) | change)
    path.write_text(change)
    with pytest.raises(InputError, match=message):
        Plan.load(path)


def test_no_plan_and_no_frame(tmp_path):
    with pytest.raises(InputError, match="there is no plan"):
        Plan.load(tmp_path / "none.json")
    with pytest.raises(InputError, match="no frame to plan for"):
        thinning.make_plan([], Filler(), 30)
