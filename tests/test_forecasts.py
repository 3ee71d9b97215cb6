"""Flow and films of the next moments: each score by hand, or by another library."""

import numpy as np
import pytest
import tensorflow as tf

from motionflow.data.data_dir import open_data_dir
from motionflow.errors import InputError
from motionflow.generate import likeness
from motionflow.labels.codebook import Codebook
from motionflow.models import decoding
from motionflow.scoring import (
    bootstrap,
    comparison,
    films,
    forecasts,
    samples,
    strips,
)
from motionflow.scoring.comparison import Options, StartFrames
from motionflow.scoring.comparison_tables import comparison_tables
from motionflow.scoring.forecasts import Forecast, ForecastRows
from motionflow.scoring.scores import SCORES
from motionflow.scoring.sums import ClipSums
from tests.conftest import ssim_map, texture, write_avi
from tests.future_models import CENTERS, StepModel
from tests.tiny_data import MIXED, make_sample, write_hand_made

pytestmark = pytest.mark.slow

CODEBOOK = Codebook(CENTERS)


# --- flow ------------------------------------------------------------------------


def test_what_moves_is_nearer_to_another_centre():
    vectors = np.float32([[1.9, 0], [2.1, 0], [0, -1.9], [0, -2.1], [-9, 0]])
    assert forecasts.moving(vectors, CODEBOOK).tolist() == [
        False,
        True,
        False,
        True,
        False,
    ]


def test_scores_of_a_step_are_of_its_moving_cells():
    true = np.float32([[[[4, 0], [0, -4]], [[0, 0], [4, 0]]]])[:, :, np.newaxis]
    told = np.float32([[[[4, 3], [0, 0]], [[7, 7], [8, 0]]]])[:, :, np.newaxis]
    mask = forecasts.moving(true, CODEBOOK)
    found = forecasts.step_sums(told, true, mask)
    (epe, count), (cosine, _) = (np.moveaxis(one, -1, 0) for one in found)
    # Step 0: errors of 3 and 4. Step 1: 4; the still cell's 7s are not looked at.
    np.testing.assert_allclose(epe, [[7, 4]])
    np.testing.assert_array_equal(count, [[2, 1]])
    np.testing.assert_allclose(cosine, [[0.8 + 0, 1]], atol=1e-6)
    told[:, 1] = np.nan  # a step that the model lacks
    count = forecasts.step_sums(told, true, mask)[0][..., 1]
    np.testing.assert_array_equal(count, [[2, 0]])


class CentreModel(StepModel):
    """Moves right while the frame's centre is bright."""

    def __call__(self, frames):
        half = self.frame_size // 2
        bright = tf.reduce_mean(frames[:, half, half], axis=-1) > 128
        self.shares = np.eye(3, dtype=np.float32)[[1 if bright[0] else 0] * 2]
        return super().__call__(frames)


def test_a_model_asked_again_sees_the_moved_frame():
    frames = np.zeros((1, 20, 20, 3), np.uint8)
    frames[:, :, 8:12] = 255  # a bar that leaves the centre in one step of 4 pixels
    model = CentreModel(codes=(1, 1), size=(20, 4, 8))
    ahead = forecasts.steps_ahead(model, frames, Forecast.of_model(model, frames), 3)
    steps = {way: found[0, :, 0, 0].tolist() for way, found in ahead.items()}
    right, still = [4, 0], [0, 0]
    assert steps["composed"] == steps["recursive"] == [right, still, still]
    assert steps["repeat"] == [right, right, right]
    # It predicts two steps at once; a third it does not have.
    assert steps["sequence"][:2] == [right, right]
    assert np.isnan(steps["sequence"][2]).all()
    one_step = StepModel(size=(20, 4, 4))
    forecast = Forecast.of_model(one_step, frames)
    assert "sequence" not in forecasts.steps_ahead(one_step, frames, forecast, 2)


