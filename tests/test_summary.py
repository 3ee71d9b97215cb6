"""Scores, intervals and verdicts of an evaluation whose answers are known."""

import json

import numpy as np
import pytest

from motionflow.labels.codebook import Codebook
from motionflow.scoring import UNITS, summary
from motionflow.scoring.cells import Prediction, Truth
from motionflow.scoring.evaluation import Evaluation
from motionflow.scoring.sums import ClipSums
from tests.test_scores import kept

CODEBOOK = Codebook(np.array([[0, 0], [4, 0], [0, 4]], np.float32))
NUM_CLIPS = 12


def evaluation(model_shares) -> Evaluation:
    """Clips that move right 4 in half their cells; a model that sees a share of it.

    Args:
      model_shares: [NUM_CLIPS], part of the true flow that the model predicts; its
        probability of the right class where things move is the same.
    """
    flow = np.zeros([NUM_CLIPS, 2, 2, 2])
    flow[:, :, 0, 0] = 4
    codes = np.tile([1, 0, 1, 0], (NUM_CLIPS, 1))
    truth = Truth.of_batch(flow, codes, np.zeros_like(codes), CODEBOOK)
    shares = np.asarray(model_shares, float)[:, None, None, None]
    chances = np.full([NUM_CLIPS, 4, 3], 0.25)
    right = np.broadcast_to(shares[:, 0], (NUM_CLIPS, 2, 1)) / 2 + 0.25
    chances[:, ::2] = np.concatenate([(1 - right) / 2, right, (1 - right) / 2], -1)
    chances[:, 1::2, 0] = 0.5
    prior = np.broadcast_to([0.5, 0.5, 0.001], (NUM_CLIPS, 4, 3)) / 1.001
    answers = {
        "model": (flow * shares, chances),
        "zero flow": (np.zeros_like(flow), None),
        "class prior per cell": (flow / 2, prior),
    }
    sums = ClipSums(NUM_CLIPS)
    for name, (pred, probabilities) in answers.items():
        prediction = Prediction.of_output(pred, probabilities, CODEBOOK)
        sums.add("", name, np.arange(NUM_CLIPS), kept(truth, prediction, 3))
    return Evaluation(
        clips=np.array([f"clip{i:02d}" for i in range(NUM_CLIPS)]),
        actions=np.array(["run", "sit"] * (NUM_CLIPS // 2)),
        sources=np.array([f"source{i // 2}" for i in range(NUM_CLIPS)]),
        sample_clips=np.arange(NUM_CLIPS),
        codebook_fingerprint=CODEBOOK.fingerprint,
        rows=sums.rows(""),
    )


SHARES = np.linspace(0.2, 0.8, NUM_CLIPS)


@pytest.fixture(scope="module")
def found():
    return summary.summarize(evaluation(SHARES), num_draws=2000)


def test_plain_values(found):
    text = json.dumps(found, allow_nan=False)
    assert json.loads(text) == found
    counts = (found["num_samples"], found["num_clips"], found["num_sources"])
    assert counts == (12, 12, 6)


def test_intervals_hold_what_theory_says(found):
    # EPE over moving cells of a clip is 4 (1 - share): mean 2, and the interval of a
    # mean of 12 clips is +- 1.96 standard errors, roughly for so few.
    errors = 4 * (1 - SHARES)
    masks = found["results"]["model"]["masks"]["nz"]
    assert masks["epe"] == pytest.approx(2)
    low, high = found["results"]["model"]["intervals"]["masks"]["nz"]["epe"]
    half = 1.96 * errors.std() / 12**0.5
    assert (low, high) == pytest.approx((2 - half, 2 + half), abs=0.03)
    # Nothing varies for the zero flow: every clip has the same error.
    zero = found["results"]["zero flow"]
    assert zero["intervals"]["masks"]["nz"]["epe"] == pytest.approx([4, 4])
    assert zero["masks"]["nz"]["nll"] is None
    assert zero["intervals"]["masks"]["all"]["nll"] == [None, None]
    assert zero["masks"]["canny"]["epe"] is None  # no edges anywhere


def test_sources_give_wider_intervals():
    # The two clips of a source are alike and the sources differ.
    shares = np.repeat(np.linspace(0.2, 0.8, 6), 2)
    widths = []
    for unit in UNITS:
        result = summary.summarize(evaluation(shares), unit, num_draws=2000)
        model = result["results"]["model"]["intervals"]["masks"]["nz"]["epe"]
        widths.append(model[1] - model[0])
        assert result["intervals"]["unit"] == unit
    # The standard error of a mean over 6 instead of 12 independent values.
    assert widths[1] / widths[0] == pytest.approx(2**0.5, rel=0.1)


def test_differences_and_verdicts(found):
    zero = found["differences"]["zero flow"]
    assert zero["epe_nz"]["difference"] == pytest.approx(2 - 4)
    assert zero["epe_nz"]["verdict"] == "better"
    assert zero["dir_nz"]["difference"] == pytest.approx(1)
    assert zero["nll_all"]["difference"] is zero["nll_all"]["verdict"] is None
    prior = found["differences"]["class prior per cell"]
    # The prior predicts half of the flow, the model half on average: a tie.
    assert prior["epe_nz"]["difference"] == pytest.approx(0, abs=1e-6)
    assert prior["epe_nz"]["verdict"] == "tie"
    assert "model" not in found["differences"]


def test_differences_are_paired():
    """A constant gain is certain, however much the clips vary."""
    result = summary.summarize(evaluation(SHARES), num_draws=200)
    constant = evaluation(SHARES)
    constant.rows["model"]["cells"][..., 1] = (
        constant.rows["class prior per cell"]["cells"][..., 1] - 0.1
    )
    found = summary.summarize(constant, num_draws=200)["differences"]
    gain = found["class prior per cell"]["epe_nz"]
    assert gain["interval"] == pytest.approx([-0.05, -0.05])  # .1 a clip of 2 cells
    low, high = result["differences"]["class prior per cell"]["epe_nz"]["interval"]
    assert high - low > 0.3


def test_motion_potential(found):
    potential = found["results"]["model"]["motion_potential"]
    assert potential["nz"]["predicted"] == pytest.approx(4 * SHARES.mean())
    assert potential["nz"]["true"] == pytest.approx(4)
    # The truth is the same everywhere: nothing to rank.
    assert potential["nz"]["rank_correlation"] is None
    # Over frames that move more and more, a model that sees the same share ranks them.
    graded = evaluation(np.full(NUM_CLIPS, 0.5))
    for name in ("model", "zero flow"):
        graded.rows[name]["frames"][..., 1:] *= np.arange(1, 13)[:, None, None]
    found = summary.summarize(graded, num_draws=50)["results"]["model"]
    assert found["motion_potential"]["nz"]["rank_correlation"] == pytest.approx(1)
    assert found["motion_potential"]["nz"]["interval"] == pytest.approx([1, 1])


def test_actions_add_up(found):
    actions = found["actions"]
    assert list(actions) == ["run", "sit"]
    assert [actions[a]["num_clips"] for a in actions] == [6, 6]
    epe = [actions[a]["scores"]["model"]["epe_nz"] for a in actions]
    assert epe == pytest.approx([4 * (1 - SHARES[i::2].mean()) for i in (0, 1)])
    assert actions["run"]["scores"]["class prior per cell"]["skill_all"] == 0
