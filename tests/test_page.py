"""The whole page: its parts and its numbers."""

import json
import re

import numpy as np
import pytest

from motionflow.data.data_dir import open_data_dir
from motionflow.models.run_dir import RunDir
from motionflow.report import page as report
from motionflow.scoring import figures, tables
from motionflow.scoring.assessment import Options
from tests import tiny_run
from tests.hostile_data import HOSTILE, write_hostile_data
from tests.html_page import Page

pytestmark = pytest.mark.slow

SECTIONS = {
    "verdict": "What it is, and the verdict",
    "tables": "The report's Tables 3 and 4",
    "published": "Published numbers",
    "scores": "All other tables",
    "figures": "The report's figures from this run",
    "calibration": "Codebook and calibration",
    "extremes": "Best and worst predictions",
    "videos": "Videos",
}
CONSTANT = Options(baselines="constant")
HISTORY = {"loss": 9.0, "top1": 0.5, "mean_recall": 0.2}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """Data directory and run with a history; its folder is named like markup."""
    folder = tmp_path_factory.mktemp("report")
    data_dir = write_hostile_data(folder / "data")
    run_dir = tiny_run.write_run(folder / "<b>run")
    rows = [{"epoch": e, **HISTORY, "val_top1": 0.4} for e in (1, 2)]
    RunDir(run_dir).write_history(rows)
    return data_dir, run_dir


@pytest.fixture(scope="module")
def full(tiny, tmp_path_factory):
    """The page of the tiny run: source, parsed, and what metrics.json holds."""
    folder = tmp_path_factory.mktemp("page")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figures, "_MIN_MOVING", 2)  # of the nine cells
        path = report.make_report(*reversed(tiny), "test", folder, CONSTANT)
    source = path.read_text(encoding="utf-8")
    summary = json.loads((folder / "metrics.json").read_text())
    return source, Page(source), summary


def test_every_part_is_there_and_linked(full):
    _, page, _ = full
    assert set(SECTIONS.values()) <= set(page.headings)
    links = [a["href"] for a in page.all("a")]
    assert links == [f"#{name}" for name in SECTIONS]
    assert len(set(page.ids)) == len(page.ids) and set(SECTIONS) <= set(page.ids)
    for figure in ("1", "2", "9", "10", "11"):
        assert any(h.startswith(f"Figure {figure}.") for h in page.headings)
    assert "Figures 6, 7 and 8. Training" in page.headings
    for name in ("history-1", "history-3", "confusion", "top1-by-cell", "codebook"):
        assert name in page.ids
    assert {"Best", "Worst"} <= set(page.headings) and "Too few frames" not in page.text


def test_settings_of_several_data_sets_read_like_flags(tiny, full):
    data = open_data_dir(tiny[0])
    data.manifest["flags"] |= {"frame_stride": [5, 2], "data_sets": ["x", "y"]}
    found = dict(report.facts(full[2], data, RunDir(tiny[1])))
    assert "frame_stride=5,2, data_sets=x,y" in found["Data"]


def test_the_page_needs_nothing_else(full):
    source, page, _ = full
    rest = re.sub('"data:[^"]*"', "", source)
    assert not re.search(r"https?://|//[a-z]|@import|url\(", rest)
    assert "http://" not in page.text and "https://" not in page.text
    assert not page.all("script") and not page.all("link") and not page.all("iframe")
    sources = [a[k] for _, a in page.tags for k in ("src", "poster") if k in a]
    assert sources and all(s.startswith("data:") for s in sources)
    assert all(image["alt"] for image in page.all("img"))
    assert page.all("html")[0]["lang"] == "en"
    assert any(meta.get("name") == "viewport" for meta in page.all("meta"))
    assert "prefers-color-scheme: dark" in source
    assert len(source) < 6e6


def test_videos_loop_in_silence_beside_their_frame(full):
    _, page, _ = full
    videos = page.all("video")
    assert ["autoplay" in video for video in videos] == [True] * 3 + [False] * 4
    stills = {image["src"] for image in page.all("img")}
    for video in videos:
        assert {"controls", "loop", "muted", "playsinline"} <= set(video)
        assert video["src"].startswith("data:video/mp4;base64,")
        assert "autoplay" in video or video["poster"] in stills


