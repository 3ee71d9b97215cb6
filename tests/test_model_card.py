import json

import pytest

from motionflow.models import blocks
from motionflow.models.run_dir import RunDir
from motionflow.scoring import assessment
from motionflow.serving import model_card
from tests import tiny_run

pytestmark = pytest.mark.slow

MANIFEST = {
    "format_version": 2,
    "flags": {
        "dataset": "hmdb51",
        "split": "source",
        "flow_method": "deepflow",
        "flow_average": "anchored",
        "flow_frames": 3,
    },
    "splits": {
        "train": {"num_samples": 1563, "num_clips": 270, "shards": [{"sha256": "x"}]},
        "test": {"num_samples": 476, "num_clips": 76, "shards": []},
    },
}


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    return RunDir.open(tiny_run.write_run(tmp_path_factory.mktemp("card") / "run"))


@pytest.fixture(scope="module")
def card(run_dir):
    """The card of a run that knows its data and was evaluated."""
    data_dir = tiny_run.write_data(run_dir.path.parent / "data", (12, 8, 8))
    told = ("none", "arrows1")
    options = assessment.Options(batch_size=4, baselines="constant", known=told)
    folder = run_dir.path / "evaluation" / "test"
    assessment.assess(run_dir.path, data_dir, "test", folder, options)
    run_dir.write_origin(MANIFEST)
    return model_card.make(run_dir, run_dir.load_model())


def written(card, folder):
    model_card.write(folder / "assets.extra", card)
    stored = json.loads((folder / "assets.extra" / "model_card.json").read_text())
    assert stored == card
    return (folder / "assets.extra" / "model_card.md").read_text()


def test_it_says_what_the_model_is(card, run_dir, tmp_path):
    model = run_dir.load_model()
    assert card["model"]["num_parameters"] == blocks.count_parameters(model)
    assert card["model"]["codebook_fingerprint"] == run_dir.codebook.fingerprint
    page = written(card, tmp_path)
    assert "| frames | 64x64, RGB, 0 to 255 |" in page
    assert "optical flow on a\n3x3 grid, as a choice among\n5 flow vectors" in page
    assert "| checkpoint | epoch-1 |" in page


def test_it_says_where_the_data_came_from(card, tmp_path):
    assert card["data"]["splits"]["train"] == {"num_samples": 1563, "num_clips": 270}
    page = written(card, tmp_path)
    assert "Data set hmdb51, split by source" in page
    assert "| train | 1,563 | 270 |" in page
    assert (
        "deepflow flow, no human labels; one step is the anchored mean over 3" in page
    )
    assert "Licence of the data: HMDB-51 is published under CC BY 4.0" in page


def test_it_gives_scores_with_intervals_and_the_verdict(card, run_dir, tmp_path):
    path = run_dir.path / "evaluation" / "test" / "metrics.json"
    row = json.loads(path.read_text())["results"]["model"]
    scores = {s["score"]: s for s in card["evaluations"]["test"]["scores"]}
    assert scores["EPE-nz"]["value"] == row["masks"]["nz"]["epe"]
    assert scores["EPE-nz"]["interval"] == row["intervals"]["masks"]["nz"]["epe"]
    assert set(scores) == {"NLL", "EPE-nz", "Dir-nz", "Ori-nz", "Top-5-nz"}
    page = written(card, tmp_path)
    assert "### test: 8 frames of 1 clips from 1 sources" in page
    value = f"{row['masks']['nz']['epe']:.3f}"
    low, high = (f"{x:.3f}" for x in row["intervals"]["masks"]["nz"]["epe"])
    assert f"| {value} | {low} to {high} |" in page
    assert "95 % interval over clips" in page
    # What it says of which numbers, tests/test_verdict.py checks.
    assert "The model is better than every baseline on" in " ".join(page.split())


def test_it_says_what_it_makes_of_what_it_is_told(card, run_dir, tmp_path):
    path = run_dir.path / "evaluation" / "test" / "metrics.json"
    blocks_of = json.loads(path.read_text())["known"]["all"]
    found = card["evaluations"]["test"]["known"]
    assert list(found) == ["none", "arrows1"]
    assert [row["best_naive"] for row in found.values()] == ["", "arrows spread"]
    score = blocks_of["arrows1"]["results"]["model"]["gain_nz"]
    expected = [score["value"], *score["intervals"]["clip"]]
    assert found["arrows1"]["scores"]["gain_nz"] == expected
    cell = "{:.1f} [{:.1f}, {:.1f}]".format(*(100 * value for value in expected))
    page = written(card, tmp_path)
    assert f"| {cell} |" in page and "| arrows spread: " in page


def test_the_evaluation_of_another_codebook_does_not_count(run_dir, card, tmp_path):
    source = run_dir.path / "evaluation" / "test" / "metrics.json"
    summary = json.loads(source.read_text()) | {"codebook_fingerprint": "other"}
    other = tiny_run.write_run(tmp_path / "run") / "evaluation" / "test"
    other.mkdir(parents=True)
    (other / "metrics.json").write_text(json.dumps(summary))
    run = RunDir.open(tmp_path / "run")
    assert model_card.make(run, run.load_model())["evaluations"] == {}


def test_what_is_not_known_is_not_made_up(tmp_path):
    run_dir = RunDir.open(tiny_run.write_run(tmp_path / "run"))
    page = written(model_card.make(run_dir, run_dir.load_model()), tmp_path)
    assert "Not known: the run does not record it." in page
    assert "Licence of the data: not known" in page
    assert "Not evaluated" in page


def test_several_data_sets_and_what_is_known_of_each(tmp_path):
    run_dir = RunDir.open(tiny_run.write_run(tmp_path / "run"))
    flags = {"dataset": ["folder", "hmdb51", "folder"], "data_sets": ["x", "y", "z"]}
    run_dir.write_origin(MANIFEST | {"flags": MANIFEST["flags"] | flags})
    page = written(model_card.make(run_dir, run_dir.load_model()), tmp_path)
    assert "Data sets x, y, z in one, split by source:" in page
    assert "data: folder: not known; hmdb51: HMDB-51 is published under" in page


def test_the_licence_can_be_named(run_dir, card):
    named = model_card.make(run_dir, run_dir.load_model(), "own videos, CC0")
    assert named["data_licence"] == "own videos, CC0"


def test_it_says_how_fine_and_how_far_a_dense_sequence_predicts(
    steps_run_dir, tmp_path
):
    run_dir = RunDir.open(steps_run_dir)
    page = written(model_card.make(run_dir, run_dir.load_model()), tmp_path)
    assert "| frames | 72x72, RGB, 0 to 255 |\n| finest flow | 36x36 (" in page
    assert "| steps ahead | 3 (signature `steps`) |\n| codebook |" in page
