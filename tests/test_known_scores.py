"""Models that are told something: kinds, told cells, gains, differences, pooling."""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf

from motionflow import baselines
from motionflow.baselines.known import Kind, fit_naive, parse_kinds
from motionflow.commands import pool as pool_command
from motionflow.data import pipeline
from motionflow.data.data_dir import open_data_dir
from motionflow.errors import InputError
from motionflow.models import predictor
from motionflow.scoring import assessment
from motionflow.scoring.assessment import evaluate
from motionflow.scoring.evaluation import Evaluation, pool
from motionflow.scoring.figures import draw_known, ring
from motionflow.scoring.rows import KnownRows, ModelRows, all_rows
from motionflow.scoring.scores import MODEL, PRIOR, WITH_KNOWN, ZERO
from motionflow.scoring.summary import summarize
from motionflow.scoring.tables import known_tables
from tests.tiny_data import CENTERS, MIXED, STILL, make_sample, write_hand_made

WORDS = ("none", "past", "arrows1", "past+arrows1")


class Guided:
    """Says twice the past, or the arrow in all cells, or else that nothing moves."""

    frame_size, grid_size, centers = 8, 2, CENTERS
    num_parameters, features, takes_known = 7, None, True

    def __call__(self, frames, known=None):
        known = np.zeros([len(frames), 2, 2, 7], np.float32) if known is None else known
        arrow = known[..., 1:3].sum(axis=(1, 2), keepdims=True)
        has_arrow = known[..., :1].any(axis=(1, 2), keepdims=True)
        flow = np.where(has_arrow, arrow, 2 * known[..., 5:])
        sure = np.tile(np.float32([0.5, 0.25, 0.25]), (len(frames), 4, 1))
        return {"flow": tf.constant(flow), "probabilities": tf.constant(sure)}


class Deaf(Guided):
    """The same, of the frames alone."""

    takes_known = False

    def __call__(self, frames):
        return super().__call__(frames)


def with_past(clip, index, flow, codes, action="walk", known=True):
    """A sample whose past is half of its flow."""
    sample = make_sample(clip, index, 0, flow, codes, action)
    past = np.where(known, sample.flow / 2, np.nan)
    return dataclasses.replace(sample, past_flow=past)


MOVES = [0, 0, 1, 2]
TRAIN = [with_past("a1", 0, MIXED, MOVES), with_past("a2", 0, STILL, [0] * 4)]
VALIDATION = [with_past("c1", 0, MIXED, MOVES, "A/walk")]
TEST = [
    with_past("d1", 0, STILL, [0] * 4, "B/walk"),
    with_past("e2", 5, MIXED, MOVES, "B/walk"),
    with_past("e3", 9, MIXED, MOVES, "B/walk", known=False),
]
SPLITS = {"train": TRAIN, "validation": VALIDATION, "test": TEST}
DATA_SETS = {"past_frames": 2, "data_sets": ["A", "B"]}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("known") / "d"
    return write_hand_made(folder, SPLITS, statuses=[], **DATA_SETS)


def known_rows(data, model=None, words=WORDS):
    models = {MODEL: ModelRows(MODEL, model or Guided(), data)}
    return KnownRows(parse_kinds(words), models, fit_naive(data, 0), 0)


def measured(data, split, model=None, words=WORDS, batch_size=2, **options):
    data = data.view(past=any(kind.past for kind in parse_kinds(words)))
    known = known_rows(data, model, words)
    constants = baselines.constant_baselines(data)
    constants = {name: constants[name] for name in (ZERO, PRIOR)}
    predict = all_rows(known.models.values(), constants, data)
    return evaluate(predict, data, split, batch_size, known=known, **options)


def summarize_known(evaluation, num_draws=20):
    return summarize(evaluation, num_draws=num_draws)["known"]


@pytest.fixture(scope="module")
def both(data_dir):
    data = open_data_dir(data_dir)
    return [measured(data, split) for split in ("validation", "test")]


def test_words():
    assert parse_kinds([]) == []
    assert parse_kinds(["past+arrows10", "none", "past", "none", "arrows2"]) == [
        Kind("past+arrows10", past=True, num_arrows=10),
        Kind("none"),
        Kind("past", past=True),
        Kind("arrows2", num_arrows=2),
    ]
    for word in (
        "",
        "arrow",
        "arrows",
        "arrows0",
        "past+",
        "arrows1+past",
        "pastarrows1",
    ):
        with pytest.raises(InputError, match="expected none, past, arrows<number>"):
            parse_kinds([word])