def test_the_best_future_is_chosen_as_a_whole():
    true = np.zeros((2, 2, 1, 2, 2), np.float32)
    mask = np.ones((2, 2, 1, 2), bool)
    mask[0, 1] = False  # the first sample's second step is still
    mask[1] = False  # the second sample never moves
    futures = np.zeros((2, *true.shape), np.float32)
    futures[0, 0, :, 0, :, 0] = [[1, 3], [50, 50]]  # mean 2; what is still is free
    futures[1, 0, :, 0, :, 0] = [[2, 4], [0, 0]]  # mean 3
    found = forecasts.best_of_n(futures, true, mask)
    assert found.tolist() == [[[2, 1]], [[0, 0]]]  # and whether there is one
    mask[0, 1] = True
    # Now (2 + 50) / 2 against (3 + 0) / 2, though the first begins better.
    assert forecasts.best_of_n(futures, true, mask)[0, 0, 0] == 1.5
    # A batch of one is a batch.
    found = forecasts.best_of_n(futures[:, :1], true[:1], mask[:1])
    assert found.tolist() == [[[1.5, 1]]]


def test_drawn_futures():
    frames = np.zeros((2, 20, 20, 3), np.uint8)
    noise = decoding.future_noise(3, (4, 4), 3, seed=0)
    model = StepModel(probability=0.5, size=(20, 4, 4))
    forecast = Forecast.of_model(model, frames)
    drawn = forecasts.sampled_steps(model, frames, forecast, noise, 2)
    assert drawn.shape == (3, 2, 2, 4, 4, 2)
    expected = decoding.sample_flows(forecast.probabilities, CENTERS, noise)
    for step in range(2):
        np.testing.assert_array_equal(drawn[:, :, step], expected)
    assert len(np.unique(drawn[..., 0])) == 2  # both classes were drawn
    model = StepModel(codes=(1, 1), size=(20, 4, 8))
    drawn = forecasts.sampled_steps(
        model, frames, Forecast.of_model(model, frames), noise, 3
    )
    assert drawn.shape == (3, 2, 3, 4, 4, 2)
    assert (drawn[..., 0] == np.arange(3).reshape(3, 1, 1, 1, 1)).all()


# --- sums ------------------------------------------------------------------------


def summarized(sums, key, weights=None):
    """The rows of a score, on one draw of all clips unless there are others."""
    rows = sums.rows(key)
    clips = len(next(iter(rows.values()))["sums"])
    weights = np.ones((2, clips)) if weights is None else weights
    return comparison.summarize_score(SCORES[key], rows, weights)


def test_scores_are_means_over_what_is_counted():
    found, clips = ClipSums(2), np.array([0, 1, 1])
    sums, counts = np.array([[6.0], [4.0], [np.nan]]), np.array([[2], [1], [0]])
    for key in ("step_epe_nz", "step_dir_nz"):
        for row in ("first", "same"):
            found.add(key, row, clips, {"sums": films.counted(sums, counts)})
        zero = films.counted(np.zeros((2, 1)), np.ones((2, 1)))
        found.add(key, "zero", np.array([0, 1]), {"sums": zero})
    weights = bootstrap.draw_weights(np.array(["a", "b"]), 1000, 0)
    rows = summarized(found, "step_epe_nz", weights)
    assert rows["first"]["value"] == [pytest.approx(10 / 3)]
    assert rows["first"]["count"] == [3]
    # A draw holds one clip twice, or both: 3, 10 / 3 or 4.
    assert rows["first"]["interval"] == [pytest.approx([3, 4])]
    assert rows["same"]["difference"] == [0]
    assert rows["same"]["difference_interval"] == [[0, 0]]
    assert rows["same"]["verdict"] == ["tie"]
    assert rows["zero"]["verdict"] == ["better"]
    # More is better of a cosine.
    assert summarized(found, "step_dir_nz", weights)["zero"]["verdict"] == ["worse"]