def test_it_opens_with_what_a_person_asks_first(full):
    _, page, summary = full
    before, _, _ = page.text.partition(SECTIONS["verdict"])
    assert "What it learned from is not recorded." in before
    assert "12 frames of 6 clips from 2 source videos" in before
    assert "other frames of the same clips, which flatters it" in before
    results = summary["results"]
    model, zero = (results[n]["masks"]["nz"]["epe"] for n in ("model", "zero flow"))
    assert f"EPE-nz in pixels: {model:.3f} against {zero:.3f}." in before
    gain = 100 * results["model"]["masks"]["all"]["skill"]
    # Random weights: said with its sign turned, as more surprised.
    low, high = results["model"]["intervals"]["masks"]["all"]["skill"]
    loss = f"{-gain:.1f} % [{-100 * high:.1f}, {-100 * low:.1f}] more surprised"
    assert loss in before.replace("\u00a0", " ")
    assert "None of these baselines looks at the frame." in before
    assert before.count("predicted motion") == 3
    # The report is named before it is spoken of.
    assert page.text.index("Pol Rosello") < page.text.index("The report's Tables")


def test_numbers_are_those_of_metrics_json(full):
    _, page, summary = full
    rows = {row[0]: row[1:] for row in page.tables["Flow (the report's Table 4)"][1:]}
    assert set(rows) == {"<b>run", *set(summary["results"]) - {"model"}} - set(
        summary["decodings"]
    )
    for name, cells in rows.items():
        scores = summary["results"]["model" if name == "<b>run" else name]
        scores = scores["masks"]["all"]
        numbers = [float(cell) for cell in cells[:5]]
        assert numbers[:3] == [round(scores[k], 3) for k in ("epe", "dir", "ori")]
        assert numbers[3:] == [round(100 * scores[k], 2) for k in ("top5", "top10")]
    assert rows["<b>run"][5] == f"{summary['num_parameters']['model']:,}"
    by_mask = page.tables["By mask"][1:]
    moving = {row[1]: row[2:] for row in by_mask if row[0] == "nz"}
    zero = summary["results"]["zero flow"]["masks"]["nz"]
    assert float(moving["zero flow"][0]) == round(zero["epe"], 3)
    assert "12 frames of 6 clips from 2 sources" in page.text


def test_every_table_of_the_assessment_is_there(full):
    _, page, summary = full
    expected = {
        line[3:]
        for line in tables.markdown(summary).splitlines()
        if line.startswith("## ")
    }
    published = {"Published: classification", "Published: flow"}
    assert set(page.tables) == expected | published
    for rows in page.tables.values():
        assert len({len(row) for row in rows}) == 1
    assert "not comparable line by line" in page.text
    flow = {tuple(row[:3]) for row in page.tables["Published: flow"]}
    assert ("AlexNet", "HMDB-51", "1.10") in flow


def test_verdict_follows_the_differences(full):
    _, page, summary = full
    names = [n for n in summary["results"] if not n.startswith("model")]
    found = [
        {summary["differences"][n][key]["verdict"] for n in names} - {None}
        for key in ("nll_all", "epe_nz", "dir_nz", "ori_nz", "top5_nz")
    ]
    num_better = sum(verdicts == {"better"} for verdicts in found)
    # Random weights against noise: the page must not claim anything.
    assert num_better < 5
    claim = f"on {num_better} of 5 scores" if num_better else "on none of the scores"
    assert claim in page.text
    assert "flatters every number on this page" in page.text  # split by frame


def test_names_are_text_and_not_markup(full):
    source, page, _ = full
    assert "<script" not in source and "<b>run" not in source
    assert HOSTILE in page.text and "<b>run" in page.headings[0]
    assert f"dataset={HOSTILE}" in page.text


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ({"split": "source"}, "no frame scored here has a relative in training"),
        ({"split": "official2"}, "Official split 2"),
        ({}, "does not say how it was split"),
    ],
)
def test_protocols(flags, sentence):
    assert sentence in report.PROTOCOLS[flags.get("split", "")]


def test_another_codebook_and_no_history(run_dir, tmp_path):
    centers = tiny_run.CENTERS + np.float32([0.5, 0])
    data_dir = tiny_run.write_data(tmp_path / "data", centers=centers)
    path = report.make_report(run_dir, data_dir, "validation", tmp_path / "e", CONSTANT)
    page = Page(path.read_text(encoding="utf-8"))
    assert "it is compared in flow space only" in page.text
    assert "NLL and Top-5-nz could not be compared" in page.text
    for missing in ("there is no confusion matrix", "there is no such map"):
        assert missing in page.text
    assert "there is no reliability diagram" in page.text
    assert "no history of its training" in page.text
    assert "This is the validation split" in page.text
    assert "Too few frames with enough motion" in page.text  # nine cells
    assert "codebook" in page.ids and "confusion" not in page.ids
    assert set(SECTIONS) <= set(page.ids)


def test_exported_model(tiny, version, tmp_path):
    data_dir, _ = tiny
    path = report.make_report(version, data_dir, "validation", tmp_path / "e", CONSTANT)
    page = Page(path.read_text(encoding="utf-8"))
    assert "no history of its training" in page.text
    assert "not known of an export" in page.text and page.all("video")