def test_what_is_told():
    flow = np.float32(MIXED).reshape(1, 2, 2, 2)
    cells, past = np.array([[3, 0]]), np.full_like(flow, 9)
    assert Kind("none").is_empty and not Kind("past", past=True).is_empty
    known = Kind("arrows1", num_arrows=1).of_batch(flow, cells, past)
    expected = np.zeros([2, 2, 7])
    expected[1, 1, :3] = 1, 3, -4
    np.testing.assert_array_equal(known[0], expected)
    known = Kind("both", True, 2).of_batch(flow, cells, past)
    expected[0, 0, :3] = 1, 0, 0  # says that it rests
    expected[..., 4:] = 1, 9, 9
    np.testing.assert_array_equal(known[0], expected)


def values(block, row):
    return {score: one["value"] for score, one in block["results"][row].items()}


def test_scores_by_hand(both):
    """One frame at rest but for 3 right (cell 2) and 3 right, 4 up (cell 3)."""
    blocks = summarize_known(both[0], num_draws=20)["all"]
    assert list(blocks) == list(WORDS)
    nothing, past, arrows, mixed = blocks.values()
    assert nothing["num_cells"] == {"all": 4, "nz": 2}
    assert values(nothing, MODEL)["gain_all"] == values(nothing, MODEL)["dir_nz"] == 0
    # Probabilities .5, .25, .25; training has still, right, up 6, 1, 1 times: in cells
    # 2 and 3 smoothed to 2, 2, 1 and 2, 1, 2 of 5, elsewhere to 3, 1, 1.
    ours = np.log([0.5, 0.5, 0.25, 0.25]).sum()
    prior = np.log([0.6, 0.6, 0.4, 0.4]).sum()
    for block in (nothing, past):
        assert values(block, MODEL)["skill_all"] == pytest.approx(1 - ours / prior)
    # Twice the past is the truth; the factor of the naive row ends at 1.
    assert values(past, MODEL)["gain_nz"] == values(past, MODEL)["gain_all"] == 1
    assert values(past, MODEL)["dir_nz"] == pytest.approx(1)
    naive = values(past, "the past goes on")
    assert naive["gain_all"] == naive["gain_nz"] == pytest.approx(0.5)
    assert naive["skill_all"] is None and naive["top5_nz"] == 1
    # The arrow is at cell 3, which no longer counts. Elsewhere the truth is 0, 0 and 3
    # right, the model says (3, -4): it is wrong by 5, 5 and 4, zero flow by 3.
    assert arrows["num_cells"] == {"all": 3, "nz": 1}
    assert values(arrows, MODEL)["gain_nz"] == pytest.approx(1 - 4 / 3)
    assert values(arrows, MODEL)["gain_all"] == pytest.approx(1 - 14 / 3)
    assert values(arrows, MODEL)["dir_nz"] == pytest.approx(0.6)
    # An arrow that fades: at cell 2, one cell away, the same direction, but shorter.
    (width,) = both[0].known.widths
    weight = np.exp(-1 / (2 * width**2))
    said = weight / (weight + 0.3) * np.array([3, -4])
    spread = values(arrows, "arrows spread")
    assert spread["gain_nz"] == pytest.approx(1 - np.linalg.norm(said - [3, 0]) / 3)
    assert spread["dir_nz"] == pytest.approx(0.6)
    assert list(mixed["results"]) == [
        MODEL,
        "the past goes on",
        "arrows spread",
        "both mixed",
        ZERO,
        PRIOR,
    ]


def test_differences_are_paired(both):
    """Twice as right as the naive row, where a past is known."""
    found = summarize_known(pool(both), num_draws=200)
    gap = found["all"]["past"]["differences"]["the past goes on"]["gain_all"]
    # Of e3's frame no past is known: 8 of 24 px are nobody's gain.
    assert gap["difference"] == pytest.approx(2 / 3 - 1 / 3)
    # Of the clips c1, d1, e2, e3 one draw in 17 has none of those that differ, c1 and
    # e2. A draw of the sources c, d, e has one of them, or nothing that moves.
    assert gap["verdicts"] == {"clip": "tie", "source": "better"}
    assert gap["intervals"]["source"] == pytest.approx([0.25, 0.5])
    own = found["all"]["past"]["results"][MODEL]["gain_all"]
    assert own["value"] == pytest.approx(2 / 3)
    assert own["intervals"]["clip"] == pytest.approx([0, 1])
    assert own["intervals"]["source"] == pytest.approx([0.5, 1])
    same = found["all"]["none"]["differences"][ZERO]["gain_all"]
    assert same["intervals"]["clip"] == [0, 0] and same["verdicts"]["clip"] == "tie"