def test_what_was_never_counted_has_no_value():
    found = ClipSums(1)
    nothing = films.counted(np.array([[np.nan]]))
    found.add("video_psnr", "a", np.array([0]), {"sums": nothing})
    rows = summarized(found, "video_psnr")
    assert rows["a"]["value"] == rows["a"]["verdict"] == [None]
    assert rows["a"]["interval"] == [[None, None]] and rows["a"]["count"] == [0]


# --- rows of flow ----------------------------------------------------------------


def test_a_model_that_knows_everything_has_no_error():
    size = (20, 4, 10)
    model, coarse = StepModel(codes=(1, 2), size=size), StepModel(size=(20, 4, 4))
    added, models = ClipSums(1), {"knows": model, "half": coarse}
    rows = ForecastRows(models, CODEBOOK, num_futures=5, seed=0)
    true = np.zeros((2, 2, 4, 4, 2), np.float32)
    true[:, 0, ..., 0], true[:, 1, ..., 1] = 4, -4
    dense = np.zeros((2, 1, 10, 10, 2), np.float32)
    dense[:, 0, :, 5:, 0] = 4  # the left half is still
    for key, row, sums in rows.sums(np.zeros((2, 20, 20, 3), np.uint8), true, dense):
        added.add(key, row, np.zeros(2, int), {"sums": sums})
    found = {key: summarized(added, key) for key in SCORES if added.rows(key)}
    values = {
        score: {row: one["value"] for row, one in table.items()}
        for score, table in found.items()
    }
    assert values["full_size_epe_all"] == {
        "knows": [2],
        "knows, its 4x4 upsampled": [2],
        "half": [2],
        "true flow of 4x4, upsampled": [2],
        "zero flow": [2],
    }
    nz = values["full_size_epe_nz"]
    assert nz["knows"] == nz["half"] == [0] and nz["zero flow"] == [4]
    assert found["full_size_epe_nz"]["knows"]["count"] == [2 * 50]
    steps, far = values["step_epe_nz"], pytest.approx(np.hypot(4, 4))
    assert steps["knows, sequence"] == [0, 0]
    assert steps["knows, repeat"] == steps["half, composed"] == [0, far]
    assert steps["zero flow"] == [4, 4]
    rows = [*steps]
    assert (rows[0], rows[-1]) == ("knows, composed", "zero flow")
    assert values["step_dir_nz"]["knows, sequence"] == pytest.approx([1, 1])
    # Futures of the first go 0..4 pixels to the right; the second is sure.
    first = {"knows": [0], "half": [0], "zero flow": [4]}
    assert values["first_best_epe_nz"] == first
    whole = values["whole_best_epe_nz"]
    options = [(4 - dx + np.hypot(dx, 4)) / 2 for dx in range(5)]
    assert whole["knows"] == [pytest.approx(min(options))]
    assert whole["half"] == [pytest.approx(np.hypot(4, 4) / 2)]


def test_a_diverged_model_is_refused():
    model = StepModel(size=(20, 4, 4))
    model.shares = np.full((1, 3), np.nan, np.float32)
    rows = ForecastRows({"bad": model}, CODEBOOK)
    zeros = np.zeros((1, 1, 4, 4, 2), np.float32)
    with pytest.raises(InputError, match="predictions hold NaN"):
        list(rows.sums(np.zeros((1, 20, 20, 3), np.uint8), zeros))


# --- films -----------------------------------------------------------------------


def test_ssim_of_a_mask():
    real, frames = texture(0, 30, 30), texture(1, 30, 30)
    mask = np.zeros((1, 30, 30), bool)
    mask[0, :8, 20:] = True  # in a corner
    expected = ssim_map(frames, real)[mask[0]].mean()
    found = films.masked_ssim(frames[None], real[None], mask)
    assert found == pytest.approx([expected], abs=1e-4)
    assert films.masked_ssim(real[None], real[None], mask) == pytest.approx([1])


def test_cells_as_pixels():
    cells = np.array([[[True, False], [False, False]]])
    mask = films.pixel_mask(cells, 6)
    assert mask.shape == (1, 6, 6) and mask.sum() == 9 and mask[0, :3, :3].all()


@pytest.fixture(scope="module")
def broken_clip(tmp_path_factory):
    """A texture that moves; frame 6 repeats frame 5, frame 9 shows another one."""
    moving = [np.roll(texture(0, 64, 64), (0, 3 * t), (0, 1)) for t in range(8)]
    moving.insert(6, moving[5])
    other = [np.roll(texture(7, 64, 64), (0, 3 * t), (0, 1)) for t in range(6)]
    path = tmp_path_factory.mktemp("clips") / "broken.avi"
    write_avi(path, np.array(moving + other))
    return path


def test_what_follows_a_frame(broken_clip):
    found = samples.real_frames(broken_clip, [0, 3, 6, 9, 12], [1, 4], 64)
    ends = {start: (film.num_frames, film.ended_by) for start, film in found.items()}
    assert ends == {
        0: (4, ""),  # all that was asked for
        3: (2, "duplicate"),
        6: (2, "cut"),
        9: (4, ""),
        12: (2, ""),  # the video's end
    }
    assert set(found[0].frames) == {1, 4} and set(found[12].frames) == {1}
    moved = np.roll(texture(0, 64, 64), (0, 12), (0, 1))
    assert np.abs(found[0].frames[4].astype(int) - moved).mean() < 8  # JPEG
    skipping = samples.real_frames(broken_clip, [3], [1, 4], 64, skip_duplicates=True)
    assert (skipping[3].num_frames, skipping[3].ended_by) == (4, "")
    moved = np.roll(texture(0, 64, 64), (0, 18), (0, 1))  # frame 7, without frame 6
    follower = samples.real_frames(broken_clip, [3], [1, 3], 64, skip_duplicates=True)
    assert np.abs(follower[3].frames[3].astype(int) - moved).mean() < 8
    with pytest.raises(InputError, match="has no frame 40 to start from"):
        samples.real_frames(broken_clip, [0, 40], [1], 64)


def test_a_film_of_the_true_flow_is_the_video():
    wide = texture(3, 40, 80)
    real = [wide[:, 40 - 2 * t : 80 - 2 * t] for t in range(8)]  # 2 pixels a frame
    model = StepModel(codes=(1, 1, 2), size=(40, 4, 8))  # 4 right in a step of 2
    start = real[0][np.newaxis]
    film = films.rolled_out(model, start, "composed", 2, [1, 5])
    assert sorted(film) == [1, 5] and film[5].dtype == np.uint8
    mask = np.zeros((1, 40, 40), bool)
    mask[:, 2:-2, 16:-2] = True  # what enters from the left nobody knows
    for ahead in (1, 5):
        psnr = likeness.psnr(film[ahead], real[ahead][np.newaxis], mask)
        assert psnr > 45, ahead
    assert films.film_modes(model) == ["composed", "sequence"]
    assert films.film_modes(StepModel()) == ["composed"]
    # As a sequence its third step is up: no longer what the video shows.
    film = films.rolled_out(model, start, "sequence", 2, [4, 6])
    assert likeness.psnr(film[4], real[4][np.newaxis], mask) > 45
    assert likeness.psnr(film[6], real[6][np.newaxis], mask) < 30


def test_looks_are_mean_colours():
    frames = np.zeros((1, 12, 12, 3), np.uint8)
    frames[0, :2, :2, 1] = 100  # parts begin at 0, 2, 4, 7, 9
    found = samples.mean_colors(frames)
    assert found.shape == (1, 5, 5, 3)
    assert found[0, 0, 0].tolist() == [0, 100, 0] and found.sum() == pytest.approx(100)


def choice_of(starts, clip="walk/broken.avi"):
    """These frames of one clip."""
    count = len(starts)
    return samples.Choice(
        indices=np.arange(count),
        rows=np.zeros(count, int),
        frame_indices=np.array(starts),
        clips=np.array([clip]),
        sources=np.array(["broken"]),
        size=count,
    )