def test_pooled_is_scored_together(both, tmp_path):
    """Validation and test pooled, against one split of all of their samples."""
    splits = {**SPLITS, "validation": [], "test": VALIDATION + TEST}
    folder = write_hand_made(tmp_path / "d", splits, statuses=[], **DATA_SETS)
    whole = measured(open_data_dir(folder), "test")
    for one in both:
        (tmp_path / str(len(one.clips))).mkdir()
        one.save(tmp_path / str(len(one.clips)))
    pooled = pool([Evaluation.load(tmp_path / num, with_known=True) for num in "13"])
    assert pooled.clips.tolist() == whole.clips.tolist()
    found, expected = (summarize_known(one, num_draws=20) for one in (pooled, whole))
    assert found["factors"] == [1, 1] and expected["factors"] == [1]
    assert found["all"] == expected["all"]
    assert found["data_sets"] == expected["data_sets"]


def test_what_one_lacks_is_not_pooled(both):
    def second(rows):
        known = dataclasses.replace(both[1].known, rows=rows)
        return dataclasses.replace(both[1], known=known)

    few = {"past": {MODEL: both[1].known.rows["past"][MODEL]}, "arrows9": {}}
    pooled = pool([both[0], second(few)]).known.rows
    assert {kind: list(rows) for kind, rows in pooled.items()} == {"past": [MODEL]}
    with pytest.raises(InputError, match="no row in common"):
        pool([both[0], second({})])
    assert pool([both[0], dataclasses.replace(both[1], known=None)]).known is None


def test_data_sets_are_told_apart(both):
    found = summarize_known(pool(both), num_draws=20)["data_sets"]
    assert {name: one["past"]["num_clips"] for name, one in found.items()} == {
        "A": 1,
        "B": 3,
    }
    assert values(found["A"]["past"], MODEL)["gain_all"] == 1
    assert values(found["B"]["past"], MODEL)["gain_all"] == pytest.approx(0.5)
    # The test split has clips of B only.
    assert list(summarize_known(both[1], num_draws=20)["data_sets"]) == ["B"]


def test_a_model_that_cannot_be_told(data_dir):
    data = open_data_dir(data_dir)
    found = measured(data, "validation", Deaf(), ("past", "arrows1"))
    assert found.known.not_told.tolist() == [MODEL]
    blocks = summarize_known(found, num_draws=20)["all"]
    assert values(blocks["past"], MODEL)["gain_all"] == 0
    assert blocks["arrows1"]["num_cells"]["all"] == 3


def test_what_cannot_be_told(data_dir, tmp_path):
    data = open_data_dir(data_dir)
    other = Guided()
    other.grid_size = 4
    with pytest.raises(InputError, match="4 cells a side, the data have 2: it cannot"):
        measured(data, "validation", other, ("arrows1",))
    plain = [dataclasses.replace(s, past_flow=None) for s in TRAIN + VALIDATION]
    splits = {"train": plain[:2], "validation": plain[2:], "test": []}
    without = open_data_dir(write_hand_made(tmp_path / "d", splits, statuses=[]))
    assert measured(without, "validation", words=("arrows1",)).known.factors.size == 0
    with pytest.raises(InputError, match="past_frames"):
        measured(without, "validation", words=("past",))


def test_known_in_the_pixels_of_the_model(data_dir):
    """A network of frames half as large is told vectors half as long."""
    seen, data = [], open_data_dir(data_dir)

    class Small(Guided):
        frame_size = 4

        def __call__(self, frames, known=None):
            seen.append(known)
            return super().__call__(frames, known)

    row = ModelRows(MODEL, Small(), data)
    known = np.ones([1, 2, 2, 7], np.float32)
    row.with_known(np.zeros([1, 8, 8, 3], np.uint8), known)
    assert seen[0][0, 0, 0].tolist() == [1, 0.5, 0.5, 1, 1, 0.5, 0.5]


def test_arrows_do_not_depend_on_the_batch(data_dir, both):
    data, done = open_data_dir(data_dir), []
    progress = lambda *now: done.append(now)  # noqa: E731
    whole = measured(data, "test", batch_size=9, progress=progress)
    assert done == [(3, 3)]
    for kind, rows in whole.known.rows.items():
        for row, sums in rows.items():
            expected = both[1].known.rows[kind][row]["cells"]
            np.testing.assert_array_equal(sums["cells"], expected)