def add_films(broken_clip, models, starts, moving, **changes):
    """The film scores of some starts in the broken clip."""
    added = ClipSums(1)
    videos = samples.Videos(broken_clip.parent, 64, 2, **changes)
    found = samples.real_frames(broken_clip, starts, [1], 64)
    colors = samples.mean_colors(np.stack([found[start].start for start in starts]))
    choice = choice_of(starts, broken_clip.name)
    frames = StartFrames(moving, np.ones(len(starts)), colors)
    options = Options(batch_size=2)
    arguments = added, models, videos, choice, frames, options
    counts, reached = comparison.add_films(*arguments)
    scores = {key: summarized(added, key) for key in SCORES if added.rows(key)}
    return counts, reached, scores


def test_a_still_models_film_is_the_start_frame(broken_clip):
    moving = np.ones((4, 4, 4), bool)
    moving[1] = False
    models = {"still": StepModel(codes=(0, 0), size=(64, 4, 4))}
    counts, reached, scores = add_films(
        broken_clip, models, [0, 3, 6, 12], moving, num_steps=2
    )
    assert counts == {
        "compared": 3,
        "still": 1,
        "cut": 1,
        "duplicate": 1,
        "short": 1,
        "complete": 0,
    }
    assert reached.tolist() == [5, 0, 2, 2]
    psnr = scores["video_psnr"]
    assert [*psnr] == ["still, composed", "still, sequence", "start frame repeated"]
    assert psnr["still, composed"]["count"] == [3, 1, 0]
    assert psnr["still, composed"]["value"][2] is None
    for rows in scores.values():
        for row in rows.values():
            assert [gap for gap in row["difference"] if gap is not None] == [0] * (
                2 if len(row["count"]) == 3 else len(row["count"])
            )
    # Steps of two frames: +2 is there for all three, +4 for one.
    assert scores["step_psnr"]["still, composed"]["count"] == [3, 1]


def test_a_moving_models_film_is_better(broken_clip):
    moving = np.ones((1, 4, 4), bool)

    class Drift(StepModel):
        """Six pixels to the right in a step, as the clip does."""

        def __init__(self):
            super().__init__(size=(64, 4, 4))
            self.centers = np.float32([[0, 0], [6, 0], [0, -4]])

    models = {"drift": Drift(), "still": StepModel(codes=(0,), size=(64, 4, 4))}
    _, _, scores = add_films(broken_clip, models, [0], moving)
    for score in ("video_psnr", "video_ssim"):
        assert scores[score]["still, composed"]["verdict"][:2] == ["worse"] * 2
    assert scores["video_ssim"]["drift, composed"]["value"][0] > 0.7


def test_films_are_scored_in_the_cells_that_move(broken_clip):
    moving = np.zeros((1, 4, 4), bool)
    moving[0, 1, 2] = True  # rows 16 to 31, columns 32 to 47
    models = {"still": StepModel(codes=(0,), size=(64, 4, 4))}
    _, _, scores = add_films(broken_clip, models, [0], moving)
    film = samples.real_frames(broken_clip, [0], [1], 64)[0]
    start, real = (np.float64(f[16:32, 32:48]) for f in (film.start, film.frames[1]))
    expected = 10 * np.log10(255**2 / np.mean((start - real) ** 2))
    found = scores["video_psnr"]["start frame repeated"]["value"][0]
    assert found == pytest.approx(expected)


def test_other_videos_are_refused(broken_clip):
    videos = samples.Videos(broken_clip.parent, 64, 2)
    starts = StartFrames(np.ones((1, 4, 4), bool), np.ones(1), np.zeros((1, 5, 5, 3)))
    choice = choice_of([0], broken_clip.name)
    arguments = ClipSums(1), {}, videos, choice, starts, Options(batch_size=2)
    with pytest.raises(InputError, match=r"frame 0 of broken.avi is not the one in"):
        comparison.add_films(*arguments)