def test_not_a_file_of_sums(both, tmp_path):
    both[0].save(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    both[1].save(other)
    for broken in (lambda path: path.unlink(), lambda path: np.savez(path, a=[0])):
        broken(tmp_path / "known.npz")
        with pytest.raises(InputError, match="known.npz is no known.npz"):
            Evaluation.load(tmp_path, with_known=True)
    (other / "known.npz").replace(tmp_path / "known.npz")
    with pytest.raises(InputError, match="its clips are not those of scores.npz"):
        Evaluation.load(tmp_path, with_known=True)


def test_tables(both):
    known = summarize_known(pool(both), num_draws=20)
    intervals = {"unit": "source", "num_draws": 20, "level": 0.95}
    summary = {"model": "net", "intervals": intervals, "known": known}
    summary["decodings"] = []
    tables = known_tables(summary)
    titles = ["With known motion", "With known motion: A", "With known motion: B"]
    assert [table.title for table in tables] == titles
    names = [row[1] for row in tables[1].rows if row[0] == "past"]
    assert names == ["net", "the past goes on", "net minus it"]
    assert [row[0] for row in tables[1].rows].count("past+arrows1") == 7
    cells = {row[1]: row[2:] for row in tables[1].rows if row[0] == "past"}
    assert cells["net"][1] == "100.0 [100.0, 100.0]"
    assert cells["net minus it"][1] == "50.0 [50.0, 50.0] better"
    assert cells["the past goes on"][5] == "-"  # flow only: no likelihood
    notes = tables[0].notes
    assert "factor of the past: 1." in notes and "over sources (20" in notes
    assert all(len(table.head) == 2 + len(WITH_KNOWN) for table in tables)
    del summary["known"]
    assert known_tables(summary) == []


@pytest.mark.slow
def test_evaluated_and_pooled_by_command(call, data_dir, tmp_path, monkeypatch):
    monkeypatch.setattr(predictor, "load", lambda path: Guided())
    monkeypatch.setattr(assessment.figures, "write_figures", lambda *_: None)
    options = assessment.Options(baselines="constant", known=WORDS)
    folders = [tmp_path / split for split in ("validation", "test")]
    for folder in folders:
        assessment.assess("runs/guided", data_dir, folder.name, folder, options)
    words = ["--evaluations=" + ",".join(map(str, folders)), f"--output_dir={tmp_path}"]
    done = call(pool_command, *words)
    assert done.code == 0, done.err
    assert "## With known motion: A" in done.out
    assert (tmp_path / "known.npz").is_file()
    known = json.loads((tmp_path / "metrics.json").read_text())["known"]
    assert values(known["all"]["past"], MODEL)["gain_all"] == pytest.approx(2 / 3)
    # Of one that was evaluated again, untold, an old file may lie there.
    metrics = json.loads((folders[1] / "metrics.json").read_text())
    del metrics["known"]
    (folders[1] / "metrics.json").write_text(json.dumps(metrics))
    summary = assessment.assess_pooled(folders, tmp_path / "again")
    assert "known" not in summary and not (tmp_path / "again" / "known.npz").exists()


def test_refused_before_the_work(data_dir, tmp_path):
    options = assessment.Options(known=("futures",))
    with pytest.raises(InputError, match="known holds 'futures'"):
        assessment.assess("nowhere", data_dir, "test", tmp_path, options)


def test_a_picture_of_what_is_told(data_dir):
    """Frames of 8x8, black: told the past, the model says the truth."""
    data = open_data_dir(data_dir).view(past=True)
    known = known_rows(data, words=["none", "past"])
    (samples,) = pipeline.evaluation_batches(data, "test", 3).as_numpy_iterator()
    moving = (samples["codes"] > 0).sum(axis=(1, 2, 3))
    picture = draw_known(known, data, "test", moving)
    # Two of three samples move; none, past, true side by side.
    assert picture.shape == (2 * 8, 3 * 8, 3)
    none, past, true = np.split(picture, 3, axis=1)
    assert not none.any()
    is_known = np.isfinite(samples["past_flow"]).all(axis=(1, 2, 3))[moving > 0]
    for row, known in enumerate(is_known):
        panel = slice(8 * row, 8 * row + 8)
        assert true[panel].any()
        np.testing.assert_array_equal(past[panel], true[panel] if known else 0)
    assert sorted(is_known) == [False, True]


def test_told_cells_have_rings():
    frame = np.zeros((40, 40, 3), np.uint8)
    ring(frame, np.array([1]), 4)
    # Cell 1 lies right of the first: its middle is at (15, 5), the ring 7 pixels away.
    assert frame[5, 8].any() and frame[5, 22].any() and not frame[5, 15].any()
    assert not frame[20:].any()