# --- samples ---------------------------------------------------------------------


def test_samples_are_spread_over_their_clip(tmp_path):
    found = [make_sample("a1", 5 * i, i, MIXED, [0, 0, 1, 2]) for i in (4, 0, 3, 1, 2)]
    found.insert(2, make_sample("b1", 3, 9, MIXED, [0, 0, 1, 2]))
    path = write_hand_made(
        tmp_path / "data", {"train": found, "validation": [], "test": []}, statuses=[]
    )
    data = open_data_dir(path)
    choice = samples.choose_samples(data, "train", 2)
    assert choice.clips.tolist() == ["walk/a1.avi", "walk/b1.avi"]
    assert choice.sources.tolist() == ["a", "b"] and choice.size == 6
    # The first of each half of five: the first and the third.
    assert sorted(choice.frame_indices[choice.rows == 0]) == [0, 10]
    batches = list(samples.read_batches(data, "train", choice, 2))
    assert [len(batch["flow"]) for batch in batches] == [2, 1]
    read = np.concatenate([batch["frame_index"] for batch in batches])
    assert read.tolist() == choice.frame_indices.tolist()
    levels = np.concatenate([batch["frames"][:, 0, 0, 0] for batch in batches])
    known = {3: 9, 0: 0, 10: 2}
    assert [known[place] for place in read] == levels.tolist()
    assert batches[0]["flow"].shape == (2, 1, 2, 2, 2)
    assert len(samples.choose_samples(data, "train").indices) == 6


def test_the_strip_shows_the_most_motion_of_each_source():
    motion = np.array([5.0, 9.0, 7.0, 8.0, 1.0])
    reached = np.array([25, 25, 25, 3, 10])
    sources = np.array(["a", "a", "b", "c", "d"])
    # The third's frame +10 is missing, so it waits behind all others.
    assert strips.choose(motion, reached, sources) == [1, 2, 4]


def test_flows_of_a_row_share_one_scale():
    models = {"half": StepModel(probability=0.5, size=(20, 4, 4))}
    frames = np.zeros((2, 20, 20, 3), np.uint8)
    true = np.zeros((2, 5, 5, 2), np.float32)
    true[..., 0] = np.float32([4, 2])[:, np.newaxis, np.newaxis]
    shown = {"titles": ["a", "b"], "frames": frames, "flow": true}
    shown["real"] = [frames[0] + 9, None]
    first, second = strips.flow_rows(models, shown)
    titles = ["a", "true flow\n(5x5)", "half\n(4x4)", "full brightness:\n4 px a step"]
    assert [title for title, _ in first] == titles
    # Right is red: 4 px and half of it, then 2 px and as much.
    assert [first[i][1][0, 0].tolist() for i in (1, 2)] == [[255, 0, 0], [128, 0, 0]]
    assert [second[i][1][0, 0].tolist() for i in (1, 2)] == [[255, 0, 0]] * 2
    first, second = strips.frame_rows(models, shown, 2)
    assert [title for title, _ in first] == ["a", "real, +10", "half\n(composed, +10)"]
    assert second[1][0] == "no real frame +10" and second[1][1].min() == 255


def test_numbers_in_tables():
    row = {"value": [1.25, None], "interval": [[1, 2], [None, None]], "count": [3, 0]}
    row |= {"difference": [-0.5, None], "difference_interval": row["interval"]}
    row |= {"verdict": ["better", None]}
    places, rows = ["step 0", "step 1"], {"a": row, "b": row}
    values, gaps = comparison_tables(SCORES["step_epe_nz"], places, rows)
    assert values.rows[0] == ["a", "1.250 [1.000, 2.000]", "-"]
    assert values.rows[-1] == ["counted", "3", "0"]
    assert gaps.title.endswith("difference to a")
    assert gaps.rows == [["b", "-0.500 [+1.000, +2.000] better", "-"]]
